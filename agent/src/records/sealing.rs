//! A body read once, sealed chunk by chunk, and laid down: small ones in memory, large ones in the spool.

use std::io::{self, Read};
use std::sync::Arc;

use bytes::Bytes;
use passerelle_pki::key::Signer;
use passerelle_proto::agreement::FieldRules;
use passerelle_proto::envelope::{
    CHUNK_SIZE, EncapsulationCache, HeaderDraft, INLINE_BODY_LIMIT, RecipientPublicKey, SealError, Sealer,
    Sealing, TAG_SIZE,
};
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::wire;
use ring::hmac;
use ring::rand::SystemRandom;
use tokio::runtime::Handle;

use super::{SendError, StoreError};
use crate::outbox::{Numbered, Numbering};
use crate::spool::{Spool, SpoolWriter};

/// Everything but the body.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) draft: HeaderDraft,
    pub(crate) recipients: Vec<RecipientPublicKey>,
    pub(crate) signer: Arc<dyn Signer>,
    pub(crate) encapsulations: Arc<EncapsulationCache>,
    pub(crate) spool: Spool,
    /// Plaintext bytes that are taken.
    pub(crate) length_max: u64,
    /// Which fields may leave, of a record; applied before the body comes here.
    pub(crate) rules: Option<FieldRules>,
    /// Where an ordered record takes its number.
    pub(crate) numbering: Option<Numbering>,
}

/// A sealed record. A body in the spool is durable there.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(crate) exchange_id: ExchangeId,
    pub(crate) envelope: wire::Envelope,
    /// `None`: in the spool.
    pub(crate) body: Option<Bytes>,
    /// Shapes of the fields that were removed before.
    pub(crate) removed_fields: Vec<String>,
    /// The number that it has taken; it counts when the record is durable.
    pub(crate) numbered: Option<Numbered>,
}

/// Where the sealed chunks go.
enum Laid {
    Memory(Vec<u8>, Vec<passerelle_proto::tlog::Hash>),
    File(SpoolWriter),
}

/// Seals a body to its end. `seen` is shown the plaintext. Blocking.
pub(crate) fn seal(plan: Plan, body: impl Read, mut seen: impl FnMut(&[u8])) -> Result<Sealed, SendError> {
    let Plan { draft, recipients, signer, encapsulations, spool, length_max, rules: _, numbering } = plan;
    let random = SystemRandom::new();
    let sealing = Sealing { signer: signer.as_ref(), encapsulations: &encapsulations, random: &random };
    let mut sealer = Sealer::new(draft, &recipients, sealing).map_err(SendError::Seal)?;
    let exchange_id = sealer.exchange_id();
    let mut laid = Laid::Memory(Vec::new(), Vec::new());
    let mut chunks = Chunks::new(body).map_err(SendError::Body)?;
    loop {
        let last = chunks.advance().map_err(SendError::Body)?;
        let chunk = &mut chunks.current;
        seen(chunk);
        if sealer.length() + chunk.len() as u64 > length_max {
            return Err(SendError::TooLarge(length_max));
        }
        let hash = sealer.seal_chunk(chunk, last).map_err(too_large)?;
        laid = lay(laid, chunk, hash, (&spool, exchange_id))?;
        if last {
            break;
        }
    }
    // Only now that the body is here: a slow one keeps nobody waiting.
    let numbered = match numbering {
        Some(numbering) => Some(Handle::current().block_on(numbering.take())?),
        None => None,
    };
    if let Some(numbered) = &numbered {
        sealer.place(numbered.order.clone());
    }
    let envelope = sealer.finish(signer.as_ref()).map_err(SendError::Seal)?;
    let body = match laid {
        Laid::Memory(body, _) => Some(body.into()),
        Laid::File(writer) => {
            writer.commit().map_err(StoreError::file(spool.folder()))?;
            None
        }
    };
    Ok(Sealed { exchange_id, envelope, body, removed_fields: Vec::new(), numbered })
}

/// Reads a body that was sealed before, only to see whether it is the same. Blocking.
pub(crate) fn look(mut body: impl Read, seen: &mut hmac::Context) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK_SIZE];
    loop {
        match body.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => seen.update(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn too_large(error: SealError) -> SendError {
    match error {
        SealError::RecordTooLarge(limit) => SendError::TooLarge(limit),
        error => SendError::Seal(error),
    }
}

fn lay(
    laid: Laid,
    chunk: &[u8],
    hash: passerelle_proto::tlog::Hash,
    (spool, id): (&Spool, ExchangeId),
) -> Result<Laid, SendError> {
    let failed = |error| SendError::Store(StoreError::file(spool.folder())(error));
    match laid {
        Laid::Memory(mut body, mut hashes) if (body.len() + chunk.len()) as u64 <= INLINE_BODY_LIMIT => {
            body.extend_from_slice(chunk);
            hashes.push(hash);
            Ok(Laid::Memory(body, hashes))
        }
        Laid::Memory(body, hashes) => {
            let mut writer = spool.create(id).map_err(failed)?;
            for (chunk, hash) in body.chunks(CHUNK_SIZE + TAG_SIZE).zip(hashes) {
                writer.push(chunk, hash).map_err(failed)?;
            }
            writer.push(chunk, hash).map_err(failed)?;
            Ok(Laid::File(writer))
        }
        Laid::File(mut writer) => {
            writer.push(chunk, hash).map_err(failed)?;
            Ok(Laid::File(writer))
        }
    }
}

/// Reads whole chunks, one ahead, so that the last is known as such.
struct Chunks<R> {
    body: R,
    current: Vec<u8>,
    next: Vec<u8>,
}

impl<R: Read> Chunks<R> {
    fn new(body: R) -> io::Result<Self> {
        let buffer = || Vec::with_capacity(CHUNK_SIZE + TAG_SIZE);
        let mut chunks = Self { body, current: buffer(), next: buffer() };
        chunks.read_ahead()?;
        Ok(chunks)
    }

    /// Puts the next chunk into `current`; true when it is the last. An empty body is one empty chunk.
    fn advance(&mut self) -> io::Result<bool> {
        std::mem::swap(&mut self.current, &mut self.next);
        self.next.clear();
        if self.current.len() == CHUNK_SIZE {
            self.read_ahead()?;
        }
        Ok(self.next.is_empty())
    }

    fn read_ahead(&mut self) -> io::Result<()> {
        self.next.clear();
        self.body.by_ref().take(CHUNK_SIZE as u64).read_to_end(&mut self.next)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks_of(length: usize) -> Vec<(usize, bool)> {
        let body = vec![7; length];
        let mut chunks = Chunks::new(&body[..]).unwrap();
        let mut found = Vec::new();
        loop {
            let last = chunks.advance().unwrap();
            found.push((chunks.current.len(), last));
            if last {
                return found;
            }
        }
    }

    #[test]
    fn the_last_chunk_is_known_as_such() {
        assert_eq!(chunks_of(0), [(0, true)]);
        assert_eq!(chunks_of(1), [(1, true)]);
        assert_eq!(chunks_of(CHUNK_SIZE), [(CHUNK_SIZE, true)]);
        assert_eq!(chunks_of(CHUNK_SIZE + 1), [(CHUNK_SIZE, false), (1, true)]);
        assert_eq!(chunks_of(2 * CHUNK_SIZE), [(CHUNK_SIZE, false), (CHUNK_SIZE, true)]);
    }
}
