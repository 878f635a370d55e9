//! The exchange service of the stub gateway: a mailbox in memory that signs receipts and checks next to nothing.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use passerelle_pki::key::Signer;
use passerelle_proto::wire::exchange_server::Exchange;
use passerelle_proto::{receipt, wire};
use prost::Message;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

/// One exchange that the gateway has.
#[derive(Clone)]
struct Held {
    header: wire::Header,
    record: wire::DeliveredRecord,
    acknowledgement: Option<wire::Statement>,
}

#[derive(Default)]
struct Mailbox {
    held: BTreeMap<Bytes, Held>,
    /// Hashes and chunks by header.
    bodies: BTreeMap<Bytes, (Bytes, Vec<Bytes>)>,
    /// What to deny next, instead of accepting.
    deny: Vec<wire::Denial>,
    /// Streams of submissions to cut after so many frames taken and before they are answered.
    cut: usize,
    /// Alter bodies before they are delivered.
    alter: bool,
    /// What acknowledgements are answered.
    answers: Answering,
}

/// What an acknowledgement is answered.
#[derive(Clone, Default)]
pub(crate) enum Answering {
    /// It is the agency's first.
    #[default]
    First,
    /// Another agent was before, which has signed this.
    Elsewhere(Option<wire::Statement>),
    /// It expired.
    Expired,
    /// There is no such exchange.
    Unknown,
    /// Each its own; nothing of others.
    Each(BTreeMap<Bytes, Answering>),
    /// Nothing.
    Nothing,
}

impl Answering {
    fn put(&self, id: Bytes, answer: &mut wire::AcknowledgementLogged) {
        let reason = wire::Reason::RecipientUnknown.into();
        let mut ended = |exchange_id, agent: &str, acknowledgement: &Option<wire::Statement>| {
            let (agent, acknowledgement) = (agent.to_owned(), acknowledgement.clone());
            answer.elsewhere.push(wire::EndedElsewhere { exchange_id, agent, acknowledgement });
        };
        match self {
            Self::First => answer.exchange_ids.push(id),
            Self::Elsewhere(signed) => ended(id, "agent-2", signed),
            Self::Expired => ended(id, "", &None),
            Self::Unknown => answer.unknown.push(wire::UnknownExchange { exchange_id: id, reason }),
            Self::Each(answers) => {
                if let Some(one) = answers.get(&id) {
                    one.put(id.clone(), answer);
                }
            }
            Self::Nothing => {}
        }
    }
}

/// A mailbox. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct ExchangeStub {
    mailbox: Arc<Mutex<Mailbox>>,
    /// The key that signs receipts.
    pub(crate) key: Arc<Mutex<Option<Arc<dyn Signer>>>>,
    mail: watch::Sender<u64>,
    /// Counts acknowledgements of recipients.
    pub(crate) acknowledged: watch::Sender<usize>,
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl ExchangeStub {
    /// Denies the next submissions.
    pub(crate) fn deny(&self, denials: Vec<wire::Denial>) {
        self.mailbox.lock().unwrap().deny = denials;
    }

    /// Takes the next submissions, and ends the stream instead of answering.
    pub(crate) fn cut(&self, count: usize) {
        self.mailbox.lock().unwrap().cut = count;
    }

    /// Alters bodies from now on, before they are delivered.
    pub(crate) fn alter(&self) {
        self.mailbox.lock().unwrap().alter = true;
    }

    /// What acknowledgements are answered from now on.
    pub(crate) fn answer(&self, answers: Answering) {
        self.mailbox.lock().unwrap().answers = answers;
    }

    /// How many exchanges the gateway has.
    pub(crate) fn count(&self) -> usize {
        self.mailbox.lock().unwrap().held.len()
    }

    fn submit_one(&self, frame: wire::SubmitFrame) -> Option<wire::submit_reply::Result> {
        use wire::submit_reply::Result::{Denial, Receipt};
        let envelope = frame.envelope.unwrap();
        let header = wire::Header::decode(envelope.header.clone()).unwrap();
        let mut mailbox = self.mailbox.lock().unwrap();
        if let Some(denial) = mailbox.deny.pop() {
            return Some(Denial(denial));
        }
        let leaf_index = mailbox.held.len() as u64;
        let known = mailbox.held.get(&header.exchange_id).and_then(|held| held.record.receipt.clone());
        let receipt = known.unwrap_or_else(|| self.receipt(&envelope, &header, leaf_index));
        let record = wire::DeliveredRecord {
            envelope: Some(envelope),
            body: frame.body,
            receipt: Some(receipt.clone()),
        };
        let id = header.exchange_id.clone();
        mailbox.held.entry(id).or_insert(Held { header, record, acknowledgement: None });
        self.mail.send_modify(|count| *count += 1);
        if mailbox.cut > 0 {
            mailbox.cut -= 1;
            return None;
        }
        Some(Receipt(receipt))
    }

    fn receipt(&self, envelope: &wire::Envelope, header: &wire::Header, leaf_index: u64) -> wire::Receipt {
        let body = wire::ReceiptBody {
            exchange_id: header.exchange_id.clone(),
            header_digest: crate::records::digest::sha256(&envelope.header).to_vec().into(),
            log_origin: "journal.qc.example".to_owned(),
            leaf_index,
            leaf_hash: vec![1; 32].into(),
            accepted_ms: header.created_ms,
        };
        let key = self.key.lock().unwrap().clone().unwrap();
        receipt::sign_batch(&[body], key.as_ref()).unwrap().remove(0)
    }

    /// What waits for the agency: everything that it may acknowledge, and was not.
    fn waiting(&self) -> Vec<wire::DeliveredRecord> {
        let mailbox = self.mailbox.lock().unwrap();
        let open = mailbox.held.values().filter(|held| held.acknowledgement.is_none());
        let altered = |body: &Bytes| body.iter().map(|byte| byte ^ u8::from(mailbox.alter)).collect();
        open.map(|held| wire::DeliveredRecord { body: altered(&held.record.body), ..held.record.clone() })
            .collect()
    }

    fn acknowledge(&self, signed: &wire::Statement) -> Option<wire::Delivery> {
        let named = wire::Acknowledgement::decode(signed.payload.clone()).unwrap();
        let mut mailbox = self.mailbox.lock().unwrap();
        let ids: Vec<_> = named.exchanges.iter().map(|exchange| exchange.exchange_id.clone()).collect();
        for exchange in named.exchanges {
            let held = mailbox.held.get_mut(&exchange.exchange_id).unwrap();
            if held.header.recipients.contains(&named.agency) {
                held.acknowledgement = Some(signed.clone());
                self.acknowledged.send_modify(|count| *count += 1);
            }
        }
        if matches!(mailbox.answers, Answering::Nothing) {
            return None;
        }
        let mut answer = wire::AcknowledgementLogged::default();
        ids.into_iter().for_each(|id| mailbox.answers.put(id, &mut answer));
        Some(wire::Delivery { delivery: Some(wire::delivery::Delivery::Acknowledged(answer)) })
    }
}

#[tonic::async_trait]
impl Exchange for ExchangeStub {
    type SubmitStream = Answers<wire::SubmitReply>;
    type UploadStream = Answers<wire::UploadReply>;
    type CollectStream = Answers<wire::Delivery>;
    type DownloadStream = Answers<wire::DownloadReply>;

    async fn submit(
        &self,
        request: Request<Streaming<wire::SubmitFrame>>,
    ) -> Result<Response<Self::SubmitStream>, Status> {
        let this = self.clone();
        let replies = request.into_inner().map(move |frame| {
            let frame = frame?;
            let header = frame.envelope.as_ref().map(|envelope| envelope.header.clone()).unwrap_or_default();
            let exchange_id = wire::Header::decode(header).unwrap().exchange_id;
            let result = this.submit_one(frame).ok_or_else(|| Status::unavailable("cut"))?;
            Ok(wire::SubmitReply { exchange_id, result: Some(result) })
        });
        Ok(Response::new(Box::pin(replies)))
    }

    async fn upload(
        &self,
        request: Request<Streaming<wire::UploadFrame>>,
    ) -> Result<Response<Self::UploadStream>, Status> {
        use wire::{upload_frame::Frame, upload_reply::Reply};
        let (this, mut frames) = (self.clone(), request.into_inner());
        let (give, replies) = mpsc::channel(4);
        tokio::spawn(async move {
            let (mut header, mut hashes, mut chunks) = (wire::Header::default(), Vec::new(), Vec::new());
            while let Ok(Some(frame)) = frames.message().await {
                let reply = match frame.frame.unwrap() {
                    Frame::Open(envelope) => {
                        header = wire::Header::decode(envelope.header).unwrap();
                        continue;
                    }
                    Frame::ChunkHashes(bytes) => {
                        hashes.extend_from_slice(&bytes);
                        Reply::NextChunk(0)
                    }
                    Frame::Chunk(chunk) => {
                        chunks.push(chunk);
                        if (chunks.len() as u64) < header.chunk_count {
                            continue;
                        }
                        let body = (std::mem::take(&mut hashes).into(), std::mem::take(&mut chunks));
                        this.mailbox.lock().unwrap().bodies.insert(header.exchange_id.clone(), body);
                        Reply::Complete(true)
                    }
                };
                drop(give.send(Ok(wire::UploadReply { reply: Some(reply) })).await);
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(replies))))
    }

    async fn collect(
        &self,
        request: Request<Streaming<wire::CollectFrame>>,
    ) -> Result<Response<Self::CollectStream>, Status> {
        use wire::{collect_frame::Frame, delivery::Delivery as Item};
        let (this, mut frames) = (self.clone(), request.into_inner());
        let (give, deliveries) = mpsc::channel(64);
        // Everybody is given everything: who is no recipient must refuse it.
        let mut mail = self.mail.subscribe();
        tokio::spawn(async move {
            loop {
                mail.mark_unchanged();
                for record in this.waiting() {
                    let delivery = wire::Delivery { delivery: Some(Item::Record(record)) };
                    if give.send(Ok(delivery)).await.is_err() {
                        return;
                    }
                }
                tokio::select! {
                    _ = mail.changed() => {}
                    frame = frames.message() => match frame {
                        Ok(Some(wire::CollectFrame { frame: Some(Frame::Acknowledgement(signed)) })) => {
                            let Some(answer) = this.acknowledge(&signed) else { continue };
                            if give.send(Ok(answer)).await.is_err() {
                                return;
                            }
                        }
                        Ok(Some(_)) => {}
                        _ => return,
                    },
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(deliveries))))
    }

    async fn download(
        &self,
        request: Request<wire::DownloadRequest>,
    ) -> Result<Response<Self::DownloadStream>, Status> {
        use wire::download_reply::Part;
        let wire::DownloadRequest { exchange_id, from_chunk } = request.into_inner();
        let (hashes, chunks) = self.mailbox.lock().unwrap().bodies.get(&exchange_id).unwrap().clone();
        let from = usize::try_from(from_chunk).unwrap();
        let parts =
            [Part::ChunkHashes(hashes)].into_iter().chain(chunks.into_iter().skip(from).map(Part::Chunk));
        let parts: Vec<_> = parts.map(|part| Ok(wire::DownloadReply { part: Some(part) })).collect();
        Ok(Response::new(Box::pin(tokio_stream::iter(parts))))
    }

    async fn state(
        &self,
        request: Request<wire::StateRequest>,
    ) -> Result<Response<wire::StateReply>, Status> {
        let mailbox = self.mailbox.lock().unwrap();
        let held =
            mailbox.held.get(&request.into_inner().exchange_id).ok_or_else(|| Status::not_found("none"))?;
        let recipient = |agency: &String| wire::RecipientState {
            agency: agency.clone(),
            acknowledgement: held.acknowledgement.clone(),
            expired: false,
        };
        let recipients = held.header.recipients.iter().map(recipient).collect();
        Ok(Response::new(wire::StateReply { receipt: held.record.receipt.clone(), recipients }))
    }
}
