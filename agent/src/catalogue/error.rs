//! Why the catalogue refuses something, in words for people.

use std::path::PathBuf;

use passerelle_pki::certificate::CertificateError;
use passerelle_pki::clock::Timestamp;
use passerelle_pki::name::Identity as Name;
use passerelle_proto::catalogue::ServiceError;
use passerelle_proto::wire::Reason;
use tonic::Status;

use super::openapi::{CallMistake, OpenApiMistake};
use crate::directory::EntryError;

/// Why an answer was refused as a whole, or could not be kept, or a service was not published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogueError {
    /// The gateway said no, or was not reached.
    #[error("la passerelle / the gateway: {}", .0.message())]
    Refused(Box<Status>),
    /// More services than an answer can have. The gateway is at fault.
    #[error("{0} services dans une réponse / services in one answer")]
    TooMany(usize),
    /// A file cannot be read or written: ours.
    #[error("{}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The document is not the one that was signed. The gateway is at fault.
    #[error(
        "le document OpenAPI de {0} n'est pas celui qui est signé / the OpenAPI document of {0} is not the one signed"
    )]
    OtherDocument(String),
    /// No such service.
    #[error(
        "aucun service {0} dans le catalogue (passerelle-agent service list) / no service {0} in the catalogue \
         (passerelle-agent service list)"
    )]
    Unknown(String),
    /// The document that was given.
    #[error("le document OpenAPI est à corriger / the OpenAPI document is to be corrected")]
    OpenApi(Vec<OpenApiMistake>),
    /// The description cannot be signed as it is.
    #[error("la description du service est à corriger / the service's description is to be corrected")]
    Description(#[source] ServiceError),
}

impl CatalogueError {
    /// There is no connection.
    pub(crate) fn away() -> Self {
        let away = "pas de connexion à la passerelle / no connection to the gateway";
        Self::Refused(Box::new(Status::unavailable(away)))
    }
}

/// Why one service is not believed. The gateway is at fault, or the service's agent has not renewed its signature.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceEntryError {
    /// There is no statement.
    #[error("nothing is signed")]
    Empty,
    /// The chain is none.
    #[error("the certificate cannot be read")]
    Certificate(#[source] CertificateError),
    /// The certificate is not believed.
    #[error("the signing certificate is not believed")]
    Signer(#[source] EntryError),
    /// The certificate is not of an agent.
    #[error("the signing certificate is of {0}, who is no agent")]
    NotAnAgent(Name),
    /// The statement does not hold.
    #[error("the description is not believed")]
    Statement(#[source] ServiceError),
    /// Older than one that was seen before.
    #[error("made on {offered}, older than the one of {known}")]
    Older {
        /// When the one was made that was seen before.
        known: Timestamp,
        /// When the one was made that is offered now.
        offered: Timestamp,
    },
    /// The same service twice.
    #[error("listed twice")]
    Repeated,
}

/// Why a request is not an operation of a service. The caller is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OperationError {
    /// No such service is offered to this agency, or its signature is not believed now.
    #[error("no such service")]
    ServiceUnknown,
    /// It is turned off.
    #[error("the service is turned off")]
    ServiceDisabled,
    /// Its document has no such path.
    #[error("no such path")]
    PathUnknown,
    /// Its document has the path, with other methods.
    #[error("the path has other methods")]
    MethodUnknown(Vec<String>),
    /// The request does not meet what the operation demands.
    #[error("the operation's demands")]
    Demands(#[source] CallMistake),
}

impl OperationError {
    /// The stable reason.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::ServiceUnknown | Self::ServiceDisabled => Reason::ServiceUnknown,
            Self::PathUnknown | Self::MethodUnknown(_) | Self::Demands(_) => Reason::OperationNotCovered,
        }
    }

    /// The fact behind it, `name=value`. Nothing of it is taken from the request.
    #[must_use]
    pub fn fact(&self) -> String {
        match self {
            Self::ServiceUnknown => "service=unknown".to_owned(),
            Self::ServiceDisabled => "service=disabled".to_owned(),
            Self::PathUnknown => "path=unknown".to_owned(),
            Self::MethodUnknown(methods) => format!("methods={}", methods.join(",")),
            Self::Demands(CallMistake::Query(names)) => format!("query={}", names.join(",")),
            Self::Demands(CallMistake::Body) => "body=missing".to_owned(),
            Self::Demands(CallMistake::ContentType(types)) => format!("content_type={}", types.join(",")),
        }
    }
}
