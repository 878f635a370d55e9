//! Agreements from outside: documents, rules, dates, standing, signatures, decisions, and what people read of them.
//!
//! Digests, signatures and dates come from another implementation (`tests/vectors/agreement_vectors.py`).

#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

mod calendar;
mod changes;
mod documents;
mod ground;
mod permits;
mod reasons;
mod scope;
mod signatures;
mod standing;
mod support;
mod terms;
