//! Folders for systems that only know files: what is dropped in `outbox/` is sent, what is received lies in `inbox/`.
//!
//! No file is sent twice or half, and each record that is received becomes one file, whoever is killed when. Every step is
//! one that can be cut and gone on with: a move within one file system, a durable list before a group of moves, and an
//! idempotency key made from where a file was taken to.
//!
//! - [`settings`]: what is configured; `layout`: the folders; `names`: what a name says;
//! - outbox: `scan` (which files are finished), `pick_up`, `sidecar`, `sending`, `follow` (receipts), `quarantine` and
//!   `refusal` (why), `outgoing` (all of it together);
//! - inbox: `arrival` (a record is written), `placing` (it gets its name), `incoming` (all of it together);
//! - [`board`]: how they are doing.

pub mod board;
pub mod settings;

mod arrival;
mod follow;
mod incoming;
mod layout;
mod names;
mod outgoing;
mod pick_up;
mod placing;
mod quarantine;
mod refusal;
mod scan;
mod sending;
mod sidecar;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::agent::Agent;
pub(crate) use board::Board;
pub use board::FolderStatus;
use incoming::Incoming;
use outgoing::Outgoing;
pub use settings::FolderSettings;

/// How long a folder that makes trouble is left alone.
const TROUBLED: Duration = Duration::from_secs(5);

/// What the folders have to say before they have been looked at.
pub(crate) fn board(folders: &[FolderSettings]) -> Board {
    Board::new(folders)
}

/// Serves every folder, until stopped.
pub(crate) fn spawn(
    tasks: &mut JoinSet<()>,
    agent: &Agent,
    folders: Vec<FolderSettings>,
    board: &Board,
    stop: &CancellationToken,
) {
    for settings in folders.into_iter().map(Arc::new) {
        if settings.outbox {
            let (settings, stop) = (Arc::clone(&settings), stop.clone());
            tasks.spawn(Outgoing { agent: agent.clone(), settings, board: board.clone(), stop }.run());
        }
        if settings.inbox {
            let (settings, stop) = (Arc::clone(&settings), stop.clone());
            tasks.spawn(Incoming { agent: agent.clone(), settings, board: board.clone(), stop }.run());
        }
    }
}
