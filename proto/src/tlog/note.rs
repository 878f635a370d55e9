//! Signed notes (C2SP signed-note): a text, an empty line, and signature lines.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use passerelle_pki::key::{KeyError, PublicKey, Signer};

use super::vkey::{KeyName, NoteKeyId, NoteVerifier};

/// Most bytes in a note: room for 16 cosignatures of 5 kB and a long text.
pub const NOTE_LIMIT: usize = 256 * 1024;
/// Most signature lines in a note: room for the cosignatures of a hundred agencies and of outside witnesses. C2SP asks
/// that at least 16 be admitted.
pub const SIGNATURE_LIMIT: usize = 256;
/// What a signature line begins with: an em dash and a space.
const DASH: &str = "\u{2014} ";

/// A note as read: nothing of it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// One signature line of a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    /// Name of the key that it says it is of.
    pub name: KeyName,
    /// Id of that key.
    pub id: NoteKeyId,
    /// The signature, in the form of the key's type.
    pub signature: Vec<u8>,
}

/// Why a note is refused or could not be signed.
#[derive(Debug, thiserror::Error)]
pub enum NoteError {
    /// Over [`NOTE_LIMIT`] bytes.
    #[error("a note has at most {NOTE_LIMIT} bytes, not {0}")]
    TooLong(usize),
    /// Over [`SIGNATURE_LIMIT`] signature lines.
    #[error("a note has at most {SIGNATURE_LIMIT} signatures")]
    TooManySignatures,
    /// Not UTF-8, or with a control character other than newline.
    #[error("a note is UTF-8 text without control characters")]
    Characters,
    /// No empty line, or no text before it, or no signature after it.
    #[error("a note is a text, an empty line and signature lines")]
    Form,
    /// A signature line that is not in the one form there is. Counts from 1 within the whole note.
    #[error("line {0} is not a signature line")]
    SignatureLine(usize),
    /// A signature by a trusted key does not verify: the text was altered, or the signature.
    #[error("the signature by {0} is not over this text")]
    BadSignature(KeyName),
    /// There is no signature by a trusted key.
    #[error("no signature by {0}")]
    Unsigned(String),
    /// A text to sign that is not a note's: empty, not ending in a newline, or with control characters.
    #[error("not a text that a note can have")]
    Text,
    /// The signing key failed.
    #[error("the note could not be signed")]
    Key(#[source] KeyError),
}

impl Note {
    /// Reads a note, strictly and within [`NOTE_LIMIT`] and [`SIGNATURE_LIMIT`].
    ///
    /// # Errors
    /// [`NoteError`] naming what is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > NOTE_LIMIT {
            return Err(NoteError::TooLong(bytes.len()));
        }
        let note = std::str::from_utf8(bytes).map_err(|_| NoteError::Characters)?;
        if !has_only_text(note) {
            return Err(NoteError::Characters);
        }
        // At the last empty line: the text may have empty lines of its own.
        let split = note.rfind("\n\n").ok_or(NoteError::Form)?;
        let (text, signatures) = (&note[..=split], &note[split + 2..]);
        let lines = signatures.strip_suffix('\n').ok_or(NoteError::Form)?;
        let first_line = text.matches('\n').count() + 2;
        let mut parsed = Vec::new();
        for (line, text) in (first_line..).zip(lines.split('\n')) {
            if parsed.len() == SIGNATURE_LIMIT {
                return Err(NoteError::TooManySignatures);
            }
            parsed.push(NoteSignature::parse(text).ok_or(NoteError::SignatureLine(line))?);
        }
        Ok(Self { text: text.to_owned(), signatures: parsed })
    }

    /// The text, with its last newline: what is signed.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signature lines, in order.
    #[must_use]
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// This note with one more signature line, or the same when it has that line already. The line is not checked.
    ///
    /// # Errors
    /// [`NoteError::TooManySignatures`] or [`NoteError::TooLong`]: it would not be read again.
    pub fn with(mut self, line: NoteSignature) -> Result<Self, NoteError> {
        if self.signatures.contains(&line) {
            return Ok(self);
        }
        if self.signatures.len() >= SIGNATURE_LIMIT {
            return Err(NoteError::TooManySignatures);
        }
        self.signatures.push(line);
        let length = self.to_string().len();
        if length > NOTE_LIMIT { Err(NoteError::TooLong(length)) } else { Ok(self) }
    }

    /// Checks the signatures by `trusted` keys. Lines of unknown keys are ignored; every line that names a trusted key
    /// and its id must verify. Returns how many of the trusted keys signed: at least one.
    ///
    /// # Errors
    /// [`NoteError::BadSignature`] when one does not verify, [`NoteError::Unsigned`] when there is none.
    pub fn verify(&self, trusted: &[NoteVerifier]) -> Result<usize, NoteError> {
        let mut signed = 0;
        for verifier in trusted {
            let mut lines = self.signatures.iter().filter(|line| line.is_by(verifier)).peekable();
            signed += usize::from(lines.peek().is_some());
            for line in lines {
                if !verifier.is_signed(self.text.as_bytes(), &line.signature) {
                    return Err(NoteError::BadSignature(line.name.clone()));
                }
            }
        }
        if signed > 0 {
            return Ok(signed);
        }
        let names: Vec<_> = trusted.iter().map(|key| key.name().as_str()).collect();
        Err(NoteError::Unsigned(names.join(", ")))
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

impl NoteSignature {
    fn is_by(&self, verifier: &NoteVerifier) -> bool {
        self.name == *verifier.name() && self.id == verifier.id()
    }

    /// Reads one signature line, without its newline. `None` when it is not in the one form there is.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let (name, encoded) = line.strip_prefix(DASH)?.split_once(' ')?;
        let decoded = STANDARD.decode(encoded).ok()?;
        let (id, signature) = decoded.split_first_chunk::<4>()?;
        if signature.is_empty() {
            return None;
        }
        Some(Self { name: name.parse().ok()?, id: *id, signature: signature.to_vec() })
    }
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [self.id.as_slice(), &self.signature].concat();
        write!(f, "{DASH}{} {}", self.name, STANDARD.encode(bytes))
    }
}

fn has_only_text(text: &str) -> bool {
    // Below U+0020 only newline is allowed (C2SP signed-note).
    text.bytes().all(|byte| byte >= 0x20 || byte == b'\n')
}

/// Signs notes under one name with one Ed25519 key.
#[derive(Clone, Debug)]
pub struct NoteSigner {
    verifier: NoteVerifier,
    key: Arc<dyn Signer>,
}

impl NoteSigner {
    /// A signer of notes under `name`: for a log, its origin.
    ///
    /// # Errors
    /// [`NoteError::Key`] when the key is not an Ed25519 key.
    pub fn new(name: KeyName, key: Arc<dyn Signer>) -> Result<Self, NoteError> {
        let public = PublicKey::from_spki_der(key.spki_der()).map_err(NoteError::Key)?;
        Ok(Self { verifier: NoteVerifier::ed25519(name, public), key })
    }

    /// What to give to those who will check the notes.
    #[must_use]
    pub fn verifier(&self) -> &NoteVerifier {
        &self.verifier
    }

    /// A note with `text` and one signature. `text` ends in a newline.
    ///
    /// # Errors
    /// [`NoteError::Text`] when `text` cannot be a note's, [`NoteError::Key`] when the key fails.
    pub fn sign(&self, text: &str) -> Result<Note, NoteError> {
        if !text.ends_with('\n') || !has_only_text(text) || text.len() > NOTE_LIMIT / 2 {
            return Err(NoteError::Text);
        }
        let signature = self.key.sign(text.as_bytes()).map_err(NoteError::Key)?;
        let line = NoteSignature { name: self.verifier.name().clone(), id: self.verifier.id(), signature };
        Ok(Note { text: text.to_owned(), signatures: vec![line] })
    }
}
