//! What is submitted for acceptance, and what lets it in.

use passerelle_pki::clock::Timestamp;
use passerelle_pki::name::AgentId;
use passerelle_proto::agreement::{Limits, Permitted, Refusal};
use passerelle_proto::envelope::VerifiedEnvelope;
use passerelle_proto::wire::Reason;

use super::StoredRecord;
use crate::state::State;

/// An exchange whose signature and body were verified.
#[derive(Clone, Debug)]
pub struct Submission {
    /// Who submits it, from the verified certificate: the header's sender.
    pub caller: AgentId,
    /// SHA-256 of the TLS client certificate.
    pub tls_certificate: [u8; 32],
    /// The verified envelope.
    pub envelope: VerifiedEnvelope,
    /// The same envelope, encoded, and the sealed body, verified against the header. Empty for a call, of which nothing is
    /// kept.
    pub record: StoredRecord,
    /// The body lies, whole and durable, in the spool; the record's is then empty.
    pub spooled: bool,
}

/// An agreement admits the exchange, within these limits. Made from [`Permitted`] only, so that nothing is accepted
/// without an agreement.
#[derive(Copy, Clone, Debug)]
pub(super) struct Admission {
    limits: Limits,
}

impl Admission {
    /// What is counted against.
    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }
}

impl From<&Permitted> for Admission {
    fn from(permitted: &Permitted) -> Self {
        Self { limits: *permitted.limits() }
    }
}

/// How an exchange is admitted; a seam, so that tests of the ledger need no agreements.
pub(super) type Admit = fn(&State, &VerifiedEnvelope, Timestamp) -> Result<Admission, Refusal>;

/// What may have changed since the submission was checked before the queue: signing key, members, agreement. Against
/// the state as of every earlier event.
pub(super) fn admit(
    state: &State,
    envelope: &VerifiedEnvelope,
    now: Timestamp,
) -> Result<Admission, Refusal> {
    let refuse = |reason, detail: String| Err(Refusal { reason, detail });
    let header = envelope.header();
    if state.signing_key(envelope.sender(), envelope.signing_key_id(), now).is_none() {
        return refuse(Reason::SignatureInvalid, "field=key_id".to_owned());
    }
    let inactive = |agency: &&String| !state.is_active(agency);
    if let Some(agency) = header.recipients.iter().chain([&header.sender_agency]).find(inactive) {
        return refuse(Reason::MemberNotActive, format!("agency={agency}"));
    }
    state.permits(header, now).map(|permitted| Admission::from(&permitted))
}
