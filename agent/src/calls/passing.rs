//! Bodies above 1 MiB on their way: sealed, in the spool, gone when their call ends.

use bytes::Bytes;
use passerelle_proto::envelope::{ChunkHashes, VerifiedChunks, VerifiedEnvelope};
use passerelle_proto::exchange_id::ExchangeId;
use tokio::sync::mpsc;
use tonic::Status;

use crate::records::StoreError;
use crate::spool::{Spool, SpoolReader};

/// Parts between the disk and the connection.
pub(super) const AHEAD: usize = 4;
/// Bytes of hashes in one message.
const HASHES_SIZE: usize = 1 << 20;

/// A part of a body.
#[derive(Debug)]
pub(super) enum Part {
    /// Leaf hashes, 32 bytes each.
    Hashes(Bytes),
    /// A sealed chunk.
    Chunk(Bytes),
}

/// Removes a body when its call ends.
#[derive(Debug)]
pub(super) struct Passing {
    spool: Spool,
    id: ExchangeId,
}

impl Passing {
    pub(super) fn new(spool: &Spool, id: ExchangeId) -> Self {
        Self { spool: spool.clone(), id }
    }

    /// The sealed chunks from the first on, and their hashes.
    pub(super) fn open(&self) -> Result<(SpoolReader, ChunkHashes), StoreError> {
        let failed = || StoreError::file(self.spool.folder());
        let hashes = self.spool.hashes(self.id).map_err(failed())?;
        let reader = self.spool.read(self.id).map_err(failed())?;
        Ok((reader, hashes.ok_or(StoreError::Damaged("the chunk hashes of a body are gone"))?))
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        if let Err(error) = self.spool.remove(self.id) {
            // The next start removes it.
            tracing::warn!(%error, id = %self.id, "the sealed body of a call is still on the disk");
        }
    }
}

/// Sends hashes, then chunks. Ends when nobody takes them any more. Blocking.
pub(super) fn feed<F>(
    (mut reader, hashes): (SpoolReader, ChunkHashes),
    frames: &mpsc::Sender<F>,
    frame: impl Fn(Part) -> F,
) {
    let put = |part| frames.blocking_send(frame(part)).is_ok();
    let mut hashes = hashes.to_bytes();
    while !hashes.is_empty() {
        if !put(Part::Hashes(hashes.split_to(hashes.len().min(HASHES_SIZE)))) {
            return;
        }
    }
    let mut chunk = Vec::new();
    loop {
        match reader.next(&mut chunk) {
            Ok(true) if put(Part::Chunk(std::mem::take(&mut chunk).into())) => {}
            Ok(_) => return,
            // The other side sees that the body ends too early.
            Err(error) => return tracing::error!(%error, "the sealed body of a call cannot be read"),
        }
    }
}

/// Hashes as they come, until there are as many as the header says.
#[derive(Debug, Default)]
pub(super) struct Hashes(ChunkHashes);

impl Hashes {
    /// Takes more of them; gives them all, verified, once they are here.
    pub(super) fn take(
        &mut self,
        bytes: &[u8],
        verified: &VerifiedEnvelope,
    ) -> Result<Option<VerifiedChunks>, Status> {
        let wanted = verified.header().chunk_count;
        let wrong = |_| Status::data_loss("the chunk hashes are not those of the signed root");
        self.0.extend_from_bytes(bytes).map_err(wrong)?;
        if self.0.len() < wanted {
            return Ok(None);
        }
        std::mem::take(&mut self.0).verify(verified).map(Some).map_err(wrong)
    }
}
