//! The envelope from outside: what it promises, and what must not work against it.
//!
//! - `roundtrip`: both ends, small and streamed, one recipient and several.
//! - `attacks`: each attack by name.
//! - `form`: every limit of a header, and one more.
//! - `caches`: encapsulations reused, and never across senders.
//! - `bodies`: what the gateway checks of a body without a key.
//! - `vectors`: `tests/vectors/envelope/`, made by another implementation (`tests/vectors/generate.py`).
//! - `properties`: any length, any text.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that fails says where")]

mod attacks;
mod bodies;
mod caches;
mod form;
mod properties;
mod roundtrip;
mod support;
mod vectors;
