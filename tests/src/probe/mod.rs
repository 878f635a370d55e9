//! An agent that can do what a real one would never do: for attacks, for refusals and for load.
//!
//! Its certificates are real and come over the enrolment service, so the gateway takes it for an agent like any other.
//! What it sends is up to the test.

pub mod calls;
mod cases;
mod channel;
mod forge;
pub mod mail;
pub mod refusals;
pub mod services;
mod upload;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use passerelle_pki::certificate::{Chain, TrustAnchor, Usage};
use passerelle_pki::clock::{SharedClock, Timestamp};
use passerelle_pki::key::{Ed25519Key, PublicKey, Signer};
use passerelle_pki::name::{AgentId, Identity};
use passerelle_pki::request;
use passerelle_pki::tls::Credential;
use passerelle_proto::agreement::{Document, sign_document};
use passerelle_proto::envelope::{
    self, EncapsulationCache, HeaderDraft, KemKey, KemKeys, RecipientPublicKey, SealedRecord, Sealing,
};
use passerelle_proto::wire::agreements_client::AgreementsClient;
use passerelle_proto::wire::calls_client::CallsClient;
use passerelle_proto::wire::catalogue_client::CatalogueClient;
use passerelle_proto::wire::directory_client::DirectoryClient;
use passerelle_proto::wire::enrolment_client::EnrolmentClient;
use passerelle_proto::wire::exchange_client::ExchangeClient;
use passerelle_proto::{bundle, wire};
use ring::rand::SystemRandom;
use tonic::transport::Channel;

pub use channel::{connect, secure};
pub use forge::frame;

/// Largest message that a probe takes.
const MESSAGE_LIMIT: usize = 4 << 20;

/// Where a gateway listens.
#[derive(Copy, Clone, Debug)]
pub struct Addresses {
    /// Mutual TLS.
    pub agents: SocketAddr,
    /// Server TLS.
    pub public: SocketAddr,
}

/// An enrolled agent under the test's control.
pub struct Probe {
    /// Who it is.
    pub id: AgentId,
    /// The key that signs headers.
    pub signing: Arc<Ed25519Key>,
    /// What opens what is sent to it.
    pub kem: KemKeys,
    anchor: TrustAnchor,
    clock: SharedClock,
    credential: Credential,
    signing_chain: Chain,
    encapsulations: EncapsulationCache,
    channel: Channel,
}

impl std::fmt::Debug for Probe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Probe").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Probe {
    /// Enrols with a one-time token, connects, and publishes a key bundle.
    ///
    /// # Errors
    /// What the gateway refuses.
    pub async fn enrol(
        gateway: Addresses,
        anchor: TrustAnchor,
        id: AgentId,
        token: String,
        clock: SharedClock,
    ) -> anyhow::Result<Self> {
        let identity = Identity::Agent(id.clone());
        let (tls, signing) = (Arc::new(Ed25519Key::generate()?), Arc::new(Ed25519Key::generate()?));
        let request = wire::EnrolRequest {
            token,
            tls_request: request::create(tls.as_ref(), &identity, anchor.domain())?.into(),
            signing_request: request::create(signing.as_ref(), &identity, anchor.domain())?.into(),
        };
        let public = connect(gateway.public, &anchor, None, &clock).await.context("the public listener")?;
        let reply = EnrolmentClient::new(public).enrol(request).await?.into_inner();

        let chain = Chain::from_ders(&reply.tls_chain)?;
        let credential = Credential { chain, key: Arc::<Ed25519Key>::clone(&tls) };
        let channel = connect(gateway.agents, &anchor, Some(&credential), &clock)
            .await
            .context("the agents' listener")?;
        let kem = KemKey::generate(&SystemRandom::new())?;
        let probe = Self {
            id,
            signing,
            anchor,
            clock,
            credential,
            signing_chain: Chain::from_ders(&reply.signing_chain)?,
            encapsulations: EncapsulationCache::new(),
            channel,
            kem: KemKeys::new(vec![kem]),
        };
        Ok(probe)
    }

    /// Publishes the bundle of a new KEM key; without one, nothing can be sent to this agent.
    ///
    /// # Errors
    /// What the gateway refuses.
    pub async fn publish_bundle(&mut self) -> anyhow::Result<()> {
        let kem = KemKey::generate(&SystemRandom::new())?;
        let (now, day) = (self.now(), Duration::from_secs(86_400));
        let key_bundle =
            bundle::sign(&self.id, kem.public_key(), (now, now.plus(day)), self.signing.as_ref())?;
        let request = wire::PublishKeyBundleRequest { key_bundle: Some(key_bundle) };
        self.directory().publish_key_bundle(request).await?;
        self.kem = KemKeys::new(vec![kem]);
        Ok(())
    }

    /// Signs an agreement for this agency.
    ///
    /// # Errors
    /// What the gateway refuses.
    pub async fn sign_agreement(&self, document: &Document) -> anyhow::Result<()> {
        let agency = &self.id.agency;
        let signature = sign_document(document, self.signing.as_ref(), &self.signing_chain, agency)?;
        let terms = document.agreement();
        let request = wire::SignAgreementRequest {
            number: terms.number.clone(),
            version: terms.version,
            signature: Some(signature),
        };
        AgreementsClient::new(self.channel.clone()).sign(request).await?;
        Ok(())
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The credential of its connection.
    #[must_use]
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// A client of the exchange service on the probe's connection.
    #[must_use]
    pub fn exchange(&self) -> ExchangeClient<Channel> {
        ExchangeClient::new(self.channel.clone())
            .max_decoding_message_size(MESSAGE_LIMIT)
            .max_encoding_message_size(MESSAGE_LIMIT)
    }

    /// A client of the calls on the probe's connection.
    #[must_use]
    pub fn calls(&self) -> CallsClient<Channel> {
        CallsClient::new(self.channel.clone())
            .max_decoding_message_size(MESSAGE_LIMIT)
            .max_encoding_message_size(MESSAGE_LIMIT)
    }

    /// A client of the catalogue on the probe's connection.
    #[must_use]
    pub fn catalogue(&self) -> CatalogueClient<Channel> {
        CatalogueClient::new(self.channel.clone()).max_decoding_message_size(MESSAGE_LIMIT)
    }

    /// A client of the directory on the probe's connection.
    #[must_use]
    pub fn directory(&self) -> DirectoryClient<Channel> {
        DirectoryClient::new(self.channel.clone()).max_decoding_message_size(MESSAGE_LIMIT)
    }

    /// The KEM keys of every agent of `agencies`, from bundles that were verified to the root.
    ///
    /// # Errors
    /// When a lookup fails or an entry does not verify.
    pub async fn recipients(&self, agencies: &[&str]) -> anyhow::Result<Vec<RecipientPublicKey>> {
        let request = wire::LookupRequest { agencies: agencies.iter().map(ToString::to_string).collect() };
        let reply = self.directory().lookup(request).await?.into_inner();
        let mut keys = Vec::new();
        for entry in reply.agents.iter().filter(|entry| !entry.revoked) {
            let (Some(statement), id) = (&entry.key_bundle, format!("{}/{}", entry.agency, entry.agent))
            else {
                continue;
            };
            let key = self.signing_key(&entry.signing_chain).with_context(|| id.clone())?;
            let expected = AgentId { agency: entry.agency.parse()?, agent: entry.agent.parse()? };
            let verified = bundle::verify(statement, &key, &expected, self.now()).with_context(|| id)?;
            keys.push(verified.recipient_key().clone());
        }
        Ok(keys)
    }

    fn signing_key(&self, chain: &[bytes::Bytes]) -> anyhow::Result<PublicKey> {
        let chain = Chain::from_ders(chain)?;
        Ok(self.anchor.verify(&chain, Usage::Signing, self.now())?.public_key().clone())
    }

    /// A record's header under `agreement`, to `recipients`, as an honest agent would fill it.
    #[must_use]
    pub fn draft(&self, terms: &Terms, recipients: &[RecipientPublicKey]) -> HeaderDraft {
        let now = self.now();
        HeaderDraft {
            kind: wire::ExchangeKind::Record,
            sender: self.id.clone(),
            recipients: recipients.iter().map(|recipient| recipient.agency().clone()).collect(),
            agreement: terms.agreement.clone(),
            service: terms.service.clone(),
            operation: String::new(),
            purpose: terms.purpose.clone(),
            legal_basis: terms.legal_basis.clone(),
            data_categories: BTreeSet::from_iter(terms.data_categories.iter().cloned()),
            acting_user: Some([7; 32]),
            subjects: Vec::new(),
            created: now,
            expires: now.plus(Duration::from_secs(86_400)),
            in_reply_to: None,
            order: None,
            content_type: "application/octet-stream".to_owned(),
            attributes: wire::SealedAttributes {
                case_reference: "2026-0001".to_owned(),
                acting_user: "agente".to_owned(),
                ..wire::SealedAttributes::default()
            },
        }
    }

    /// Seals a small body.
    ///
    /// # Errors
    /// What the envelope refuses.
    pub fn seal(
        &self,
        draft: HeaderDraft,
        recipients: &[RecipientPublicKey],
        body: &[u8],
    ) -> anyhow::Result<SealedRecord> {
        let sealing = Sealing {
            signer: self.signing.as_ref(),
            encapsulations: &self.encapsulations,
            random: &SystemRandom::new(),
        };
        Ok(envelope::seal_small(draft, recipients, sealing, body)?)
    }

    /// Submits one frame on a stream of its own and gives its answer.
    ///
    /// # Errors
    /// When the stream fails or ends without an answer.
    pub async fn submit(&self, frame: wire::SubmitFrame) -> anyhow::Result<wire::SubmitReply> {
        let request = tokio_stream::iter([frame]);
        let mut answers = self.exchange().submit(request).await?.into_inner();
        answers.message().await?.context("the stream ended without an answer")
    }

    /// Key id of the signing key.
    #[must_use]
    pub fn signing_key_id(&self) -> passerelle_pki::key::KeyId {
        self.signing.key_id()
    }
}

/// What a header says of the agreement that covers it.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Number, version and digest.
    pub agreement: wire::AgreementRef,
    /// Service.
    pub service: String,
    /// Purpose code.
    pub purpose: String,
    /// Legal basis.
    pub legal_basis: String,
    /// Data category codes.
    pub data_categories: Vec<String>,
}
