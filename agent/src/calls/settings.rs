//! What the configuration says of calls.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use http::Uri;

/// Longest time that a call may be given: the gateway takes no longer one.
pub const DEADLINE_MAX: Duration = Duration::from_secs(300);

/// `[calls]` and `[services.…]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallSettings {
    /// How long a call may take when its request does not say.
    pub deadline: Duration,
    /// Calls that this agent answers at a time.
    pub at_once: u32,
    /// The agency's services, by name.
    pub services: BTreeMap<String, ServiceSettings>,
}

/// One of the agency's services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceSettings {
    /// Where it answers: scheme, authority, and a path without a slash at its end that a call's path is put behind.
    pub upstream: Uri,
    /// How long it may take to begin its answer.
    pub timeout: Duration,
    /// PEM file of the authorities that an `https` upstream is believed by; the system's when there is none.
    pub ca_file: Option<PathBuf>,
}

impl Default for CallSettings {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(30), at_once: 64, services: BTreeMap::new() }
    }
}
