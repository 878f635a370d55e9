//! Sealing a record: chunk by chunk in constant memory, the header signed at the end.

use bytes::Bytes;
use passerelle_pki::key::{KeyId, Signer};
use prost::Message;
use ring::rand::SecureRandom;

use super::attributes;
use super::chunks::{ChunkHashes, Tree, chunk_count, sealed_length};
use super::draft::HeaderDraft;
use super::encapsulation::EncapsulationCache;
use super::form::{self, FormError};
use super::kem::RecipientPublicKey;
use super::limits::{CHUNK_SIZE, HEADER_LIMIT, INLINE_BODY_LIMIT, PLAINTEXT_LIMIT};
use super::schedule::{self, CipherFault, ContentKey, Schedule};
use super::stream::{ChunkError, Stream};
use crate::exchange_id::{ExchangeId, ExchangeIdError};
use crate::statement::{self, StatementError, payload_type};
use crate::tlog::{Hash, leaf_hash};
use crate::wire;

/// Why a record was not sealed. The caller's misuse, unless it says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The draft or the recipient keys would make a header that nobody accepts.
    #[error("the header would break the form")]
    Form(#[source] FormError),
    /// The header would be over [`HEADER_LIMIT`].
    #[error("the header would have {0} bytes where at most {HEADER_LIMIT} are taken")]
    HeaderTooLarge(usize),
    /// The attributes would be over their limit.
    #[error("the sealed attributes would be over 4,096 bytes")]
    AttributesTooLarge,
    /// The attributes contradict the header.
    #[error("the attributes contradict the header: {0}")]
    Attributes(&'static str),
    /// The plaintext is over 50 GiB, or over what fits a submission where that was asked for.
    #[error("the record is over {0} bytes")]
    RecordTooLarge(u64),
    /// A chunk of the wrong length, or after the last.
    #[error("the chunk cannot be sealed there")]
    Chunk(#[source] ChunkError),
    /// Finished before the last chunk.
    #[error("the last chunk is missing")]
    Unfinished,
    /// Finished with another signing key than begun: recipients could not open it.
    #[error("the record was begun for the signing key {0}")]
    OtherSigner(KeyId),
    /// Ours: the signing key could not be used.
    #[error("the header could not be signed")]
    Signer(#[source] StatementError),
    /// Ours: no exchange id could be drawn.
    #[error("no exchange id could be drawn")]
    ExchangeId(#[source] ExchangeIdError),
    /// Ours.
    #[error("the record could not be sealed")]
    Cipher(#[source] CipherFault),
}

impl From<CipherFault> for SealError {
    fn from(fault: CipherFault) -> Self {
        Self::Cipher(fault)
    }
}

/// What a sender seals with.
#[derive(Copy, Clone)]
pub struct Sealing<'a> {
    /// The sender's signing key.
    pub signer: &'a dyn Signer,
    /// The sender's encapsulations.
    pub encapsulations: &'a EncapsulationCache,
    /// *ring*'s `SystemRandom`.
    pub random: &'a dyn SecureRandom,
}

/// A record being sealed, chunk by chunk. Everything but the body is checked before the first chunk.
///
/// The exchange id and the content key are drawn here and never taken from outside: no key seals twice.
pub struct Sealer {
    header: wire::Header,
    exchange_id: ExchangeId,
    sender_key: KeyId,
    stream: Stream,
    tree: Tree,
    length: u64,
}

/// A small record, sealed.
#[derive(Clone, Debug)]
pub struct SealedRecord {
    /// The signed header.
    pub envelope: wire::Envelope,
    /// The sealed body, all chunks one after another.
    pub body: Bytes,
    /// The hashes of its chunks.
    pub chunk_hashes: ChunkHashes,
    /// The id that was drawn.
    pub exchange_id: ExchangeId,
}

impl Sealer {
    /// Begins a record for the agents that hold the private halves of `recipients`.
    ///
    /// # Errors
    /// [`SealError`] when the draft would make a header that nobody accepts, or something of ours fails.
    pub fn new(
        draft: HeaderDraft,
        recipients: &[RecipientPublicKey],
        sealing: Sealing<'_>,
    ) -> Result<Self, SealError> {
        let exchange_id = ExchangeId::draw(draft.created, sealing.random).map_err(SealError::ExchangeId)?;
        let content_key = ContentKey::draw(sealing.random)?;
        let schedule = Schedule::new(&content_key, &exchange_id);

        let mut header = draft.to_header();
        header.exchange_id = exchange_id.to_wire();
        header.commitment = schedule.commitment()?.to_vec().into();
        header.recipient_keys = recipient_keys(&draft, recipients, sealing, (&exchange_id, &content_key))?;
        seal_attributes(&mut header, draft.attributes, &schedule, (&exchange_id, sealing.random))?;

        let sealer = Self {
            header: with_body(header, 0, &Hash::from_bytes([0; 32])),
            exchange_id,
            sender_key: sealing.signer.key_id(),
            stream: Stream::new(schedule.body_key()?),
            tree: Tree::default(),
            length: 0,
        };
        // The longest body makes the longest header: what passes now passes at the end.
        let longest = with_body(sealer.header.clone(), PLAINTEXT_LIMIT, &Hash::from_bytes([0; 32]));
        form::check(&longest).map_err(SealError::Form)?;
        if longest.encoded_len() > HEADER_LIMIT {
            return Err(SealError::HeaderTooLarge(longest.encoded_len()));
        }
        Ok(sealer)
    }

    /// The id that was drawn for this record.
    #[must_use]
    pub fn exchange_id(&self) -> ExchangeId {
        self.exchange_id
    }

    /// Plaintext bytes sealed so far.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Seals the next chunk in place: `chunk` holds its plaintext before and the sealed chunk, 16 bytes longer, after.
    /// Every chunk but the last is full; the last is empty only when the body is. Gives the chunk's leaf hash, for
    /// those who keep [`ChunkHashes`].
    ///
    /// # Errors
    /// [`SealError::Chunk`] or [`SealError::RecordTooLarge`]; the sealer and the chunk are as before then.
    pub fn seal_chunk(&mut self, chunk: &mut Vec<u8>, last: bool) -> Result<Hash, SealError> {
        let length = self.length.saturating_add(chunk.len() as u64);
        if length > PLAINTEXT_LIMIT {
            return Err(SealError::RecordTooLarge(PLAINTEXT_LIMIT));
        }
        let tag = self.stream.seal(chunk, last).map_err(SealError::Chunk)?;
        chunk.extend_from_slice(tag.as_ref());
        self.length = length;
        let hash = leaf_hash(chunk);
        self.tree.push(hash);
        Ok(hash)
    }

    /// Gives the record its place in its stream, for a draft that has one already: the number may be known only when the
    /// body is. A draft without one stays without.
    pub fn place(&mut self, order: wire::Order) {
        if self.header.order.is_some() {
            self.header.order = Some(order);
        }
    }

    /// Writes and signs the header, with the key that the record was begun with.
    ///
    /// # Errors
    /// [`SealError`] when the last chunk is missing, the key is another, or it cannot sign.
    pub fn finish(self, signer: &dyn Signer) -> Result<wire::Envelope, SealError> {
        if !self.stream.ended() {
            return Err(SealError::Unfinished);
        }
        if signer.key_id() != self.sender_key {
            return Err(SealError::OtherSigner(self.sender_key));
        }
        let header = Bytes::from(with_body(self.header, self.length, &self.tree.root()).encode_to_vec());
        let signature =
            statement::signature(payload_type::HEADER, &header, signer).map_err(SealError::Signer)?;
        Ok(wire::Envelope { header, signatures: vec![signature] })
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealer")
            .field("exchange_id", &self.exchange_id)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

/// Seals a record whose sealed body fits a submission ([`INLINE_BODY_LIMIT`]).
///
/// # Errors
/// [`SealError`], among them [`SealError::RecordTooLarge`] for a longer one.
pub fn seal_small(
    draft: HeaderDraft,
    recipients: &[RecipientPublicKey],
    sealing: Sealing<'_>,
    plaintext: &[u8],
) -> Result<SealedRecord, SealError> {
    let sealed = sealed_length(plaintext.len() as u64);
    let capacity = usize::try_from(sealed).ok().filter(|_| sealed <= INLINE_BODY_LIMIT);
    let capacity = capacity.ok_or(SealError::RecordTooLarge(INLINE_BODY_LIMIT))?;
    let mut sealer = Sealer::new(draft, recipients, sealing)?;
    let exchange_id = sealer.exchange_id();
    let mut body = Vec::with_capacity(capacity);
    let mut chunk_hashes = ChunkHashes::default();
    let mut chunk = Vec::with_capacity(CHUNK_SIZE.min(plaintext.len()) + super::limits::TAG_SIZE);
    let mut rest = plaintext;
    loop {
        let (now, later) = rest.split_at(rest.len().min(CHUNK_SIZE));
        chunk.clear();
        chunk.extend_from_slice(now);
        chunk_hashes.push(sealer.seal_chunk(&mut chunk, later.is_empty())?);
        body.extend_from_slice(&chunk);
        if later.is_empty() {
            break;
        }
        rest = later;
    }
    let envelope = sealer.finish(sealing.signer)?;
    Ok(SealedRecord { envelope, body: body.into(), chunk_hashes, exchange_id })
}

fn with_body(mut header: wire::Header, length: u64, root: &Hash) -> wire::Header {
    header.plaintext_length = length;
    header.chunk_count = chunk_count(length);
    header.body_root = Bytes::copy_from_slice(root.as_bytes());
    header
}

fn seal_attributes(
    header: &mut wire::Header,
    mut attributes: wire::SealedAttributes,
    schedule: &Schedule,
    (exchange_id, random): (&ExchangeId, &dyn SecureRandom),
) -> Result<(), SealError> {
    let commitment = attributes::commit_case(&mut attributes, random)?;
    header.case_commitment = commitment.map(|commitment| commitment.to_vec().into()).unwrap_or_default();
    attributes::agree(header, &attributes).map_err(SealError::Attributes)?;
    let sealed = attributes::seal(schedule, exchange_id, &attributes)?;
    header.sealed_attributes = sealed.ok_or(SealError::AttributesTooLarge)?.into();
    Ok(())
}

fn recipient_keys(
    draft: &HeaderDraft,
    recipients: &[RecipientPublicKey],
    sealing: Sealing<'_>,
    (exchange_id, content_key): (&ExchangeId, &ContentKey),
) -> Result<Vec<wire::RecipientKey>, SealError> {
    let sender = (&draft.sender.agency, sealing.signer.key_id());
    let mut keys = Vec::with_capacity(recipients.len());
    for recipient in recipients {
        let key_id = recipient.key_id();
        let when = (draft.created, sealing.random);
        let made = sealing.encapsulations.encapsulate(sender, recipient.key(), exchange_id, when)?;
        let wrapped = schedule::wrap(&made.wrap_key, key_id.as_bytes(), exchange_id, content_key)?;
        keys.push(wire::RecipientKey {
            agency: recipient.agency().to_string(),
            key_id: Bytes::copy_from_slice(key_id.as_bytes()),
            encapsulated: made.encapsulated,
            wrapped: wrapped.into(),
        });
    }
    keys.sort_by(|a, b| a.key_id.cmp(&b.key_id));
    Ok(keys)
}
