//! What the configuration says of a folder.

use std::path::PathBuf;
use std::time::Duration;

use crate::records::SendRequest;

/// One folder of the configuration: an `outbox/`, an `inbox/`, or both, under one agreement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderSettings {
    /// Its name in the configuration.
    pub name: String,
    /// The folder.
    pub path: PathBuf,
    /// Number of the agreement.
    pub agreement: String,
    /// Files dropped in `outbox/` are sent.
    pub outbox: bool,
    /// Records received under the agreement are written to `inbox/`.
    pub inbox: bool,
    /// A file waits for its sidecar.
    pub sidecar_required: bool,
    /// A file that was delivered is removed from `outbox/sent/`.
    pub remove_delivered: bool,
    /// How long a file must stay as it is before it counts as finished.
    pub settle: Duration,
    /// What a sidecar does not say.
    pub defaults: SendRequest,
}
