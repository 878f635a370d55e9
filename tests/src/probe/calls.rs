//! Calls as a probe makes and answers them, frame by frame.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use passerelle_pki::key::PublicKey;
use passerelle_proto::call::{self, head};
use passerelle_proto::envelope::{
    self, CHUNK_SIZE, ChunkHashes, DecapsulationCache, HeaderDraft, Opener, RecipientPublicKey, Sealer,
    Sealing,
};
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::wire::{
    self, CallFrame, CallReply, ExchangeKind, HttpRequestHead, OfferedCall, OpenCall, ServeEvent, ServeFrame,
    call_frame, call_reply, serve_event, serve_frame,
};
use ring::rand::SystemRandom;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::{Probe, Terms};

/// How long a test waits for one message.
const PATIENCE: Duration = Duration::from_secs(20);

/// The operation that probes call.
const OPERATION: &str = "lireDossier";

/// Half of a call, sealed.
#[derive(Clone, Debug)]
pub struct Half {
    /// The signed header.
    pub envelope: wire::Envelope,
    /// The sealed chunks.
    pub chunks: Vec<Bytes>,
    /// Their hashes.
    pub hashes: Bytes,
    /// Its id.
    pub id: ExchangeId,
}

impl Half {
    /// The chunks one after another, when they fit a frame; otherwise nothing.
    #[must_use]
    pub fn inline(&self) -> Bytes {
        let length: usize = self.chunks.iter().map(Bytes::len).sum();
        if length as u64 > envelope::INLINE_BODY_LIMIT { Bytes::new() } else { self.chunks.concat().into() }
    }

    /// Every frame of it, as a request.
    #[must_use]
    pub fn frames(&self) -> Vec<CallFrame> {
        let body = self.inline();
        let apart = body.is_empty();
        let open = OpenCall { envelope: Some(self.envelope.clone()), body };
        let mut frames = vec![CallFrame { frame: Some(call_frame::Frame::Open(open)) }];
        if apart {
            let hashes = call_frame::Frame::ChunkHashes(self.hashes.clone());
            frames.push(CallFrame { frame: Some(hashes) });
            let chunks = self.chunks.iter().cloned().map(call_frame::Frame::Chunk);
            frames.extend(chunks.map(|frame| CallFrame { frame: Some(frame) }));
        }
        frames
    }
}

/// A call that was made.
#[derive(Debug)]
pub struct Calling(Streaming<CallReply>);

impl Calling {
    /// The next message.
    ///
    /// # Errors
    /// When the stream fails or ends, or nothing comes.
    pub async fn next(&mut self) -> anyhow::Result<call_reply::Reply> {
        let reply = tokio::time::timeout(PATIENCE, self.0.message()).await.context("no reply in time")??;
        reply.and_then(|reply| reply.reply).context("the stream ended")
    }

    /// The receipt of the request, which comes first.
    ///
    /// # Errors
    /// When something else comes.
    pub async fn accepted(&mut self) -> anyhow::Result<wire::Receipt> {
        match self.next().await? {
            call_reply::Reply::Accepted(receipt) => Ok(receipt),
            other => anyhow::bail!("not accepted: {other:?}"),
        }
    }

    /// The denial, which comes last, behind what was accepted before.
    ///
    /// # Errors
    /// When an answer comes.
    pub async fn denied(&mut self) -> anyhow::Result<wire::Denial> {
        loop {
            match self.next().await? {
                call_reply::Reply::Denial(denial) => return Ok(denial),
                call_reply::Reply::Accepted(_) => {}
                other => anyhow::bail!("answered: {other:?}"),
            }
        }
    }
}

/// A session of a provider.
#[derive(Debug)]
pub struct Serving {
    frames: mpsc::Sender<ServeFrame>,
    events: Streaming<ServeEvent>,
}

impl Serving {
    /// The next event.
    ///
    /// # Errors
    /// When the stream fails or ends, or nothing comes.
    pub async fn next(&mut self) -> anyhow::Result<serve_event::Event> {
        let event =
            tokio::time::timeout(PATIENCE, self.events.message()).await.context("no event in time")??;
        event.and_then(|event| event.event).context("the session ended")
    }

    /// The next call.
    ///
    /// # Errors
    /// When something else comes.
    pub async fn offered(&mut self) -> anyhow::Result<OfferedCall> {
        match self.next().await? {
            serve_event::Event::Call(call) => Ok(call),
            other => anyhow::bail!("not a call: {other:?}"),
        }
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// When the session has ended.
    pub async fn send(&self, frame: serve_frame::Frame) -> anyhow::Result<()> {
        Ok(self.frames.send(ServeFrame { frame: Some(frame) }).await?)
    }

    /// Answers with half of a call; what became of it.
    ///
    /// # Errors
    /// When something else comes.
    pub async fn answer(&mut self, half: &Half) -> anyhow::Result<wire::answer_logged::Result> {
        let answer = wire::CallAnswer { envelope: Some(half.envelope.clone()), body: half.inline() };
        self.send(serve_frame::Frame::Answer(answer)).await?;
        match self.next().await? {
            serve_event::Event::Answered(answered) => answered.result.context("no result"),
            other => anyhow::bail!("not answered: {other:?}"),
        }
    }
}

impl Probe {
    /// The header of a request to the provider of `terms`, with this deadline from now.
    #[must_use]
    pub fn request(&self, terms: &Terms, to: &[RecipientPublicKey], deadline: Duration) -> HeaderDraft {
        let mut draft = self.draft(terms, to);
        draft.kind = ExchangeKind::CallRequest;
        draft.expires = draft.created.plus(deadline);
        draft.content_type = call::MEDIA_TYPE.to_owned();
        draft.operation = OPERATION.to_owned();
        draft
    }

    /// The header of an answer to a request that was offered.
    ///
    /// # Errors
    /// When the request's header cannot be read.
    pub fn response(
        &self,
        terms: &Terms,
        request: &OfferedCall,
        to: &[RecipientPublicKey],
    ) -> anyhow::Result<HeaderDraft> {
        let envelope = request.envelope.as_ref().context("an envelope")?;
        let header = envelope::danger::peek(envelope).context("a header")?;
        let mut draft = self.draft(terms, to);
        draft.kind = ExchangeKind::CallResponse;
        draft.recipients = BTreeSet::from([header.sender_agency.parse()?]);
        draft.in_reply_to = Some(ExchangeId::from_bytes(&header.exchange_id)?);
        draft.acting_user = None;
        draft.attributes.acting_user.clear();
        draft.content_type = call::MEDIA_TYPE.to_owned();
        draft.operation = header.operation;
        Ok(draft)
    }

    /// Seals half of a call of any size.
    ///
    /// # Errors
    /// What the envelope refuses.
    pub fn seal_half(
        &self,
        draft: HeaderDraft,
        to: &[RecipientPublicKey],
        content: &[u8],
    ) -> anyhow::Result<Half> {
        let random = SystemRandom::new();
        let sealing =
            Sealing { signer: self.signing.as_ref(), encapsulations: &self.encapsulations, random: &random };
        let mut sealer = Sealer::new(draft, to, sealing)?;
        let (id, mut chunks, mut hashes) = (sealer.exchange_id(), Vec::new(), ChunkHashes::default());
        let mut plain: Vec<&[u8]> = content.chunks(CHUNK_SIZE).collect();
        if plain.is_empty() {
            plain.push(&[]);
        }
        let last = plain.len() - 1;
        for (index, chunk) in plain.into_iter().enumerate() {
            let mut chunk = chunk.to_vec();
            hashes.push(sealer.seal_chunk(&mut chunk, index == last)?);
            chunks.push(Bytes::from(chunk));
        }
        let envelope = sealer.finish(self.signing.as_ref())?;
        Ok(Half { envelope, chunks, hashes: hashes.to_bytes(), id })
    }

    /// A request's content: its head and `content`.
    ///
    /// # Errors
    /// When the head has no form.
    pub fn content(method: &str, path: &str, content: &[u8]) -> anyhow::Result<Vec<u8>> {
        let head = HttpRequestHead { method: method.to_owned(), path: path.to_owned(), ..Default::default() };
        let mut bytes = head::encode(&head)?;
        bytes.extend_from_slice(content);
        Ok(bytes)
    }

    /// A request's content whose head nobody has checked.
    #[must_use]
    pub fn unchecked_content(head: &HttpRequestHead, content: &[u8]) -> Vec<u8> {
        let encoded = prost::Message::encode_to_vec(head);
        let mut bytes = u32::try_from(encoded.len()).unwrap_or(u32::MAX).to_be_bytes().to_vec();
        bytes.extend_from_slice(&encoded);
        bytes.extend_from_slice(content);
        bytes
    }

    /// Makes a call with these frames; the stream stays open behind them.
    ///
    /// # Errors
    /// When the stream fails.
    pub async fn call_with(
        &self,
        frames: Vec<CallFrame>,
    ) -> anyhow::Result<(Calling, mpsc::Sender<CallFrame>)> {
        let (give, taken) = mpsc::channel(frames.len().max(1));
        for frame in frames {
            give.try_send(frame)?;
        }
        let replies = self.calls().call(ReceiverStream::new(taken)).await?.into_inner();
        Ok((Calling(replies), give))
    }

    /// Makes a call.
    ///
    /// # Errors
    /// When the stream fails.
    pub async fn call(&self, half: &Half) -> anyhow::Result<Calling> {
        Ok(self.call_with(half.frames()).await?.0)
    }

    /// Waits for calls.
    ///
    /// # Errors
    /// When the stream fails.
    pub async fn serve(&self, credit: u32) -> anyhow::Result<Serving> {
        let (frames, taken) = mpsc::channel(16);
        frames.send(ServeFrame { frame: Some(serve_frame::Frame::Credit(credit)) }).await?;
        let events = self.calls().serve(ReceiverStream::new(taken)).await?.into_inner();
        Ok(Serving { frames, events })
    }

    /// Opens half of a call whose chunks are all here.
    ///
    /// # Errors
    /// When signature or body do not hold, or it is not for this probe.
    pub fn open_half(
        &self,
        envelope: &wire::Envelope,
        sender: &PublicKey,
        sealed: &[u8],
    ) -> anyhow::Result<Vec<u8>> {
        let verified = envelope::verify(envelope, sender)?;
        let cache = DecapsulationCache::default();
        let mut opener = Opener::new(&verified, &self.kem, &cache)?;
        let mut content = Vec::new();
        for chunk in sealed.chunks(envelope::SEALED_CHUNK_SIZE) {
            let mut chunk = chunk.to_vec();
            content.extend_from_slice(opener.open_chunk(&mut chunk)?);
        }
        opener.finish()?;
        Ok(content)
    }
}
