//! The routes: what `openapi.yaml` describes, and nothing else.

use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{FromRequestParts, Path, Query, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, get, on, post, put};
use axum::{Json, Router, middleware};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::StatusCode;
use http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http::request::Parts;
use passerelle_proto::exchange_id::ExchangeId;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::io::StreamReader;
use tokio_util::sync::CancellationToken;

use super::auth::{self, Guard};
use super::call;
use super::events;
use super::evidence;
use super::incoming;
use super::model::SignRequest;
use super::problem::Fault;
use super::request;
use super::scrape;
use super::services;
use super::webhooks;
use crate::agent::{Agent, InboxBody};
use crate::records::{AgreementSummary, InboxError, InboxFilter, RecordFilter, RecordState};
use crate::systems::{Action, Caller, Desk};
use crate::webhooks::Webhooks;

/// The contract.
pub const OPENAPI: &str = include_str!("../../openapi.yaml");
/// How long a request may wait for news, at most.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// How long nothing may come of a body.
pub(super) const STALLED: Duration = Duration::from_secs(120);

/// What a route does.
#[derive(Copy, Clone, Debug)]
enum Operation {
    Send,
    Records,
    Record,
    Inbox,
    Incoming,
    InboxRecord,
    Content,
    Confirm,
    Evidence,
    Agreements,
    Agreement,
    Sign,
    Services,
    Service,
    ServiceDocument,
    PublishService,
    EnableService,
    DisableService,
    Status,
    Metrics,
    OpenApi,
    /// By its method, which the router knows each by itself.
    Call(MethodFilter),
    Events,
    Webhooks,
    DeadLetters,
    RetryDeadLetter,
}

/// Every route: method, path, what it does. The router and the test of the contract are made from it.
const ROUTES: [(&str, &str, Operation); 32] = [
    ("post", "/v1/records", Operation::Send),
    ("get", "/v1/records", Operation::Records),
    ("get", "/v1/records/{id}", Operation::Record),
    ("get", "/v1/inbox", Operation::Inbox),
    ("get", "/v1/inbox/incoming", Operation::Incoming),
    ("get", "/v1/inbox/{id}", Operation::InboxRecord),
    ("get", "/v1/inbox/{id}/content", Operation::Content),
    ("post", "/v1/inbox/{id}/confirm", Operation::Confirm),
    ("get", "/v1/evidence/{id}", Operation::Evidence),
    ("get", "/v1/agreements", Operation::Agreements),
    ("get", "/v1/agreements/{number}/{version}", Operation::Agreement),
    ("post", "/v1/agreements/{number}/{version}/sign", Operation::Sign),
    ("get", "/v1/services", Operation::Services),
    ("get", "/v1/services/{agency}/{service}", Operation::Service),
    ("put", "/v1/services/{agency}/{service}", Operation::PublishService),
    ("get", "/v1/services/{agency}/{service}/openapi", Operation::ServiceDocument),
    ("post", "/v1/services/{agency}/{service}/enable", Operation::EnableService),
    ("post", "/v1/services/{agency}/{service}/disable", Operation::DisableService),
    ("get", "/v1/status", Operation::Status),
    ("get", "/v1/metrics", Operation::Metrics),
    ("get", "/v1/openapi.yaml", Operation::OpenApi),
    ("get", "/v1/events", Operation::Events),
    ("get", "/v1/webhooks", Operation::Webhooks),
    ("get", "/v1/webhooks/{name}/dead", Operation::DeadLetters),
    ("post", "/v1/webhooks/{name}/dead/{id}/retry", Operation::RetryDeadLetter),
    ("get", CALL, Operation::Call(MethodFilter::GET)),
    ("head", CALL, Operation::Call(MethodFilter::HEAD)),
    ("post", CALL, Operation::Call(MethodFilter::POST)),
    ("put", CALL, Operation::Call(MethodFilter::PUT)),
    ("patch", CALL, Operation::Call(MethodFilter::PATCH)),
    ("delete", CALL, Operation::Call(MethodFilter::DELETE)),
    ("options", CALL, Operation::Call(MethodFilter::OPTIONS)),
];

/// A call, as the contract has it.
const CALL: &str = "/v1/call/{agency}/{service}/{path}";
/// The same for the router: everything behind is read from the request line.
const CALL_ROUTE: &str = "/v1/call/{*rest}";

/// What every route needs.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) agent: Agent,
    pub(super) webhooks: Webhooks,
    pub(super) stop: CancellationToken,
}

impl Operation {
    fn route(self) -> MethodRouter<Shared> {
        match self {
            Self::Send => post(send),
            Self::Records => get(records),
            Self::Record => get(record),
            Self::Inbox => get(inbox),
            Self::Incoming => get(incoming::incoming),
            Self::InboxRecord => get(inbox_record),
            Self::Content => get(content),
            Self::Confirm => post(confirm),
            Self::Evidence => get(evidence::evidence),
            Self::Agreements => get(agreements),
            Self::Agreement => get(agreement),
            Self::Sign => post(sign),
            Self::Services => get(services::list),
            Self::Service => get(services::show),
            Self::ServiceDocument => get(services::openapi),
            Self::PublishService => put(services::publish),
            Self::EnableService => post(services::enable),
            Self::DisableService => post(services::disable),
            Self::Status => get(status),
            Self::Metrics => get(scrape::metrics),
            Self::OpenApi => get(openapi),
            Self::Call(method) => on(method, call::call),
            Self::Events => get(events::events),
            Self::Webhooks => get(webhooks::list),
            Self::DeadLetters => get(webhooks::dead),
            Self::RetryDeadLetter => post(webhooks::retry),
        }
    }
}

/// The routes behind their guard.
pub(super) fn router(shared: Shared, guard: Guard) -> Router {
    let routes = ROUTES
        .iter()
        .map(|(_, path, operation)| (if *path == CALL { CALL_ROUTE } else { *path }, operation.route()))
        .fold(Router::new(), |router, (path, route)| router.route(path, route));
    routes
        .fallback(async || Fault::no_route())
        .method_not_allowed_fallback(async || Fault::no_method())
        .with_state(shared)
        .layer(middleware::from_fn_with_state(guard, auth::guard))
}

/// The agent, as the caller may use it.
impl FromRequestParts<Shared> for Desk {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Fault> {
        // The guard stands before every route.
        let caller = parts.extensions.get::<Caller>().cloned().ok_or_else(Fault::unauthorized)?;
        Ok(Self::new(shared.agent.clone(), caller))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listing {
    state: Option<RecordState>,
    limit: Option<usize>,
    after: Option<ExchangeId>,
    wait: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Waiting {
    wait: Option<u64>,
}

pub(super) type Asked<T> = Result<Query<T>, QueryRejection>;

pub(super) fn asked<T>(query: Asked<T>) -> Result<T, Fault> {
    match query {
        Ok(Query(asked)) => Ok(asked),
        Err(rejection) => Err(Fault::invalid(&[(
            format!("paramètres de la requête : {rejection}"),
            format!("query parameters: {rejection}"),
        )])),
    }
}

pub(super) fn id(text: &str) -> Result<ExchangeId, Fault> {
    text.parse().map_err(|_| {
        Fault::invalid(&[(
            "identifiant d'échange : il ne convient pas; reprendre celui de la réponse".to_owned(),
            "exchange id: it does not serve; take the one of the answer".to_owned(),
        )])
    })
}

async fn send(desk: Desk, request: Request) -> Result<Response, Fault> {
    desk.allow(Action::Send)?;
    let asked = request::read(request.headers())?;
    let body = StreamReader::new(moving(request.into_body()));
    let accepted = desk.send(asked, Box::pin(body)).await?;
    Ok((StatusCode::ACCEPTED, Json(accepted)).into_response())
}

/// A body, that must keep moving.
pub(super) fn moving(body: Body) -> impl Stream<Item = io::Result<Bytes>> + Send {
    stream::try_unfold(Box::pin(body.into_data_stream()), |mut body| async move {
        match timeout(STALLED, body.next()).await {
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
            Ok(None) => Ok(None),
            Ok(Some(Ok(bytes))) => Ok(Some((bytes, body))),
            Ok(Some(Err(error))) => Err(io::Error::other(error)),
        }
    })
}

async fn records(desk: Desk, query: Asked<Listing>) -> Result<Response, Fault> {
    let Listing { state, limit, after, wait: _ } = asked(query)?;
    let filter = RecordFilter { state, after, limit: limit.unwrap_or(0) };
    Ok(Json(json!({ "records": desk.records(&filter) })).into_response())
}

async fn record(
    State(shared): State<Shared>,
    desk: Desk,
    Path(text): Path<String>,
    query: Asked<Waiting>,
) -> Result<Response, Fault> {
    let (id, wait) = (id(&text)?, asked(query)?.wait);
    let mut news = shared.news(wait);
    let look = || desk.record(&id).ok_or_else(|| Fault::not_found(id));
    let mut view = look()?;
    let began_as = view.state;
    while view.state == began_as && !view.state.is_final() && news.come().await {
        view = look()?;
    }
    Ok(Json(view).into_response())
}

async fn inbox(State(shared): State<Shared>, desk: Desk, query: Asked<Listing>) -> Result<Response, Fault> {
    desk.allow(Action::Receive)?;
    let Listing { state, limit, after, wait } = asked(query)?;
    if state.is_some() {
        return Err(Fault::invalid(&[("state : inconnu ici".to_owned(), "state: unknown here".to_owned())]));
    }
    let filter = InboxFilter { after, limit: limit.unwrap_or(0) };
    let mut news = shared.news(wait);
    let mut records = desk.inbox(&filter).await?;
    while records.is_empty() && news.come().await {
        records = desk.inbox(&filter).await?;
    }
    Ok(Json(json!({ "records": records })).into_response())
}

async fn inbox_record(desk: Desk, Path(text): Path<String>) -> Result<Response, Fault> {
    desk.allow(Action::Receive)?;
    Ok(Json(desk.inbox_entry(&id(&text)?).await?).into_response())
}

async fn content(desk: Desk, Path(text): Path<String>) -> Result<Response, Fault> {
    desk.allow(Action::Receive)?;
    let body = desk.inbox_open(&id(&text)?).await?;
    let (length, content_type) = (body.length(), body.view().content_type.clone());
    let name = body.view().file_name.as_deref().unwrap_or("contenu").to_owned();
    let order = body.view().order.clone();
    let mut response = Body::from_stream(held_back(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, length.into());
    // Whatever the sender calls it, no browser is to run it.
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let name = utf8_percent_encode(&name, NON_ALPHANUMERIC);
    if let Ok(disposition) = HeaderValue::try_from(format!("attachment; filename*=UTF-8''{name}")) {
        headers.insert(CONTENT_DISPOSITION, disposition);
    }
    if let Ok(content_type) = HeaderValue::try_from(content_type) {
        headers.insert("passerelle-content-type", content_type);
    }
    if let Some(order) = order
        && let Ok(stream) = HeaderValue::try_from(order.stream)
    {
        headers.insert("passerelle-stream", stream);
        headers.insert("passerelle-sequence", order.sequence.into());
    }
    Ok(response)
}

/// The chunks, the last of which comes only when the whole was verified: a body that fails is cut short.
fn held_back(body: InboxBody) -> impl Stream<Item = Result<Bytes, InboxError>> + Send {
    stream::try_unfold((body, None), |(mut body, held): (InboxBody, Option<Bytes>)| async move {
        let held = match held {
            Some(held) => held,
            None => match body.next().await.transpose()? {
                Some(first) => first,
                None => return Ok(None),
            },
        };
        let next = body.next().await.transpose()?;
        Ok(Some((held, (body, next))))
    })
}

async fn confirm(desk: Desk, Path(text): Path<String>) -> Result<StatusCode, Fault> {
    desk.allow(Action::Receive)?;
    desk.inbox_confirm(&id(&text)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn agreements(desk: Desk) -> Response {
    Json(json!({ "agreements": desk.agreements() })).into_response()
}

#[derive(Debug, Serialize)]
struct Document {
    #[serde(flatten)]
    summary: AgreementSummary,
    document: String,
}

async fn agreement(desk: Desk, Path((number, version)): Path<(String, String)>) -> Result<Response, Fault> {
    let found = version.parse().ok().and_then(|version| desk.agreement(&number, version));
    let found = found.ok_or_else(|| Fault::no_agreement(&number, &version))?;
    let document = String::from_utf8_lossy(found.document().bytes()).into_owned();
    Ok(Json(Document { summary: AgreementSummary::of(&found), document }).into_response())
}

async fn sign(
    State(shared): State<Shared>,
    desk: Desk,
    Path((number, version)): Path<(String, String)>,
    body: Result<Json<SignRequest>, JsonRejection>,
) -> Result<Response, Fault> {
    let invalid = |fr: &str, en: &str| Fault::invalid(&[(fr.to_owned(), en.to_owned())]);
    desk.allow(Action::Sign)?;
    let parsed = version.parse().map_err(|_| Fault::no_agreement(&number, &version))?;
    if !desk.caller().sees(&number) {
        return Err(Fault::no_agreement(&number, &version));
    }
    let Json(request) =
        body.map_err(|error| invalid(&format!("corps : {error}"), &format!("body: {error}")))?;
    let mut digest = [0; 32];
    hex::decode_to_slice(&request.digest, &mut digest).map_err(|_| {
        invalid(
            "digest : 64 chiffres hexadécimaux, ceux du document qui a été lu",
            "digest: 64 hexadecimal digits, those of the document that was read",
        )
    })?;
    let standing = shared.agent.sign_agreement(&number, parsed, Some(digest)).await?;
    Ok(Json(json!({ "state": standing.state().as_str_name() })).into_response())
}

async fn status(desk: Desk) -> Result<Response, Fault> {
    let status = tokio::task::spawn_blocking(move || desk.status()).await.map_err(|_| Fault::stopping())?;
    Ok(Json(status).into_response())
}

async fn openapi() -> Response {
    ([(CONTENT_TYPE, "application/yaml; charset=utf-8")], OPENAPI).into_response()
}

/// News of sent records and of the inbox, for so long.
struct News {
    changed: watch::Receiver<u64>,
    until: Instant,
    stop: CancellationToken,
}

impl Shared {
    /// Look after this, and again each time that news come.
    fn news(&self, wait: Option<u64>) -> News {
        let wait = Duration::from_secs(wait.unwrap_or(0)).min(WAIT_MAX);
        News { changed: self.agent.changed(), until: Instant::now() + wait, stop: self.stop.clone() }
    }
}

impl News {
    /// Whether something changed before the time was over.
    async fn come(&mut self) -> bool {
        tokio::select! {
            () = self.stop.cancelled() => false,
            told = timeout_at(self.until, self.changed.changed()) => matches!(told, Ok(Ok(()))),
        }
    }
}

#[cfg(test)]
pub(super) fn table() -> Vec<(&'static str, &'static str)> {
    ROUTES.iter().map(|(method, path, _)| (*method, *path)).collect()
}
