//! The gateway as one running whole: opens everything, wires it, and stops it in order.
//!
//! Start: authority, keys, revocation list, ledger, spool, listeners; only then is it ready. Stop: listeners take nothing
//! new, streams end, what was asked is answered, the stop is logged, the log is published.

mod error;
mod keys;
mod routes;
mod tasks;

use std::net::SocketAddr;
use std::sync::Arc;

use passerelle_journal::Options;
use passerelle_pki::authority::Authority;
use passerelle_pki::certificate::TrustAnchor;
use passerelle_pki::clock::SharedClock;
use passerelle_pki::revocation::{RevocationList, Revocations};
use passerelle_pki::tls::{ClientAuth, ServerSettings, ServerTls};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::bodies::Bodies;
use crate::catalogue::Documents;
use crate::config::Config;
use crate::ledger::{Ledger, Origin, Settings};
use crate::operators::Operators;
use crate::rpc::allow::Door;
use crate::rpc::connections::Connections;
use crate::rpc::{Listener, ListenerLimits};
use crate::state::State;
use crate::view::Finished;

pub use error::ServeError;
pub use keys::GatewayKeys;

/// A gateway that runs.
#[derive(Debug)]
pub struct Running {
    agents: SocketAddr,
    public: SocketAddr,
    ledger: Ledger,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// Everything that the services share.
pub(crate) struct Parts {
    pub(crate) config: Config,
    pub(crate) clock: SharedClock,
    pub(crate) authority: Arc<Authority>,
    pub(crate) keys: GatewayKeys,
    pub(crate) revocations: Revocations,
    pub(crate) ledger: Ledger,
    pub(crate) bodies: Bodies,
    pub(crate) documents: Documents,
    pub(crate) finished: mpsc::UnboundedReceiver<Finished>,
    pub(crate) operators: Arc<Operators>,
    pub(crate) stop: CancellationToken,
}

/// Starts a gateway. It is ready when this returns.
///
/// # Errors
/// [`ServeError`], which says what to do; nothing runs then.
pub async fn start(config: Config, clock: SharedClock) -> Result<Running, ServeError> {
    let parts = tokio::task::spawn_blocking(move || open(config, clock))
        .await
        .map_err(|error| ServeError::thread(&error))??;
    let connections =
        Connections::new(parts.revocations.clone(), parts.ledger.clone(), SharedClock::clone(&parts.clock));
    let tls = |client_auth, alpn: &[&[u8]]| {
        ServerTls::new(ServerSettings {
            credential: parts.keys.tls.clone(),
            anchor: parts.keys.anchor.clone(),
            client_auth,
            revocations: (client_auth == ClientAuth::Required).then(|| parts.revocations.clone()),
            alpn: alpn.iter().map(|protocol| protocol.to_vec()).collect(),
            clock: SharedClock::clone(&parts.clock),
        })
        .map_err(ServeError::Tls)
    };
    let limits = ListenerLimits {
        connections: parts.config.limits.connections_max as usize,
        per_agency: parts.config.limits.connections_per_agency as usize,
    };
    let bind = |address, tls| {
        let connections = connections.clone();
        async move {
            Listener::bind(address, tls, limits, connections)
                .await
                .map_err(|source| ServeError::Bind { address, source })
        }
    };
    let agents = bind(parts.config.listen_agents, tls(ClientAuth::Required, &[b"h2"])?).await?;
    let public = bind(parts.config.listen_public, tls(ClientAuth::None, &[b"h2", b"http/1.1"])?).await?;

    let running = Running {
        agents: agents.address().map_err(ServeError::Address)?,
        public: public.address().map_err(ServeError::Address)?,
        ledger: parts.ledger.clone(),
        stop: parts.stop.clone(),
        tasks: TaskTracker::new(),
    };
    running.tasks.spawn(agents.serve(routes::routes(Door::Agents, &parts).await, parts.stop.clone()));
    running.tasks.spawn(public.serve(routes::routes(Door::Public, &parts).await, parts.stop.clone()));
    tasks::spawn(&running.tasks, parts, connections);
    running.tasks.close();
    tracing::info!(agents = %running.agents, public = %running.public, "ready");
    Ok(running)
}

/// Opens what is on the disk.
fn open(config: Config, clock: SharedClock) -> Result<Parts, ServeError> {
    let now = clock.now();
    let passphrase = config.passphrase()?;
    let authority =
        Authority::open(&config.pki.issuing_authority, &passphrase).map_err(ServeError::Authority)?;
    let anchor = TrustAnchor::from_pem_file(&config.pki.root_certificate).map_err(ServeError::Root)?;
    let keys = GatewayKeys::load(&config, anchor)?;
    let revocations = Revocations::new();
    let list = authority.revocation_list(now).map_err(ServeError::Authority)?;
    let list = RevocationList::verify(&list, authority.issuer()).map_err(ServeError::Revocation)?;
    revocations.replace(list).map_err(ServeError::Revocation)?;

    let (told, finished) = mpsc::unbounded_channel();
    let ledger = Ledger::open(&Settings {
        journal: config.journal_dir(),
        log: config.log_dir(),
        view: config.view_dir(),
        origin: Origin { origin: config.log_origin.clone(), gateway: config.name.to_string() },
        receipt_key: Arc::<passerelle_pki::key::Ed25519Key>::clone(&keys.signing),
        log_key: Arc::<passerelle_pki::key::Ed25519Key>::clone(&keys.log),
        clock: SharedClock::clone(&clock),
        state: State::new(keys.anchor.clone(), authority.issuer().clone()),
        publish_interval: config.publish_interval,
        segments: Options::default(),
        finished: Some(told),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        configuration_digest: config.digest,
    })?;
    let bodies = Bodies::open(&config.bodies_dir()).map_err(ServeError::Bodies)?;
    let documents = Documents::open(&config.services_dir()).map_err(ServeError::Documents)?;
    let operators =
        Operators::new(&config.operators, keys.operators.public_key()).map_err(ServeError::Operators)?;
    Ok(Parts {
        config,
        clock,
        authority: Arc::new(authority),
        keys,
        revocations,
        ledger,
        bodies,
        documents,
        finished,
        operators: Arc::new(operators),
        stop: CancellationToken::new(),
    })
}

impl Running {
    /// Where agents connect.
    #[must_use]
    pub fn agents_address(&self) -> SocketAddr {
        self.agents
    }

    /// Where operators connect.
    #[must_use]
    pub fn public_address(&self) -> SocketAddr {
        self.public
    }

    /// The ledger, for tests that look inside.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Stops: nothing new is taken, what was asked is answered, the stop is logged and the log published.
    ///
    /// # Errors
    /// [`ServeError`] when the stop could not be logged; what was acknowledged is durable all the same.
    pub async fn shutdown(self) -> Result<(), ServeError> {
        tracing::info!("stopping");
        self.stop.cancel();
        self.tasks.wait().await;
        self.ledger.stop().await.map_err(ServeError::Stop)?;
        tracing::info!("stopped");
        Ok(())
    }
}

/// Runs a gateway until it is asked to stop (SIGTERM, SIGINT). Says on the standard output, in one line, when it is
/// ready and where it listens.
///
/// # Errors
/// [`ServeError`].
pub async fn run(config: Config, clock: SharedClock) -> Result<(), ServeError> {
    use std::io::Write;
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate()).map_err(ServeError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServeError::Signals)?;
    let running = start(config, clock).await?;
    {
        let mut output = std::io::stdout().lock();
        let (agents, public) = (running.agents, running.public);
        // Who reads it may be gone; the gateway serves all the same.
        drop(writeln!(output, "prêt / ready agents={agents} public={public}").and_then(|()| output.flush()));
    }
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    running.shutdown().await
}
