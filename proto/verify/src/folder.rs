//! A log in a folder.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::source::{Fetched, LogSource, SourceError};

/// Folders within folders that are looked into: more than any tile path needs.
const DEPTH_LIMIT: usize = 16;

/// A log in a folder: `checkpoint`, `tile/…`, `tile/entries/…`.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// The log in the folder `root`.
    ///
    /// # Errors
    /// [`SourceError::Io`] when there is no such folder.
    pub fn open(root: &Path) -> Result<Self, SourceError> {
        let folder = Self { root: root.to_owned() };
        let metadata = fs::metadata(root).map_err(|error| failed(root, error))?;
        if metadata.is_dir() { Ok(folder) } else { Err(failed(root, io::ErrorKind::NotADirectory.into())) }
    }

    fn visit(
        &self,
        folder: &Path,
        below: &str,
        depth: usize,
        visit: &mut dyn FnMut(&str),
    ) -> Result<(), SourceError> {
        for entry in fs::read_dir(folder).map_err(|error| failed(folder, error))? {
            let entry = entry.map_err(|error| failed(folder, error))?;
            let path = format!("{below}{}", entry.file_name().to_string_lossy());
            let kind = entry.file_type().map_err(|error| failed(&entry.path(), error))?;
            if kind.is_dir() && depth < DEPTH_LIMIT {
                self.visit(&entry.path(), &format!("{path}/"), depth + 1, visit)?;
            } else {
                visit(&path);
            }
        }
        Ok(())
    }
}

impl LogSource for Folder {
    fn fetch(&self, path: &str, limit: usize) -> Result<Fetched, SourceError> {
        let path = self.root.join(path);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if is_missing(&error) => return Ok(Fetched::Missing),
            Err(error) => return Err(failed(&path, error)),
        };
        let mut bytes = Vec::new();
        let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        match file.take(most).read_to_end(&mut bytes) {
            // A folder where a file should be.
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => Ok(Fetched::Missing),
            Err(error) => Err(failed(&path, error)),
            Ok(_) if bytes.len() > limit => Ok(Fetched::TooLong),
            Ok(_) => Ok(Fetched::Bytes(bytes)),
        }
    }

    fn names(&self, folder: &str) -> Result<Option<Vec<String>>, SourceError> {
        let path = self.root.join(folder);
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if is_missing(&error) => return Ok(Some(Vec::new())),
            Err(error) => return Err(failed(&path, error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| failed(&path, error))?;
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(Some(names))
    }

    fn visit_files(&self, visit: &mut dyn FnMut(&str)) -> Result<bool, SourceError> {
        self.visit(&self.root, "", 0, visit)?;
        Ok(true)
    }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn failed(path: &Path, error: io::Error) -> SourceError {
    SourceError::Io { path: path.display().to_string(), error }
}
