//! Headers that no honest agent signs.

use bytes::Bytes;
use passerelle_proto::envelope::SealedRecord;
use passerelle_proto::statement::{self, payload_type};
use passerelle_proto::wire;
use prost::Message;

use super::Probe;

impl Probe {
    /// The same record with another header, signed by this probe: the signature is right, what it says is not.
    ///
    /// # Errors
    /// When the header does not decode or signing fails.
    pub fn resigned(
        &self,
        sealed: &SealedRecord,
        change: impl FnOnce(&mut wire::Header),
    ) -> anyhow::Result<wire::SubmitFrame> {
        let mut header = wire::Header::decode(sealed.envelope.header.clone())?;
        change(&mut header);
        let bytes = Bytes::from(header.encode_to_vec());
        let signature = statement::signature(payload_type::HEADER, &bytes, self.signing.as_ref())?;
        let envelope = wire::Envelope { header: bytes, signatures: vec![signature] };
        Ok(wire::SubmitFrame { envelope: Some(envelope), body: sealed.body.clone() })
    }
}

/// The frame of a record as it was sealed.
#[must_use]
pub fn frame(sealed: &SealedRecord) -> wire::SubmitFrame {
    wire::SubmitFrame { envelope: Some(sealed.envelope.clone()), body: sealed.body.clone() }
}
