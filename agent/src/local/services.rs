//! `/v1/services`: what agencies offer to be called, and what this one does.

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use passerelle_pki::clock::Timestamp;
use passerelle_pki::name::AgencyCode;
use passerelle_proto::catalogue::OPENAPI_LIMIT;
use serde::Deserialize;
use tokio::time::timeout;

use super::model::{Service, ServiceDetail, ServiceOperation, Services};
use super::problem::{Fault, of};
use super::routes::STALLED;
use crate::catalogue::{CatalogueError, Listed, Publication};
use crate::link;
use crate::systems::{Desk, ServiceChangeError};

/// What is said of a service beside its document.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Publishing {
    /// Separated by commas.
    categories: Option<String>,
    classification: Option<String>,
    title_en: Option<String>,
}

pub(super) async fn list(desk: Desk) -> Response {
    let services = desk.services().iter().map(|listed| summary(listed)).collect();
    Json(Services { services }).into_response()
}

pub(super) async fn show(desk: Desk, Path(which): Path<(String, String)>) -> Result<Response, Fault> {
    let listed = desk.service(&agency(&which)?, &which.1)?;
    Ok(Json(detail(&listed)).into_response())
}

pub(super) async fn openapi(desk: Desk, Path(which): Path<(String, String)>) -> Result<Response, Fault> {
    let document = desk.service_document(&agency(&which)?, &which.1).await?;
    let json = document.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    let content_type = if json { "application/json" } else { "application/yaml; charset=utf-8" };
    let mut response = Body::from(document).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    // Another agency wrote it: no browser is to take it for something else.
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}

pub(super) async fn publish(
    desk: Desk,
    Path(which): Path<(String, String)>,
    query: Result<Query<Publishing>, QueryRejection>,
    body: Body,
) -> Result<Response, Fault> {
    let agency = agency(&which)?;
    let Query(said) = query.map_err(|error| {
        let (fr, en) = (format!("paramètres de la requête : {error}"), format!("query parameters: {error}"));
        Fault::invalid(&[(fr, en)])
    })?;
    let publication = publication(which.1, said)?;
    let openapi = timeout(STALLED, to_bytes(body, OPENAPI_LIMIT)).await;
    let Ok(Ok(openapi)) = openapi else {
        let fr = "le document OpenAPI dépasse 1 Mio, ou n'est pas venu en entier";
        let en = "the OpenAPI document has more than 1 MiB, or did not come whole";
        return Err(Fault::new(StatusCode::BAD_REQUEST, "BODY_INCOMPLETE", "Corps incomplet", fr, en));
    };
    let listed = desk.publish_service(&agency, Publication { openapi, ..publication }).await?;
    Ok(Json(detail(&listed)).into_response())
}

pub(super) async fn enable(desk: Desk, Path(which): Path<(String, String)>) -> Result<Response, Fault> {
    turn(desk, which, true).await
}

pub(super) async fn disable(desk: Desk, Path(which): Path<(String, String)>) -> Result<Response, Fault> {
    turn(desk, which, false).await
}

async fn turn(desk: Desk, which: (String, String), enabled: bool) -> Result<Response, Fault> {
    let listed = desk.turn_service(&agency(&which)?, &which.1, enabled).await?;
    Ok(Json(detail(&listed)).into_response())
}

/// What is not the code of an agency offers nothing.
fn agency((agency, service): &(String, String)) -> Result<AgencyCode, Fault> {
    let unknown = || CatalogueError::Unknown(format!("{agency}/{service}").chars().take(120).collect());
    agency.parse().map_err(|_| unknown().into())
}

fn publication(service: String, said: Publishing) -> Result<Publication, Fault> {
    let mut mistakes = Vec::new();
    let mut missing = |name: &str| {
        mistakes.push((format!("{name} : manque; le donner"), format!("{name}: missing; give it")));
    };
    let categories = said.categories.unwrap_or_default();
    let categories = categories.split(',').map(str::trim).filter(|code| !code.is_empty());
    let data_categories: std::collections::BTreeSet<_> = categories.map(str::to_owned).collect();
    if data_categories.is_empty() {
        missing("categories");
    }
    let classification = said.classification.unwrap_or_default();
    if classification.is_empty() {
        missing("classification");
    }
    if !mistakes.is_empty() {
        return Err(Fault::invalid(&mistakes));
    }
    let title_en = said.title_en.filter(|title| !title.is_empty());
    Ok(Publication { service, data_categories, classification, title_en, ..Publication::default() })
}

fn summary(listed: &Listed) -> Service {
    let (service, said) = (listed.service(), listed.service().description());
    Service {
        agency: listed.agency().clone(),
        service: service.service().to_owned(),
        enabled: service.enabled(),
        title_fr: said.title_fr.clone(),
        title_en: said.title_en.clone(),
        version: said.version.clone(),
        version_since: instant(service.version_since()),
        published_at: instant(service.created()),
        data_categories: said.data_categories.clone(),
        classification: said.classification.clone(),
        openapi_digest: hex::encode(service.openapi_digest()),
        openapi_length: said.openapi_length,
    }
}

fn detail(listed: &Listed) -> ServiceDetail {
    let operations = listed.service().operations().iter().map(|operation| ServiceOperation {
        name: operation.name.clone(),
        method: operation.method.clone(),
        path: operation.path.as_str().to_owned(),
    });
    ServiceDetail { summary: summary(listed), operations: operations.collect() }
}

fn instant(at: Timestamp) -> jiff::Timestamp {
    at.to_jiff()
}

impl From<CatalogueError> for Fault {
    fn from(error: CatalogueError) -> Self {
        match &error {
            CatalogueError::Unknown(_) => {
                of(StatusCode::NOT_FOUND, "SERVICE_NOT_FOUND", "Introuvable", &error)
            }
            CatalogueError::OpenApi(mistakes) => {
                let (fr, en): (Vec<_>, Vec<_>) = mistakes.iter().map(|mistake| mistake.messages()).unzip();
                let (fr, en) = (fr.join("\n"), en.join("\n"));
                Self::new(StatusCode::BAD_REQUEST, "OPENAPI_INVALID", "Document OpenAPI à corriger", fr, en)
            }
            CatalogueError::Description(_) => {
                of(StatusCode::BAD_REQUEST, "REQUEST_INVALID", "Demande à corriger", &error)
            }
            CatalogueError::Refused(status) if status.code() == tonic::Code::Unavailable => {
                of(StatusCode::SERVICE_UNAVAILABLE, "GATEWAY_UNREACHABLE", "Passerelle injoignable", &error)
                    .retry_after(5)
            }
            CatalogueError::Refused(_) | CatalogueError::TooMany(_) | CatalogueError::OtherDocument(_) => {
                of(StatusCode::BAD_GATEWAY, "GATEWAY_REFUSED", "Refusé par la passerelle", &error)
            }
            CatalogueError::File { .. } => {
                tracing::error!(error = %link::chain(&error), "the catalogue's files failed");
                of(StatusCode::INTERNAL_SERVER_ERROR, "STORE_FAILED", "Défaillance de l'agent", &error)
            }
        }
    }
}

impl From<ServiceChangeError> for Fault {
    fn from(error: ServiceChangeError) -> Self {
        match error {
            ServiceChangeError::Caller(error) => error.into(),
            ServiceChangeError::NotOurs(_) => {
                of(StatusCode::FORBIDDEN, "SERVICE_NOT_OURS", "Accès refusé", &error)
            }
            ServiceChangeError::Catalogue(error) => error.into(),
        }
    }
}
