//! Records as agency systems see them, and what outbox and inbox have in common.
//!
//! - [`request`]: what a system asks to send; [`record_view`], [`inbox_view`], [`status`], [`transfer`]: what it is shown;
//! - [`error`]: why something was not done, in words for people; [`limits`]: how much is kept;
//! - `log`: the journal under outbox and inbox; `plan`: a request made into a header; `sealing`: a body read once, sealed and laid down; `trust`: whom this agent
//!   believes.

pub mod cursor;
pub mod error;
pub mod inbox_view;
pub mod limits;
pub mod record_view;
pub mod request;
pub mod status;
pub mod transfer;

pub(crate) mod blocking;
pub(crate) mod digest;
#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod kill;
pub(crate) mod log;
pub(crate) mod plan;
pub(crate) mod sealing;
pub(crate) mod time;
pub(crate) mod trust;

pub use cursor::{EventCursor, NoCursor};
pub use error::{InboxError, SendError, StartError, StoreError};
pub use inbox_view::{InboxFilter, InboxView};
pub use limits::Limits;
pub use record_view::{
    Accepted, AgreementView, DenialView, OrderView, ReceiptView, RecipientState, RecipientView, RecordFilter,
    RecordState, RecordView,
};
pub use request::SendRequest;
pub use status::{AgentStatus, AgreementSummary, CheckpointStatus};
pub use transfer::{IncomingView, Progress};
