//! Checkpoints (C2SP tlog-checkpoint): what a log says that it is, signed.

use std::fmt;

use super::SIZE_LIMIT;
use super::hash::{Hash, HashError, empty_root};
use super::note::{NOTE_LIMIT, Note, NoteError, NoteSignature, NoteSigner};
use super::text::{decimal, line};
use super::vkey::NoteVerifier;

/// What a log is at one size. `Display` is the text that is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name, which is also the name of its key.
    pub origin: String,
    /// Entries in the log; at most [`SIZE_LIMIT`].
    pub size: u64,
    /// Root of the tree over them (RFC 6962).
    pub root: Hash,
    /// Further lines, none empty. This project writes none: cosigners do not vouch for them.
    pub extensions: Vec<String>,
}

/// A checkpoint whose signature was checked against a trusted key, and whose origin is that key's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedCheckpoint {
    checkpoint: Checkpoint,
    note: String,
}

/// Why a checkpoint is refused. The lines count from 1.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The note around it is malformed or not signed by the trusted key.
    #[error("the checkpoint's signed note is refused")]
    Note(#[source] NoteError),
    /// Fewer than three lines, or the last one without a newline.
    #[error("line {0} of the checkpoint is missing or does not end in a newline")]
    Missing(usize),
    /// Line 1: an empty origin, or one that is too long or has control characters.
    #[error("line 1 of the checkpoint is not an origin")]
    Origin,
    /// Line 2: not a decimal without leading zeros, or over [`SIZE_LIMIT`].
    #[error("line 2 of the checkpoint is not a tree size")]
    Size,
    /// Line 3: not the canonical base64 of 32 bytes.
    #[error("line 3 of the checkpoint is not a root hash")]
    Root(#[source] HashError),
    /// Line 3: size 0 with a root other than that of the empty tree.
    #[error("line 3 of the checkpoint is not the root of the empty tree")]
    EmptyRoot,
    /// An extension line is empty.
    #[error("line {0} of the checkpoint is empty")]
    Extension(usize),
    /// Signed by the trusted key, but for another log.
    #[error("line 1 of the checkpoint is {found}, not {expected}")]
    OtherOrigin {
        /// Origin in the checkpoint.
        found: String,
        /// Name of the trusted key.
        expected: String,
    },
}

impl CheckpointError {
    /// The line of the checkpoint that is wrong, from 1, when it is one line.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        match self {
            Self::Note(NoteError::SignatureLine(line)) | Self::Missing(line) | Self::Extension(line) => {
                Some(*line)
            }
            Self::Origin | Self::OtherOrigin { .. } => Some(1),
            Self::Size => Some(2),
            Self::Root(_) | Self::EmptyRoot => Some(3),
            Self::Note(_) => None,
        }
    }
}

impl Checkpoint {
    /// The checkpoint of a log without extension lines.
    #[must_use]
    pub fn new(origin: String, size: u64, root: Hash) -> Self {
        Self { origin, size, root, extensions: Vec::new() }
    }

    /// Reads the text of a checkpoint (without signatures), strictly.
    ///
    /// # Errors
    /// [`CheckpointError`] naming the line.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        if text.len() > NOTE_LIMIT {
            return Err(CheckpointError::Note(NoteError::TooLong(text.len())));
        }
        let (origin, rest) = line(text).ok_or(CheckpointError::Missing(1))?;
        if origin.is_empty() || origin.contains(char::is_control) {
            return Err(CheckpointError::Origin);
        }
        let (size, rest) = line(rest).ok_or(CheckpointError::Missing(2))?;
        let size = decimal(size).filter(|size| *size <= SIZE_LIMIT).ok_or(CheckpointError::Size)?;
        let (root, mut rest) = line(rest).ok_or(CheckpointError::Missing(3))?;
        let root = Hash::from_base64(root).map_err(CheckpointError::Root)?;
        if size == 0 && root != empty_root() {
            return Err(CheckpointError::EmptyRoot);
        }
        let mut extensions = Vec::new();
        while !rest.is_empty() {
            let number = extensions.len() + 4;
            let (extension, after) = line(rest).ok_or(CheckpointError::Missing(number))?;
            if extension.is_empty() || extension.contains(char::is_control) {
                return Err(CheckpointError::Extension(number));
            }
            extensions.push(extension.to_owned());
            rest = after;
        }
        Ok(Self { origin: origin.to_owned(), size, root, extensions })
    }

    /// Signs it. The log's key name is its origin.
    ///
    /// # Errors
    /// [`CheckpointError::OtherOrigin`] when the signer is of another log; otherwise as [`Checkpoint::parse`] and
    /// [`NoteSigner::sign`].
    pub fn sign(&self, signer: &NoteSigner) -> Result<VerifiedCheckpoint, CheckpointError> {
        // What would not be read back is not signed.
        let checkpoint = Self::parse(&self.to_string())?;
        if checkpoint != *self {
            return Err(CheckpointError::Origin);
        }
        check_origin(self, signer.verifier())?;
        let note = signer.sign(&self.to_string()).map_err(CheckpointError::Note)?;
        Ok(VerifiedCheckpoint { checkpoint, note: note.to_string() })
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, self.root)?;
        self.extensions.iter().try_for_each(|extension| writeln!(f, "{extension}"))
    }
}

impl VerifiedCheckpoint {
    /// Reads a signed checkpoint and checks that `log`, the trusted key of the log, signed it and that its origin is
    /// the name of that key. Signatures by others are left alone.
    ///
    /// # Errors
    /// [`CheckpointError`] naming what is wrong.
    pub fn open(bytes: &[u8], log: &NoteVerifier) -> Result<Self, CheckpointError> {
        let note = Note::parse(bytes).map_err(CheckpointError::Note)?;
        note.verify(std::slice::from_ref(log)).map_err(CheckpointError::Note)?;
        let checkpoint = Checkpoint::parse(note.text())?;
        check_origin(&checkpoint, log)?;
        Ok(Self { checkpoint, note: note.to_string() })
    }

    /// What was signed.
    #[must_use]
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Entries in the log.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.checkpoint.size
    }

    /// Root of the tree.
    #[must_use]
    pub fn root(&self) -> &Hash {
        &self.checkpoint.root
    }

    /// This checkpoint with one more signature line, which the caller has checked.
    pub(super) fn with_line(&self, line: NoteSignature) -> Result<Self, NoteError> {
        let note = Note::parse(self.note.as_bytes())?.with(line)?;
        Ok(Self { checkpoint: self.checkpoint.clone(), note: note.to_string() })
    }

    /// The signed note: the file `checkpoint` of the log, all signatures included.
    #[must_use]
    pub fn note(&self) -> &str {
        &self.note
    }
}

fn check_origin(checkpoint: &Checkpoint, log: &NoteVerifier) -> Result<(), CheckpointError> {
    let expected = log.name().as_str();
    if checkpoint.origin == expected {
        return Ok(());
    }
    Err(CheckpointError::OtherOrigin { found: checkpoint.origin.clone(), expected: expected.to_owned() })
}
