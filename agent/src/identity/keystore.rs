//! Where signing keys are kept when not in files.

use std::fmt::Debug;
use std::sync::Arc;

use passerelle_pki::key::{KeyId, Signer};

use crate::pkcs11::Pkcs11Error;

/// Makes, finds and destroys signing keys that do not leave it. Blocking.
pub trait KeyStore: Send + Sync + Debug {
    /// A fresh key, durable when this returns.
    ///
    /// # Errors
    /// [`Pkcs11Error`]; nothing was made then that is of use.
    fn generate(&self) -> Result<Arc<dyn Signer>, Pkcs11Error>;

    /// The key of this id.
    ///
    /// # Errors
    /// [`Pkcs11Error::NoKey`] when it is not there.
    fn find(&self, id: KeyId) -> Result<Arc<dyn Signer>, Pkcs11Error>;

    /// Destroys a key. One that is not there is gone already.
    ///
    /// # Errors
    /// [`Pkcs11Error`]; the key may still be there.
    fn destroy(&self, id: KeyId) -> Result<(), Pkcs11Error>;
}
