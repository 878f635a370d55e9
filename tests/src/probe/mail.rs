//! Collecting by hand: a probe takes its mail, opens it, and acknowledges what and when the test wants.

use anyhow::Context;
use passerelle_pki::certificate::Usage;
use passerelle_pki::key::PublicKey;
use passerelle_proto::acknowledgement::{self, Acknowledged};
use passerelle_proto::envelope::{self, DecapsulationCache, Opener};
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::wire::{self, collect_frame::Frame, delivery::Delivery as Item};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::Probe;

/// Records that may be opened before a decapsulation is forgotten.
const DECAPSULATIONS: usize = 64;

/// A session of `Collect`.
#[derive(Debug)]
pub struct Mail {
    frames: mpsc::Sender<wire::CollectFrame>,
    deliveries: Streaming<wire::Delivery>,
}

/// A record that was delivered and opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// What an acknowledgement says of it.
    pub acknowledged: Acknowledged,
    /// The plaintext.
    pub body: Vec<u8>,
}

impl Probe {
    /// Begins to collect, with `credit` records at a time.
    ///
    /// # Errors
    /// When the gateway refuses.
    pub async fn collect(&self, credit: u32) -> anyhow::Result<Mail> {
        let (frames, sent) = mpsc::channel(16);
        frames.send(wire::CollectFrame { frame: Some(Frame::Credit(credit)) }).await?;
        let deliveries = self.exchange().collect(ReceiverStream::new(sent)).await?.into_inner();
        Ok(Mail { frames, deliveries })
    }

    /// The key that others verify this probe's headers with.
    ///
    /// # Errors
    /// When its own certificate does not hold.
    pub fn verifying_key(&self) -> anyhow::Result<PublicKey> {
        let certificate = self.anchor.verify(&self.signing_chain, Usage::Signing, self.now())?;
        Ok(certificate.public_key().clone())
    }

    /// Opens a small record of `sender`.
    ///
    /// # Errors
    /// When it is not what the sender signed, or does not open.
    pub fn open(&self, record: &wire::DeliveredRecord, sender: &Self) -> anyhow::Result<Opened> {
        let envelope = record.envelope.as_ref().context("an envelope")?;
        let verified = envelope::verify(envelope, &sender.verifying_key()?)?;
        let opener = Opener::new(&verified, &self.kem, &DecapsulationCache::new(DECAPSULATIONS))?;
        let acknowledged = Acknowledged {
            exchange_id: verified.exchange_id(),
            header_digest: verified.header_digest(),
            refused: None,
        };
        Ok(Opened { acknowledged, body: opener.open_small(&record.body)? })
    }

    /// A signed acknowledgement of records.
    ///
    /// # Errors
    /// When it would break the form.
    pub fn acknowledgement(&self, records: &[Acknowledged]) -> anyhow::Result<wire::Statement> {
        Ok(acknowledgement::sign(&self.id, self.now().as_millis(), records, self.signing.as_ref())?)
    }
}

impl Mail {
    /// The next thing that is delivered.
    ///
    /// # Errors
    /// When the session ends.
    pub async fn next(&mut self) -> anyhow::Result<Item> {
        let delivery = self.deliveries.message().await?.context("the session has ended")?;
        delivery.delivery.context("an empty delivery")
    }

    /// Acknowledges.
    ///
    /// # Errors
    /// When the session has ended.
    pub async fn acknowledge(&self, statement: wire::Statement) -> anyhow::Result<()> {
        let frame = wire::CollectFrame { frame: Some(Frame::Acknowledgement(statement)) };
        self.frames.send(frame).await.context("the session has ended")
    }
}

/// The exchanges that a notice speaks of.
///
/// # Errors
/// When it does not decode.
pub fn noticed(notice: &wire::AcknowledgementNotice) -> anyhow::Result<Vec<ExchangeId>> {
    let statement = notice.acknowledgement.as_ref().context("a statement")?;
    let body = <wire::Acknowledgement as prost::Message>::decode(statement.payload.clone())?;
    let ids = body.exchanges.iter().map(|exchange| ExchangeId::from_bytes(&exchange.exchange_id));
    Ok(ids.collect::<Result<_, _>>()?)
}
