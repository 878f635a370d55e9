//! Who may call: this machine's programs that hold the token, and no web page.
//!
//! Over TCP every request shows the bearer token (RFC 6750), compared in constant time, under a `Host` that is ours: a page
//! whose name was re-pointed at loopback (DNS rebinding) has another. A request with an `Origin` comes from a browser and
//! is refused. On a Unix socket the permissions of the socket are the protection.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{AUTHORIZATION, HOST, HeaderMap, ORIGIN};
use passerelle_pki::files;
use ring::rand::{SecureRandom, SystemRandom};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::problem::Fault;

/// Bytes of randomness in a token.
const TOKEN_BYTES: usize = 32;
/// Bytes that a token file may have.
const TOKEN_LIMIT: u64 = 4_096;

/// Why the token cannot serve. The agent's administrator is at fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The file.
    #[error("{}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Everybody on the machine can read it.
    #[error("{0} est lisible par tous; faire chmod 600 {0} / everybody can read {0}; run chmod 600 {0}")]
    Readable(String),
    /// It is too short to keep anybody out.
    #[error(
        "{0} : moins de 32 caractères; le supprimer, l'agent en refera un / fewer than 32 characters; delete it, the \
         agent will make another"
    )]
    Short(String),
    /// No randomness.
    #[error("pas de hasard / no randomness")]
    Random,
}

/// What a request must show.
#[derive(Clone)]
pub(super) enum Guard {
    /// Over TCP.
    Token {
        /// The token.
        token: Arc<Zeroizing<String>>,
        /// The `Host` values that are ours.
        hosts: Arc<[String]>,
    },
    /// On a Unix socket.
    Socket,
}

/// Reads the token, or makes one when there is none: 32 random bytes, base64url, mode 0600.
pub(super) fn token(path: &Path) -> Result<Zeroizing<String>, TokenError> {
    let fault = |source| TokenError::File { path: path.to_owned(), source };
    if !path.try_exists().map_err(fault)? {
        let mut bytes = Zeroizing::new([0; TOKEN_BYTES]);
        SystemRandom::new().fill(&mut *bytes).map_err(|_| TokenError::Random)?;
        let token = Zeroizing::new(URL_SAFE_NO_PAD.encode(*bytes));
        files::create_new(path, token.as_bytes(), 0o600).map_err(fault)?;
        return Ok(token);
    }
    let mode = fs::metadata(path).map_err(fault)?.permissions().mode();
    if mode & 0o007 != 0 {
        return Err(TokenError::Readable(path.display().to_string()));
    }
    let bytes = Zeroizing::new(files::read_limited(path, TOKEN_LIMIT).map_err(fault)?);
    let token = Zeroizing::new(String::from_utf8_lossy(bytes.trim_ascii()).into_owned());
    if token.len() < TOKEN_BYTES {
        return Err(TokenError::Short(path.display().to_string()));
    }
    Ok(token)
}

impl Guard {
    /// For a listener on loopback.
    pub(super) fn tcp(token: Zeroizing<String>, address: SocketAddr) -> Self {
        let port = address.port();
        let names = [format!("localhost:{port}"), format!("127.0.0.1:{port}"), format!("[::1]:{port}")];
        let hosts = names.into_iter().chain([address.to_string()]).collect();
        Self::Token { token: Arc::new(token), hosts }
    }

    fn check(&self, headers: &HeaderMap) -> Result<(), Fault> {
        if headers.contains_key(ORIGIN) {
            return Err(Fault::forbidden(
                "ORIGIN_REFUSED",
                "les pages Web n'ont pas accès à l'agent; appelez-le d'un programme, sans en-tête Origin",
                "web pages have no access to the agent; call it from a program, without an Origin header",
            ));
        }
        let Self::Token { token, hosts } = self else { return Ok(()) };
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        if !text(HOST).is_some_and(|host| hosts.iter().any(|ours| ours.eq_ignore_ascii_case(host))) {
            return Err(Fault::forbidden(
                "HOST_REFUSED",
                "l'en-tête Host n'est pas celui de l'agent; l'appeler par 127.0.0.1 et son port",
                "the Host header is not the agent's; call it by 127.0.0.1 and its port",
            ));
        }
        let shown = text(AUTHORIZATION).and_then(|value| value.split_once(' '));
        let shown = shown.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let right = shown.is_some_and(|(_, shown)| shown.trim().as_bytes().ct_eq(token.as_bytes()).into());
        if right { Ok(()) } else { Err(Fault::unauthorized()) }
    }
}

/// Lets a request through, or refuses it before anything of it is read.
pub(super) async fn guard(
    State(guard): State<Guard>,
    request: Request,
    next: Next,
) -> Result<Response, Fault> {
    guard.check(request.headers())?;
    Ok(next.run(request).await)
}
