//! The protocol of Passerelle: everything two parties must agree on.
//!
//! Invariant: nothing here opens a socket, reads a clock or touches a disk. Time, randomness of ids, and bytes
//! are given by the caller; what comes back are values that prove a check was made ([`envelope::VerifiedEnvelope`],
//! [`agreement::Permitted`], [`bundle::VerifiedBundle`]).
//!
//! The formats are written down in `docs/formats/`; their vectors are in `proto/tests/vectors`.

pub mod acknowledgement;
pub mod agreement;
pub mod bundle;
pub mod call;
pub mod catalogue;
pub mod envelope;
pub mod event;
pub mod evidence;
pub mod exchange_id;
pub mod minimise;
pub mod reason;
pub mod receipt;
pub mod statement;
pub mod strict;
pub mod timestamp;
pub mod tlog;
pub mod wire;
