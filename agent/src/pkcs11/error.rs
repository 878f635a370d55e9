//! What can be wrong with a token, and what to do about it.

use std::io;
use std::path::PathBuf;

use cryptoki::error::{Error, RvError};
use passerelle_pki::key::KeyId;

/// Why the token does not serve. People read these: French first, English beside it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Pkcs11Error {
    /// The library.
    #[error(
        "{} : le module PKCS#11 ne se charge pas ({why}) ; vérifiez signing.pkcs11_module et la configuration du module / \
         the PKCS#11 module does not load ({why}); check signing.pkcs11_module and the module's own configuration",
        .path.display()
    )]
    Module {
        /// The library.
        path: PathBuf,
        /// What it or the system said.
        why: String,
    },
    /// No token of that label is there.
    #[error(
        "le jeton PKCS#11 « {token} » est absent (présents : {found}) ; insérez-le, ou corrigez signing.pkcs11_token / \
         the PKCS#11 token \"{token}\" is absent (present: {found}); insert it, or correct signing.pkcs11_token"
    )]
    Absent {
        /// The label.
        token: String,
        /// Labels of the tokens that are there.
        found: String,
    },
    /// Several tokens have that label.
    #[error(
        "plusieurs jetons PKCS#11 s'appellent « {0} » ; donnez au bon un nom à lui / \
         several PKCS#11 tokens are called \"{0}\"; give the right one a name of its own"
    )]
    Ambiguous(String),
    /// The file of the PIN.
    #[error("{} : le NIP ne peut être lu / the PIN cannot be read", .path.display())]
    PinFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Others can read it.
    #[error(
        "{path} : d'autres peuvent lire le NIP ; faites chmod 600 {path} / others can read the PIN; run chmod 600 {path}"
    )]
    PinReadable {
        /// The file.
        path: String,
    },
    /// The token does not take it.
    #[error(
        "le jeton PKCS#11 « {token} » refuse le NIP ({why}) ; corrigez le fichier signing.pkcs11_pin_file avant de \
         réessayer : un jeton se verrouille après quelques refus / the PKCS#11 token \"{token}\" refuses the PIN ({why}); \
         correct the file signing.pkcs11_pin_file before you try again: a token locks itself after a few"
    )]
    PinRefused {
        /// The token.
        token: String,
        /// What it said.
        why: String,
    },
    /// The key is not in the token.
    #[error(
        "la clé de signature {0} n'est pas dans le jeton PKCS#11 ; remettez le bon jeton, ou inscrivez l'agent de nouveau \
         (enrol --again) / the signing key {0} is not in the PKCS#11 token; put the right token back, or enrol the agent \
         again (enrol --again)"
    )]
    NoKey(KeyId),
    /// The token made or used a key otherwise than asked.
    #[error(
        "le jeton PKCS#11 ne convient pas : {0} ; il faut Ed25519 (CKM_EDDSA) et des clés non extractibles / the PKCS#11 \
         token does not serve: {0}; Ed25519 (CKM_EDDSA) and keys that cannot be extracted are needed"
    )]
    Unfit(&'static str),
    /// Every session is in use.
    #[error(
        "le jeton PKCS#11 ne suit pas : aucune session libre ; réessayez / the PKCS#11 token does not keep up: no session \
         is free; try again"
    )]
    Busy,
    /// Anything else that it says.
    #[error(
        "le jeton PKCS#11 a échoué ({0}) ; réessayez, puis vérifiez-le / the PKCS#11 token failed ({0}); try again, then check it"
    )]
    Failed(#[source] Error),
}

impl Pkcs11Error {
    /// What a refused login means.
    pub(super) fn login(error: Error, token: &str) -> Self {
        match error {
            Error::Pkcs11(
                why @ (RvError::PinIncorrect
                | RvError::PinInvalid
                | RvError::PinLenRange
                | RvError::PinExpired
                | RvError::PinLocked
                | RvError::UserPinNotInitialized),
                _,
            ) => Self::PinRefused { token: token.to_owned(), why: format!("{why:?}") },
            error => Self::Failed(error),
        }
    }

    /// Whether another session may do what this one did not: the token was pulled and put back, or has logged us out.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self, Self::Failed(Error::Pkcs11(..)))
    }
}
