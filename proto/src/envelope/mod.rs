//! The envelope: a signed header that the gateway may see, and a sealed body that it may not.
//!
//! The construction is in `docs/formats/envelope.md`. The road through the types:
//!
//! ```text
//! HeaderDraft + RecipientPublicKey --Sealer--> wire::Envelope + sealed chunks        the sender's agent
//! wire::Envelope --verify(key)--> VerifiedEnvelope --verify_body--> ok               the gateway, without any key
//! VerifiedEnvelope + KemKeys --Opener--> attributes, plaintext chunks                the recipient's agent
//! ```
//!
//! - [`limits`]: every number; `form`: every rule of a header; `verified`: signature, encoding, form in that order.
//! - `kem`, `encapsulation`, `decapsulation`: X-Wing and HPKE, with the caches of both sides.
//! - `schedule`: the keys of one exchange; `stream`: the chunks; `attributes`: what is sealed beside the body.
//! - `seal`, `open`: both ends; `chunks`: what can be checked of a body without a key.
//! - [`danger`]: unverified headers and content keys; [`disclosure`]: proof of a plaintext.
//!
//! Invariants: nobody re-serialises a header; no key seals twice; nothing here reads a clock.

mod attributes;
mod chunks;
pub mod danger;
mod decapsulation;
pub mod disclosure;
mod draft;
mod encapsulation;
mod form;
mod kem;
pub mod limits;
mod open;
mod schedule;
mod seal;
mod stream;
mod verified;

pub use attributes::{CASE_SALT_SIZE, case_commitment};
pub use chunks::{
    BodyError, ChunkHashes, VerifiedChunks, chunk_count, sealed_chunk_length, sealed_length, verify_body,
};
pub use decapsulation::{DEFAULT_CAPACITY, DecapsulationCache};
pub use draft::HeaderDraft;
pub use encapsulation::EncapsulationCache;
pub use form::FormError;
pub use kem::{
    ENCAPSULATED_SIZE, KEM_ID, KEM_PRIVATE_KEY_SIZE, KEM_PUBLIC_KEY_SIZE, KemError, KemKey, KemKeys,
    KemPublicKey, RecipientPublicKey,
};
pub use limits::{
    CHUNK_SIZE, HEADER_LIMIT, INLINE_BODY_LIMIT, PLAINTEXT_LIMIT, SEALED_CHUNK_SIZE, SUITE_1, TAG_SIZE,
};
pub use open::{OpenError, Opener};
pub use schedule::{CipherFault, ContentKey};
pub use seal::{SealError, SealedRecord, Sealer, Sealing, seal_small};
pub use stream::ChunkError;
pub use verified::{EnvelopeError, VerifiedEnvelope, signing_key_hint, verify};
