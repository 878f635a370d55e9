//! What the sandbox sends: generated records, or the files of a folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use ring::digest::{Context as Digest, SHA256};
use tokio_util::io::ReaderStream;

use crate::generator::{Generator, Kind};
use crate::network::agreements::{Body, RAMQ, REVENU};

/// Bytes read from a file at a time.
const CHUNK: usize = 64 * 1024;

/// One record to be sent.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// Who sends it.
    pub(super) sender: Body,
    /// Name of the file.
    pub(super) name: String,
    /// Media type.
    pub(super) content_type: &'static str,
    /// The person concerned.
    pub(super) subject: Option<String>,
    /// The case.
    pub(super) case_reference: Option<String>,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    Generated(Bytes),
    File(PathBuf),
}

/// Length and SHA-256 of a body: what must be the same at both ends.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Print {
    /// Bytes.
    pub(super) length: u64,
    /// SHA-256.
    pub(super) sha256: [u8; 32],
}

/// `count` generated records, the same for the same seed.
#[must_use]
pub(super) fn generated(count: u32, seed: u64) -> Vec<Item> {
    let mut generator = Generator::new(seed);
    let one = |number: u32| {
        let kind = Kind::ALL[number as usize % Kind::ALL.len()];
        let record = generator.record(kind);
        Item {
            sender: if kind == Kind::IncomeConfirmation { REVENU } else { RAMQ },
            name: format!("dossier-{number:06}.json"),
            content_type: "application/json",
            subject: Some(record.subject),
            case_reference: Some(record.case_reference),
            content: Content::Generated(record.body.into()),
        }
    };
    (0..count).map(one).collect()
}

/// The files of a folder and of those in it, by name.
///
/// # Errors
/// When the folder cannot be read, or holds no file.
pub(super) fn in_folder(folder: &Path) -> anyhow::Result<Vec<Item>> {
    let mut paths = Vec::new();
    collect(folder, &mut paths).with_context(|| folder.display().to_string())?;
    paths.sort();
    anyhow::ensure!(!paths.is_empty(), "{} : aucun fichier / no file", folder.display());
    let item = |path: PathBuf| Item {
        sender: RAMQ,
        name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        content_type: "application/octet-stream",
        subject: None,
        case_reference: None,
        content: Content::File(path),
    };
    Ok(paths.into_iter().map(item).collect())
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()? {
            kind if kind.is_dir() => collect(&entry.path(), found)?,
            kind if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
    Ok(())
}

impl Item {
    /// The body from its beginning, and its length.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub(super) async fn open(
        &self,
    ) -> io::Result<(impl Stream<Item = io::Result<Bytes>> + Send + Unpin + 'static + use<>, u64)> {
        match &self.content {
            Content::Generated(bytes) => {
                let length = bytes.len() as u64;
                Ok((stream::iter([Ok(bytes.clone())]).boxed(), length))
            }
            Content::File(path) => {
                let file = tokio::fs::File::open(path).await?;
                let length = file.metadata().await?.len();
                Ok((ReaderStream::with_capacity(file, CHUNK).boxed(), length))
            }
        }
    }

    /// Its print, read from the source again.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) async fn print(&self) -> anyhow::Result<Print> {
        print(self.open().await?.0).await
    }
}

/// The print of a body as it streams by.
///
/// # Errors
/// Those of the stream.
pub(super) async fn print<E>(mut body: impl Stream<Item = Result<Bytes, E>> + Unpin) -> anyhow::Result<Print>
where
    E: std::error::Error + Send + Sync + 'static,
{
    let (mut digest, mut length) = (Digest::new(&SHA256), 0);
    while let Some(bytes) = body.next().await {
        let bytes = bytes?;
        digest.update(&bytes);
        length += bytes.len() as u64;
    }
    Ok(Print { length, sha256: digest.finish().as_ref().try_into()? })
}
