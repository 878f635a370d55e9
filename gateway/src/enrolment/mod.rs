//! How agents come to certificates: once with a one-time token, then by themselves with the certificate in force.
//!
//! The authority issues first and the event follows; only certificates whose event is in the log are in the directory.
//! A crash between the two leaves certificates that nobody can sign with here, and a token that still serves.

mod enrol;
mod renew;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use passerelle_pki::authority::{Authority, AuthorityError};
use passerelle_pki::certificate::{Chain, Usage};
use passerelle_pki::clock::SharedClock;
use passerelle_pki::name::{AgentId, Identity};
use tonic::Status;

use crate::rpc::status;

pub use enrol::EnrolmentService;
pub use renew::RenewalService;

/// Certifies agents' keys.
#[derive(Clone, Debug)]
pub struct Certifier {
    authority: Arc<Authority>,
    lifetime: Duration,
    clock: SharedClock,
}

/// The two chains of an agent.
#[derive(Clone, Debug)]
pub struct AgentChains {
    /// For TLS.
    pub tls: Chain,
    /// For signing.
    pub signing: Chain,
}

impl AgentChains {
    /// The two leaves, TLS first, as events hold them.
    #[must_use]
    pub fn leaves(&self) -> (Bytes, Bytes) {
        let leaf = |chain: &Chain| Bytes::copy_from_slice(chain.leaf().as_ref());
        (leaf(&self.tls), leaf(&self.signing))
    }
}

impl Certifier {
    /// Certificates of `authority`, each valid for `lifetime`.
    #[must_use]
    pub fn new(authority: Arc<Authority>, lifetime: Duration, clock: SharedClock) -> Self {
        Self { authority, lifetime, clock }
    }

    /// Certifies both requests of an agent. They must be for two keys.
    ///
    /// # Errors
    /// The requester's mistake as such; a fault of the authority as an internal error.
    pub async fn certify(&self, agent: &AgentId, tls: Bytes, signing: Bytes) -> Result<AgentChains, Status> {
        let (this, agent) = (self.clone(), agent.clone());
        let issued = tokio::task::spawn_blocking(move || this.certify_blocking(&agent, &tls, &signing));
        issued.await.map_err(|error| status::internal(&error))?.map_err(|error| match error {
            AuthorityError::Request(_) | AuthorityError::KeyInUse { .. } | AuthorityError::Lint(_) => {
                status::invalid(
                    &format!("La demande de certificat est refusée : {error}."),
                    &format!("The certification request is refused: {error}."),
                )
            }
            error => status::internal(&error),
        })
    }

    fn certify_blocking(
        &self,
        agent: &AgentId,
        tls: &[u8],
        signing: &[u8],
    ) -> Result<AgentChains, AuthorityError> {
        let identity = Identity::Agent(agent.clone());
        let issue = |request: &[u8], usage| {
            self.authority.issue(request, &identity, usage, self.lifetime, self.clock.now(), &[])
        };
        Ok(AgentChains { tls: issue(tls, Usage::Tls)?, signing: issue(signing, Usage::Signing)? })
    }
}

/// The DER certificates of a chain, leaf first.
fn ders(chain: &Chain) -> Vec<Bytes> {
    chain.to_ders().into_iter().map(Bytes::from).collect()
}
