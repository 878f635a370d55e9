//! Evidence of an exchange that this agent sent or received (`docs/formats/evidence.md`).
//!
//! What is logged comes from the gateway, each part with its own proof; what only a party has (the envelope, the sealed
//! body, the content key) comes from outbox and inbox. The verdict is the reader's.

use passerelle_proto::envelope::{Opener, danger};
use passerelle_proto::evidence::{self, EvidenceError, SEALED_BODY_LIMIT};
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::wire::AssembleEvidenceRequest;
use passerelle_proto::wire::exchange_evidence_client::ExchangeEvidenceClient;
use tonic::Status;

use super::Agent;
use crate::link;
use crate::records::{InboxError, StoreError};

/// Bytes of the gateway's part: at most 256 entries with their proofs, and a revocation list.
const ANSWER_MAX: usize = 40 << 20;

/// What the file is to hold beside what is logged.
#[derive(Copy, Clone, Debug, Default)]
pub struct EvidenceOptions {
    /// Leave the sealed body out.
    pub without_body: bool,
    /// Put the content key in: whoever has the file reads the record, its attributes included.
    pub disclose_key: bool,
}

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub enum NoEvidence {
    /// The gateway refused, or cannot be reached.
    #[error(
        "la passerelle n'a pas donné les inscriptions du journal / the gateway gave no entries of the log"
    )]
    Gateway(#[source] Box<Status>),
    /// The key is only here while the record is in the inbox.
    #[error(
        "la clé de cet échange n'est pas ici : seul l'agent qui l'a dans sa boîte de réception peut la divulguer; refaites la demande sans elle / the key of this exchange is not here: only the agent that has it in its inbox can disclose it; ask again without it"
    )]
    NoKey,
    /// The store.
    #[error(transparent)]
    Inbox(InboxError),
    /// The gateway's part has not the form, or all of it is too much.
    #[error("le fichier de preuve ne peut être écrit / the evidence file cannot be written")]
    File(#[source] EvidenceError),
}

impl From<InboxError> for NoEvidence {
    fn from(error: InboxError) -> Self {
        Self::Inbox(error)
    }
}

impl From<StoreError> for NoEvidence {
    fn from(error: StoreError) -> Self {
        Self::Inbox(error.into())
    }
}

impl Agent {
    /// The evidence of an exchange, as a file.
    ///
    /// # Errors
    /// [`NoEvidence`].
    pub async fn evidence(&self, id: ExchangeId, options: EvidenceOptions) -> Result<Vec<u8>, NoEvidence> {
        let gateway = |status: Status| NoEvidence::Gateway(Box::new(status));
        let away = || Status::unavailable("pas de connexion à la passerelle / no connection to the gateway");
        let channel = self.0.link.channel().ok_or_else(|| gateway(away()))?;
        let mut client = ExchangeEvidenceClient::new(channel).max_decoding_message_size(ANSWER_MAX);
        let request = AssembleEvidenceRequest { exchange_id: id.to_wire() };
        let reply = link::call(client.assemble(request)).await.map_err(gateway)?;
        let mut evidence = reply.evidence.unwrap_or_default();
        evidence.made_by = format!("passerelle-agent {}", env!("CARGO_PKG_VERSION"));
        evidence.envelope = match self.0.outbox.envelope(id).await? {
            Some(envelope) => Some(envelope),
            None => self.0.inbox.envelope(id).await?,
        };
        let sealed = match self.0.inbox.sealed(id).await {
            Ok(sealed) => Some(sealed),
            Err(InboxError::NotFound(_)) => None,
            Err(error) => return Err(error.into()),
        };
        if let Some((_, body)) = sealed.as_ref().filter(|(_, body)| body.len() <= SEALED_BODY_LIMIT)
            && !options.without_body
        {
            evidence.sealed_body = body.clone();
        }
        if options.disclose_key {
            let (envelope, _) = sealed.ok_or(NoEvidence::NoKey)?;
            let opener = Opener::new(&envelope, &self.0.identity.kem_keys(), self.0.inbox.decapsulations());
            let opener = opener.map_err(InboxError::Open)?;
            evidence.content_key = danger::content_key(&opener).to_vec().into();
        }
        evidence::file::write(&evidence).map_err(NoEvidence::File)
    }
}
