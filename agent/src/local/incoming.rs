//! `GET /v1/inbox/incoming`: large records on their way in, and how far each has come.

use axum::Json;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::problem::Fault;
use crate::systems::{Action, Desk};

pub(super) async fn incoming(desk: Desk) -> Result<Response, Fault> {
    desk.allow(Action::Receive)?;
    Ok(Json(json!({ "records": desk.incoming() })).into_response())
}
