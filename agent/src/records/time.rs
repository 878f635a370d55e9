//! Moments as views show them: RFC 3339, UTC.

use passerelle_pki::clock::Timestamp;
use serde::Serializer;

/// For `#[serde(serialize_with)]`.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives references")]
pub(crate) fn rfc3339<S: Serializer>(moment: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(moment)
}

/// For `#[serde(serialize_with)]`, with `skip_serializing_if`.
#[expect(clippy::ref_option, reason = "serde gives references")]
pub(crate) fn rfc3339_option<S: Serializer>(
    moment: &Option<Timestamp>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match moment {
        Some(moment) => serializer.collect_str(moment),
        None => serializer.serialize_none(),
    }
}
