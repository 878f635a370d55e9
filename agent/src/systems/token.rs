//! Files of tokens: made when they are not there, refused when everybody can read them.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use passerelle_pki::files;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

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

/// Reads the token, or makes one when there is none: 32 random bytes, base64url, mode 0600.
pub(crate) fn token(path: &Path) -> Result<Zeroizing<String>, TokenError> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_made_once_and_must_be_the_owners() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("local.token");
        let first = token(&path).unwrap();
        assert!(first.len() >= 43, "32 bytes, base64url");
        assert_eq!(*token(&path).unwrap(), *first);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o604)).unwrap();
        assert!(matches!(token(&path), Err(TokenError::Readable(_))));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "court").unwrap();
        assert!(matches!(token(&path), Err(TokenError::Short(_))));
    }
}
