//! Showing what was received: a record is opened when it is looked at, and streamed chunk by chunk.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;
use passerelle_journal::JournalError;
use passerelle_pki::clock::Timestamp;
use passerelle_pki::key::PublicKey;
use passerelle_proto::envelope::{self, KemKeys, Opener, VerifiedEnvelope};
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::wire;
use tokio::sync::mpsc;

use super::entry::Known;
use super::{Inbox, read};
use crate::records::blocking::blocking;
use crate::records::{InboxError, InboxFilter, InboxView, StoreError};
use crate::spool::SpoolReader;
use crate::systems::Caller;

/// Chunks ahead of a slow reader.
const AHEAD: usize = 4;

/// The plaintext of a record, chunk by chunk. It is whole and the one that was signed only when the stream ends without
/// an error: throw away what came before one.
#[derive(Debug)]
pub struct InboxBody {
    view: InboxView,
    chunks: mpsc::Receiver<Result<Bytes, InboxError>>,
}

impl InboxBody {
    /// The record.
    #[must_use]
    pub fn view(&self) -> &InboxView {
        &self.view
    }

    /// Plaintext bytes in all.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.view.length
    }
}

impl Stream for InboxBody {
    type Item = Result<Bytes, InboxError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.chunks.poll_recv(context)
    }
}

/// A record that waits: id, number of the agreement, code of the purpose.
pub(crate) type Waiting = (ExchangeId, String, String);

/// A record as it is kept.
struct Kept {
    known: Known,
    envelope: VerifiedEnvelope,
    body: Bytes,
}

impl Inbox {
    /// Records that wait and that the caller may see, oldest first. One that does not open any more is left out and reported:
    /// in an ordered stream its number is a gap that systems see.
    pub(crate) async fn list(
        &self,
        filter: &InboxFilter,
        caller: &Caller,
        keys: std::sync::Arc<KemKeys>,
    ) -> Result<Vec<InboxView>, InboxError> {
        let (this, mut filter, caller) = (self.clone(), filter.clone(), caller.clone());
        let listed = blocking(move || {
            let mut views = Vec::new();
            // An empty answer says that nothing more waits: a page of damaged records must not.
            while views.is_empty() {
                let page = this.page(&filter, &caller);
                let Some(last) = page.last() else { break };
                filter.after = Some(*last);
                for id in page {
                    match this.view_now(id, &keys) {
                        Ok(view) => views.push(view),
                        // Confirmed meanwhile.
                        Err(InboxError::NotFound(_)) => {}
                        Err(InboxError::Store(StoreError::Stopping)) => {
                            return Err(StoreError::Stopping.into());
                        }
                        Err(error) => {
                            let error = crate::link::chain(&error);
                            tracing::error!(%id, error, "a record does not open any more");
                        }
                    }
                }
            }
            Ok(views)
        });
        listed.await?
    }

    /// One record that waits.
    pub(crate) async fn view(
        &self,
        id: ExchangeId,
        keys: std::sync::Arc<KemKeys>,
    ) -> Result<InboxView, InboxError> {
        let this = self.clone();
        blocking(move || this.view_now(id, &keys)).await?
    }

    /// The content of a record that waits.
    pub(crate) async fn open_body(
        &self,
        id: ExchangeId,
        keys: std::sync::Arc<KemKeys>,
    ) -> Result<InboxBody, InboxError> {
        let (this, (give, chunks)) = (self.clone(), mpsc::channel(AHEAD));
        let view = blocking(move || {
            let kept = this.kept(id)?;
            let opener = this.opener(&kept, &keys)?;
            let view = view_of(&kept, &opener)?;
            if kept.known.spooled {
                let reader = this.0.spool.read(id).map_err(StoreError::file(this.0.spool.folder()))?;
                tokio::task::spawn_blocking(move || stream(opener, reader, &give));
            } else {
                let plain = opener.open_small(&kept.body).map_err(InboxError::Open)?;
                // The channel is empty and open.
                give.try_send(Ok(plain.into())).ok();
            }
            Ok::<_, InboxError>(view)
        });
        Ok(InboxBody { view: view.await??, chunks })
    }

    /// The envelope of a received record that is remembered, confirmed or not.
    pub(crate) async fn envelope(&self, id: ExchangeId) -> Result<Option<wire::Envelope>, StoreError> {
        let this = self.clone();
        let found = blocking(move || {
            // Tidying may move an entry between the two looks, never twice so soon.
            for _ in 0..3 {
                let Some(home) = this.table().slots.get(&id).map(|slot| slot.home) else { return Ok(None) };
                match this.0.log.entry(home) {
                    Err(StoreError::Journal(JournalError::NoEntry(_) | JournalError::Io { .. })) => continue,
                    payload => return Ok(read(payload?)?.envelope),
                }
            }
            Err(StoreError::Damaged("a record of the inbox is not where it should be"))
        });
        found.await?
    }

    /// Envelope and sealed body of a record that waits; the body is empty when it lies in the spool.
    pub(crate) async fn sealed(&self, id: ExchangeId) -> Result<(VerifiedEnvelope, Bytes), InboxError> {
        let this = self.clone();
        blocking(move || this.kept(id).map(|kept| (kept.envelope, kept.body))).await?
    }

    /// The first `most` that wait after this place, with the place of each; those that the caller may not see without
    /// what they came under.
    pub(crate) fn shown_after(
        &self,
        place: u64,
        most: usize,
        caller: &Caller,
    ) -> Vec<(u64, Option<Waiting>)> {
        let table = self.table();
        let later = table.waiting.range(place.saturating_add(1)..).take(most);
        let told = later.filter_map(|(place, id)| {
            let known = &table.slots.get(id)?.known;
            let shown = known.is_shown_to(caller);
            Some((*place, shown.then(|| (*id, known.agreement.clone(), known.purpose.clone()))))
        });
        told.collect()
    }

    /// Where a reader goes on that comes back with this place.
    pub(crate) fn known_place(&self, place: u64) -> u64 {
        if place > self.table().sequence { 0 } else { place }
    }

    /// The first `most` that wait and are wanted by id and number of the agreement.
    pub(crate) fn pick(&self, most: usize, wants: &dyn Fn(&ExchangeId, &str) -> bool) -> Vec<ExchangeId> {
        let table = self.table();
        let wanted =
            |id: &&ExchangeId| table.slots.get(*id).is_some_and(|slot| wants(id, &slot.known.agreement));
        table.waiting.values().filter(wanted).take(most).copied().collect()
    }

    fn page(&self, filter: &InboxFilter, caller: &Caller) -> Vec<ExchangeId> {
        let table = self.table();
        let after = filter.after.and_then(|id| table.slots.get(&id)).map_or(0, |slot| slot.known.sequence);
        let later = table.waiting.range(after.saturating_add(1)..).map(|(_, id)| *id);
        let shown = |id: &ExchangeId| table.slots.get(id).is_some_and(|slot| slot.known.is_shown_to(caller));
        later.filter(shown).take(filter.effective_limit()).collect()
    }

    fn view_now(&self, id: ExchangeId, keys: &KemKeys) -> Result<InboxView, InboxError> {
        let kept = self.kept(id)?;
        let opener = self.opener(&kept, keys)?;
        view_of(&kept, &opener)
    }

    fn opener(&self, kept: &Kept, keys: &KemKeys) -> Result<Opener, InboxError> {
        Opener::new(&kept.envelope, keys, self.decapsulations()).map_err(InboxError::Open)
    }

    fn kept(&self, id: ExchangeId) -> Result<Kept, InboxError> {
        // Tidying may move an entry between the two looks, never twice so soon.
        for _ in 0..3 {
            let (known, home) = match self.table().slots.get(&id) {
                Some(slot) if slot.known.is_shown() => (slot.known.clone(), slot.home),
                _ => return Err(InboxError::NotFound(id)),
            };
            let payload = match self.0.log.entry(home) {
                Err(StoreError::Journal(JournalError::NoEntry(_) | JournalError::Io { .. })) => continue,
                payload => payload?,
            };
            let entry = read(payload)?;
            let key = known.signing_key[..].try_into().map(PublicKey::from_raw32);
            let (Ok(key), Some(envelope)) = (key, entry.envelope) else {
                return Err(StoreError::Damaged("a record of the inbox").into());
            };
            let envelope = envelope::verify(&envelope, &key)
                .map_err(|_| StoreError::Damaged("a record of the inbox is not the one that was verified"))?;
            return Ok(Kept { known, envelope, body: entry.body });
        }
        Err(StoreError::Damaged("a record of the inbox is not where it should be").into())
    }
}

fn view_of(kept: &Kept, opener: &Opener) -> Result<InboxView, InboxError> {
    let Kept { known, envelope, .. } = kept;
    let from = envelope.sender().agency.clone();
    let at = (Timestamp::from_millis(known.received_ms), known.leaf_index);
    Ok(InboxView::of(envelope.header(), opener.attributes().clone(), (envelope.exchange_id(), from), at))
}

/// Opens a body chunk by chunk, as fast as it is read.
fn stream(mut opener: Opener, mut reader: SpoolReader, give: &mpsc::Sender<Result<Bytes, InboxError>>) {
    let mut chunk = Vec::new();
    loop {
        let opened = match reader.next(&mut chunk) {
            Err(source) => Err(InboxError::Store(StoreError::file("inbox/bodies")(source))),
            Ok(false) => break,
            Ok(true) => match opener.open_chunk(&mut chunk) {
                Ok(plain) => Ok(Bytes::copy_from_slice(plain)),
                Err(error) => Err(InboxError::Open(error)),
            },
        };
        let failed = opened.is_err();
        // Whoever was reading may have gone.
        if give.blocking_send(opened).is_err() || failed {
            return;
        }
    }
    if let Err(error) = opener.finish() {
        give.blocking_send(Err(InboxError::Open(error))).ok();
    }
}
