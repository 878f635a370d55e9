//! Who may call: the agency's own programs, and no web page.
//!
//! Over TCP every request shows the bearer token (RFC 6750) of a system, under a `Host` that is ours: a page whose name was
//! re-pointed at loopback (DNS rebinding) has another. Over TLS it shows a client's certificate, a token, or both of one
//! system. On a Unix socket the operating system tells whose the caller is. A request with an `Origin` comes from a browser
//! and is refused everywhere.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::Method;
use http::header::{AUTHORIZATION, HOST, HeaderMap, ORIGIN};
use tracing::Instrument;

use super::problem::Fault;
use crate::systems::{Caller, Peer, Systems};

/// What a request must show.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    systems: Systems,
    /// The `Host` values that are ours; `None` where the name is no protection.
    hosts: Option<Arc<[String]>>,
}

/// What a caller on this machine may call a listener on loopback.
pub(super) fn hosts(address: SocketAddr) -> Vec<String> {
    let port = address.port();
    let names = [format!("localhost:{port}"), format!("127.0.0.1:{port}"), format!("[::1]:{port}")];
    names.into_iter().chain([address.to_string()]).collect()
}

impl Guard {
    /// For a listener on loopback without TLS.
    pub(super) fn tcp(systems: Systems, address: SocketAddr) -> Self {
        Self { systems, hosts: Some(hosts(address).into()) }
    }

    /// For a Unix socket, and for TLS: no page reaches the one, and the other's name is in its certificate.
    pub(super) fn beyond_pages(systems: Systems) -> Self {
        Self { systems, hosts: None }
    }

    fn check(&self, peer: Peer, headers: &HeaderMap) -> Result<Caller, Fault> {
        if headers.contains_key(ORIGIN) {
            return Err(Fault::forbidden(
                "ORIGIN_REFUSED",
                "les pages Web n'ont pas accès à l'agent; appelez-le d'un programme, sans en-tête Origin",
                "web pages have no access to the agent; call it from a program, without an Origin header",
            ));
        }
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let is_ours = |hosts: &Arc<[String]>| {
            text(HOST).is_some_and(|host| hosts.iter().any(|ours| ours.eq_ignore_ascii_case(host)))
        };
        if !self.hosts.as_ref().is_none_or(is_ours) {
            return Err(Fault::forbidden(
                "HOST_REFUSED",
                "l'en-tête Host n'est pas celui de l'agent; l'appeler par 127.0.0.1 et son port",
                "the Host header is not the agent's; call it by 127.0.0.1 and its port",
            ));
        }
        let mut shown = headers.get_all(AUTHORIZATION).iter();
        let (first, more) = (shown.next(), shown.next().is_some());
        // What is no bearer token is a wrong one.
        let token = first.map(|value| bearer(value.as_bytes()).filter(|_| !more).unwrap_or_default());
        Ok(self.systems.identify(peer, token)?)
    }
}

fn bearer(value: &[u8]) -> Option<&[u8]> {
    let space = value.iter().position(|byte| *byte == b' ')?;
    let (scheme, token) = value.split_at(space);
    scheme.eq_ignore_ascii_case(b"bearer").then_some(token.trim_ascii())
}

/// Lets a request through with its [`Caller`], or refuses it before anything of it is read.
pub(super) async fn guard(
    State(guard): State<Guard>,
    mut request: Request,
    next: Next,
) -> Result<Response, Fault> {
    let peer = request.extensions().get::<Peer>().copied().ok_or_else(Fault::stopping)?;
    let caller = guard.check(peer, request.headers())?;
    let method = request.method().clone();
    // The template, since a path may name a person.
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("-", MatchedPath::as_str);
    let span = tracing::info_span!("request", system = caller.name());
    request.extensions_mut().insert(caller);
    async move {
        let response = next.run(request).await;
        let status = response.status().as_u16();
        match method == Method::GET {
            true => tracing::debug!(%method, route, status, "asked"),
            false => tracing::info!(%method, route, status, "asked"),
        }
        Ok(response)
    }
    .instrument(span)
    .await
}
