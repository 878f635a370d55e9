//! The manifest: which keys and certificates are in force. One JSON file, replaced in one step.
//!
//! Private keys stand in files of their own beside it, named by their key ids; a key file that the manifest does not
//! name was never published and is of no use to anyone.

use passerelle_pki::key::KeyId;
use passerelle_pki::name::{AgentId, TrustDomain};
use serde::{Deserialize, Serialize};

/// The format written here. Later ones are refused, not guessed.
pub(super) const FORMAT: u32 = 1;

/// What the agent is and has.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    pub(super) format: u32,
    pub(super) agent: AgentId,
    pub(super) trust_domain: TrustDomain,
    /// Absent until the first enrolment succeeds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) certified: Option<CertifiedKeys>,
    /// Keys that were made, and may have been sent for certification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pending: Option<PendingKeys>,
    /// KEM keys, oldest first.
    #[serde(default)]
    pub(super) kem: Vec<KemEntry>,
    /// Signing keys that are in the token instead of a file: in force, pending, or still to be destroyed there.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "several")]
    pub(super) in_token: Vec<KeyId>,
}

/// The keys in force.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CertifiedKeys {
    pub(super) tls: CertifiedKey,
    pub(super) signing: CertifiedKey,
    pub(super) log_vkey: String,
}

/// A key and its chain, PEM, leaf first.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CertifiedKey {
    #[serde(with = "hexadecimal")]
    pub(super) key: KeyId,
    pub(super) chain: String,
    /// Start of validity, so that the chain can be checked after it has expired.
    pub(super) not_before_ms: u64,
}

/// The keys that wait for their certificates.
#[derive(Copy, Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PendingKeys {
    #[serde(with = "hexadecimal")]
    pub(super) tls: KeyId,
    #[serde(with = "hexadecimal")]
    pub(super) signing: KeyId,
}

/// A KEM key and the one bundle that announces it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KemEntry {
    #[serde(with = "hexadecimal")]
    pub(super) key: KeyId,
    /// The signed statement, protobuf in hexadecimal: published again byte for byte after a crash.
    pub(super) bundle: String,
    #[serde(with = "hexadecimal")]
    pub(super) signed_by: KeyId,
    pub(super) created_ms: u64,
    pub(super) expires_ms: u64,
    /// When the directory confirmed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) published_ms: Option<u64>,
}

impl Manifest {
    /// The signing keys that are of use: in force, or waiting for their certificate.
    pub(super) fn signing_keys(&self) -> [Option<KeyId>; 2] {
        [
            self.certified.as_ref().map(|certified| certified.signing.key),
            self.pending.map(|pending| pending.signing),
        ]
    }

    pub(super) fn is_in_token(&self, key: KeyId) -> bool {
        self.in_token.contains(&key)
    }

    pub(super) fn new(agent: AgentId, trust_domain: TrustDomain) -> Self {
        Self {
            format: FORMAT,
            agent,
            trust_domain,
            certified: None,
            pending: None,
            kem: Vec::new(),
            in_token: Vec::new(),
        }
    }
}

/// Several key ids, likewise.
mod several {
    use passerelle_pki::key::KeyId;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(keys: &[KeyId], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(keys.iter().map(KeyId::to_string))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<KeyId>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        texts.iter().map(|text| text.parse().map_err(D::Error::custom)).collect()
    }
}

/// Key ids as 64 hexadecimal digits.
mod hexadecimal {
    use passerelle_pki::key::KeyId;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(key: &KeyId, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(key)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<KeyId, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
