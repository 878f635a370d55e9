//! The four questions, with and without `/r1` before them.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, RawQuery, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderValue, ORIGIN};
use passerelle_pki::name::AgencyCode;
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde_json::json;

use super::GovstackSettings;
use super::answers::{self, Entry, Listing};
use super::names::{Place, is_code};
use super::offers::offers;
use crate::agent::Agent;

/// What answers are, to the letter: a public suite compares it.
const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
/// Headers by which a client names itself.
const CLIENT: [&str; 2] = ["information-mediator-client", "x-govstack-client"];

/// What every route needs.
#[derive(Clone)]
struct Shared {
    agent: Agent,
    settings: Arc<GovstackSettings>,
}

type Parts = Path<(String, String, String, String)>;

/// The routes; `hosts` are the `Host` values that a program of this machine sends.
pub(crate) fn router(agent: Agent, settings: GovstackSettings, hosts: Vec<String>) -> Router {
    let place = "/{instance}/{class}/{member}/{application}";
    let mut router = Router::new();
    for prefix in ["", "/r1"] {
        router = router
            .route(&format!("{prefix}/listClients"), get(list_clients))
            .route(&format!("{prefix}{place}/listMethods"), get(list_methods))
            .route(&format!("{prefix}{place}/allowedMethods"), get(allowed_methods))
            .route(&format!("{prefix}{place}/getOpenAPI"), get(get_open_api));
    }
    router
        .fallback(async || refused(StatusCode::NOT_FOUND, "adresse inconnue / unknown path"))
        .with_state(Shared { agent, settings: Arc::new(settings) })
        .layer(middleware::from_fn_with_state(Arc::<[String]>::from(hosts), guard))
}

/// No web page is to read the catalogue, under a name re-pointed at loopback neither.
async fn guard(State(hosts): State<Arc<[String]>>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if headers.contains_key(ORIGIN) || !hosts.iter().any(|ours| ours.eq_ignore_ascii_case(host)) {
        return refused(
            StatusCode::FORBIDDEN,
            "programmes de cette machine seulement / programs of this machine only",
        );
    }
    next.run(request).await
}

async fn list_clients(State(shared): State<Shared>, RawQuery(query): RawQuery) -> Response {
    let Shared { agent, settings } = shared;
    // There is no other instance to ask.
    if parameter(query.as_deref(), "instanceId").is_some_and(|instance| instance != settings.instance) {
        return said(StatusCode::OK, &Listing::<Entry>::empty());
    }
    said(StatusCode::OK, &answers::clients(&settings, &agent.agencies()))
}

async fn list_methods(State(shared): State<Shared>, Path(parts): Parts) -> Response {
    let Some(place) = place(&parts) else { return malformed() };
    let all = offers(&shared.agent);
    let provider = place.agency(&shared.settings);
    let found = all.iter().filter(|offer| Some(&offer.provider) == provider.as_ref());
    said(StatusCode::OK, &answers::services(&shared.settings, found))
}

async fn allowed_methods(State(shared): State<Shared>, Path(parts): Parts, headers: HeaderMap) -> Response {
    let Some(place) = place(&parts) else { return malformed() };
    let all = offers(&shared.agent);
    let provider = place.agency(&shared.settings);
    let named = CLIENT.iter().find_map(|name| headers.get(*name)).map(HeaderValue::to_str);
    let client = match named {
        None => Some(shared.agent.id().agency),
        Some(Ok(named)) => match Place::of_header(named) {
            Some(client) => client.agency(&shared.settings),
            None => return malformed(),
        },
        Some(Err(_)) => return malformed(),
    };
    let found = all.iter().filter(|offer| {
        Some(&offer.provider) == provider.as_ref()
            && client.as_ref().is_some_and(|client| offer.consumers.contains(client))
    });
    said(StatusCode::OK, &answers::services(&shared.settings, found))
}

async fn get_open_api(
    State(shared): State<Shared>,
    Path(parts): Parts,
    RawQuery(query): RawQuery,
) -> Response {
    let Some(place) = place(&parts) else { return malformed() };
    let Some(service) = parameter(query.as_deref(), "serviceCode").filter(|code| is_code(code)) else {
        return refused(StatusCode::BAD_REQUEST, "serviceCode : manque ou malformé / missing or malformed");
    };
    let provider = place.agency(&shared.settings);
    let is_on = |agency: &AgencyCode| {
        shared.agent.catalogue().service(agency, &service).is_some_and(|listed| listed.enabled())
    };
    let document = match provider.filter(is_on) {
        Some(agency) => shared.agent.service_document(&agency, &service).await.ok(),
        None => None,
    };
    // Published as UTF-8 JSON or YAML; a string either way.
    let text = document.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    said(StatusCode::OK, &text.unwrap_or_else(|| nothing(&service)))
}

/// The document of a service that is not here: it has no path.
fn nothing(service: &str) -> String {
    json!({ "openapi": "3.0.3", "info": { "title": service, "version": "0" }, "paths": {} }).to_string()
}

fn place((instance, class, member, application): &(String, String, String, String)) -> Option<Place> {
    Place::of([instance, class, member, application])
}

/// The last value of a parameter, whatever else the query holds.
fn parameter(query: Option<&str>, name: &str) -> Option<String> {
    let pairs = query?.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.rev().find(|(key, _)| *key == name)?;
    Some(percent_decode_str(value).decode_utf8_lossy().into_owned())
}

fn malformed() -> Response {
    refused(StatusCode::BAD_REQUEST, "identifiant malformé / malformed identifier")
}

fn refused(status: StatusCode, why: &str) -> Response {
    said(status, &why)
}

fn said(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => (status, [(CONTENT_TYPE, JSON)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
