//! Errors as the local interface tells them: `application/problem+json` (RFC 9457), French first, English beside it.

use std::error::Error;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use passerelle_proto::envelope::SealError;
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::reason;

use super::model::Problem;
use crate::agreements::AgreementsError;
use crate::link;
use crate::records::{InboxError, SendError, StoreError};
use crate::systems::{CallerError, Unidentified};

/// A request that was not done.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    problem: Box<Problem>,
    retry_after: Option<u32>,
}

impl Fault {
    pub(super) fn new(
        status: StatusCode,
        code: &str,
        title: &str,
        fr: impl Into<String>,
        en: impl Into<String>,
    ) -> Self {
        let problem = Problem {
            kind: format!("urn:passerelle:{code}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: fr.into(),
            detail_en: en.into(),
            code: code.to_owned(),
            fact: None,
            exchange_id: None,
        };
        Self { problem: Box::new(problem), retry_after: None }
    }

    /// What is told.
    #[cfg(test)]
    pub(super) fn problem(&self) -> &Problem {
        &self.problem
    }

    pub(super) fn with_fact(mut self, fact: impl Into<String>) -> Self {
        self.problem.fact = Some(fact.into()).filter(|fact: &String| !fact.is_empty());
        self
    }

    pub(super) fn about(mut self, id: ExchangeId) -> Self {
        self.problem.exchange_id = Some(id);
        self
    }

    pub(super) fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Every mistake of a request: French, English.
    pub(super) fn invalid(mistakes: &[(String, String)]) -> Self {
        let join = |texts: Vec<&str>| texts.join("\n");
        let fr = join(mistakes.iter().map(|(fr, _)| fr.as_str()).collect());
        let en = join(mistakes.iter().map(|(_, en)| en.as_str()).collect());
        Self::new(StatusCode::BAD_REQUEST, "REQUEST_INVALID", "Demande à corriger", fr, en)
    }

    pub(super) fn forbidden(code: &str, fr: &str, en: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, "Accès refusé", fr, en)
    }

    pub(super) fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "TOKEN_REFUSED",
            "Accès refusé",
            "jeton absent ou faux; envoyer « Authorization: Bearer » suivi du contenu de local.token, ou du token_file du système",
            "token missing or wrong; send \"Authorization: Bearer\" followed by the content of local.token, or of the system's token_file",
        )
    }

    pub(super) fn not_found(id: ExchangeId) -> Self {
        let fr = format!(
            "aucun enregistrement {id}; il a peut-être été confirmé, ou oublié après le délai d'historique"
        );
        let en = format!("no record {id}; it may have been confirmed, or forgotten after the history's time");
        Self::new(StatusCode::NOT_FOUND, "RECORD_NOT_FOUND", "Introuvable", fr, en).about(id)
    }

    pub(super) fn no_agreement(number: &str, version: &str) -> Self {
        let shown = |text: &str| text.chars().take(60).collect::<String>();
        let (number, version) = (shown(number), shown(version));
        let fr = format!("aucune entente {number}, version {version}; voir GET /v1/agreements");
        let en = format!("no agreement {number}, version {version}; see GET /v1/agreements");
        Self::new(StatusCode::NOT_FOUND, "AGREEMENT_NOT_FOUND", "Introuvable", fr, en)
    }

    pub(super) fn no_webhook(name: &str) -> Self {
        let name: String = name.chars().take(60).collect();
        let fr = format!("aucun webhook « {name} »; voir GET /v1/webhooks");
        let en = format!("no webhook \"{name}\"; see GET /v1/webhooks");
        Self::new(StatusCode::NOT_FOUND, "WEBHOOK_NOT_FOUND", "Introuvable", fr, en)
    }

    pub(super) fn no_route() -> Self {
        let (fr, en) =
            ("aucune adresse de ce nom; voir GET /v1/openapi.yaml", "no such path; see GET /v1/openapi.yaml");
        Self::new(StatusCode::NOT_FOUND, "PATH_NOT_FOUND", "Introuvable", fr, en)
    }

    pub(super) fn no_method() -> Self {
        let fr = "cette adresse ne connaît pas cette méthode; voir GET /v1/openapi.yaml";
        let en = "this path does not know this method; see GET /v1/openapi.yaml";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", "Méthode inconnue", fr, en)
    }

    /// Something of ours that should not fail has.
    pub(super) fn failed(error: &dyn Error) -> Self {
        tracing::error!(%error, "a request failed within the agent");
        let (fr, en) = ("l'agent a failli; voir son journal", "the agent failed; see its log");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "STORE_FAILED", "Défaillance de l'agent", fr, en)
    }

    pub(super) fn stopping() -> Self {
        let (fr, en) =
            ("l'agent s'arrête; réessayer dans un instant", "the agent is stopping; try again in a moment");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "STOPPING", "Arrêt en cours", fr, en).retry_after(5)
    }
}

/// The French and the English of a message that has both, « … / … ».
pub(super) fn both(message: &str) -> (String, String) {
    match message.split_once(" / ") {
        Some((fr, en)) => (fr.trim().to_owned(), en.trim().to_owned()),
        None => (message.to_owned(), message.to_owned()),
    }
}

pub(super) fn of(status: StatusCode, code: &str, title: &str, error: &dyn Error) -> Fault {
    let (fr, en) = both(&error.to_string());
    let causes = error.source().map(link::chain).unwrap_or_default();
    Fault::new(status, code, title, fr, en).with_fact(causes)
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        if error.is_disk_full() {
            let fr = "le disque de l'agent est plein; y faire de la place, puis réessayer";
            let en = "the agent's disk is full; make room on it, then try again";
            return Self::new(StatusCode::INSUFFICIENT_STORAGE, "DISK_FULL", "Disque plein", fr, en)
                .retry_after(60);
        }
        if matches!(error, StoreError::Stopping) {
            return Self::stopping();
        }
        tracing::error!(error = %link::chain(&error), "the agent's store failed");
        of(StatusCode::INTERNAL_SERVER_ERROR, "STORE_FAILED", "Défaillance de l'agent", &error)
    }
}

impl From<SendError> for Fault {
    fn from(error: SendError) -> Self {
        let bad = StatusCode::BAD_REQUEST;
        match error {
            SendError::Refused(denial) => {
                let code = reason::code(denial.reason());
                let texts = (denial.message_fr.clone(), denial.message_en.clone());
                Self::new(StatusCode::FORBIDDEN, code, "Refusé selon l'entente", texts.0, texts.1)
                    .with_fact(denial.detail)
            }
            SendError::Invalid { field, fr, en } => {
                Self::invalid(&[(format!("{field} : {fr}"), format!("{field}: {en}"))])
            }
            SendError::Seal(SealError::Signer(_)) => {
                let unavailable = StatusCode::SERVICE_UNAVAILABLE;
                of(unavailable, "SIGNING_KEY_UNAVAILABLE", "Clé de signature inaccessible", &error)
                    .retry_after(10)
            }
            SendError::Seal(_) => of(bad, "RECORD_NOT_SEALABLE", "Demande à corriger", &error),
            SendError::Caller(error) => error.into(),
            SendError::TooLarge(_) => {
                of(StatusCode::PAYLOAD_TOO_LARGE, "RECORD_TOO_LARGE", "Trop volumineux", &error)
            }
            SendError::KeyReused(id) => {
                of(StatusCode::CONFLICT, "IDEMPOTENCY_KEY_REUSED", "Clé déjà utilisée", &error).about(id)
            }
            SendError::UnderWay => {
                of(StatusCode::CONFLICT, "REQUEST_UNDER_WAY", "Demande en cours", &error).retry_after(1)
            }
            SendError::Full => {
                of(StatusCode::INSUFFICIENT_STORAGE, "OUTBOX_FULL", "Boîte d'envoi pleine", &error)
                    .retry_after(60)
            }
            SendError::Body(_) => of(bad, "BODY_INCOMPLETE", "Corps incomplet", &error),
            SendError::Store(error) => error.into(),
        }
    }
}

impl From<CallerError> for Fault {
    fn from(error: CallerError) -> Self {
        let code = match error {
            CallerError::NotBound { .. } => "SYSTEM_NOT_BOUND",
            CallerError::NotAllowed { .. } => "SYSTEM_NOT_ALLOWED",
        };
        of(StatusCode::FORBIDDEN, code, "Accès refusé", &error)
    }
}

impl From<Unidentified> for Fault {
    fn from(error: Unidentified) -> Self {
        match error {
            Unidentified::Token => Self::unauthorized(),
            Unidentified::Certificate => Self::forbidden(
                "CERTIFICATE_NOT_BOUND",
                "ce certificat n'est lié à aucun système; l'ajouter à certificate_sha256 dans [systems.…]",
                "this certificate is bound to no system; add it to certificate_sha256 in [systems.…]",
            ),
            Unidentified::User(_) => Self::forbidden(
                "USER_NOT_BOUND",
                "cet utilisateur Unix n'est lié à aucun système; montrer un jeton, ou le lier par unix_user dans [systems.…]",
                "this Unix user is bound to no system; show a token, or bind it by unix_user in [systems.…]",
            ),
            Unidentified::Two => Self::forbidden(
                "TWO_SYSTEMS",
                "le jeton et le certificat (ou l'utilisateur Unix) sont de deux systèmes; n'en montrer qu'un",
                "the token and the certificate (or the Unix user) are of two systems; show those of one",
            ),
        }
    }
}

impl From<InboxError> for Fault {
    fn from(error: InboxError) -> Self {
        match error {
            InboxError::NotFound(id) => Self::not_found(id),
            InboxError::Open(_) => {
                tracing::error!(error = %link::chain(&error), "a record does not open any more");
                of(StatusCode::INTERNAL_SERVER_ERROR, "RECORD_UNREADABLE", "Enregistrement illisible", &error)
            }
            InboxError::Store(error) => error.into(),
        }
    }
}

impl From<AgreementsError> for Fault {
    fn from(error: AgreementsError) -> Self {
        match &error {
            AgreementsError::Unknown { number, version } => Self::no_agreement(number, &version.to_string()),
            AgreementsError::NotForSigning(_)
            | AgreementsError::SignedAlready
            | AgreementsError::OtherDocument => {
                of(StatusCode::CONFLICT, "AGREEMENT_NOT_SIGNABLE", "Signature impossible", &error)
            }
            AgreementsError::Refused(status) if status.code() == tonic::Code::Unavailable => {
                of(StatusCode::SERVICE_UNAVAILABLE, "GATEWAY_UNREACHABLE", "Passerelle injoignable", &error)
                    .retry_after(5)
            }
            AgreementsError::Refused(_) | AgreementsError::TooMany(_) => {
                of(StatusCode::BAD_GATEWAY, "GATEWAY_REFUSED", "Refusé par la passerelle", &error)
            }
            AgreementsError::File { .. } | AgreementsError::Signature(_) => {
                tracing::error!(error = %link::chain(&error), "an agreement was not signed");
                of(StatusCode::INTERNAL_SERVER_ERROR, "STORE_FAILED", "Défaillance de l'agent", &error)
            }
        }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(&*self.problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
