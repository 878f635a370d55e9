//! What nobody can go under: one signature verified, one batch synced, bytes encrypted and hashed.

use super::{Samples, measure};
use passerelle_journal::{Journal, Options};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::digest::{SHA256, digest};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use std::path::Path;
use std::time::Duration;
use tokio::runtime::Runtime;

/// Bytes of the record that every series is about.
const RECORD_BYTES: usize = 1_024;
/// Bytes of a body's chunk.
const CHUNK_BYTES: usize = 65_536;

/// One Ed25519 verification of 1 KiB, on one core.
///
/// # Errors
/// When ring refuses a key of its own.
pub fn ed25519_verify(runs: usize, slice: Duration) -> anyhow::Result<Samples> {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).map_err(|error| anyhow::anyhow!("{error}"))?;
    let message = [1; RECORD_BYTES];
    let signature = pair.sign(&message);
    let key = UnparsedPublicKey::new(&ED25519, pair.public_key().as_ref());
    measure("one Ed25519 verification of 1 KiB", runs, slice, || {
        key.verify(&message, signature.as_ref())
            .map_err(|_| anyhow::anyhow!("a valid signature was refused"))?;
        Ok(1)
    })
}

/// AES-256-GCM over one 64 KiB chunk, on one core.
///
/// # Errors
/// When ring refuses the key.
pub fn aes_256_gcm(runs: usize, slice: Duration) -> anyhow::Result<Samples> {
    let key = UnboundKey::new(&AES_256_GCM, &[7; 32]).map_err(|_| anyhow::anyhow!("the key was refused"))?;
    let key = LessSafeKey::new(key);
    let mut chunk = vec![1; CHUNK_BYTES];
    measure("AES-256-GCM of one 64 KiB chunk", runs, slice, || {
        let tag = key
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key([0; 12]), Aad::empty(), &mut chunk)
            .map_err(|_| anyhow::anyhow!("sealing failed"))?;
        std::hint::black_box(tag.as_ref());
        Ok(1)
    })
}

/// SHA-256 over one 64 KiB chunk, on one core.
///
/// # Errors
/// None of its own.
pub fn sha_256(runs: usize, slice: Duration) -> anyhow::Result<Samples> {
    let chunk = vec![1; CHUNK_BYTES];
    measure("SHA-256 of one 64 KiB chunk", runs, slice, || {
        std::hint::black_box(digest(&SHA256, &chunk));
        Ok(1)
    })
}

/// Durable appends of 1 KiB to a journal in `folder`, each of `callers` waiting for its own before the next.
///
/// # Errors
/// What the journal says.
pub fn durable_appends(folder: &Path, callers: u64, runs: usize, slice: Duration) -> anyhow::Result<Samples> {
    const APPENDS_EACH: u64 = 64;
    let runtime = Runtime::new()?;
    let journal = Journal::create(folder, Options::default())?;
    let appender = journal.appender()?;
    measure("one durable append of 1 KiB", runs, slice, || {
        runtime.block_on(async {
            let tasks: Vec<_> = (0..callers)
                .map(|_| {
                    let appender = appender.clone();
                    tokio::spawn(async move {
                        for _ in 0..APPENDS_EACH {
                            appender.append(vec![1; RECORD_BYTES]).await?;
                        }
                        anyhow::Ok(())
                    })
                })
                .collect();
            for task in tasks {
                task.await??;
            }
            Ok(callers * APPENDS_EACH)
        })
    })
}
