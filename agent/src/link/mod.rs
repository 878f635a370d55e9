//! The one connection to the gateway: mutual TLS, HTTP/2, made again whenever it breaks.
//!
//! Owns when to connect and when to close. A connection counts once the gateway has said a word on it: under TLS 1.3 a
//! client whose certificate is refused learns it only there. It is replaced when our certificate is renewed (the new
//! one first, then the old one is cut) and cut when the gateway's own certificate shows up on a revocation list.
//!
//! Between attempts the waiting time doubles, with jitter, up to [`Backoff::max`]; it starts over once a connection has
//! lasted. Streams that ran on a lost connection end with an error: whoever holds them asks [`Link::ready`] again.

mod address;
mod dial;
mod guarded;

#[cfg(test)]
pub(crate) mod exchange_stub;
#[cfg(test)]
pub(crate) mod stub;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use passerelle_pki::clock::SharedClock;
use passerelle_pki::key::KeyId;
use passerelle_pki::revocation::Revocations;
use passerelle_pki::tls::{ClientSettings, ClientTls, PeerCertificate, TlsError};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::identity::Identity;

pub use address::{AddressError, GatewayAddress};
pub use dial::LinkError;
pub(crate) use dial::{Line, dial};

/// How long a call that is no stream may take.
pub const CALL_LIMIT: Duration = Duration::from_secs(30);

/// How long a connection must last before the waiting time starts over.
const SETTLED: Duration = Duration::from_secs(10);

/// Waiting times between attempts to connect.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The first.
    pub min: Duration,
    /// The longest, jitter included.
    pub max: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { min: Duration::from_millis(250), max: Duration::from_secs(30) }
    }
}

impl Backoff {
    /// The waiting times, without end.
    pub(crate) fn delays(self) -> ExponentialBackoff {
        // Jitter adds up to as much again.
        ExponentialBuilder::default()
            .with_min_delay(self.min)
            .with_max_delay(self.max / 2)
            .without_max_times()
            .with_jitter()
            .build()
    }
}

/// Where to connect, as whom, and whom to believe.
#[derive(Debug)]
pub struct LinkSettings {
    /// The gateway's listener for agents.
    pub address: GatewayAddress,
    /// Who we are; its certificate is followed when it is renewed.
    pub identity: Identity,
    /// The lists that the gateway's own certificate is held against (see [`crate::directory::Directory`]).
    pub revocations: Revocations,
    /// Waiting times.
    pub backoff: Backoff,
    /// What time it is.
    pub clock: SharedClock,
}

/// The connection. Clones share it.
#[derive(Clone, Debug)]
pub struct Link(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    settings: LinkSettings,
    tls: ClientTls,
    /// The TLS key that is presented.
    presented: Mutex<KeyId>,
    channel: watch::Sender<Option<Channel>>,
    connected: watch::Sender<bool>,
    peer: Mutex<Option<PeerCertificate>>,
    failure: watch::Sender<Option<String>>,
    again: Notify,
    stop: CancellationToken,
}

impl Link {
    /// Begins to connect, and goes on until [`Link::stop`]. The handle ends then.
    ///
    /// # Errors
    /// [`TlsError::OwnCertificate`] when our own certificate does not serve: expired, or of another root.
    pub fn start(settings: LinkSettings) -> Result<(Self, JoinHandle<()>), TlsError> {
        let credential = settings.identity.tls();
        let presented = Mutex::new(credential.key.key_id());
        let tls = ClientTls::new(ClientSettings {
            credential: Some(credential),
            anchor: settings.identity.anchor().clone(),
            // A stale list must not lock an agent out of the one place where it gets the next: the gateway's
            // certificate is held against the lists after the handshake, where being listed is what counts.
            revocations: None,
            alpn: vec![b"h2".to_vec()],
            clock: Arc::clone(&settings.clock),
        })?;
        let link = Self(Arc::new(Shared {
            settings,
            tls,
            presented,
            channel: watch::Sender::new(None),
            connected: watch::Sender::new(false),
            peer: Mutex::default(),
            failure: watch::Sender::new(None),
            again: Notify::new(),
            stop: CancellationToken::new(),
        }));
        let task = tokio::spawn(Self::run(link.clone()));
        Ok((link, task))
    }

    /// The channel, when connected.
    #[must_use]
    pub fn channel(&self) -> Option<Channel> {
        self.0.channel.borrow().clone()
    }

    /// Waits for the channel. `None` once stopped.
    pub async fn ready(&self) -> Option<Channel> {
        let mut channel = self.0.channel.subscribe();
        tokio::select! {
            () = self.0.stop.cancelled() => None,
            found = channel.wait_for(Option::is_some) => found.ok().and_then(|channel| channel.clone()),
        }
    }

    /// The channel, and every change of it: who has seen one sees the next, even when none was missing between.
    pub(crate) fn channels(&self) -> watch::Receiver<Option<Channel>> {
        self.0.channel.subscribe()
    }

    /// Whether connected, and every change of it.
    #[must_use]
    pub fn connected(&self) -> watch::Receiver<bool> {
        self.0.connected.subscribe()
    }

    /// The gateway's certificate, when connected.
    #[must_use]
    pub fn peer(&self) -> Option<PeerCertificate> {
        self.0.peer.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Why the last attempt failed; nothing once connected.
    #[must_use]
    pub fn last_failure(&self) -> Option<String> {
        self.0.failure.borrow().clone()
    }

    /// Makes a new connection and closes the present one.
    pub fn reconnect(&self) {
        self.0.again.notify_one();
    }

    /// Cuts the connection when the gateway's certificate is on a list by now. For whoever takes new lists.
    pub fn check_peer(&self) {
        if self.peer().is_some_and(|peer| is_listed(&self.0.settings.revocations, &peer)) {
            tracing::error!("the gateway's certificate was revoked: closing the connection");
            self.reconnect();
        }
    }

    /// Closes the connection for good.
    pub fn stop(&self) {
        self.0.stop.cancel();
    }

    async fn run(self) {
        let mut delays = self.0.settings.backoff.delays();
        let mut renewed = self.0.settings.identity.changes();
        while let Some(line) = self.establish(&mut delays).await {
            if self.hold(line, &mut renewed).await {
                delays = self.0.settings.backoff.delays();
            } else if !self.pause(&mut delays).await {
                break;
            }
        }
        self.publish(None);
    }

    /// Tries until it succeeds. `None` once stopped.
    async fn establish(&self, delays: &mut ExponentialBackoff) -> Option<Line> {
        loop {
            let attempt = tokio::select! {
                () = self.0.stop.cancelled() => return None,
                attempt = self.attempt() => attempt,
            };
            match attempt {
                Ok(line) => return Some(line),
                Err(error) => self.report(&error),
            }
            if !self.pause(delays).await {
                return None;
            }
        }
    }

    async fn attempt(&self) -> Result<Line, LinkError> {
        let Shared { settings, tls, .. } = &*self.0;
        self.present_renewed();
        let mut line = dial(&settings.address, tls, |peer| !is_listed(&settings.revocations, peer)).await?;
        line.heard().await?;
        Ok(line)
    }

    /// Keeps a line in service until it is lost or replaced in vain. `true` when it had lasted.
    async fn hold(&self, mut line: Line, renewed: &mut watch::Receiver<u64>) -> bool {
        // Renewed while there was no line: `attempt` has presented it already.
        renewed.mark_unchanged();
        self.publish(Some(&line));
        let settled = tokio::time::sleep(SETTLED);
        tokio::pin!(settled);
        let mut lasted = false;
        loop {
            tokio::select! {
                () = self.0.stop.cancelled() => { line.cut(); return lasted; }
                () = line.gone() => break,
                () = &mut settled, if !lasted => { lasted = true; continue; }
                () = self.0.again.notified() => {}
                Ok(()) = renewed.changed() => {
                    if !self.present_renewed() { continue; }
                }
            }
            // The new line first, so that work goes on; then the old one is cut.
            match self.attempt().await {
                Ok(next) => {
                    self.publish(Some(&next));
                    std::mem::replace(&mut line, next).cut();
                }
                Err(error) => {
                    self.report(&error);
                    line.cut();
                    break;
                }
            }
        }
        self.publish(None);
        tracing::info!(address = %self.0.settings.address, "connection to the gateway lost");
        lasted
    }

    /// Presents a renewed TLS certificate from now on; `false` when it is not what has changed.
    fn present_renewed(&self) -> bool {
        let credential = self.0.settings.identity.tls();
        let mut presented = self.0.presented.lock().unwrap_or_else(PoisonError::into_inner);
        if *presented == credential.key.key_id() {
            return false;
        }
        match self.0.tls.rotate(&credential) {
            Ok(certificate) => {
                *presented = certificate.key_id();
                true
            }
            Err(error) => {
                tracing::error!(error = %chain(&error), "the renewed certificate does not serve");
                false
            }
        }
    }

    /// Waits before the next attempt. `false` once stopped.
    async fn pause(&self, delays: &mut ExponentialBackoff) -> bool {
        let delay = delays.next().unwrap_or(self.0.settings.backoff.max);
        tokio::select! {
            () = self.0.stop.cancelled() => false,
            () = self.0.again.notified() => true,
            () = tokio::time::sleep(delay) => true,
        }
    }

    fn report(&self, error: &LinkError) {
        let text = chain(error);
        let news = self.0.failure.borrow().as_ref() != Some(&text);
        if news {
            tracing::warn!(address = %self.0.settings.address, error = %text, "no connection to the gateway");
            self.0.failure.send_replace(Some(text));
        }
    }

    fn publish(&self, line: Option<&Line>) {
        *self.0.peer.lock().unwrap_or_else(PoisonError::into_inner) = line.map(|line| line.peer().clone());
        self.0.channel.send_replace(line.map(Line::channel));
        self.0.connected.send_replace(line.is_some());
        if let Some(line) = line {
            self.0.failure.send_replace(None);
            tracing::info!(address = %self.0.settings.address, gateway = %line.peer().identity, "connected");
        }
    }
}

/// Whether a certificate stands on its issuer's list, however old the list is: nobody comes off it.
fn is_listed(revocations: &Revocations, peer: &PeerCertificate) -> bool {
    revocations.list(peer.issuer_key_id).is_some_and(|list| list.contains(&peer.serial))
}

/// Runs a call within [`CALL_LIMIT`].
///
/// # Errors
/// What the call says, or `DEADLINE_EXCEEDED`.
pub(crate) async fn call<T>(
    answer: impl Future<Output = Result<tonic::Response<T>, Status>>,
) -> Result<T, Status> {
    match tokio::time::timeout(CALL_LIMIT, answer).await {
        Ok(answer) => answer.map(tonic::Response::into_inner),
        Err(_) => Err(Status::new(Code::DeadlineExceeded, "la passerelle n'a pas répondu / no answer")),
    }
}

/// An error with its causes, each once.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
