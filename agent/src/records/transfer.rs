//! How far a large body has come: one that is being uploaded, or that is on its way in.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use passerelle_pki::clock::Timestamp;
use passerelle_pki::name::AgencyCode;
use passerelle_proto::envelope::{CHUNK_SIZE, VerifiedEnvelope};
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::wire;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::record_view::AgreementView;
use super::time::rfc3339;

/// Bytes of a body that are durable at the other end, or here.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Plaintext bytes.
    pub bytes: u64,
    /// Of how many.
    pub of: u64,
    /// From where this attempt went on: not 0 when an earlier one was cut.
    pub resumed_from: u64,
}

impl Progress {
    /// After so many chunks of a body of `of` bytes.
    pub(crate) fn begun(chunks: u64, of: u64) -> Self {
        let bytes = chunks.saturating_mul(CHUNK_SIZE as u64).min(of);
        Self { bytes, of, resumed_from: bytes }
    }

    /// For whoever wonders whether a cut cost anything.
    pub(crate) fn log(&self, id: ExchangeId, way: &'static str) {
        if self.resumed_from > 0 {
            tracing::info!(%id, way, resumed_from = self.resumed_from, of = self.of, "a body goes on where it was cut");
        }
    }

    /// So many chunks now.
    pub(crate) fn reach(&mut self, chunks: u64) {
        self.bytes = chunks.saturating_mul(CHUNK_SIZE as u64).min(self.of);
    }
}

/// A large record on its way in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IncomingView {
    /// Its id.
    pub exchange_id: ExchangeId,
    /// The agency that sent it.
    pub from: AgencyCode,
    /// The agreement relied on.
    pub agreement: AgreementView,
    /// Purpose.
    pub purpose: String,
    /// Until when it may come.
    #[serde(serialize_with = "rfc3339")]
    pub expires_at: Timestamp,
    /// How far it has come.
    pub progress: Progress,
    /// How often the gateway gave something else than the body that was signed.
    pub wrong: u32,
}

/// Records on their way in. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Incoming(Arc<Mutex<BTreeMap<ExchangeId, Slot>>>);

#[derive(Debug)]
struct Slot {
    view: IncomingView,
    /// Not asked for before.
    parked: Option<Instant>,
}

/// The first waiting time after a wrong chunk; it doubles.
const PARKED: Duration = Duration::from_secs(5);
/// The longest.
const PARKED_MAX: Duration = Duration::from_secs(600);

impl Incoming {
    /// Records on their way in. Those that cannot come any more are let go.
    pub(crate) fn list(&self, now: Timestamp) -> Vec<IncomingView> {
        let mut slots = self.slots();
        slots.retain(|_, slot| slot.view.expires_at > now);
        slots.values().map(|slot| slot.view.clone()).collect()
    }

    /// Whether a record is not to be asked for yet.
    pub(crate) fn is_parked(&self, id: ExchangeId) -> bool {
        self.slots().get(&id).and_then(|slot| slot.parked).is_some_and(|until| Instant::now() < until)
    }

    /// A download begins, or goes on after so many chunks.
    pub(crate) fn begun(&self, envelope: &VerifiedEnvelope, chunks: u64) {
        let header = envelope.header();
        let wire::AgreementRef { number, version, .. } = header.agreement.clone().unwrap_or_default();
        let view = IncomingView {
            exchange_id: envelope.exchange_id(),
            from: envelope.sender().agency.clone(),
            agreement: AgreementView { number, version },
            purpose: header.purpose.clone(),
            expires_at: envelope.expires(),
            progress: Progress::begun(chunks, header.plaintext_length),
            wrong: 0,
        };
        view.progress.log(view.exchange_id, "download");
        let mut slots = self.slots();
        let wrong = slots.get(&view.exchange_id).map_or(0, |slot| slot.view.wrong);
        slots.insert(view.exchange_id, Slot { view: IncomingView { wrong, ..view }, parked: None });
    }

    /// So many chunks are here.
    pub(crate) fn reached(&self, id: ExchangeId, chunks: u64) {
        if let Some(slot) = self.slots().get_mut(&id) {
            slot.view.progress.reach(chunks);
        }
    }

    /// The gateway gave a chunk that is not the one that was signed: it is asked again later, longer each time.
    pub(crate) fn wrong(&self, id: ExchangeId) {
        if let Some(slot) = self.slots().get_mut(&id) {
            let pause = PARKED.saturating_mul(1 << slot.view.wrong.min(16)).min(PARKED_MAX);
            slot.view.wrong = slot.view.wrong.saturating_add(1);
            slot.parked = Some(Instant::now() + pause);
        }
    }

    /// The record is in, or refused.
    pub(crate) fn ended(&self, id: ExchangeId) {
        self.slots().remove(&id);
    }

    fn slots(&self) -> MutexGuard<'_, BTreeMap<ExchangeId, Slot>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::house::{DAY, House, START};
    use crate::records::fixtures::{sealed, verified};

    #[test]
    fn after_a_wrong_chunk_a_record_is_left_alone_for_a_while() {
        let house = House::new();
        let (ramq, saaq) = (house.member("ramq/agent-1"), house.member("saaq/agent-1"));
        let record = sealed(&ramq, &saaq, &[5; 200_000], START);
        let (_, envelope) = verified(&ramq, &record);
        let (incoming, id) = (Incoming::default(), record.exchange_id);
        incoming.begun(&envelope, 1);
        incoming.reached(id, 2);
        let view = incoming.list(START).remove(0);
        assert_eq!(view.progress, Progress { bytes: 131_072, of: 200_000, resumed_from: 65_536 });
        incoming.reached(id, 4);
        assert_eq!(incoming.list(START).remove(0).progress.bytes, 200_000);
        assert!(!incoming.is_parked(id));
        incoming.wrong(id);
        assert!(incoming.is_parked(id));
        incoming.begun(&envelope, 2);
        assert_eq!((incoming.is_parked(id), incoming.list(START).remove(0).wrong), (false, 1));
        assert!(incoming.list(START.plus(8 * DAY)).is_empty(), "it cannot come any more");
    }
}
