//! Hash tiles from the gateway's public listener, and those that are full kept for the next look.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use passerelle_proto::tlog::{TilePath, TileSource};
use tokio::runtime::Handle;
use tokio::time::timeout;
use tonic::transport::Channel;
use tower::{Service, ServiceExt};

/// How long one tile may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Full tiles that are kept, 8 KiB each: they never change.
const KEPT: usize = 256;

/// Full tiles that were fetched. Each is proved again whenever it is used, so that a wrong one does no harm.
#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<BTreeMap<TilePath, Vec<u8>>>);

impl Cache {
    fn tile(&self, path: &TilePath) -> Option<Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned()
    }

    fn keep(&self, path: TilePath, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The log grows at its end: what lies farthest from there is least likely to be asked for again.
        if kept.len() >= KEPT {
            kept.pop_first();
        }
        kept.insert(path, bytes.to_vec());
    }

    /// Forgets everything: something in it may be wrong.
    pub(super) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// A tile was not had; it is asked for again at the next look.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct NotHad(String);

/// Tiles over a connection. Only for a thread that may block.
pub(super) struct Tiles<'a> {
    pub(super) channel: Channel,
    pub(super) cache: &'a Cache,
    pub(super) runtime: Handle,
}

impl TileSource for Tiles<'_> {
    type Error = NotHad;

    fn tile(&self, path: TilePath) -> Result<Vec<u8>, NotHad> {
        if let Some(bytes) = path.is_full().then(|| self.cache.tile(&path)).flatten() {
            return Ok(bytes);
        }
        let fetched = self.runtime.block_on(timeout(PATIENCE, fetch(self.channel.clone(), path)));
        let bytes = fetched.map_err(|_| NotHad(format!("{path}: délai / timeout")))??;
        if path.is_full() {
            self.cache.keep(path, &bytes);
        }
        Ok(bytes)
    }
}

async fn fetch(mut channel: Channel, path: TilePath) -> Result<Vec<u8>, NotHad> {
    let failed = |error: &dyn std::fmt::Display| NotHad(format!("{path}: {error}"));
    let request = http::Request::builder().uri(format!("/{path}")).body(tonic::body::Body::empty());
    let request = request.map_err(|error| failed(&error))?;
    let ready = channel.ready().await.map_err(|error| failed(&error))?;
    let answer = ready.call(request).await.map_err(|error| failed(&error))?;
    if answer.status() != http::StatusCode::OK {
        return Err(failed(&answer.status()));
    }
    let body = Limited::new(answer.into_body(), path.byte_limit()).collect().await;
    Ok(body.map_err(|error| failed(&error))?.to_bytes().to_vec())
}
