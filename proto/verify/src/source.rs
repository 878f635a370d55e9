//! Where the files of a log come from: a folder ([`crate::Folder`]) or a server ([`crate::Remote`]).

use std::io;

/// One file of the log, as found. A wrong file is no error of the source: it is the log that is bad.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// Its content.
    Bytes(Vec<u8>),
    /// There is no such file.
    Missing,
    /// It is longer than such a file can be; it was not read.
    TooLong,
}

/// Why a log could not be read. Says nothing about whether it is good.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A file or folder could not be read.
    #[error("{path}")]
    Io {
        /// The file, as the operator knows it.
        path: String,
        /// The operating system's error.
        #[source]
        error: io::Error,
    },
    /// The address, the token or the certificate to trust cannot be used.
    #[error("{0}")]
    Usage(String),
    /// The server answered that this is not allowed: token missing, expired or of another reading.
    #[error("{url}: HTTP {status}")]
    Refused {
        /// What was asked for.
        url: String,
        /// HTTP status.
        status: u16,
    },
    /// The server could not be reached, or kept failing.
    #[error("{url}: {detail} ({attempts} attempts)")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// The last failure.
        detail: String,
        /// How often it was tried.
        attempts: u32,
    },
}

/// Gives the files of one log by their path below its prefix (C2SP tlog-tiles).
pub trait LogSource {
    /// Reads `checkpoint` or a tile; at most `limit` bytes.
    ///
    /// # Errors
    /// [`SourceError`] when it could not be found out what the file is.
    fn fetch(&self, path: &str, limit: usize) -> Result<Fetched, SourceError>;

    /// The names in one folder of the log, below its prefix; empty when there is no such folder. `None` when the source
    /// cannot list.
    ///
    /// # Errors
    /// [`SourceError`] when the folder cannot be read.
    fn names(&self, _folder: &str) -> Result<Option<Vec<String>>, SourceError> {
        Ok(None)
    }

    /// Calls `visit` with the path of every file of the log, in any order. Returns false when the source cannot list.
    ///
    /// # Errors
    /// [`SourceError`] when a folder cannot be read.
    fn visit_files(&self, _visit: &mut dyn FnMut(&str)) -> Result<bool, SourceError> {
        Ok(false)
    }
}
