//! Signatures as Standard Webhooks has them: HMAC-SHA-256 over `id.timestamp.body`, under a shared secret.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use passerelle_pki::files;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use super::WebhookError;

/// What a secret begins with.
const PREFIX: &str = "whsec_";
/// Bytes of a secret that is made here.
const SECRET_BYTES: usize = 32;
/// Bytes that a secret may have.
const SECRET_RANGE: std::ops::RangeInclusive<usize> = 24..=64;
/// Bytes of its file.
const FILE_LIMIT: u64 = 4_096;

/// The secret that a webhook and its receiver share.
#[derive(Clone)]
pub(super) struct Secret(hmac::Key);

/// Without the secret.
impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// Reads the secret, or makes one when there is none: mode 0600.
    pub(super) fn open(path: &Path) -> Result<Self, WebhookError> {
        if !path.try_exists().map_err(WebhookError::file(path))? {
            let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
            SystemRandom::new().fill(&mut *bytes).map_err(|_| WebhookError::Random)?;
            let text = Zeroizing::new(format!("{PREFIX}{}", STANDARD.encode(*bytes)));
            files::create_new(path, text.as_bytes(), 0o600).map_err(WebhookError::file(path))?;
        }
        let mode = fs::metadata(path).map_err(WebhookError::file(path))?.permissions().mode();
        if mode & 0o007 != 0 {
            return Err(WebhookError::Readable(path.to_owned()));
        }
        let bytes = files::read_limited(path, FILE_LIMIT).map_err(WebhookError::file(path))?;
        Self::parse(&Zeroizing::new(bytes)).ok_or_else(|| WebhookError::Secret(path.to_owned()))
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let encoded = text.trim_ascii().strip_prefix(PREFIX.as_bytes())?;
        let secret = Zeroizing::new(STANDARD.decode(encoded).ok()?);
        SECRET_RANGE.contains(&secret.len()).then(|| Self(hmac::Key::new(hmac::HMAC_SHA256, &secret)))
    }

    /// The value of `webhook-signature`.
    pub(super) fn sign(&self, id: &str, timestamp_s: u64, body: &[u8]) -> String {
        let mut signing = hmac::Context::with_key(&self.0);
        signing.update(format!("{id}.{timestamp_s}.").as_bytes());
        signing.update(body);
        format!("v1,{}", STANDARD.encode(signing.sign()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_the_one_of_the_specification() {
        // Standard Webhooks, the example of its reference libraries.
        let secret = Secret::parse(b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
        let signed = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_is_made_once_and_another_text_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let first = Secret::open(&path).unwrap().sign("a", 1, b"b");
        assert_eq!(Secret::open(&path).unwrap().sign("a", 1, b"b"), first);
        for text in ["", "whsec_", "whsec_YWJj", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_%%%"] {
            fs::write(&path, text).unwrap();
            assert!(matches!(Secret::open(&path), Err(WebhookError::Secret(_))), "{text}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Secret::open(&path), Err(WebhookError::Readable(_))));
    }
}
