//! Bodies above 1 MiB, sealed and uploaded as the test wants it.

use anyhow::Context;
use bytes::Bytes;
use passerelle_proto::envelope::{
    CHUNK_SIZE, ChunkHashes, HeaderDraft, RecipientPublicKey, SealedRecord, Sealer, Sealing,
};
use passerelle_proto::wire::{self, UploadFrame, upload_frame::Frame, upload_reply::Reply};
use ring::rand::SystemRandom;

use super::Probe;

impl Probe {
    /// Seals a body of any length; gives its chunks beside it.
    ///
    /// # Errors
    /// What the envelope refuses.
    pub fn seal_large(
        &self,
        draft: HeaderDraft,
        recipients: &[RecipientPublicKey],
        body: &[u8],
    ) -> anyhow::Result<(SealedRecord, Vec<Bytes>)> {
        let sealing = Sealing {
            signer: self.signing.as_ref(),
            encapsulations: &self.encapsulations,
            random: &SystemRandom::new(),
        };
        let mut sealer = Sealer::new(draft, recipients, sealing)?;
        let (exchange_id, mut chunk_hashes, mut chunks) =
            (sealer.exchange_id(), ChunkHashes::default(), Vec::new());
        let count = body.len().div_ceil(CHUNK_SIZE);
        for (number, plain) in body.chunks(CHUNK_SIZE).enumerate() {
            let mut chunk = plain.to_vec();
            chunk_hashes.push(sealer.seal_chunk(&mut chunk, number + 1 == count)?);
            chunks.push(Bytes::from(chunk));
        }
        let envelope = sealer.finish(self.signing.as_ref())?;
        Ok((SealedRecord { envelope, body: Bytes::new(), chunk_hashes, exchange_id }, chunks))
    }

    /// Uploads chunks under a header; gives the last answer.
    ///
    /// # Errors
    /// When the stream fails or ends without an answer.
    pub async fn upload(
        &self,
        envelope: wire::Envelope,
        hashes: &ChunkHashes,
        chunks: &[Bytes],
    ) -> anyhow::Result<Reply> {
        let mut frames = vec![Frame::Open(envelope), Frame::ChunkHashes(hashes.to_bytes())];
        frames.extend(chunks.iter().cloned().map(Frame::Chunk));
        let frames = frames.into_iter().map(|frame| UploadFrame { frame: Some(frame) });
        let mut answers =
            self.exchange().upload(tokio_stream::iter(frames.collect::<Vec<_>>())).await?.into_inner();
        let mut last = None;
        while let Some(answer) = answers.message().await? {
            last = answer.reply;
        }
        last.context("the stream ended without an answer")
    }
}
