//! Cosignatures of witnesses (C2SP tlog-cosignature, `cosignature/v1` with Ed25519): a witness vouches that it saw this
//! log, at this size, grow out of what it saw before.
//!
//! The signature covers a first line, the time and the whole body of the checkpoint, but not the witness's name: a key
//! serves one witness. Nothing is vouched for in extension lines.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use passerelle_pki::key::{KeyError, PublicKey, Signer};

use super::checkpoint::VerifiedCheckpoint;
use super::note::{Note, NoteError, NoteSignature};
use super::vkey::{self, COSIGNATURE_TYPE, KeyName, NoteKeyId, VkeyError};

/// First line of what is signed.
const HEADER: &str = "cosignature/v1";
/// Bytes of the time and the Ed25519 signature, which follow the key id in a signature line.
const SIGNATURE_SIZE: usize = 8 + 64;
/// The latest time that the format has, in seconds since 1970.
pub const TIME_LIMIT: u64 = i64::MAX as u64;

/// The key by which a witness is known. `FromStr` and `Display` are the `vkey` form, of type 0x04.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessKey {
    name: KeyName,
    id: NoteKeyId,
    key: PublicKey,
}

/// Why a cosignature is refused, or could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CosignatureError {
    /// The line is of another witness, or of another key of this one.
    #[error("the line is not by {0}")]
    OtherKey(KeyName),
    /// Not 8 bytes of time and 64 of signature.
    #[error("a cosignature has {SIGNATURE_SIZE} bytes, not {0}")]
    Length(usize),
    /// No time, or one over [`TIME_LIMIT`].
    #[error("{0} is not the time of a cosignature of a checkpoint")]
    Time(u64),
    /// The key did not sign this body at this time.
    #[error("the cosignature by {0} is not over this checkpoint and time")]
    Signature(KeyName),
    /// The witness's key is not an Ed25519 key, or failed.
    #[error("the checkpoint could not be cosigned")]
    Key(#[source] KeyError),
    /// The checkpoint has no room for one more line.
    #[error("the checkpoint cannot take another cosignature")]
    Note(#[source] NoteError),
}

impl WitnessKey {
    /// The key of the witness `name`.
    #[must_use]
    pub fn new(name: KeyName, key: PublicKey) -> Self {
        Self { id: vkey::key_id(&name, COSIGNATURE_TYPE, &key), name, key }
    }

    /// The witness's name.
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

    /// Whether `line` says that it is by this key.
    #[must_use]
    pub fn is_named_in(&self, line: &NoteSignature) -> bool {
        line.name == self.name && line.id == self.id
    }

    /// Checks that `line` is this witness's cosignature of a checkpoint whose text (with its last newline, without
    /// signatures) is `body`. Returns the time in it, in seconds since 1970: not 0.
    ///
    /// # Errors
    /// [`CosignatureError`] naming what is wrong.
    pub fn verify(&self, body: &str, line: &NoteSignature) -> Result<u64, CosignatureError> {
        if !self.is_named_in(line) {
            return Err(CosignatureError::OtherKey(self.name.clone()));
        }
        if line.signature.len() != SIGNATURE_SIZE {
            return Err(CosignatureError::Length(line.signature.len()));
        }
        let Some((time, signature)) = line.signature.split_first_chunk::<8>() else {
            return Err(CosignatureError::Length(line.signature.len()));
        };
        let time_s = checked_time(u64::from_be_bytes(*time))?;
        self.key
            .verify(message(body, time_s).as_bytes(), signature)
            .map_err(|_| CosignatureError::Signature(self.name.clone()))?;
        Ok(time_s)
    }

    /// The newest time at which this witness cosigned `note`, `None` when it has no line in it. Every line that names
    /// this key must verify.
    ///
    /// # Errors
    /// [`CosignatureError`] when one does not.
    pub fn newest_in(&self, note: &Note) -> Result<Option<u64>, CosignatureError> {
        let mut newest = None;
        for line in note.signatures().iter().filter(|line| self.is_named_in(line)) {
            newest = newest.max(Some(self.verify(note.text(), line)?));
        }
        Ok(newest)
    }

    /// `checkpoint` with `line`, after checking it: what is published once a witness has answered. An earlier line of
    /// the same witness stays.
    ///
    /// # Errors
    /// [`CosignatureError`] when the line is not this witness's over that checkpoint, or there is no room.
    pub fn add_to(
        &self,
        checkpoint: &VerifiedCheckpoint,
        line: NoteSignature,
    ) -> Result<VerifiedCheckpoint, CosignatureError> {
        self.verify(&checkpoint.checkpoint().to_string(), &line)?;
        checkpoint.with_line(line).map_err(CosignatureError::Note)
    }
}

impl FromStr for WitnessKey {
    type Err = VkeyError;

    fn from_str(text: &str) -> Result<Self, VkeyError> {
        let (name, key) = vkey::read(text, COSIGNATURE_TYPE)?;
        Ok(Self::new(name, key))
    }
}

impl fmt::Display for WitnessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        vkey::write(f, (&self.name, COSIGNATURE_TYPE, &self.key))
    }
}

/// A witness that signs. Whoever calls it has checked that the checkpoint is consistent with every earlier one, and has
/// kept it durably, before.
#[derive(Clone, Debug)]
pub struct Cosigner {
    verifier: WitnessKey,
    key: Arc<dyn Signer>,
}

impl Cosigner {
    /// The witness `name` with a key that no other witness has.
    ///
    /// # Errors
    /// [`CosignatureError::Key`] when the key is not an Ed25519 key.
    pub fn new(name: KeyName, key: Arc<dyn Signer>) -> Result<Self, CosignatureError> {
        let public = PublicKey::from_spki_der(key.spki_der()).map_err(CosignatureError::Key)?;
        Ok(Self { verifier: WitnessKey::new(name, public), key })
    }

    /// What to give to those who will check the cosignatures.
    #[must_use]
    pub fn verifier(&self) -> &WitnessKey {
        &self.verifier
    }

    /// The line that says that at `time_s` (seconds since 1970) this was the largest tree seen of that log.
    ///
    /// # Errors
    /// [`CosignatureError::Time`] for 0 or a time that the format does not have, [`CosignatureError::Key`] when the key
    /// fails.
    pub fn cosign(
        &self,
        checkpoint: &VerifiedCheckpoint,
        time_s: u64,
    ) -> Result<NoteSignature, CosignatureError> {
        let time_s = checked_time(time_s)?;
        let body = checkpoint.checkpoint().to_string();
        let signature = self.key.sign(message(&body, time_s).as_bytes()).map_err(CosignatureError::Key)?;
        Ok(NoteSignature {
            name: self.verifier.name.clone(),
            id: self.verifier.id,
            signature: [time_s.to_be_bytes().as_slice(), &signature].concat(),
        })
    }
}

/// What is signed: the whole body, extension lines and last newline included.
fn message(body: &str, time_s: u64) -> String {
    format!("{HEADER}\ntime {time_s}\n{body}")
}

fn checked_time(time_s: u64) -> Result<u64, CosignatureError> {
    // A cosignature of a checkpoint says when; 0 is what other statements than that have.
    if (1..=TIME_LIMIT).contains(&time_s) { Ok(time_s) } else { Err(CosignatureError::Time(time_s)) }
}
