//! The spool: sealed bodies that are too large for the journal, from their upload until nobody waits for them.
//!
//! A body lies in `bodies/<agency>/<header digest>.body`, with the leaf hashes of its chunks in `.hashes` beside it; while
//! it is uploaded it is a `.part`. The name binds it to one signed header, so nobody can put bytes under another's.
//! A body is renamed to `.body` only once every chunk was checked and all is durable.

mod reading;
mod upload;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use passerelle_pki::clock::Timestamp;
use passerelle_pki::files;
use passerelle_pki::name::AgencyCode;

pub use reading::Reading;
pub use upload::{Upload, UploadError};

/// An upload that nobody touched for this long is given up.
const ABANDONED: Duration = Duration::from_secs(24 * 3_600);

/// The folder of the spool.
#[derive(Clone, Debug)]
pub struct Bodies {
    root: PathBuf,
}

/// Which body: of which sending agency, under which header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyName {
    /// The sending agency.
    pub agency: AgencyCode,
    /// SHA-256 of the header bytes.
    pub header_digest: [u8; 32],
}

impl Bodies {
    /// The spool at `root`, made when there is none.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(root: &Path) -> io::Result<Self> {
        create(root)?;
        Ok(Self { root: root.to_owned() })
    }

    fn path(&self, name: &BodyName, ending: &str) -> PathBuf {
        let file = format!("{}.{ending}", hex::encode(name.header_digest));
        self.root.join(name.agency.as_str()).join(file)
    }

    /// Whether the whole body is durable here.
    #[must_use]
    pub fn is_complete(&self, name: &BodyName) -> bool {
        self.path(name, "body").is_file()
    }

    /// Sealed bytes of an agency that lie here, uploads under way included.
    ///
    /// # Errors
    /// What the system says.
    pub fn used(&self, agency: &AgencyCode) -> io::Result<u64> {
        let folder = self.root.join(agency.as_str());
        if !folder.is_dir() {
            return Ok(0);
        }
        fs::read_dir(folder)?.try_fold(0_u64, |sum, file| {
            // Gone since it was listed: it takes no room.
            let length = file?.metadata().map_or(0, |metadata| metadata.len());
            Ok(sum.saturating_add(length))
        })
    }

    /// Removes a body that nobody waits for. What is not there is no error.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove(&self, name: &BodyName) -> io::Result<()> {
        for ending in ["body", "part", "hashes"] {
            match fs::remove_file(self.path(name, ending)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Removes uploads that were abandoned, and complete bodies of which `is_waited_for` says that nobody waits and
    /// that are as old; gives how many.
    ///
    /// # Errors
    /// What the system says.
    pub fn sweep(&self, now: Timestamp, is_waited_for: impl Fn(&BodyName) -> bool) -> io::Result<usize> {
        let mut removed = 0;
        for folder in fs::read_dir(&self.root)? {
            let folder = folder?;
            let Ok(agency) = folder.file_name().to_string_lossy().parse::<AgencyCode>() else { continue };
            for file in fs::read_dir(folder.path())? {
                let file = file?;
                let name = file.file_name();
                let Some((digest, _ending)) = name.to_str().and_then(|name| name.split_once('.')) else {
                    continue;
                };
                let Some(header_digest) = hex::decode(digest).ok().and_then(|bytes| bytes.try_into().ok())
                else {
                    continue;
                };
                let body = BodyName { agency: agency.clone(), header_digest };
                if is_old(&file.path(), now) && !is_waited_for(&body) {
                    fs::remove_file(file.path())?;
                    removed += 1;
                }
            }
        }
        Ok(removed)
    }
}

/// Whether a file was last written longer ago than [`ABANDONED`]. What cannot be told is not old.
fn is_old(path: &Path, now: Timestamp) -> bool {
    let written = fs::metadata(path).and_then(|metadata| metadata.modified());
    let since_epoch = written.ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    since_epoch.is_some_and(|age| {
        let written = Timestamp::from_millis(u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
        now.since(written) > ABANDONED
    })
}

fn create(folder: &Path) -> io::Result<()> {
    match files::create_private_directory(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}
