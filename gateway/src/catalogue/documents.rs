//! The OpenAPI documents that services name: `services/<agency>/<SHA-256>.openapi`.
//!
//! Like the bodies in the spool, they cannot be rebuilt from the log, and the log has their digests: a document that was
//! tampered with is not given out. Losing the folder costs the documents, and no event: agencies publish again.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use passerelle_pki::files;
use passerelle_pki::name::AgencyCode;
use passerelle_proto::catalogue::OPENAPI_LIMIT;

const ENDING: &str = "openapi";

/// The folder. Blocking: call it off the I/O threads.
#[derive(Clone, Debug)]
pub struct Documents {
    root: PathBuf,
}

impl Documents {
    /// The folder at `root`, made when there is none.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(root: &Path) -> io::Result<Self> {
        create(root)?;
        Ok(Self { root: root.to_owned() })
    }

    fn path(&self, agency: &AgencyCode, digest: &[u8; 32]) -> PathBuf {
        self.root.join(agency.as_str()).join(format!("{}.{ENDING}", hex::encode(digest)))
    }

    /// Whether the document is here.
    #[must_use]
    pub fn holds(&self, agency: &AgencyCode, digest: &[u8; 32]) -> bool {
        self.path(agency, digest).is_file()
    }

    /// Keeps a document, durable when this returns.
    ///
    /// # Errors
    /// What the system says.
    pub fn put(&self, agency: &AgencyCode, digest: &[u8; 32], openapi: &[u8]) -> io::Result<()> {
        create(&self.root.join(agency.as_str()))?;
        files::replace(&self.path(agency, digest), openapi, 0o600)
    }

    /// A document's bytes.
    ///
    /// # Errors
    /// What the system says.
    pub fn read(&self, agency: &AgencyCode, digest: &[u8; 32]) -> io::Result<Vec<u8>> {
        files::read_limited(&self.path(agency, digest), OPENAPI_LIMIT as u64)
    }

    /// Removes an agency's documents that are not `needed`, and what a crash left of one.
    ///
    /// # Errors
    /// What the system says.
    pub fn keep_only(&self, agency: &AgencyCode, needed: &BTreeSet<[u8; 32]>) -> io::Result<()> {
        let folder = self.root.join(agency.as_str());
        if !folder.is_dir() {
            return Ok(());
        }
        let kept: BTreeSet<PathBuf> = needed.iter().map(|digest| self.path(agency, digest)).collect();
        for file in fs::read_dir(folder)? {
            let path = file?.path();
            if !kept.contains(&path) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

fn create(folder: &Path) -> io::Result<()> {
    match files::create_private_directory(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_kept_until_nothing_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let documents = Documents::open(&folder.path().join("services")).unwrap();
        let (ramq, saaq) = ("ramq".parse().unwrap(), "saaq".parse().unwrap());
        for digest in [[1; 32], [2; 32]] {
            documents.put(&ramq, &digest, b"openapi: 3.0.3").unwrap();
            documents.put(&saaq, &digest, b"openapi: 3.1.0").unwrap();
        }
        documents.keep_only(&ramq, &BTreeSet::from([[2; 32]])).unwrap();
        assert!(!documents.holds(&ramq, &[1; 32]) && documents.holds(&ramq, &[2; 32]));
        assert_eq!(documents.read(&ramq, &[2; 32]).unwrap(), b"openapi: 3.0.3");
        assert_eq!(documents.read(&saaq, &[1; 32]).unwrap(), b"openapi: 3.1.0");
        assert!(documents.read(&ramq, &[1; 32]).is_err());
        Documents::open(&folder.path().join("services")).unwrap();
        documents.keep_only(&"cnesst".parse().unwrap(), &BTreeSet::new()).unwrap();
    }
}
