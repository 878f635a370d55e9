//! The numbers of the envelope, all of them (`docs/formats/envelope.md`, "Limits").
//!
//! Chosen so that a header with every list full but the recipient keys fits [`HEADER_LIMIT`], and what the log keeps
//! of it fits an entry of 65,535 bytes.

/// Suite 1: X-Wing, HKDF-SHA256 and export-only HPKE; AES-256-GCM; SHA-256; Ed25519.
pub const SUITE_1: u32 = 1;

/// Plaintext bytes in every chunk but the last.
pub const CHUNK_SIZE: usize = 65_536;
/// Bytes that sealing adds to a chunk: the AES-GCM tag.
pub const TAG_SIZE: usize = 16;
/// Bytes of a full sealed chunk.
pub const SEALED_CHUNK_SIZE: usize = CHUNK_SIZE + TAG_SIZE;
/// Most bytes of a sealed body that travels inside its submission (1 MiB); longer ones are uploaded.
pub const INLINE_BODY_LIMIT: u64 = 1_048_576;
/// Most plaintext bytes in a record (50 GiB).
pub const PLAINTEXT_LIMIT: u64 = 50 * 1_024 * 1_024 * 1_024;

/// Most bytes in an encoded header (64 KiB).
pub const HEADER_LIMIT: usize = 65_536;
/// Most recipient agencies.
pub const RECIPIENTS_LIMIT: usize = 32;
/// Most recipient keys, over all agents of all recipients: what fits a header at 1,253 bytes each.
pub const RECIPIENT_KEYS_LIMIT: usize = 48;
/// Most data categories; at least one is needed.
pub const CATEGORIES_LIMIT: usize = 64;
/// Most persons concerned.
pub const SUBJECTS_LIMIT: usize = 256;
/// Most bytes of the sealed attributes, tag included.
pub const SEALED_ATTRIBUTES_LIMIT: usize = 4_096;
/// Longest time from creation to expiry: 31 days, in milliseconds. Inboxes keep ids that long.
pub const LIFETIME_LIMIT_MS: u64 = 31 * 24 * 3_600 * 1_000;

/// Most bytes in the code of an agency or the name of an agent.
pub const NAME_LIMIT: usize = 40;
/// Most bytes in the number of an agreement.
pub const AGREEMENT_NUMBER_LIMIT: usize = 64;
/// Most bytes in the name of a service.
pub const SERVICE_LIMIT: usize = 128;
/// Most bytes in the name of an operation.
pub const OPERATION_LIMIT: usize = 128;
/// Most bytes in the code of a purpose.
pub const PURPOSE_LIMIT: usize = 64;
/// Most bytes in a legal basis.
pub const LEGAL_BASIS_LIMIT: usize = 64;
/// Most bytes in the code of a data category.
pub const CATEGORY_LIMIT: usize = 64;
/// Most bytes in a content type.
pub const CONTENT_TYPE_LIMIT: usize = 128;
/// Most bytes of the detail of a denial in the log.
pub const REASON_DETAIL_LIMIT: usize = 1_024;

/// Bytes in the id of a stream of ordered records.
pub const STREAM_ID_SIZE: usize = 16;

/// Longest use of one encapsulation: 10 minutes, in milliseconds.
pub const ENCAPSULATION_LIFETIME_MS: u64 = 10 * 60 * 1_000;
/// Most exchanges that one encapsulation serves: 2^20.
pub const ENCAPSULATION_USES: u32 = 1 << 20;
