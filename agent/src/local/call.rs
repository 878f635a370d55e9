//! `ANY /v1/call/{agency}/{service}/{path…}`: a service of another agency, called as if it were here.
//!
//! Path and query are taken from the request line as it came, never from what a router decoded: what the provider's
//! service is asked is what was checked, byte for byte.

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode, Uri};
use http_body::Body as _;
use passerelle_pki::name::AgencyCode;
use passerelle_proto::call::head;
use passerelle_proto::call::path::{PathError, RequestPath};
use passerelle_proto::reason;
use passerelle_proto::wire::{Denial, Reason};
use tokio_util::io::StreamReader;

use super::problem::{Fault, both, of};
use super::request;
use super::routes::moving;
use crate::calls::{Answer, CallError, CallRequest};
use crate::link;
use crate::records::SendError;
use crate::systems::{Action, Desk};

/// What stands before the agency in the path.
const PREFIX: &str = "/v1/call/";

pub(super) async fn call(desk: Desk, request: Request) -> Result<Response, Fault> {
    desk.allow(Action::Call)?;
    let (provider, service, path) = target(request.uri())?;
    let (terms, deadline) = request::read_call(request.headers())?;
    no_misleading(request.headers())?;
    let asked = CallRequest {
        caller: desk.caller().clone(),
        provider,
        service,
        path,
        method: request.method().as_str().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        has_content: !request.body().is_end_stream(),
        fields: crate::calls::fields_of(request.headers()),
        terms,
        deadline,
    };
    let is_head = request.method() == Method::HEAD;
    let body = StreamReader::new(moving(request.into_body()));
    let answer = desk.call(asked, Box::pin(body)).await?;
    Ok(respond(answer, is_head))
}

/// A field that cannot travel and changes what the request means is refused, not left out.
fn no_misleading(headers: &HeaderMap) -> Result<(), Fault> {
    let wrong = |name: &HeaderName| {
        (
            format!(
                "en-tête {name} : il ne voyage pas, un service pourrait y lire autre chose que ce qui est vérifié; \
                 le retirer, ou le nommer sans « _ » (docs/formats/call.md)"
            ),
            format!(
                "header {name}: it does not travel, a service could read something else in it than what is checked; \
                 remove it, or name it without \"_\" (docs/formats/call.md)"
            ),
        )
    };
    let found: Vec<_> =
        headers.keys().filter(|name| head::misleads(name.as_str())).take(8).map(wrong).collect();
    if found.is_empty() { Ok(()) } else { Err(Fault::invalid(&found)) }
}

/// Agency, service and path, as they stand in the request line.
fn target(uri: &Uri) -> Result<(AgencyCode, String, RequestPath), Fault> {
    let invalid = |fr: &str, en: &str| Fault::invalid(&[(fr.to_owned(), en.to_owned())]);
    let rest = uri.path().strip_prefix(PREFIX).ok_or_else(Fault::no_route)?;
    let (agency, rest) = rest.split_once('/').ok_or_else(Fault::no_route)?;
    let end = rest.find('/').unwrap_or(rest.len());
    let (service, path) = rest.split_at(end);
    let agency = agency
        .parse()
        .map_err(|_| invalid("organisme : code qui ne convient pas", "agency: a code that does not serve"))?;
    // Services are named by agreements: whatever is none is covered by none.
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if service.is_empty() || !service.bytes().all(is_name) {
        return Err(invalid("service : nom qui ne convient pas", "service: a name that does not serve"));
    }
    Ok((agency, service.to_owned(), RequestPath::parse(path).map_err(|error| refused_path(&error))?))
}

fn refused_path(error: &PathError) -> Fault {
    let fr = "le chemin peut se lire de deux façons : ni segment vide ni segment « . » ou « .. », ni « / », « \\ », « ; » \
              dans un segment, ni double encodage, ni barre finale; l'écrire autrement";
    let en = "the path can be read in two ways: no empty segment nor \".\" or \"..\", no \"/\", \"\\\", \";\" inside a \
              segment, no double encoding, no slash at the end; write it otherwise";
    Fault::new(StatusCode::BAD_REQUEST, "PATH_REFUSED", "Chemin refusé", fr, en).with_fact(error.to_string())
}

/// The service's answer, and what the gateway promised about it.
fn respond(answer: Answer, is_head: bool) -> Response {
    let promised = [
        ("passerelle-exchange-id", answer.request_id.to_string()),
        ("passerelle-answer-id", answer.answer_id.to_string()),
        ("passerelle-receipt-leaf", answer.request_receipt.leaf_index.to_string()),
        ("passerelle-answer-receipt-leaf", answer.answer_receipt.leaf_index.to_string()),
        ("passerelle-log-origin", answer.answer_receipt.log_origin),
    ];
    let bodiless = is_head || matches!(answer.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let mut response = match bodiless || answer.length == 0 {
        true => Response::new(Body::empty()),
        false => Response::new(Body::from_stream(answer.content)),
    };
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.fields;
    let headers = response.headers_mut();
    if !bodiless {
        headers.insert(CONTENT_LENGTH, answer.length.into());
    }
    for (name, value) in promised {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    response
}

/// The status of a refusal, by its reason: whose fault it is.
fn status(reason: Reason) -> StatusCode {
    match reason {
        Reason::QuotaExceeded => StatusCode::TOO_MANY_REQUESTS,
        Reason::RecordTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Reason::RecipientUnknown | Reason::ServiceUnknown => StatusCode::NOT_FOUND,
        Reason::ProviderAway
        | Reason::RecipientKeyUnknown
        | Reason::LogUnavailable
        | Reason::Busy
        | Reason::CallCancelled => StatusCode::SERVICE_UNAVAILABLE,
        Reason::CallTimedOut | Reason::HeaderExpired => StatusCode::GATEWAY_TIMEOUT,
        Reason::ProviderFailed
        | Reason::Unreadable
        | Reason::BodyMismatch
        | Reason::HeaderMalformed
        | Reason::SuiteUnsupported
        | Reason::ExchangeIdReused => StatusCode::BAD_GATEWAY,
        _ => StatusCode::FORBIDDEN,
    }
}

fn denied(denial: &Denial) -> Fault {
    let (reason, status) = (denial.reason(), status(denial.reason()));
    let title = match status {
        StatusCode::FORBIDDEN => "Refusé selon l'entente",
        StatusCode::NOT_FOUND => "Introuvable",
        StatusCode::GATEWAY_TIMEOUT => "Délai passé",
        StatusCode::BAD_GATEWAY => "Réponse défectueuse",
        StatusCode::PAYLOAD_TOO_LARGE => "Trop volumineux",
        _ => "Pas de réponse pour le moment",
    };
    let (fr, en) = (denial.message_fr.clone(), denial.message_en.clone());
    let fault = Fault::new(status, reason::code(reason), title, fr, en).with_fact(denial.detail.clone());
    match reason::is_temporary(reason) || status == StatusCode::SERVICE_UNAVAILABLE {
        true => fault.retry_after(5),
        false => fault,
    }
}

impl From<CallError> for Fault {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Request(SendError::Refused(denial)) => denied(&denial),
            CallError::Request(error) => error.into(),
            CallError::Denied(denial, id) => {
                let fault = denied(&denial);
                id.into_iter().fold(fault, Self::about)
            }
            CallError::Gateway(_) => {
                of(StatusCode::SERVICE_UNAVAILABLE, "GATEWAY_UNREACHABLE", "Passerelle injoignable", &error)
                    .retry_after(5)
            }
            CallError::NotBelieved(_, id) => {
                tracing::error!(%id, error = %link::chain(&error), "the answer of a call is not believed");
                let (fr, en) = both(&error.to_string());
                Self::new(StatusCode::BAD_GATEWAY, "ANSWER_NOT_BELIEVED", "Réponse défectueuse", fr, en)
                    .about(id)
            }
            CallError::Demands(mistake) => Self::invalid(&[both(&mistake.to_string())]),
            CallError::Stopping => Self::stopping(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str) -> Result<(String, String, String), String> {
        let found = target(&Uri::try_from(path).unwrap()).map_err(|fault| fault.problem().code.clone())?;
        Ok((found.0.to_string(), found.1, found.2.as_str().to_owned()))
    }

    #[test]
    fn a_header_that_would_mislead_the_service_is_refused_by_name() {
        let asked = |name: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("accept", HeaderValue::from_static("*/*"));
            headers.insert("x-forwarded-for", HeaderValue::from_static("10.0.0.1"));
            headers.insert(name, HeaderValue::from_static("DELETE"));
            no_misleading(&headers).map_err(|fault| Box::new(fault.problem().clone()))
        };
        assert!(asked("x-nom").is_ok());
        for name in ["x-http-method-override", "passerelle_from", "content_length", "x_nom"] {
            let problem = asked(name).unwrap_err();
            assert_eq!((problem.status, problem.code.as_str()), (400, "REQUEST_INVALID"), "{name}");
            assert!(problem.detail.contains(name) && problem.detail_en.contains(name), "{problem:?}");
        }
    }

    #[test]
    fn the_path_is_the_one_that_was_asked() {
        let found = read("/v1/call/ramq/dossiers/7/pi%C3%A8ces%20jointes?x=/../y").unwrap();
        assert_eq!(found, ("ramq".into(), "dossiers".into(), "/7/pi%C3%A8ces%20jointes".into()));
        assert_eq!(read("/v1/call/ramq/dossiers/").unwrap().2, "/");
        for wrong in ["/7/../8", "/7/%2e%2E/8", "//7", "/7/", "/7%2f8", "/7%252f8", "/7;v=1", "/7%5c8", ""] {
            assert_eq!(
                read(&format!("/v1/call/ramq/dossiers{wrong}")),
                Err("PATH_REFUSED".into()),
                "{wrong}"
            );
        }
        for wrong in [
            "/v1/call/RAMQ/dossiers/7",
            "/v1/call/../dossiers/7",
            "/v1/call/ramq/%2e%2e/7",
            "/v1/call/ramq//7",
        ] {
            assert_eq!(read(wrong), Err("REQUEST_INVALID".into()), "{wrong}");
        }
        assert_eq!(read("/v1/call/ramq"), Err("PATH_NOT_FOUND".into()));
    }
}
