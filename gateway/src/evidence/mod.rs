//! Evidence of one exchange, as the log shows it: entries with their proofs under the published checkpoint, what the
//! recipients signed, the agreement, the certificates and the revocation list (`docs/formats/evidence.md`).
//!
//! Envelope, body and key are not here: the gateway forgets the first two and never had the third. What is given is
//! believed by nobody for having come from here; each part carries its own signature or proof.

mod assemble;
mod service;

pub use assemble::{EvidenceFault, Sources};
pub use service::EvidenceService;
pub(crate) use service::{exchange_id, is_party};
