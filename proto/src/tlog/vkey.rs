//! Verifier keys of signed notes (C2SP signed-note): the name and key by which a log is known.
//!
//! A verifier key comes from whoever trusts it (a file, an argument), never from the log that it is to check.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use passerelle_pki::key::PublicKey;
use ring::digest;

/// Signature type of an Ed25519 signature over the text of the note.
pub const ED25519_TYPE: u8 = 0x01;
/// Signature type of a witness's Ed25519 cosignature with a time (C2SP tlog-cosignature).
pub const COSIGNATURE_TYPE: u8 = 0x04;
/// Most bytes in a key name.
pub const NAME_LIMIT: usize = 255;
/// Most bytes in a verifier key that is worth reading.
const VKEY_LIMIT: usize = 1024;

/// The name of a key: not empty, no space, no `+`, no control character (C2SP signed-note). A log's is its origin.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

/// The four bytes that tell apart keys of the same name: the beginning of `SHA-256(name || "\n" || type || key)`.
pub type NoteKeyId = [u8; 4];

/// Why a verifier key or a key name is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VkeyError {
    /// Empty, over [`NAME_LIMIT`] bytes, or with a space, a `+` or a control character.
    #[error("not a key name: no spaces, no '+', 1 to 255 bytes")]
    Name,
    /// Not `name+id+base64`.
    #[error("not a verifier key: name+hex(id)+base64(type and key) is expected")]
    Form,
    /// A signature type other than the one that is due in this place.
    #[error("a key of type {0:#04x} cannot be used here: a log's key is 0x01 (Ed25519), a witness's 0x04")]
    Type(u8),
    /// An Ed25519 key of other than 32 bytes, or one that cannot be used.
    #[error("an Ed25519 public key has 32 bytes")]
    Key,
    /// The id does not belong to this name and key.
    #[error("the id {found} is not that of this name and key ({expected}): mistyped or altered")]
    Id {
        /// Id in the verifier key, hexadecimal.
        found: String,
        /// Id computed from its name and key, hexadecimal.
        expected: String,
    },
}

impl KeyName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyName {
    type Err = VkeyError;

    fn from_str(text: &str) -> Result<Self, VkeyError> {
        let refused = |c: char| c.is_whitespace() || c.is_control() || c == '+';
        if text.is_empty() || text.len() > NAME_LIMIT || text.contains(refused) {
            return Err(VkeyError::Name);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A key that signatures of notes are checked with. `FromStr` and `Display` are the `vkey` form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteVerifier {
    name: KeyName,
    id: NoteKeyId,
    key: PublicKey,
}

impl NoteVerifier {
    /// The verifier of Ed25519 signatures made under `name` with the private part of `key`.
    #[must_use]
    pub fn ed25519(name: KeyName, key: PublicKey) -> Self {
        Self { id: key_id(&name, ED25519_TYPE, &key), name, key }
    }

    /// The name of the key: for a log, its origin.
    #[must_use]
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// The id of the key in signature lines.
    #[must_use]
    pub fn id(&self) -> NoteKeyId {
        self.id
    }

    /// The Ed25519 key.
    #[must_use]
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// Whether `signature` is this key's over `text`.
    #[must_use]
    pub fn is_signed(&self, text: &[u8], signature: &[u8]) -> bool {
        self.key.verify(text, signature).is_ok()
    }
}

/// The id of `key` under `name` for signatures of type `kind`.
pub(super) fn key_id(name: &KeyName, kind: u8, key: &PublicKey) -> NoteKeyId {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in [name.0.as_bytes(), b"\n", &[kind], key.raw()] {
        context.update(part);
    }
    let mut id = NoteKeyId::default();
    for (to, from) in id.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    id
}

/// Reads a verifier key of an Ed25519 key for signatures of type `kind`, strictly.
pub(super) fn read(text: &str, kind: u8) -> Result<(KeyName, PublicKey), VkeyError> {
    if text.len() > VKEY_LIMIT {
        return Err(VkeyError::Form);
    }
    // Base64 may contain `+`: only the first two separate.
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(VkeyError::Form);
    };
    let name: KeyName = name.parse()?;
    if id.len() != 8 || !id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(VkeyError::Form);
    }
    let typed = STANDARD.decode(key).map_err(|_| VkeyError::Form)?;
    let (found, raw) = typed.split_first().ok_or(VkeyError::Form)?;
    if *found != kind {
        return Err(VkeyError::Type(*found));
    }
    let raw: [u8; 32] = raw.try_into().map_err(|_| VkeyError::Key)?;
    let key = PublicKey::from_raw32(raw);
    let expected = hex::encode(key_id(&name, kind, &key));
    if expected == id { Ok((name, key)) } else { Err(VkeyError::Id { found: id.to_owned(), expected }) }
}

/// Writes the verifier key that [`read`] reads.
pub(super) fn write(
    f: &mut fmt::Formatter<'_>,
    (name, kind, key): (&KeyName, u8, &PublicKey),
) -> fmt::Result {
    let mut typed = vec![kind];
    typed.extend_from_slice(key.raw());
    write!(f, "{name}+{}+{}", hex::encode(key_id(name, kind, key)), STANDARD.encode(typed))
}

impl FromStr for NoteVerifier {
    type Err = VkeyError;

    fn from_str(text: &str) -> Result<Self, VkeyError> {
        let (name, key) = read(text, ED25519_TYPE)?;
        Ok(Self::ed25519(name, key))
    }
}

impl fmt::Display for NoteVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, (&self.name, ED25519_TYPE, &self.key))
    }
}
