//! Calls: what both agents must agree on to carry an HTTP request and its answer (`docs/formats/call.md`).
//!
//! A sealed body begins with its head ([`head`]); the content follows byte for byte. Paths are read by rules under which
//! no two programs can see two different paths in the same text ([`path`]).

pub mod head;
pub mod path;

/// `Header.content_type` of both halves of a call.
pub const MEDIA_TYPE: &str = "application/vnd.passerelle.call.v1";
