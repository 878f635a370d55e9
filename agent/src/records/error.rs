//! Why something was not done, in words for people: French first, English beside it.

use std::io;
use std::path::PathBuf;

use passerelle_journal::JournalError;
use passerelle_pki::name::AgentId;
use passerelle_pki::tls::TlsError;
use passerelle_proto::envelope::{OpenError, SealError};
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::wire::Denial;

use crate::agreements::AgreementsError;
use crate::catalogue::CatalogueError;
use crate::checkpoint::CheckpointsError;
use crate::directory::DirectoryError;
use crate::identity::{IdentityError, StorageError};
use crate::systems::CallerError;

/// The outbox or the inbox cannot be read or written: ours.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The journal.
    #[error("le journal local / the local journal")]
    Journal(#[source] JournalError),
    /// A file of the spool.
    #[error("{}", .path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// What was stored is not what was written.
    #[error(
        "données locales endommagées ({0}) ; rétablissez la sauvegarde / local data damaged ({0}); restore the backup"
    )]
    Damaged(&'static str),
    /// Written by a later version.
    #[error(
        "données d'une version plus récente ; mettez l'agent à jour / data of a newer version; update the agent"
    )]
    Newer,
    /// The agent stops.
    #[error("l'agent s'arrête / the agent is stopping")]
    Stopping,
}

impl StoreError {
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }

    /// Whether it is a full disk.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        let full = |error: &io::Error| error.kind() == io::ErrorKind::StorageFull;
        match self {
            Self::File { source, .. } => full(source),
            Self::Journal(JournalError::Io { source, .. }) => full(source),
            _ => false,
        }
    }
}

impl From<JournalError> for StoreError {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

/// Why a record was not taken over. Nothing was sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The agreement does not permit it, by the agent's own check: as the gateway would have answered.
    #[error("{} / {}", .0.message_fr, .0.message_en)]
    Refused(Box<Denial>),
    /// The request is not complete or not well-formed. The caller's.
    #[error("{field} : {fr} / {en}")]
    Invalid {
        /// The field, as [`super::SendRequest`] names it.
        field: &'static str,
        /// What is wrong, French.
        fr: &'static str,
        /// What is wrong, English.
        en: &'static str,
    },
    /// The record cannot be sealed as asked. The caller's, mostly.
    #[error("l'enregistrement ne peut être scellé / the record cannot be sealed")]
    Seal(#[source] SealError),
    /// The system is not bound to the agreement or the purpose. The caller's.
    #[error(transparent)]
    Caller(CallerError),
    /// Longer than this agent takes. The caller's.
    #[error("l'enregistrement dépasse {0} octets / the record is over {0} bytes")]
    TooLarge(u64),
    /// The key was used for another request. The caller's.
    #[error(
        "cette clé d'idempotence a servi à une autre demande ({0}) ; prenez-en une nouvelle / \
         this idempotency key was used for another request ({0}); take a new one"
    )]
    KeyReused(ExchangeId),
    /// A request under the same key is being taken over right now.
    #[error(
        "une demande de même clé est en cours ; réessayez / a request under the same key is under way; try again"
    )]
    UnderWay,
    /// The outbox is full.
    #[error("la boîte d'envoi est pleine ; réessayez plus tard / the outbox is full; try again later")]
    Full,
    /// The body could not be read to its end. The caller's.
    #[error("le corps n'a pu être lu en entier / the body could not be read to its end")]
    Body(#[source] io::Error),
    /// Ours.
    #[error("l'enregistrement n'a pu être conservé / the record could not be kept")]
    Store(#[source] StoreError),
}

impl From<StoreError> for SendError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Why a record of the inbox cannot be shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InboxError {
    /// There is none with this id, or it was confirmed.
    #[error("aucun enregistrement {0} dans la boîte de réception / no record {0} in the inbox")]
    NotFound(ExchangeId),
    /// It does not open any more: keys or data are damaged.
    #[error("l'enregistrement ne s'ouvre plus / the record does not open any more")]
    Open(#[source] OpenError),
    /// Ours.
    #[error("la boîte de réception ne peut être lue / the inbox cannot be read")]
    Store(#[source] StoreError),
}

impl From<StoreError> for InboxError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Why the agent does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Its identity.
    #[error("l'identité de l'agent / the agent's identity")]
    Identity(#[source] IdentityError),
    /// The folder is another agent's than the configuration says.
    #[error("le dossier est celui de {here}, pas de {expected} / the folder is of {here}, not of {expected}")]
    OtherAgent {
        /// Whose folder it is.
        here: AgentId,
        /// Who was expected.
        expected: AgentId,
    },
    /// The directory kept.
    #[error("l'annuaire conservé / the directory kept")]
    Directory(#[source] DirectoryError),
    /// The agreements kept.
    #[error("les ententes conservées / the agreements kept")]
    Agreements(#[source] AgreementsError),
    /// The checkpoint kept.
    #[error("le point de contrôle conservé / the checkpoint kept")]
    Checkpoint(#[source] CheckpointsError),
    /// The catalogue kept.
    #[error("le catalogue conservé / the catalogue kept")]
    Catalogue(#[source] CatalogueError),
    /// The key of the pseudonyms.
    #[error("la clé des pseudonymes / the key of the pseudonyms")]
    Pseudonyms(#[source] StorageError),
    /// Outbox.
    #[error("la boîte d'envoi / the outbox")]
    Outbox(#[source] StoreError),
    /// Inbox.
    #[error("la boîte de réception / the inbox")]
    Inbox(#[source] StoreError),
    /// The receipts kept.
    #[error("les reçus / the receipts")]
    Receipts(#[source] StoreError),
    /// The folder of bodies that pass through.
    #[error("le dossier des appels / the folder of calls")]
    Calls(#[source] StoreError),
    /// The authorities by which a service's certificate is believed.
    #[error(
        "les autorités du service {service} (services.{service}.ca_file) / the authorities of the service {service}"
    )]
    Service {
        /// Its name.
        service: String,
        /// What is wrong.
        #[source]
        source: io::Error,
    },
    /// The TLS certificate does not serve.
    #[error("le certificat TLS de l'agent / the agent's TLS certificate")]
    Tls(#[source] TlsError),
}
