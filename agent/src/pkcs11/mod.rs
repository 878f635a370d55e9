//! The signing key in a PKCS#11 token: a hardware module, a card, or SoftHSM. The key is made in the token, cannot be taken
//! out of it, and signs there; the agent holds its public half and its id.
//!
//! - [`Token`]: the module that the configuration names, opened, with the one token in it; `sessions`: a bounded pool;
//! - `key`: making, finding, using and destroying a key; [`error`]: what can be wrong, in words for people.
//!
//! The module's library is loaded when a token is configured and never otherwise. A PIN that was refused is not shown to the
//! token again until the file holds another: tokens lock themselves after a few.

pub mod error;

mod key;
mod sessions;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use cryptoki::context::Pkcs11;
use cryptoki::error::Error;
use passerelle_pki::key::{KeyId, Signer};

pub use error::Pkcs11Error;

use crate::identity::KeyStore;
use key::TokenKey;
use sessions::Sessions;

/// Which token, and how to open it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pkcs11Settings {
    /// The module's library.
    pub module: PathBuf,
    /// Label of the token.
    pub token: String,
    /// File whose first line is the user's PIN.
    pub pin_file: PathBuf,
    /// Label of the keys that are made.
    pub key_label: String,
}

/// A token that was opened. Clones share its sessions.
#[derive(Clone, Debug)]
pub struct Token(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    key_label: String,
    sessions: Sessions,
}

impl Token {
    /// Loads the module, finds the token and logs in. Blocking.
    ///
    /// # Errors
    /// [`Pkcs11Error`], with what to do.
    pub fn open(settings: &Pkcs11Settings) -> Result<Self, Pkcs11Error> {
        let failed =
            |error: Error| Pkcs11Error::Module { path: settings.module.clone(), why: error.to_string() };
        let context = Pkcs11::new(&settings.module).map_err(failed)?;
        sessions::initialise(&context).map_err(failed)?;
        let sessions = Sessions::new(context, settings);
        // One now, so that a missing token or a wrong PIN is told at the start.
        sessions.with(|_| Ok(()))?;
        Ok(Self(Arc::new(Inner { key_label: settings.key_label.clone(), sessions })))
    }

    /// The token that the configuration names, when it names one.
    pub(crate) fn of(settings: Option<&Pkcs11Settings>) -> Result<Option<Arc<dyn KeyStore>>, Pkcs11Error> {
        let token = settings.map(Self::open).transpose()?;
        Ok(token.map(|token| Arc::new(token) as Arc<dyn KeyStore>))
    }

    /// Signs with a key and verifies the signature: whether the token serves. Blocking.
    ///
    /// # Errors
    /// [`Pkcs11Error`].
    pub fn probe(&self, id: KeyId) -> Result<(), Pkcs11Error> {
        TokenKey::find(self, id)?.prove()
    }
}

impl KeyStore for Token {
    fn generate(&self) -> Result<Arc<dyn Signer>, Pkcs11Error> {
        Ok(Arc::new(TokenKey::generate(self)?))
    }

    fn find(&self, id: KeyId) -> Result<Arc<dyn Signer>, Pkcs11Error> {
        Ok(Arc::new(TokenKey::find(self, id)?))
    }

    fn destroy(&self, id: KeyId) -> Result<(), Pkcs11Error> {
        key::destroy(self, id)
    }
}
