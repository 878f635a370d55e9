//! The measures over HTTP: behind the local interface's guard, and on a listener of their own for a scraper.

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{CONTENT_TYPE, HOST, HeaderValue, ORIGIN};

use super::problem::Fault;
use super::routes::Shared;
use crate::metrics;

/// `GET /v1/metrics`, and `GET /metrics` of the scraper's listener.
pub(super) async fn metrics(State(shared): State<Shared>) -> Result<Response, Fault> {
    let text = tokio::task::spawn_blocking(move || shared.agent.metrics()).await;
    let text = text.map_err(|_| Fault::stopping())?.map_err(|error| Fault::failed(&error))?;
    Ok(([(CONTENT_TYPE, HeaderValue::from_static(metrics::CONTENT_TYPE))], text).into_response())
}

/// The scraper's routes: one, without a token. `hosts` are the `Host` values that a scraper on this machine sends; none
/// are asked for when the address was opened to other machines.
pub(super) fn router(shared: Shared, hosts: Option<Vec<String>>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .fallback(async || Fault::no_route())
        .method_not_allowed_fallback(async || Fault::no_method())
        .with_state(shared)
        .layer(middleware::from_fn_with_state(hosts, guard))
}

/// No web page is to read the measures, under a name re-pointed at loopback neither.
async fn guard(State(hosts): State<Option<Vec<String>>>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let ours = hosts.is_none_or(|hosts| hosts.iter().any(|ours| ours.eq_ignore_ascii_case(host)));
    if headers.contains_key(ORIGIN) || !ours {
        return Fault::forbidden(
            "HOST_REFUSED",
            "les mesures se lisent d'un programme de cette machine, à l'adresse de [metrics] listen",
            "measures are read by a program of this machine, at the address of [metrics] listen",
        )
        .into_response();
    }
    next.run(request).await
}
