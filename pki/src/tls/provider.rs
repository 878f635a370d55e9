//! The cryptography under TLS.

use std::sync::{Arc, OnceLock};

use rustls::crypto::{CryptoProvider, aws_lc_rs, ring};

/// *ring* for everything except one key exchange that it does not have: X25519MLKEM768, from aws-lc-rs, offered first,
/// so that what is recorded today is not read with a quantum computer later. Only cipher suites of TLS 1.3.
///
/// Pass it explicitly to every configuration: with both providers compiled in, rustls would refuse to choose.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| {
        Arc::new(CryptoProvider {
            cipher_suites: vec![
                ring::cipher_suite::TLS13_AES_256_GCM_SHA384,
                ring::cipher_suite::TLS13_AES_128_GCM_SHA256,
                ring::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
            ],
            kx_groups: vec![aws_lc_rs::kx_group::X25519MLKEM768, ring::kx_group::X25519],
            ..ring::default_provider()
        })
    }))
}
