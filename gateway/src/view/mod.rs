//! The view: what is derived from the log so that questions are answered quickly (sled 0.34, bounded cache).
//!
//! Nothing acknowledged depends on it. sled's flush is not a real sync (CRYPTO 1), so after a power cut the view may
//! be behind, torn or gone: it says how many events it has applied, and is caught up, or deleted and rebuilt, from
//! the published log and the journal (`ledger::recovery`). It is opened under `catch_unwind`, since sled can panic
//! on a torn file, and `flush_async` is never called (sled issue 1308).
//!
//! Trust: not trusted. Who edits it can hide or repeat deliveries and falsify answers to queries until the next
//! rebuild; they can neither forge a record nor change the log.
//!
//! All aggregates live in one tree under a prefix byte each (`keys`), because sled applies a batch atomically
//! within one tree only. One file per aggregate.

mod apply;
mod exchanges;
mod expiries;
mod governance;
mod index;
mod keys;
mod mailbox;
mod meta;
mod notices;
mod query;
mod store;
mod streams;
mod volumes;

pub use apply::{Changes, Finished, ViewBatch};
pub use exchanges::{ExchangeRow, RecipientRow, RecipientStatus};
pub(crate) use governance::changes_state;
pub use meta::Meta;
pub use query::{EntrySource, Page, Query, QueryError};
pub use store::{View, ViewError};
pub(crate) use streams::Place;
pub(crate) use volumes::{Volume, day};
