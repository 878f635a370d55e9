//! Records that are with a stream. What is still here when the stream ends can be taken again.

use std::collections::HashMap;

use passerelle_proto::exchange_id::ExchangeId;

use crate::outbox::Outbox;

/// Frames under way in one stream.
pub(super) const WINDOW: usize = 256;
/// Bytes of their bodies.
const WINDOW_BYTES: usize = 8 << 20;

/// Records under way.
#[derive(Debug)]
pub(super) struct Flight {
    outbox: Outbox,
    /// Header digest and bytes.
    records: HashMap<ExchangeId, ([u8; 32], usize)>,
    bytes: usize,
}

impl Flight {
    pub(super) fn new(outbox: Outbox) -> Self {
        Self { outbox, records: HashMap::new(), bytes: 0 }
    }

    pub(super) fn has_room(&self) -> bool {
        self.records.len() < WINDOW && self.bytes < WINDOW_BYTES
    }

    /// Holds a record that was taken.
    pub(super) fn hold(&mut self, id: ExchangeId, header_digest: [u8; 32], bytes: usize) {
        self.let_go(id);
        self.records.insert(id, (header_digest, bytes));
        self.bytes += bytes;
    }

    pub(super) fn header_digest(&self, id: ExchangeId) -> Option<[u8; 32]> {
        self.records.get(&id).map(|(digest, _)| *digest)
    }

    /// The record is settled, put off or in another lane.
    pub(super) fn let_go(&mut self, id: ExchangeId) {
        if let Some((_, bytes)) = self.records.remove(&id) {
            self.bytes -= bytes;
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.outbox.give_back(self.records.drain().map(|(id, _)| id));
    }
}
