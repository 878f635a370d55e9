//! Signed statements, key bundles, acknowledgements, receipts and log entries, from outside.
//!
//! Vectors are made by another implementation (`tests/vectors/generate.py`); each negative one breaks one rule.

#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

mod acknowledgements;
mod bundles;
mod events;
mod exchange_ids;
mod receipts;
mod statements;
mod support;
