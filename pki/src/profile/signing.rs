//! The two ways in which a key signs X.509 structures.
//!
//! Owns the bridge between our [`Signer`] and the encoder. The encoder hands over the bytes to be signed;
//! [`CertificateKey`] lets the linter see them first and signs nothing that did not pass.

use std::cell::RefCell;

use rcgen::{PublicKeyData, SignatureAlgorithm, SigningKey};

use super::ProfileError;
use super::lint::{LintedCertificate, Rules, lint};
use crate::key::{KeyError, PublicKey, Signer};

/// An authority's key while it signs one certificate.
pub(crate) struct CertificateKey<'a> {
    key: BareKey<'a>,
    rules: &'a Rules,
    refusal: RefCell<Option<ProfileError>>,
}

impl<'a> CertificateKey<'a> {
    pub(crate) fn new(signer: &'a dyn Signer, rules: &'a Rules) -> Result<Self, KeyError> {
        Ok(Self { key: BareKey::new(signer)?, rules, refusal: RefCell::new(None) })
    }

    /// Why the linter refused, when it did.
    pub(crate) fn refusal(&self) -> Option<ProfileError> {
        self.refusal.borrow_mut().take()
    }

    fn sign_linted(&self, certificate: &LintedCertificate<'_>) -> Result<Vec<u8>, rcgen::Error> {
        self.key.sign(certificate.to_be_signed())
    }
}

impl SigningKey for CertificateKey<'_> {
    fn sign(&self, to_be_signed: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        match lint(to_be_signed, self.rules) {
            Ok(linted) => self.sign_linted(&linted),
            Err(refusal) => {
                self.refusal.replace(Some(refusal));
                Err(rcgen::Error::RemoteKeyError)
            }
        }
    }
}

impl PublicKeyData for CertificateKey<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.key.public.raw()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ED25519
    }
}

/// A key that signs whatever the encoder hands over: requests for its own certificate, and revocation lists. Never a
/// certificate: those go through [`CertificateKey`].
pub(crate) struct BareKey<'a> {
    signer: &'a dyn Signer,
    public: PublicKey,
}

impl<'a> BareKey<'a> {
    pub(crate) fn new(signer: &'a dyn Signer) -> Result<Self, KeyError> {
        Ok(Self { signer, public: PublicKey::from_spki_der(signer.spki_der())? })
    }
}

impl SigningKey for BareKey<'_> {
    fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.signer.sign(bytes).map_err(|_| rcgen::Error::RemoteKeyError)
    }
}

impl PublicKeyData for BareKey<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.public.raw()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ED25519
    }
}
