//! What the vector files have in common.

use bytes::Bytes;
use passerelle_pki::key::PublicKey;
use passerelle_proto::wire;
use serde::Deserialize;

/// A statement with one signature, as a vector gives it.
#[derive(Deserialize)]
pub(crate) struct Signed {
    pub(crate) name: String,
    pub(crate) why: String,
    pub(crate) expect: String,
    pub(crate) payload: String,
    pub(crate) key_id: String,
    pub(crate) signature: String,
    #[serde(default)]
    pub(crate) at_ms: u64,
}

impl Signed {
    pub(crate) fn statement(&self, payload_type: &str) -> wire::Statement {
        let signatures = vec![wire::Signature { key_id: hex(&self.key_id), signature: hex(&self.signature) }];
        wire::Statement { payload_type: payload_type.to_owned(), payload: hex(&self.payload), signatures }
    }
}

pub(crate) fn hex(text: &str) -> Bytes {
    hex::decode(text).unwrap().into()
}

pub(crate) fn public_key(text: &str) -> PublicKey {
    PublicKey::from_raw32(hex(text)[..].try_into().unwrap())
}
