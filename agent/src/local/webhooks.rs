//! Webhooks over the local interface: how each is doing, what was given up, and trying that again. For whoever administers.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;

use super::problem::Fault;
use super::routes::{Shared, id};
use crate::systems::{Action, Desk};

/// `GET /v1/webhooks`.
pub(super) async fn list(desk: Desk, State(shared): State<Shared>) -> Result<Response, Fault> {
    desk.allow(Action::Administer)?;
    Ok(Json(json!({ "webhooks": shared.webhooks.list() })).into_response())
}

/// `GET /v1/webhooks/{name}/dead`.
pub(super) async fn dead(
    desk: Desk,
    State(shared): State<Shared>,
    Path(name): Path<String>,
) -> Result<Response, Fault> {
    desk.allow(Action::Administer)?;
    let letters = shared.webhooks.dead(&name).ok_or_else(|| Fault::no_webhook(&name))?;
    Ok(Json(json!({ "records": letters })).into_response())
}

/// `POST /v1/webhooks/{name}/dead/{id}/retry`.
pub(super) async fn retry(
    desk: Desk,
    State(shared): State<Shared>,
    Path((name, text)): Path<(String, String)>,
) -> Result<StatusCode, Fault> {
    desk.allow(Action::Administer)?;
    let id = id(&text)?;
    if shared.webhooks.dead(&name).is_none() {
        return Err(Fault::no_webhook(&name));
    }
    match shared.webhooks.retry(&name, &id) {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Fault::not_found(id)),
    }
}
