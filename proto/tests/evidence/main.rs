//! Evidence from outside: one exchange, everything about it shown; then each part altered, missing or swapped, one at a
//! time, and the exact claims that this changes.

#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

mod authority;
mod house;
mod negative;
mod partial;
mod policy;
mod scene;
mod stamps;
