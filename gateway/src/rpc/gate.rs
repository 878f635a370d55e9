//! The gate in front of every route of a listener: the allow-list, before anything is read of a request's body.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use tonic::Status;

use super::allow::{self, Credential, Door};
use super::caller::Caller;

/// `routes` behind the allow-list of `door`.
pub fn gated(door: Door, routes: Router) -> Router {
    routes.layer(middleware::from_fn(move |request: Request, next: Next| async move {
        let caller = request.extensions().get::<Caller>();
        match allow::credential(door, request.uri().path()) {
            None => refused(
                &request,
                Status::permission_denied(
                    "Rien de tel n'est offert ici. / Nothing of the kind is offered here.",
                ),
            ),
            Some(Credential::AgentCertificate) if !matches!(caller, Some(Caller::Agent(_))) => refused(
                &request,
                Status::unauthenticated(
                    "Un certificat d'agent est requis. / An agent's certificate is required.",
                ),
            ),
            Some(_) => next.run(request).await,
        }
    }))
}

/// A refusal as gRPC says it, or as HTTP does to whoever speaks that.
fn refused(request: &Request, status: Status) -> Response {
    let grpc = request
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    if grpc { status.into_http::<Body>() } else { StatusCode::NOT_FOUND.into_response() }
}
