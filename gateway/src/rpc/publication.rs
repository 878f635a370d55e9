//! The published log over HTTP (C2SP tlog-tiles): checkpoint and hash tiles for anybody, entry bundles for who holds an
//! open reading, since entries name agencies and agreements.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use passerelle_pki::files;
use passerelle_proto::tlog::tile::{Level, TilePath};

use crate::log::LogFolder;

/// Bytes of a checkpoint at most.
const CHECKPOINT_LIMIT: u64 = 64 * 1024;

/// Says whether a bearer token opens the entries now.
pub type OpensEntries = Arc<dyn Fn(&str) -> bool + Send + Sync>;

#[derive(Clone)]
struct Published {
    folder: LogFolder,
    opens: OpensEntries,
}

/// The routes `/checkpoint` and `/tile/…`.
pub fn routes(folder: LogFolder, opens: OpensEntries) -> Router {
    Router::new()
        .route("/checkpoint", get(checkpoint))
        .route("/tile/{*path}", get(tile))
        .with_state(Published { folder, opens })
}

async fn checkpoint(State(published): State<Published>) -> Response {
    let path = published.folder.root().join("checkpoint");
    let read = tokio::task::spawn_blocking(move || files::read_limited(&path, CHECKPOINT_LIMIT)).await;
    match read {
        Ok(Ok(bytes)) => answer(bytes, "text/plain; charset=utf-8", "no-cache"),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn tile(State(published): State<Published>, Path(path): Path<String>, headers: HeaderMap) -> Response {
    let Ok(path) = format!("tile/{path}").parse::<TilePath>() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if path.level() == Level::Entries && !bearer(&headers).is_some_and(|token| (published.opens)(token)) {
        return refused();
    }
    let file = published.folder.root().join(path.to_string());
    let limit = path.byte_limit() as u64;
    let read = tokio::task::spawn_blocking(move || files::read_limited(&file, limit)).await;
    match read {
        Ok(Ok(bytes)) => answer(bytes, "application/octet-stream", "private, max-age=31536000, immutable"),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

fn answer(bytes: Vec<u8>, kind: &'static str, cache: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static(cache)),
    ];
    (headers, bytes).into_response()
}

fn refused() -> Response {
    let text = "Les entrées du journal demandent une lecture ouverte (passerelle-gateway audit reading). / \
                Entries of the log need an open reading (passerelle-gateway audit reading).\n";
    let challenge = [(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))];
    (StatusCode::UNAUTHORIZED, challenge, text).into_response()
}
