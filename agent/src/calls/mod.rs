//! Calls: an agency's system asks another agency's service over HTTP, and waits for the answer (`docs/formats/call.md`).
//!
//! - `consumer`: the side that asks; `provider`: the side that answers, before its own service;
//! - [`request`]: what a system asks; [`error`]: why there is no answer; [`settings`]: what the configuration says;
//! - `belief`: what must hold of what came from the other side; `fields`: HTTP fields that travel; `passing`: bodies above
//!   1 MiB; `cut`: what is read is let go with its call.
//!
//! Nothing of a call is kept. Both sides decide by the agreement themselves, and the provider's service is not touched
//! before every check of its agent has passed.

pub mod error;
pub mod request;
pub mod settings;

mod belief;
pub(crate) mod consumer;
mod cut;
mod fields;
mod passing;
pub(crate) mod provider;

use std::path::Path;
use std::sync::Arc;

use passerelle_pki::clock::SharedClock;
use passerelle_proto::envelope::DecapsulationCache;
use tokio::sync::Semaphore;

pub use error::CallError;
pub use request::{Answer, CallRequest};
pub use settings::{CallSettings, ServiceSettings};

pub(crate) use fields::of_request as fields_of;

use crate::catalogue::Catalogue;
use crate::inclusion::Receipts;
use crate::link::Link;
use crate::records::StoreError;
use crate::records::plan::Planner;
use crate::records::trust::{Believed, Refresher};
use crate::spool::Spool;
use belief::Belief;

/// Calls that this agent makes at a time: each may hold a request and an answer of 1 MiB.
const ASKED_AT_ONCE: usize = 200;

/// What both sides work with. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Calls(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    planner: Planner,
    link: Link,
    belief: Belief,
    catalogue: Catalogue,
    spool: Spool,
    decapsulations: DecapsulationCache,
    /// Places for calls that are made.
    asking: Arc<Semaphore>,
    clock: SharedClock,
}

impl Calls {
    /// Over an agent's parts; bodies that pass through lie in `folder` meanwhile. Blocking.
    pub(crate) fn new(
        planner: Planner,
        catalogue: Catalogue,
        link: Link,
        (refresher, receipts): (Arc<Refresher>, Receipts),
        folder: &Path,
    ) -> Result<Self, StoreError> {
        let trust = Believed { directory: planner.directory.clone(), agreements: planner.agreements.clone() };
        Ok(Self(Arc::new(Parts {
            belief: Belief { trust: Arc::new(trust), refresher, receipts },
            catalogue,
            spool: Spool::passing(folder).map_err(StoreError::file(folder))?,
            decapsulations: DecapsulationCache::default(),
            asking: Arc::new(Semaphore::new(ASKED_AT_ONCE)),
            clock: Arc::clone(&planner.clock),
            planner,
            link,
        })))
    }
}
