//! Webhooks over the local interface: how each is doing, what was given up, and trying that again. For whoever administers; a
//! system is shown the webhooks of its agreements and the records that it may see, and none else exists for it.

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
    Ok(Json(json!({ "webhooks": shared.webhooks.list(desk.caller()) })).into_response())
}

/// `GET /v1/webhooks/{name}/dead`.
pub(super) async fn dead(
    desk: Desk,
    State(shared): State<Shared>,
    Path(name): Path<String>,
) -> Result<Response, Fault> {
    desk.allow(Action::Administer)?;
    let mut letters = shared.webhooks.dead(&name, desk.caller()).ok_or_else(|| Fault::no_webhook(&name))?;
    letters.retain(|letter| desk.shows(&letter.exchange_id));
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
    if shared.webhooks.dead(&name, desk.caller()).is_none() {
        return Err(Fault::no_webhook(&name));
    }
    match desk.shows(&id) && shared.webhooks.retry(&name, &id) {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Fault::not_found(id)),
    }
}
