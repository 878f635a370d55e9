//! The centre of the sandbox's road: checks without a key to any body, journals, gives receipts, publishes the log.

use super::party::Party;
use anyhow::Context;
use passerelle_journal::{Journal, Options};
use passerelle_pki::clock::Timestamp;
use passerelle_pki::key::{Ed25519Key, PublicKey, Signer};
use passerelle_proto::envelope::{self, SealedRecord};
use passerelle_proto::tlog::{Checkpoint, LogWriter, NoteSigner, leaf_hash};
use passerelle_proto::{acknowledgement, event, receipt, wire};
use passerelle_verify::{Checks, Folder, verify_log};
use prost::Message;
use ring::rand::{SecureRandom, SystemRandom};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const ORIGIN: &str = "sandbox.passerelle.example/log";

/// The journal, the log and the key of the centre. It holds no key that opens a record.
pub(super) struct Centre {
    journal: Journal,
    log: LogWriter,
    signer: NoteSigner,
    key: Arc<Ed25519Key>,
    folder: PathBuf,
}

impl Centre {
    pub(super) fn create(folder: &Path) -> anyhow::Result<Self> {
        let key = Arc::new(Ed25519Key::generate()?);
        let shared: Arc<dyn Signer> = Arc::<Ed25519Key>::clone(&key);
        let signer = NoteSigner::new(ORIGIN.parse()?, shared)?;
        let journal = Journal::create(
            &folder.join("journal"),
            Options { segment_bytes: 1 << 20, ..Options::default() },
        )?;
        Ok(Self { journal, log: LogWriter::new(), signer, key, folder: folder.join("log") })
    }

    /// Checks signature, form and body, makes record and event durable in one commit, and gives the verified receipt.
    pub(super) fn accept(
        &mut self,
        sender: &Party,
        sealed: &SealedRecord,
        now: Timestamp,
    ) -> anyhow::Result<wire::ReceiptBody> {
        let verified = envelope::verify(&sealed.envelope, &sender.verified_key(sender.anchor(), now)?)?;
        envelope::verify_body(&verified, &sealed.body)?;
        let detail =
            event::exchange_detail(verified.header(), &verified.header_digest(), &verified.signing_key_id());
        let detail = wire::event::Detail::Exchange(detail);
        let entry = self.entry(sender, wire::EventKind::ExchangeAccepted, detail, now)?;
        let frame = wire::SubmitFrame { envelope: Some(sealed.envelope.clone()), body: sealed.body.clone() };
        self.journal.append_batch(&[&entry, &frame.encode_to_vec()])?;

        let body = wire::ReceiptBody {
            exchange_id: sealed.exchange_id.to_wire(),
            header_digest: verified.header_digest().to_vec().into(),
            log_origin: ORIGIN.to_owned(),
            leaf_index: self.log.size(),
            leaf_hash: leaf_hash(&entry).as_ref().to_vec().into(),
            accepted_ms: now.as_millis(),
        };
        self.integrate(&entry)?;
        let receipts = receipt::sign_batch(&[body], self.key.as_ref())?;
        let signed = receipts.first().context("a receipt for the one record")?;
        Ok(receipt::verify(signed, &PublicKey::from_spki_der(self.key.spki_der())?)?)
    }

    /// Checks the recipient's signature and logs its statement.
    pub(super) fn acknowledge(
        &mut self,
        recipient: &Party,
        statement: &wire::Statement,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        let key = recipient.verified_key(recipient.anchor(), now)?;
        acknowledgement::verify(statement, &key, &recipient.id)?;
        let detail = wire::AcknowledgementDetail { statement: Some(statement.clone()) };
        let detail = wire::event::Detail::Acknowledgement(detail);
        let entry = self.entry(recipient, wire::EventKind::ExchangeAcknowledged, detail, now)?;
        self.journal.append_batch(&[&entry])?;
        self.integrate(&entry)
    }

    fn entry(
        &self,
        by: &Party,
        kind: wire::EventKind,
        detail: wire::event::Detail,
        now: Timestamp,
    ) -> anyhow::Result<Vec<u8>> {
        let mut nonce = vec![0; 16];
        SystemRandom::new().fill(&mut nonce).map_err(|_| anyhow::anyhow!("no randomness"))?;
        let actor = wire::Actor {
            actor: Some(wire::actor::Actor::Agent(by.id.to_string())),
            ..wire::Actor::default()
        };
        let event = wire::Event {
            nonce: nonce.into(),
            time_ms: now.as_millis(),
            kind: kind.into(),
            actor: Some(actor),
            detail: Some(detail),
        };
        Ok(event::encode(&event)?)
    }

    fn integrate(&mut self, entry: &[u8]) -> anyhow::Result<()> {
        for file in self.log.append(&[entry])? {
            let path = self.folder.join(file.path.to_string());
            fs::create_dir_all(path.parent().context("a tile's folder")?)?;
            fs::write(path, file.bytes)?;
        }
        Ok(())
    }

    /// Signs the checkpoint over all entries; gives their number.
    pub(super) fn publish(&self) -> anyhow::Result<u64> {
        let checkpoint = Checkpoint::new(ORIGIN.to_owned(), self.log.size(), self.log.root());
        let signed = checkpoint.sign(&self.signer)?;
        fs::create_dir_all(&self.folder)?;
        fs::write(self.folder.join("checkpoint"), signed.note())?;
        Ok(self.log.size())
    }

    /// Checks the published log as anybody would who has its key.
    pub(super) fn is_verified(&self) -> anyhow::Result<bool> {
        let folder = Folder::open(&self.folder)?;
        let decode = |entry: &[u8]| event::decode(entry).map(drop).map_err(|error| error.to_string());
        let mut checks =
            Checks { log: self.signer.verifier(), old: None, entry: Some(&decode), progress: &mut |_, _| {} };
        Ok(verify_log(&folder, &mut checks)?.size == self.log.size())
    }
}
