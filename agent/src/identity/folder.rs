//! The files of the identity folder, and the lock on it. Every write is whole and durable before it returns.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use passerelle_pki::files::{self, PRIVATE};
use passerelle_pki::key::{Ed25519Key, KeyId, Signer};
use passerelle_pki::keyfile;
use passerelle_proto::envelope::KemKey;
use ring::rand::SystemRandom;
use rustix::fs::FlockOperation;
use zeroize::Zeroizing;

use super::manifest::{FORMAT, Manifest};
use super::{IdentityError, StorageKey};

const FOLDER: &str = "identity";
const KEYS: &str = "keys";
const MANIFEST: &str = "identity.json";
const STORAGE: &str = "storage.key";
const LOCK: &str = "lock";

/// A KEM key file: this, 64 hexadecimal digits, a line feed.
const KEM_PREFIX: &str = "passerelle-kem-key/1 ";
const MANIFEST_LIMIT: u64 = 4 * 1024 * 1024;
const KEY_LIMIT: u64 = 16 * 1024;

/// What a key file holds; the beginning of its name.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Tls,
    Signing,
    Kem,
}

impl Kind {
    fn file_name(self, key: KeyId) -> String {
        match self {
            Self::Tls => format!("tls-{key}.pem"),
            Self::Signing => format!("signing-{key}.pem"),
            Self::Kem => format!("kem-{key}.key"),
        }
    }
}

/// The folder; locked as long as this lives, unless it was opened for a look only.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    _lock: Option<File>,
}

impl Folder {
    /// Makes the folder if it is not there, and locks it.
    pub(super) fn create(data_dir: &Path) -> Result<Self, IdentityError> {
        let path = data_dir.join(FOLDER);
        let keys = path.join(KEYS);
        DirBuilder::new().recursive(true).mode(0o700).create(&keys).map_err(file_error(&keys))?;
        for directory in [&path, data_dir] {
            files::sync_directory(directory).map_err(file_error(directory))?;
        }
        Self::open(data_dir)
    }

    /// Locks the folder.
    pub(super) fn open(data_dir: &Path) -> Result<Self, IdentityError> {
        let mut folder = Self::look(data_dir)?;
        let path = folder.path.join(LOCK);
        let lock = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(false)
            .mode(PRIVATE)
            .open(&path)
            .map_err(file_error(&path))?;
        rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|error| {
            if error == rustix::io::Errno::WOULDBLOCK {
                IdentityError::InUse(folder.path.clone())
            } else {
                IdentityError::File { path, source: error.into() }
            }
        })?;
        folder._lock = Some(lock);
        Ok(folder)
    }

    /// The folder without the lock: to read only.
    pub(super) fn look(data_dir: &Path) -> Result<Self, IdentityError> {
        let path = data_dir.join(FOLDER);
        if !path.is_dir() {
            return Err(IdentityError::NotEnrolled(path));
        }
        Ok(Self { path, _lock: None })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn read_manifest(&self) -> Result<Option<Manifest>, IdentityError> {
        let path = self.path.join(MANIFEST);
        let bytes = match files::read_limited(&path, MANIFEST_LIMIT) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(IdentityError::File { path, source }),
        };
        // The format first: a later manifest has fields that this program would call mistakes.
        let format = serde_json::from_slice::<serde_json::Value>(&bytes)
            .ok()
            .and_then(|value| value.get("format").and_then(serde_json::Value::as_u64))
            .and_then(|format| u32::try_from(format).ok());
        match format {
            Some(FORMAT) => {}
            Some(found) if found > FORMAT => return Err(IdentityError::Newer { path, found }),
            _ => return Err(IdentityError::Damaged { path, what: "format".to_owned() }),
        }
        match serde_json::from_slice(&bytes) {
            Ok(manifest) => Ok(Some(manifest)),
            Err(error) => Err(IdentityError::Damaged { path, what: error.to_string() }),
        }
    }

    pub(super) fn write_manifest(&self, manifest: &Manifest) -> Result<(), IdentityError> {
        let path = self.path.join(MANIFEST);
        let bytes = serde_json::to_vec_pretty(manifest)
            .map_err(|error| IdentityError::Damaged { path: path.clone(), what: error.to_string() })?;
        files::replace(&path, &bytes, PRIVATE).map_err(file_error(&path))
    }

    /// Makes a key and its file.
    pub(super) fn create_key(&self, kind: Kind) -> Result<Ed25519Key, IdentityError> {
        let key = Ed25519Key::generate().map_err(IdentityError::Key)?;
        keyfile::create_plain(&self.key_path(kind, key.key_id()), &key).map_err(IdentityError::KeyFile)?;
        Ok(key)
    }

    /// Reads a key; the file must hold the key that its name says.
    pub(super) fn load_key(&self, kind: Kind, id: KeyId) -> Result<Ed25519Key, IdentityError> {
        let path = self.key_path(kind, id);
        let key = keyfile::load(&path, None).map_err(IdentityError::KeyFile)?;
        if key.key_id() == id { Ok(key) } else { Err(other_key(path)) }
    }

    /// Makes a KEM key and its file.
    pub(super) fn create_kem(&self) -> Result<KemKey, IdentityError> {
        let key = KemKey::generate(&SystemRandom::new()).map_err(IdentityError::Kem)?;
        let seed = Zeroizing::new(hex::encode(&key.to_bytes()[..]));
        let text = Zeroizing::new(format!("{KEM_PREFIX}{}\n", *seed));
        let path = self.key_path(Kind::Kem, key.key_id());
        files::create_new(&path, text.as_bytes(), PRIVATE).map_err(file_error(&path))?;
        Ok(key)
    }

    /// Reads a KEM key; the file must hold the key that its name says.
    pub(super) fn load_kem(&self, id: KeyId) -> Result<KemKey, IdentityError> {
        let path = self.key_path(Kind::Kem, id);
        let bytes = Zeroizing::new(files::read_limited(&path, KEY_LIMIT).map_err(file_error(&path))?);
        let seed = std::str::from_utf8(&bytes)
            .ok()
            .and_then(|text| text.strip_prefix(KEM_PREFIX)?.strip_suffix('\n'))
            .and_then(|digits| hex::decode(digits).ok())
            .map(Zeroizing::new);
        let Some(seed) = seed else {
            return Err(IdentityError::Damaged { path, what: "KEM".to_owned() });
        };
        let key = KemKey::from_bytes(&seed).map_err(IdentityError::Kem)?;
        if key.key_id() == id { Ok(key) } else { Err(other_key(path)) }
    }

    /// The storage key, made at its first use.
    pub(super) fn storage_key(&self) -> Result<StorageKey, IdentityError> {
        let path = self.path.join(STORAGE);
        match files::read_limited(&path, KEY_LIMIT).map(Zeroizing::new) {
            Ok(text) => StorageKey::from_text(&text)
                .map_err(|error| IdentityError::Damaged { path, what: error.to_string() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key = StorageKey::generate().map_err(IdentityError::Storage)?;
                files::create_new(&path, key.to_text().as_bytes(), PRIVATE).map_err(file_error(&path))?;
                Ok(key)
            }
            Err(source) => Err(IdentityError::File { path, source }),
        }
    }

    /// Removes key files that the manifest does not name, and what a crash left half-written.
    pub(super) fn sweep(&self, manifest: &Manifest) -> Result<(), IdentityError> {
        let keys = self.path.join(KEYS);
        let named = named_files(manifest);
        for entry in fs::read_dir(&keys).map_err(file_error(&keys))? {
            let entry = entry.map_err(file_error(&keys))?;
            let path = entry.path();
            if entry.file_name().to_str().is_none_or(|name| !named.contains(&name.to_owned())) {
                fs::remove_file(&path).map_err(file_error(&path))?;
            }
        }
        files::sync_directory(&keys).map_err(file_error(&keys))
    }

    fn key_path(&self, kind: Kind, key: KeyId) -> PathBuf {
        self.path.join(KEYS).join(kind.file_name(key))
    }
}

/// A signing key in the token has no file; naming one that is not there does no harm.
fn named_files(manifest: &Manifest) -> Vec<String> {
    let certified = manifest.certified.iter().flat_map(|certified| {
        [Kind::Tls.file_name(certified.tls.key), Kind::Signing.file_name(certified.signing.key)]
    });
    let pending = manifest
        .pending
        .iter()
        .flat_map(|pending| [Kind::Tls.file_name(pending.tls), Kind::Signing.file_name(pending.signing)]);
    let kem = manifest.kem.iter().map(|entry| Kind::Kem.file_name(entry.key));
    certified.chain(pending).chain(kem).collect()
}

fn other_key(path: PathBuf) -> IdentityError {
    IdentityError::Damaged { path, what: "autre clé / another key".to_owned() }
}

fn file_error(path: &Path) -> impl FnOnce(io::Error) -> IdentityError + use<> {
    let path = path.to_owned();
    |source| IdentityError::File { path, source }
}
