//! Making an authority, and opening one.
//!
//! A new folder is built under a temporary name and renamed into place when it is whole, so that a crash leaves
//! either no authority or a complete one.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::CertificateDer;

use super::folder::{CERTIFICATE, ISSUED, KEY, REVOKED, ROOT, replace};
use super::index::{self, IssuedRecord};
use super::{Authority, AuthorityError, ISSUING_VALIDITY, Kind, ROOT_VALIDITY, folder, parameters};
use crate::certificate::{CertificateError, IssuerCertificate, TrustAnchor, certificates_in, pem_of};
use crate::clock::Timestamp;
use crate::files;
use crate::key::{Ed25519Key, Signer};
use crate::keyfile::{self, Passphrase};
use crate::name::TrustDomain;
use crate::profile::{BACKDATE, Rules, Subject};

impl Authority {
    /// Makes a root in a folder that does not exist yet (or is empty), its key encrypted under a passphrase.
    ///
    /// # Errors
    /// [`AuthorityError::Exists`] when the folder holds anything; otherwise see [`AuthorityError`].
    pub fn create_root(
        directory: &Path,
        domain: &TrustDomain,
        passphrase: &Passphrase,
        now: Timestamp,
    ) -> Result<Self, AuthorityError> {
        refuse_existing(directory)?;
        let key = Ed25519Key::generate().map_err(AuthorityError::Key)?;
        let rules = Rules {
            domain: domain.clone(),
            subject: Subject::Root,
            public_key: key.public_key().clone(),
            serial: parameters::draw_serial()?,
            issuer: None,
        };
        let validity = validity(now, ROOT_VALIDITY);
        let certificate = parameters::sign(&rules, validity, &key, None)?;
        let root = TrustAnchor::from_der(&certificate).map_err(AuthorityError::Certificate)?;
        build(directory, &key, passphrase, &certificate, &root)?;
        let certificate = root.issuer().clone();
        let authority =
            Self { directory: directory.to_owned(), kind: Kind::Root, key: Arc::new(key), certificate, root };
        authority.revocation_list(now)?;
        Ok(authority)
    }

    /// Makes an issuing authority under a root, in a folder that does not exist yet (or is empty).
    ///
    /// # Errors
    /// [`AuthorityError::Exists`] when the folder holds anything, [`AuthorityError::WrongKind`] when `root` is none;
    /// otherwise see [`AuthorityError`].
    pub fn create_issuing(
        directory: &Path,
        root: &Self,
        passphrase: &Passphrase,
        now: Timestamp,
    ) -> Result<Self, AuthorityError> {
        if root.kind != Kind::Root {
            return Err(AuthorityError::WrongKind(root.kind));
        }
        refuse_existing(directory)?;
        let key = Ed25519Key::generate().map_err(AuthorityError::Key)?;
        let rules = Rules {
            domain: root.domain().clone(),
            subject: Subject::Issuing,
            public_key: key.public_key().clone(),
            serial: parameters::draw_serial()?,
            issuer: Some(root.issuer_rules()?),
        };
        let validity = root.clip(validity(now, ISSUING_VALIDITY))?;
        let der = parameters::sign(&rules, validity, root.key.as_ref(), Some(root.certificate_der()))?;
        let certificate = root.root.verify_issuer(&der, now).map_err(AuthorityError::Certificate)?;
        root.record(&IssuedRecord {
            serial: hex::encode(&rules.serial),
            identity: None,
            usage: None,
            key_id: key.key_id().to_string(),
            not_before_ms: validity.0,
            not_after_ms: validity.1,
            issued_ms: now,
            certificate: hex::encode(&der),
        })?;
        build(directory, &key, passphrase, &der, &root.root)?;
        let authority = Self {
            directory: directory.to_owned(),
            kind: Kind::Issuing,
            key: Arc::new(key),
            certificate,
            root: root.root.clone(),
        };
        authority.revocation_list(now)?;
        Ok(authority)
    }

    /// Opens the folder of an authority. Never creates or repairs anything.
    ///
    /// # Errors
    /// [`AuthorityError::NotAnAuthority`] when the folder is none, [`AuthorityError::KeyFile`] when the passphrase is
    /// wrong, [`AuthorityError::OtherKey`] when key and certificate do not belong together; otherwise see
    /// [`AuthorityError`].
    pub fn open(directory: &Path, passphrase: &Passphrase) -> Result<Self, AuthorityError> {
        if !directory.join(KEY).is_file() {
            return Err(AuthorityError::NotAnAuthority(directory.to_owned()));
        }
        let (certificate, root, kind) = certificates(directory)?;
        let key_path = directory.join(KEY);
        let key = keyfile::load(&key_path, Some(passphrase)).map_err(AuthorityError::KeyFile)?;
        if key.key_id() != certificate.key_id() {
            return Err(AuthorityError::OtherKey(key_path));
        }
        Ok(Self { directory: directory.to_owned(), kind, key: Arc::new(key), certificate, root })
    }

    /// Appends a line to `issued.jsonl`, under the lock.
    pub(super) fn record(&self, record: &IssuedRecord) -> Result<(), AuthorityError> {
        let _lock = folder::lock(&self.directory)?;
        index::append(&self.directory.join(ISSUED), record)
    }
}

/// The authority's certificate and its root, read from the folder; an issuing certificate must lead to the root. Its
/// validity is left to whoever uses it: an expired authority can still be opened to publish its last list.
fn certificates(directory: &Path) -> Result<(IssuerCertificate, TrustAnchor, Kind), AuthorityError> {
    let root = TrustAnchor::from_pem_file(&directory.join(ROOT)).map_err(AuthorityError::Certificate)?;
    let ders = certificates_in(&directory.join(CERTIFICATE)).map_err(AuthorityError::Certificate)?;
    let [der] = ders.as_slice() else {
        return Err(AuthorityError::Certificate(CertificateError::Pem));
    };
    if der == root.der() {
        return Ok((root.issuer().clone(), root, Kind::Root));
    }
    let certificate = root.issued(der).map_err(AuthorityError::Certificate)?;
    Ok((certificate, root, Kind::Issuing))
}

/// From a little before now, for clocks that are behind, until `length` from now; in whole seconds.
pub(super) fn validity(now: Timestamp, length: Duration) -> (Timestamp, Timestamp) {
    let second = |moment: Timestamp| Timestamp::from_seconds(moment.as_seconds());
    (second(now.minus(BACKDATE)), second(now.plus(length)))
}

fn refuse_existing(directory: &Path) -> Result<(), AuthorityError> {
    match fs::read_dir(directory) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(AuthorityError::Exists(directory.to_owned())),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            Err(AuthorityError::Exists(directory.to_owned()))
        }
        Err(source) => Err(AuthorityError::File { path: directory.to_owned(), source }),
    }
}

fn build(
    directory: &Path,
    key: &Ed25519Key,
    passphrase: &Passphrase,
    certificate: &CertificateDer<'static>,
    root: &TrustAnchor,
) -> Result<(), AuthorityError> {
    let file_error = |source| AuthorityError::File { path: directory.to_owned(), source };
    let temporary = files::temporary_sibling(directory).map_err(file_error)?;
    files::create_private_directory(&temporary).map_err(file_error)?;
    let built = keyfile::create_encrypted(&temporary.join(KEY), key, passphrase)
        .map_err(AuthorityError::KeyFile)
        .and_then(|()| replace(&temporary, CERTIFICATE, pem_of(certificate).as_bytes(), files::PUBLIC))
        .and_then(|()| replace(&temporary, ROOT, root.to_pem().as_bytes(), files::PUBLIC))
        .and_then(|()| replace(&temporary, ISSUED, b"", files::PRIVATE))
        .and_then(|()| replace(&temporary, REVOKED, b"", files::PRIVATE))
        // A rename onto a folder that is not empty fails, so whoever came first keeps theirs.
        .and_then(|()| {
            fs::rename(&temporary, directory).map_err(|source| match source.kind() {
                io::ErrorKind::DirectoryNotEmpty => AuthorityError::Exists(directory.to_owned()),
                _ => file_error(source),
            })
        });
    if built.is_err() {
        // Best effort: what is left under the temporary name is read by nobody.
        fs::remove_dir_all(&temporary).ok();
        return built;
    }
    files::sync_directory(files::parent(directory)).map_err(file_error)
}
