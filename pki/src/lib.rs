//! Names, keys, certificates, authority, revocation and the TLS configurations of Passerelle.
//!
//! Everything that says *who* a party is stands here: the names and their form ([`name`]), the keys behind a
//! trait so that a PKCS#11 token can follow ([`key`]), the X.509 profile and its verification ([`certificate`],
//! [`profile`]), the certification authority ([`authority`]), revocation ([`revocation`]) and both sides of TLS
//! ([`tls`]). The profile is written down in `docs/formats/certificates.md`.
//!
//! Invariants:
//! - no cryptographic primitive of our own: Ed25519, SHA-256 and randomness are *ring*'s, path building is
//!   webpki's, TLS is rustls';
//! - time comes from a [`clock::Clock`], never from the system directly;
//! - a certificate is believed only as a [`certificate::VerifiedCertificate`], and signed only after the linter
//!   has passed its exact bytes ([`profile::LintedCertificate`]);
//! - nothing is ever created over something that exists, and no file is left half-written ([`files`]).

pub mod authority;
pub mod certificate;
mod cli;
pub mod clock;
pub mod files;
pub mod key;
pub mod keyfile;
pub mod name;
pub mod profile;
pub mod request;
pub mod revocation;
pub mod tls;

pub use cli::run;
