//! The OpenAPI documents at hand: `services/<SHA-256>.openapi`. A copy each: what is missing or damaged is fetched again.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use passerelle_pki::files::{self, PRIVATE};
use passerelle_proto::catalogue::{OPENAPI_LIMIT, VerifiedService, document_of};

use super::CatalogueError;

/// In the data folder.
pub(super) const FOLDER: &str = "services";

/// The folder. Blocking.
#[derive(Clone, Debug)]
pub(super) struct Documents(PathBuf);

impl Documents {
    pub(super) fn open(folder: &Path) -> Result<Self, CatalogueError> {
        match files::create_private_directory(folder) {
            Err(source) if source.kind() != io::ErrorKind::AlreadyExists => Err(failed(folder, source)),
            _ => Ok(Self(folder.to_owned())),
        }
    }

    fn path(&self, digest: &[u8]) -> PathBuf {
        self.0.join(format!("{}.openapi", hex::encode(digest)))
    }

    /// The document of a service; `None` when it is not here, or not the one that was signed.
    pub(super) fn read(&self, service: &VerifiedService) -> Option<Bytes> {
        let bytes = files::read_limited(&self.path(&service.openapi_digest()), OPENAPI_LIMIT as u64).ok()?;
        service.is_document(&bytes).then(|| bytes.into())
    }

    /// Keeps a document, durable when this returns.
    pub(super) fn write(&self, document: &[u8]) -> Result<(), CatalogueError> {
        let path = self.path(&document_of(document).0);
        files::replace(&path, document, PRIVATE).map_err(|source| failed(&path, source))
    }

    /// Removes the documents that nothing names, and what a crash left of one.
    pub(super) fn keep_only(&self, digests: &BTreeSet<[u8; 32]>) -> Result<(), CatalogueError> {
        let kept: BTreeSet<PathBuf> = digests.iter().map(|digest| self.path(digest)).collect();
        let listed = fs::read_dir(&self.0).map_err(|source| failed(&self.0, source))?;
        for file in listed {
            let path = file.map_err(|source| failed(&self.0, source))?.path();
            if !kept.contains(&path) {
                fs::remove_file(&path).map_err(|source| failed(&path, source))?;
            }
        }
        Ok(())
    }
}

fn failed(path: &Path, source: io::Error) -> CatalogueError {
    CatalogueError::File { path: path.to_owned(), source }
}
