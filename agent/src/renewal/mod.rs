//! Renewal: certificates and key bundles are replaced in time, by the agent itself.
//!
//! New keys every time. Certificates are renewed between 55 and 65 % of their validity, bundles likewise, and at once
//! when the signing key that vouches for them was replaced. An agent that could not reach the gateway until its
//! certificate expired has to be enrolled again: the certificate in force is the credential for the next one.

#[cfg(test)]
mod tests;

use std::time::Duration;

use passerelle_pki::certificate::{CertificateError, Chain};
use passerelle_pki::clock::SharedClock;
use passerelle_proto::wire;
use passerelle_proto::wire::directory_client::DirectoryClient;
use passerelle_proto::wire::renewal_client::RenewalClient;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::transport::Channel;

use crate::identity::{Identity, IdentityError, Issued};
use crate::link::{self, Backoff, Link};

/// How often the dates are looked at. Looking costs nothing; the machine's clock may jump.
const INTERVAL: Duration = Duration::from_secs(60);

/// Waiting times after a failure.
const BACKOFF: Backoff = Backoff { min: Duration::from_secs(1), max: Duration::from_secs(600) };

/// Why a renewal failed. It is tried again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RenewalError {
    /// Our own folder, or an answer that is not for us.
    #[error("l'identité de l'agent / the agent's identity")]
    Identity(#[source] IdentityError),
    /// The gateway said no, or was not reached.
    #[error("la passerelle / the gateway: {}", .0.message())]
    Refused(Box<Status>),
    /// The gateway's answer holds no chain. The gateway is at fault.
    #[error("les certificats reçus / the certificates received")]
    Answer(#[source] CertificateError),
}

/// What one look has done.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Renewed {
    /// New certificates are in force.
    pub certificates: bool,
    /// A new bundle is published.
    pub bundle: bool,
}

/// Looks after the dates of an identity.
#[derive(Clone, Debug)]
pub struct Renewal {
    identity: Identity,
    clock: SharedClock,
}

impl Renewal {
    /// For this identity.
    #[must_use]
    pub fn new(identity: Identity, clock: SharedClock) -> Self {
        Self { identity, clock }
    }

    /// Looks at the dates once, and renews what is due. After new certificates the bundle is left for the next look:
    /// the connection is being replaced.
    ///
    /// # Errors
    /// [`RenewalError`]; what is in force stays.
    pub async fn look(&self, channel: Channel) -> Result<Renewed, RenewalError> {
        let now = self.clock.now();
        if now >= self.identity.renewal_due() {
            self.certificates(channel).await?;
            return Ok(Renewed { certificates: true, bundle: false });
        }
        if self.identity.bundle_due(now) {
            self.bundle(channel).await?;
            return Ok(Renewed { certificates: false, bundle: true });
        }
        Ok(Renewed::default())
    }

    async fn certificates(&self, channel: Channel) -> Result<(), RenewalError> {
        let requests = self.blocking(Identity::prepare_renewal).await?;
        let request =
            wire::RenewRequest { tls_request: requests.tls.into(), signing_request: requests.signing.into() };
        let answer = link::call(RenewalClient::new(channel).renew(request)).await.map_err(refused)?;
        let chain = |ders: &[bytes::Bytes]| Chain::from_ders(ders).map_err(RenewalError::Answer);
        let issued = Issued { tls: chain(&answer.tls_chain)?, signing: chain(&answer.signing_chain)? };
        let now = self.clock.now();
        self.blocking(move |identity| identity.install(&issued, now)).await?;
        tracing::info!(until = %self.identity.tls_certificate().not_after(), "certificates renewed");
        Ok(())
    }

    async fn bundle(&self, channel: Channel) -> Result<(), RenewalError> {
        let now = self.clock.now();
        let bundle = self.blocking(move |identity| identity.next_bundle(now)).await?;
        let request = wire::PublishKeyBundleRequest { key_bundle: Some(bundle.clone()) };
        let mut directory = DirectoryClient::new(channel);
        let answer = link::call(directory.publish_key_bundle(request)).await.map_err(refused)?;
        let now = self.clock.now();
        self.blocking(move |identity| identity.bundle_published(&bundle, now)).await?;
        tracing::info!(leaf_index = answer.leaf_index, "key bundle published");
        Ok(())
    }

    /// Keeps looking, whenever there is a connection, until `stop`.
    pub async fn run(self, link: Link, stop: CancellationToken) {
        let mut delays = BACKOFF.delays();
        loop {
            let channel = tokio::select! {
                () = stop.cancelled() => return,
                channel = link.ready() => match channel { Some(channel) => channel, None => return },
            };
            let pause = match self.look(channel).await {
                Ok(Renewed { certificates: false, .. }) => {
                    delays = BACKOFF.delays();
                    INTERVAL
                }
                // The connection is being replaced; the bundle follows on the new one.
                Ok(_) => BACKOFF.min,
                Err(error) => {
                    tracing::warn!(error = %link::chain(&error), "renewal failed; it will be tried again");
                    delays.next().unwrap_or(BACKOFF.max)
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Runs what touches the disk where blocking is allowed.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Identity) -> Result<T, IdentityError> + Send + 'static,
    ) -> Result<T, RenewalError> {
        let identity = self.identity.clone();
        let done = tokio::task::spawn_blocking(move || work(&identity)).await;
        done.map_err(|_| RenewalError::Refused(Box::new(Status::cancelled("arrêt / stopping"))))?
            .map_err(RenewalError::Identity)
    }
}

fn refused(status: Status) -> RenewalError {
    RenewalError::Refused(Box::new(status))
}
