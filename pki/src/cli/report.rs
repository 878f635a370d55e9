//! What went wrong, for the person at the terminal.
//!
//! Owns the two-language form of every failure of the command: what is wrong, what to do, and the cause for whoever
//! digs deeper.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::Path;

use crate::authority::AuthorityError;
use crate::certificate::CertificateError;
use crate::keyfile::{KeyFileError, PASSPHRASE_LENGTH_MIN};
use crate::request::RequestError;

/// French, then English.
type Both = (&'static str, &'static str);

/// A failure of the command.
#[derive(Debug)]
pub(super) struct Failure {
    what: Both,
    todo: Both,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    pub(super) fn new(what: Both, todo: Both) -> Self {
        Self { what, todo, cause: None }
    }

    pub(super) fn because(mut self, cause: impl Error + Send + Sync + 'static) -> Self {
        self.cause = Some(Box::new(cause));
        self
    }

    pub(super) fn file(path: &Path, source: io::Error) -> Self {
        let failure = match source.kind() {
            io::ErrorKind::AlreadyExists => Self::new(
                (
                    "le fichier existe déjà, il n'est jamais écrasé",
                    "the file exists already and is never overwritten",
                ),
                ("nommer un fichier neuf", "name a new file"),
            ),
            io::ErrorKind::NotFound => {
                Self::new(("fichier introuvable", "no such file"), ("vérifier le chemin", "check the path"))
            }
            _ => Self::new(
                ("le fichier ne peut être lu ou écrit", "the file cannot be read or written"),
                (
                    "vérifier le chemin, les droits et l'espace disque",
                    "check the path, the rights and the disk space",
                ),
            ),
        };
        failure.because(WithPath { path: path.display().to_string(), source })
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{path}")]
struct WithPath {
    path: String,
    #[source]
    source: io::Error,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Erreur : {}\n  Que faire : {}", self.what.0, self.todo.0)?;
        write!(f, "Error: {}\n  What to do: {}", self.what.1, self.todo.1)?;
        let mut cause: Option<&dyn Error> = match &self.cause {
            Some(cause) => Some(cause.as_ref()),
            None => None,
        };
        let mut separator = "\nDétail / Detail: ";
        while let Some(error) = cause {
            write!(f, "{separator}{error}")?;
            separator = ": ";
            cause = error.source();
        }
        Ok(())
    }
}

impl From<AuthorityError> for Failure {
    fn from(error: AuthorityError) -> Self {
        match error {
            AuthorityError::KeyFile(source) => source.into(),
            AuthorityError::Request(source) => source.into(),
            other => {
                let (what, todo) = authority_texts(&other);
                Self::new(what, todo).because(other)
            }
        }
    }
}

fn authority_texts(error: &AuthorityError) -> (Both, Both) {
    match error {
        AuthorityError::Exists(_) => (
            ("le dossier contient déjà quelque chose", "the folder holds something already"),
            (
                "nommer un dossier neuf : une autorité n'est jamais recréée",
                "name a new folder: an authority is never made anew",
            ),
        ),
        AuthorityError::NotAnAuthority(_) => (
            ("ce dossier n'est pas celui d'une autorité", "this is not the folder of an authority"),
            ("vérifier --dir, ou créer l'autorité d'abord", "check --dir, or create the authority first"),
        ),
        AuthorityError::WrongKind(_) => (
            (
                "cette autorité n'émet pas ce genre de certificat",
                "this authority does not issue this kind of certificate",
            ),
            (
                "les agents se signent par l'autorité d'émission, celle-ci par la racine",
                "agents are signed by the issuing authority, that one by the root",
            ),
        ),
        AuthorityError::KeyInUse(_) => (
            (
                "cette clé est déjà certifiée pour un autre titulaire ou usage",
                "this key is certified already for another holder or usage",
            ),
            ("faire une clé neuve : une clé, un usage", "make a new key: one key, one usage"),
        ),
        AuthorityError::UnknownSerial(_) => (
            ("ce numéro de série n'a pas été émis ici", "this serial number was not issued here"),
            (
                "vérifier le dossier et le numéro (passerelle-pki show)",
                "check the folder and the number (passerelle-pki show)",
            ),
        ),
        AuthorityError::OtherIssuer => (
            ("ce certificat n'est pas de cette autorité", "this certificate is not of this authority"),
            ("renouveler auprès de l'autorité qui l'a émis", "renew with the authority that issued it"),
        ),
        AuthorityError::Revoked => (
            ("ce certificat est révoqué", "this certificate was revoked"),
            ("établir l'identité de nouveau et signer (sign)", "establish the identity anew and sign (sign)"),
        ),
        AuthorityError::HostNames(_) | AuthorityError::Lint(_) => (
            (
                "le certificat demandé ne respecte pas le profil",
                "the certificate asked for breaks the profile",
            ),
            (
                "voir le détail et docs/formats/certificates.md",
                "see the detail and docs/formats/certificates.md",
            ),
        ),
        AuthorityError::NoValidity => (
            (
                "l'autorité est expirée, ou la validité demandée est vide",
                "the authority has expired, or the validity is empty",
            ),
            ("créer une nouvelle autorité d'émission", "create a new issuing authority"),
        ),
        AuthorityError::Index { .. } => (
            ("un registre de l'autorité est endommagé", "an index of the authority is damaged"),
            ("restaurer le dossier d'une sauvegarde", "restore the folder from a backup"),
        ),
        _ => (
            ("l'autorité n'a pu faire ce qui était demandé", "the authority could not do what was asked"),
            ("voir le détail", "see the detail"),
        ),
    }
}

impl From<KeyFileError> for Failure {
    fn from(error: KeyFileError) -> Self {
        let (what, todo) = match &error {
            KeyFileError::Exists(_) => (
                (
                    "une clé existe déjà, elle n'est jamais écrasée",
                    "a key exists already and is never overwritten",
                ),
                ("nommer un fichier neuf", "name a new file"),
            ),
            KeyFileError::PassphraseWrong(_) => (
                ("phrase de passe erronée, ou fichier endommagé", "wrong passphrase, or damaged file"),
                ("vérifier la phrase de passe", "check the passphrase"),
            ),
            KeyFileError::PassphraseTooShort => {
                const { assert!(PASSPHRASE_LENGTH_MIN == 12, "the text below says so") };
                (
                    (
                        "la phrase de passe a moins de 12 caractères",
                        "the passphrase has fewer than 12 characters",
                    ),
                    ("en choisir une plus longue", "choose a longer one"),
                )
            }
            _ => (
                ("la clé privée ne peut être lue ou écrite", "the private key cannot be read or written"),
                ("voir le détail", "see the detail"),
            ),
        };
        Self::new(what, todo).because(error)
    }
}

impl From<RequestError> for Failure {
    fn from(error: RequestError) -> Self {
        Self::new(
            ("la demande est refusée", "the request is refused"),
            (
                "la refaire avec « passerelle-pki request » pour la bonne identité",
                "make it again with \"passerelle-pki request\" for the right identity",
            ),
        )
        .because(error)
    }
}

impl From<CertificateError> for Failure {
    fn from(error: CertificateError) -> Self {
        Self::new(
            ("le certificat n'est pas valide", "the certificate is not valid"),
            ("voir le détail ; comparer avec la bonne racine", "see the detail; compare with the right root"),
        )
        .because(error)
    }
}
