//! The agent: it stands in an agency, seals and signs what is sent, verifies and opens what is received.
//!
//! - [`agent`]: the facade; [`records`]: records as the agency's systems see them;
//! - [`calls`]: services of other agencies, and ours for them;
//! - `outbox`, `inbox`: what is kept, durable and sealed; `spool`: large bodies;
//! - [`folders`]: for systems that only know files; `landing`: how a file comes to stand in a folder;
//! - `sender`, `receiver`: the road to the gateway and back, over the one [`link`];
//! - [`checkpoint`]: what was seen of the gateway's log; [`inclusion`]: receipts held against it; `metrics`: measures for a monitoring system;
//! - [`identity`], [`enrol`], [`renewal`]: who this agent is; [`directory`], [`agreements`], [`catalogue`]: whom and what it
//!   believes;
//! - [`config`]: the configuration file; [`local`]: the interface for the agency's systems; [`client`]: its client;
//! - [`govstack`]: a compatibility route beside it;
//! - [`systems`]: who calls that interface, and what each may use; [`run`]: the command;
//! - [`pkcs11`]: the signing key in a token;
//! - [`webhooks`]: what is posted to the agency's systems;
//! - [`pseudonyms`]: what the gateway sees of a person; `minimisation`: which fields leave.

pub mod agent;
pub mod agreements;
pub mod calls;
pub mod catalogue;
pub mod checkpoint;
pub mod client;
pub mod config;
pub mod directory;
pub mod enrol;
pub mod folders;
pub mod govstack;
pub mod identity;
pub mod inclusion;
pub mod link;
pub mod local;
pub mod pkcs11;
pub mod pseudonyms;
pub mod records;
pub mod renewal;
pub mod serve;
pub mod systems;
pub mod webhooks;

mod cli;
mod inbox;
mod landing;
mod metrics;
mod minimisation;
mod outbox;
mod receiver;
mod sender;
mod spool;

pub use cli::run;
