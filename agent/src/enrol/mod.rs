//! Enrolment: from a one-time token to certificates.
//!
//! The agency was given the root certificate and the token by people, each on its own way. The root is what the gateway
//! is believed by; the token is what the gateway believes us by. Our keys are made here and never leave; they are
//! durable before the token is spent, so that an enrolment that was cut off goes on with the same keys.

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use passerelle_pki::certificate::{CertificateError, Chain, TrustAnchor};
use passerelle_pki::clock::SharedClock;
use passerelle_pki::name::{AgentId, TrustDomain};
use passerelle_pki::tls::{ClientSettings, ClientTls, TlsError};
use passerelle_proto::tlog::vkey::{NoteVerifier, VkeyError};
use passerelle_proto::wire;
use passerelle_proto::wire::enrolment_client::EnrolmentClient;

use crate::identity::{Enrolling, Identity, IdentityError, Issued};
use crate::link::{self, GatewayAddress, LinkError};
use crate::pkcs11::{Pkcs11Settings, Token};

/// What an enrolment needs beside its token.
#[derive(Clone, Debug)]
pub struct EnrolSettings {
    /// The agent's data folder.
    pub data_dir: PathBuf,
    /// The gateway's public listener.
    pub address: GatewayAddress,
    /// The root that the agency was given.
    pub anchor: TrustAnchor,
    /// The agent that the token was issued for.
    pub agent: AgentId,
    /// Replace the certificates of an agent that is enrolled already.
    pub again: bool,
    /// The token in which the signing key is to be made, when it is not a file.
    pub signing: Option<Pkcs11Settings>,
}

/// Why an enrolment failed. People read these.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnrolError {
    /// Our own folder.
    #[error("l'identité de l'agent / the agent's identity")]
    Identity(#[source] IdentityError),
    /// The work was cut off.
    #[error("l'inscription a été interrompue ; relancez-la / the enrolment was cut off; run it again")]
    Stopping,
    /// TLS could not be set up: ours.
    #[error("TLS n'a pu être préparé / TLS could not be set up")]
    Tls(#[source] TlsError),
    /// The gateway was not reached, or is not one of this root.
    #[error("la passerelle / the gateway")]
    Link(#[source] LinkError),
    /// The gateway said no.
    #[error("la passerelle a refusé l'inscription / the gateway refused the enrolment: {}", .0.message())]
    Refused(Box<tonic::Status>),
    /// The gateway's answer holds no chain. The gateway is at fault.
    #[error("les certificats reçus / the certificates received")]
    Answer(#[source] CertificateError),
    /// The gateway speaks for another trust domain than the root. The gateway is at fault.
    #[error(
        "la passerelle est celle de {found:?}, pas de {expected} / the gateway is of {found:?}, not of {expected}"
    )]
    OtherDomain {
        /// What the gateway said, shortened.
        found: String,
        /// What the root says.
        expected: TrustDomain,
    },
    /// The log's verifier key cannot be read. The gateway is at fault.
    #[error("la clé du journal reçue / the log key received")]
    LogKey(#[source] VkeyError),
}

/// Enrols an agent: makes its keys, has them certified, believes what comes back only for itself and this root.
///
/// # Errors
/// [`EnrolError`]. What was made stays for the next attempt; nothing is in force before everything was believed.
pub async fn enrol(
    settings: &EnrolSettings,
    token: &str,
    clock: &SharedClock,
) -> Result<Identity, EnrolError> {
    let EnrolSettings { address, anchor, .. } = settings;
    let (enrolling, requests) = blocking(settings.clone(), |settings| {
        let token = Token::of(settings.signing.as_ref()).map_err(IdentityError::Token)?;
        let EnrolSettings { data_dir, anchor, agent, again, .. } = settings;
        let mut enrolling = Enrolling::begin_with(&data_dir, &anchor, &agent, again, token)?;
        let requests = enrolling.requests()?;
        Ok((enrolling, requests))
    })
    .await?;
    let tls = ClientTls::new(ClientSettings {
        credential: None,
        anchor: anchor.clone(),
        revocations: None,
        alpn: vec![b"h2".to_vec()],
        clock: Arc::clone(clock),
    })
    .map_err(EnrolError::Tls)?;
    let line = link::dial(address, &tls, |_| true).await.map_err(EnrolError::Link)?;
    let request = wire::EnrolRequest {
        token: token.trim().to_owned(),
        tls_request: requests.tls.into(),
        signing_request: requests.signing.into(),
    };
    let answer = link::call(EnrolmentClient::new(line.channel()).enrol(request)).await;
    line.cut();
    let answer = answer.map_err(|status| EnrolError::Refused(Box::new(status)))?;
    let (issued, log_key) = read(&answer, anchor)?;
    let now = clock.now();
    blocking(enrolling, move |enrolling| enrolling.finish(&issued, &log_key, now)).await
}

/// Disk and token are worked with where blocking is allowed.
async fn blocking<I: Send + 'static, T: Send + 'static>(
    input: I,
    work: impl FnOnce(I) -> Result<T, IdentityError> + Send + 'static,
) -> Result<T, EnrolError> {
    let done = tokio::task::spawn_blocking(move || work(input)).await;
    done.map_err(|_| EnrolError::Stopping)?.map_err(EnrolError::Identity)
}

/// What the answer holds. Who and whose it is, the identity checks.
fn read(answer: &wire::EnrolReply, anchor: &TrustAnchor) -> Result<(Issued, NoteVerifier), EnrolError> {
    if answer.trust_domain != anchor.domain().as_str() {
        let found = answer.trust_domain.chars().take(100).collect();
        return Err(EnrolError::OtherDomain { found, expected: anchor.domain().clone() });
    }
    let log_key = answer.log_vkey.parse().map_err(EnrolError::LogKey)?;
    let chain = |ders| Chain::from_ders(ders).map_err(EnrolError::Answer);
    Ok((Issued { tls: chain(&answer.tls_chain)?, signing: chain(&answer.signing_chain)? }, log_key))
}
