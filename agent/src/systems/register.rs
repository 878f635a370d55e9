//! From what a request shows to who asks: a token, a client's certificate, the user behind a Unix socket.
//!
//! Whatever is shown must name the same system: a token of one over the certificate of another is refused, not guessed.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ring::digest::{SHA256, digest};
use subtle::ConstantTimeEq;

use super::caller::LOCAL;
use super::token::token;
use super::{Caller, Rights, SystemsError, Unidentified};

/// One system, as the configuration has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemSettings {
    /// Its name.
    pub name: String,
    /// The file of its token; made when it is not there.
    pub token_file: Option<PathBuf>,
    /// SHA-256 of its clients' certificates, DER.
    pub certificates: Vec<[u8; 32]>,
    /// The Unix user that its processes run as.
    pub unix_user: Option<u32>,
    /// What it is bound to.
    pub rights: Rights,
}

/// The other end of a connection, as the operating system or TLS tells it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A program on this machine.
    Tcp,
    /// Over TLS, with the SHA-256 of the certificate that it proved to hold.
    Tls(Option<[u8; 32]>),
    /// A program on this machine, of this user.
    Unix(u32),
}

/// Everybody who may call. Clones share it.
#[derive(Clone, Debug)]
pub struct Systems(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// SHA-256 of each token: of equal length, and nothing to steal from the memory.
    tokens: Vec<([u8; 32], Caller)>,
    certificates: HashMap<[u8; 32], Caller>,
    users: HashMap<u32, Caller>,
    /// Who runs the agent.
    own_user: u32,
    /// Whether there are any systems.
    configured: bool,
}

impl Systems {
    /// Reads the tokens, and makes those that are not there. `local_token` is the agency's own, where one is used.
    ///
    /// # Errors
    /// [`SystemsError`].
    pub fn open(local_token: Option<&Path>, settings: &[SystemSettings]) -> Result<Self, SystemsError> {
        let mut inner = Inner {
            tokens: Vec::new(),
            certificates: HashMap::new(),
            users: HashMap::new(),
            own_user: rustix::process::geteuid().as_raw(),
            configured: !settings.is_empty(),
        };
        if let Some(path) = local_token {
            inner.add_token(path, Caller::local())?;
        }
        for system in settings {
            let caller = Caller::system(&system.name, system.rights.clone());
            if let Some(path) = &system.token_file {
                inner.add_token(path, caller.clone())?;
            }
            inner.certificates.extend(system.certificates.iter().map(|shown| (*shown, caller.clone())));
            inner.users.extend(system.unix_user.map(|user| (user, caller)));
        }
        Ok(Self(Arc::new(inner)))
    }

    /// Who asks.
    ///
    /// # Errors
    /// [`Unidentified`].
    pub fn identify(&self, peer: Peer, shown: Option<&[u8]>) -> Result<Caller, Unidentified> {
        let inner = &*self.0;
        let by_peer = match peer {
            // Permissions are the protection, as long as nobody said who is who.
            Peer::Unix(_) if !inner.configured => return Ok(Caller::local()),
            Peer::Unix(user) => inner.users.get(&user),
            Peer::Tls(Some(certificate)) => {
                Some(inner.certificates.get(&certificate).ok_or(Unidentified::Certificate)?)
            }
            Peer::Tls(None) | Peer::Tcp => None,
        };
        let by_token = shown.map(|shown| inner.by_token(shown).ok_or(Unidentified::Token)).transpose()?;
        // The administrator's token is for this machine.
        if matches!(peer, Peer::Tls(_)) && by_token.is_some_and(Caller::is_local) {
            return Err(Unidentified::Token);
        }
        match (by_peer, by_token, peer) {
            (Some(one), Some(other), _) if one != other => Err(Unidentified::Two),
            (Some(caller), _, _) | (None, Some(caller), _) => Ok(caller.clone()),
            (None, None, Peer::Unix(user)) if user == inner.own_user || user == 0 => Ok(Caller::local()),
            (None, None, Peer::Unix(user)) => Err(Unidentified::User(user)),
            (None, None, _) => Err(Unidentified::Token),
        }
    }
}

impl Inner {
    fn add_token(&mut self, path: &Path, caller: Caller) -> Result<(), SystemsError> {
        let fault = |source| SystemsError::Token { system: caller.name().to_owned(), source };
        let kept = sha256(token(path).map_err(fault)?.as_bytes());
        if let Some((_, other)) = self.tokens.iter().find(|(other, _)| *other == kept) {
            return Err(SystemsError::SameToken(other.name().to_owned(), caller.name().to_owned()));
        }
        self.tokens.push((kept, caller));
        Ok(())
    }

    /// Compares with every token, whichever is found: how long it takes tells nothing.
    fn by_token(&self, shown: &[u8]) -> Option<&Caller> {
        let shown = sha256(shown);
        let mut found = None;
        for (kept, caller) in &self.tokens {
            if bool::from(kept.ct_eq(&shown)) {
                found = Some(caller);
            }
        }
        found
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut fixed = [0; 32];
    fixed.copy_from_slice(digest(&SHA256, bytes).as_ref());
    fixed
}

/// Whether a system may have this name.
pub(crate) fn is_name(name: &str) -> bool {
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=63).contains(&name.len()) && name.chars().all(letters) && name != LOCAL
}
