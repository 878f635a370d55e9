//! Fetching the log's checkpoint from the gateway's public listener, from time to time.

use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use passerelle_pki::clock::SharedClock;
use passerelle_pki::tls::{ClientSettings, ClientTls, TlsError};
use passerelle_proto::tlog::vkey::NoteVerifier;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceExt};

use super::{Checkpoints, CheckpointsError, Seen};
use crate::identity::Identity;
use crate::link::{self, Backoff, GatewayAddress, Line, Link, LinkError, dial};

/// How often it is looked at: each look is a connection of its own, as anybody's would be.
const INTERVAL: Duration = Duration::from_secs(300);
/// Waiting times after a failure.
const BACKOFF: Backoff = Backoff { min: Duration::from_secs(1), max: INTERVAL };
/// How long one look may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of a checkpoint that are read.
const NOTE_BYTES: usize = 256 * 1024;

/// Why one look did not succeed. It is tried again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FollowError {
    #[error("la configuration TLS / the TLS configuration")]
    Tls(#[source] TlsError),
    #[error("la passerelle / the gateway")]
    Link(#[source] LinkError),
    #[error(
        "la passerelle n'a pas montré de point de contrôle ({0}) / the gateway showed no checkpoint ({0})"
    )]
    NotShown(String),
    #[error("la clé du journal ne peut être lue / the log's key cannot be read")]
    Key,
    #[error(transparent)]
    Checkpoint(CheckpointsError),
}

/// Looks at the log for this agent.
#[derive(Clone, Debug)]
pub(crate) struct Follower {
    pub(crate) checkpoints: Checkpoints,
    pub(crate) identity: Identity,
    pub(crate) public: GatewayAddress,
    pub(crate) clock: SharedClock,
}

impl Follower {
    /// Looks once.
    pub(crate) async fn look(&self) -> Result<Seen, FollowError> {
        let key = self.identity.log_vkey().parse::<NoteVerifier>().map_err(|_| FollowError::Key)?;
        let fetched = timeout(PATIENCE, self.fetch()).await;
        let note = fetched.map_err(|_| FollowError::NotShown("délai / timeout".to_owned()))??;
        let checkpoints = self.checkpoints.clone();
        let taken = tokio::task::spawn_blocking(move || checkpoints.take(&note, &key)).await;
        let stopping = |_| FollowError::NotShown("arrêt / stopping".to_owned());
        taken.map_err(stopping)?.map_err(FollowError::Checkpoint)
    }

    /// Without a client certificate: what everybody sees is what must not differ.
    async fn fetch(&self) -> Result<Vec<u8>, FollowError> {
        let line = self.line().await?;
        let note = ask(line.channel()).await;
        line.cut();
        note
    }

    /// A connection to the public listener, as anybody has it.
    pub(crate) async fn line(&self) -> Result<Line, FollowError> {
        let tls = ClientTls::new(ClientSettings {
            credential: None,
            anchor: self.identity.anchor().clone(),
            revocations: None,
            alpn: vec![b"h2".to_vec()],
            clock: SharedClock::clone(&self.clock),
        })
        .map_err(FollowError::Tls)?;
        dial(&self.public, &tls, |_| true).await.map_err(FollowError::Link)
    }

    /// Keeps looking, whenever the agent is connected, until `stop`.
    pub(crate) async fn run(self, link: Link, stop: CancellationToken) {
        let mut delays = BACKOFF.delays();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                channel = link.ready() => if channel.is_none() { return },
            };
            let looked = tokio::select! {
                () = stop.cancelled() => return,
                looked = self.look() => looked,
            };
            let pause = match looked {
                Ok(seen) => {
                    tracing::debug!(size = seen.size, "checkpoint seen");
                    delays = BACKOFF.delays();
                    INTERVAL
                }
                Err(FollowError::Checkpoint(CheckpointsError::Contradiction(contradiction))) => {
                    tracing::error!(%contradiction, "ALERTE / ALARM: the log contradicts itself");
                    INTERVAL
                }
                Err(error) => {
                    tracing::info!(error = %link::chain(&error), "the log's checkpoint was not seen");
                    delays.next().unwrap_or(BACKOFF.max)
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }
}

async fn ask(mut channel: tonic::transport::Channel) -> Result<Vec<u8>, FollowError> {
    let not_shown = |why: &dyn std::fmt::Display| FollowError::NotShown(why.to_string());
    let request = http::Request::builder().uri("/checkpoint").body(tonic::body::Body::empty());
    let request = request.map_err(|error| not_shown(&error))?;
    let ready = channel.ready().await.map_err(|error| not_shown(&error))?;
    let answer = ready.call(request).await.map_err(|error| not_shown(&error))?;
    if answer.status() != http::StatusCode::OK {
        return Err(not_shown(&answer.status()));
    }
    let body = Limited::new(answer.into_body(), NOTE_BYTES).collect().await;
    Ok(body.map_err(|error| not_shown(&error))?.to_bytes().to_vec())
}
