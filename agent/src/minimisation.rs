//! Which fields of a record leave: an agreement may name them (`docs/formats/fields.md`). A record under such a rule is
//! read whole, within a bound, before anything of it is sealed; the recipient's agent looks whether that was done.

use std::io::{Cursor, Read};

use bytes::Bytes;
use passerelle_proto::agreement::FieldRules;
use passerelle_proto::minimise::Minimised;
use passerelle_proto::reason;
use passerelle_proto::wire::{Header, Reason};

use crate::records::SendError;
use crate::records::sealing::{self, Plan, Sealed};

/// A body to its end, unless it is longer than `limit`. Blocking.
pub(crate) fn whole(body: impl Read, limit: u64) -> Result<Bytes, SendError> {
    let mut content = Vec::new();
    body.take(limit.saturating_add(1)).read_to_end(&mut content).map_err(SendError::Body)?;
    if content.len() as u64 > limit {
        return Err(refused(Reason::RecordTooLarge, format!("minimised_bytes_max={limit}")));
    }
    Ok(content.into())
}

/// Seals what of a content may leave, and says what was removed. Blocking.
pub(crate) fn sealed(plan: Plan, rules: &FieldRules, content: &Bytes) -> Result<Sealed, SendError> {
    let Minimised { content, removed } = rules
        .apply(&plan.draft.content_type, content)
        .map_err(|refusal| refused(Reason::FieldNotCovered, refusal.fact()))?;
    let sealed = sealing::seal(plan, Cursor::new(content), |_| {})?;
    Ok(Sealed { removed_fields: removed.shapes(), ..sealed })
}

/// Whether the sender of a record has left out what may not leave.
pub(crate) fn is_minimal(header: &Header, content: Vec<u8>, rules: Option<&FieldRules>) -> bool {
    let Some(rules) = rules else { return true };
    match rules.verify(&header.content_type, &content.into()) {
        Ok(()) => true,
        Err(refusal) => {
            tracing::warn!(sender = %header.sender_agency, fact = refusal.outward(), "fields that may not leave");
            false
        }
    }
}

fn refused(reason: Reason, detail: String) -> SendError {
    SendError::Refused(Box::new(reason::denial(reason, detail, Bytes::new())))
}
