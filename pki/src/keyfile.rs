//! Private keys at rest.
//!
//! Owns the two forms of a key file, both PEM, mode 0600, never written over an existing file:
//! - **encrypted** PKCS#8 (RFC 5958, PBES2 with scrypt and AES-256-CBC) under a passphrase, for authorities;
//! - **plain** PKCS#8, for the keys of daemons that must start unattended.
//!
//! CBC does not authenticate; what a changed file could yield is caught because *ring* checks that the two halves of
//! the key belong together.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use pkcs8::der::{Decode, pem};
use pkcs8::pkcs5::EncryptionScheme;
use pkcs8::pkcs5::pbes2;
use pkcs8::pkcs5::scrypt;
use pkcs8::{EncryptedPrivateKeyInfo, LineEnding, SecretDocument};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::files;
use crate::key::{Ed25519Key, KeyError};

const PLAIN_LABEL: &str = "PRIVATE KEY";
const ENCRYPTED_LABEL: &str = "ENCRYPTED PRIVATE KEY";

/// Bytes that a key file may have.
const FILE_LIMIT: u64 = 16 * 1024;

/// scrypt's work factor, log2 of N: 2^15 with r = 8 takes 32 MiB and about 0.1 s. The usual 2^17 would take 128 MiB,
/// more than a gateway that opens its issuing key may use in all.
const SCRYPT_LOG_N: u8 = 15;
const SCRYPT_R: u32 = 8;
const SCRYPT_P: u32 = 1;

/// Characters that a passphrase for a new key must have at least.
pub const PASSPHRASE_LENGTH_MIN: usize = 12;

/// Why a key file could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// There is a file already: keys are never written over anything.
    #[error("{} exists already", .0.display())]
    Exists(PathBuf),
    /// The file system refused.
    #[error("{}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file is not a PEM private key.
    #[error("{} is not a PEM private key", .0.display())]
    NotAKey(PathBuf),
    /// The key is encrypted and no passphrase was given.
    #[error("{} is encrypted: it needs its passphrase", .0.display())]
    PassphraseMissing(PathBuf),
    /// The passphrase is wrong, or the file is damaged: the format cannot tell which.
    #[error("wrong passphrase, or {} is damaged", .0.display())]
    PassphraseWrong(PathBuf),
    /// The passphrase for a new key is too short.
    #[error("a passphrase has at least {PASSPHRASE_LENGTH_MIN} characters")]
    PassphraseTooShort,
    /// The key inside is not one of ours.
    #[error("{}", .path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with the key.
        #[source]
        source: KeyError,
    },
    /// The key could not be encrypted: ours.
    #[error("the key could not be encrypted")]
    Encryption,
}

/// A passphrase: zeroized when dropped, never shown.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// A passphrase as it was given.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The first line of a file, without its line ending.
    ///
    /// # Errors
    /// What the system says; [`io::ErrorKind::InvalidData`] when the line is not UTF-8 or is empty.
    pub fn from_file(path: &Path) -> io::Result<Self> {
        let bytes = Zeroizing::new(files::read_limited(path, 4_096)?);
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match std::str::from_utf8(line) {
            Ok(text) if !text.is_empty() => Ok(Self::new(text.to_owned())),
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, "the first line is no passphrase")),
        }
    }

    /// The value of an environment variable, when it is set and not empty.
    #[must_use]
    pub fn from_environment(variable: &str) -> Option<Self> {
        std::env::var(variable).ok().filter(|text| !text.is_empty()).map(Self::new)
    }

    /// Asks the person at the terminal, without showing what is typed.
    ///
    /// # Errors
    /// What the system says, for instance when there is no terminal.
    pub fn prompt(question: &str) -> io::Result<Self> {
        rpassword::prompt_password(question).map(Self::new)
    }

    fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl PartialEq for Passphrase {
    /// In constant time for equal lengths.
    fn eq(&self, other: &Self) -> bool {
        subtle::ConstantTimeEq::ct_eq(self.as_bytes(), other.as_bytes()).into()
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

/// Writes a key unencrypted, for a daemon that starts unattended.
///
/// # Errors
/// [`KeyFileError::Exists`] when something stands at `path`; [`KeyFileError::File`] when the system refuses.
pub fn create_plain(path: &Path, key: &Ed25519Key) -> Result<(), KeyFileError> {
    write_pem(path, PLAIN_LABEL, &key.to_pkcs8())
}

/// Writes a key encrypted under a passphrase of at least [`PASSPHRASE_LENGTH_MIN`] characters.
///
/// # Errors
/// [`KeyFileError::Exists`] when something stands at `path`; otherwise see [`KeyFileError`].
pub fn create_encrypted(path: &Path, key: &Ed25519Key, passphrase: &Passphrase) -> Result<(), KeyFileError> {
    if passphrase.0.chars().count() < PASSPHRASE_LENGTH_MIN {
        return Err(KeyFileError::PassphraseTooShort);
    }
    write_pem(path, ENCRYPTED_LABEL, encrypt(&key.to_pkcs8(), passphrase)?.as_bytes())
}

/// Reads a key of either form; the passphrase is looked at only if the file is encrypted.
///
/// # Errors
/// See [`KeyFileError`].
pub fn load(path: &Path, passphrase: Option<&Passphrase>) -> Result<Ed25519Key, KeyFileError> {
    let text = files::read_limited(path, FILE_LIMIT)
        .map_err(|source| KeyFileError::File { path: path.to_owned(), source })?;
    let text = Zeroizing::new(text);
    let (label, der) = pem::decode_vec(&text).map_err(|_| KeyFileError::NotAKey(path.to_owned()))?;
    let der = Zeroizing::new(der);
    match label {
        PLAIN_LABEL => Ed25519Key::from_pkcs8_der(&der)
            .map_err(|source| KeyFileError::Key { path: path.to_owned(), source }),
        ENCRYPTED_LABEL => {
            let passphrase = passphrase.ok_or_else(|| KeyFileError::PassphraseMissing(path.to_owned()))?;
            decrypt(&der, passphrase).ok_or_else(|| KeyFileError::PassphraseWrong(path.to_owned()))
        }
        _ => Err(KeyFileError::NotAKey(path.to_owned())),
    }
}

fn encrypt(pkcs8: &[u8], passphrase: &Passphrase) -> Result<SecretDocument, KeyFileError> {
    let (mut salt, mut iv) = ([0; 16], [0; 16]);
    let random = SystemRandom::new();
    random.fill(&mut salt).and_then(|()| random.fill(&mut iv)).map_err(|_| KeyFileError::Encryption)?;
    let cost = scrypt::Params::new(SCRYPT_LOG_N, SCRYPT_R, SCRYPT_P, scrypt::Params::RECOMMENDED_LEN)
        .map_err(|_| KeyFileError::Encryption)?;
    let parameters =
        pbes2::Parameters::scrypt_aes256cbc(cost, &salt, &iv).map_err(|_| KeyFileError::Encryption)?;
    let scheme = EncryptionScheme::from(parameters);
    let encrypted_data =
        scheme.encrypt(passphrase.as_bytes(), pkcs8).map_err(|_| KeyFileError::Encryption)?;
    let info = EncryptedPrivateKeyInfo { encryption_algorithm: scheme, encrypted_data: &encrypted_data };
    SecretDocument::try_from(info).map_err(|_| KeyFileError::Encryption)
}

fn decrypt(der: &[u8], passphrase: &Passphrase) -> Option<Ed25519Key> {
    let info = EncryptedPrivateKeyInfo::from_der(der).ok()?;
    let pkcs8 = info.encryption_algorithm.decrypt(passphrase.as_bytes(), info.encrypted_data).ok()?;
    Ed25519Key::from_pkcs8_der(&Zeroizing::new(pkcs8)).ok()
}

fn write_pem(path: &Path, label: &str, der: &[u8]) -> Result<(), KeyFileError> {
    let text = pem::encode_string(label, LineEnding::LF, der).map_err(|_| KeyFileError::Encryption)?;
    let text = Zeroizing::new(text);
    files::create_new(path, text.as_bytes(), files::PRIVATE).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => KeyFileError::Exists(path.to_owned()),
        _ => KeyFileError::File { path: path.to_owned(), source },
    })
}
