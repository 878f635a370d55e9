//! `passerelle-agent`: not built yet. `docs/ARCHITECTURE.md` says what it will own.

pub mod agreements;
pub mod directory;
pub mod enrol;
pub mod identity;
pub mod link;
pub mod renewal;
pub mod agent;
pub mod records;
pub mod pseudonyms;
mod spool;
