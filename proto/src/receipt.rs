//! Receipts: the gateway's signed promise that an exchange is durable and where its event stands in the log.
//!
//! One signature serves a batch: it covers the RFC 6962 root over the batch's bodies, and each receipt carries its
//! own path to that root (`docs/formats/receipt.md`).

use bytes::Bytes;
use passerelle_pki::key::{PublicKey, Signer};
use prost::Message;

use crate::exchange_id::ExchangeId;
use crate::statement::{self, StatementError, payload_type};
use crate::strict::{self, StrictError};
use crate::tlog::proof::ProofError;
use crate::tlog::{Hash, InclusionProof, leaf_hash, node_hash};
use crate::wire;

/// Most receipts in a batch: 2^16.
pub const BATCH_LIMIT: usize = 65_536;
/// Most hashes in a path: the height of a full batch.
pub const PATH_LIMIT: usize = 16;
/// Most bytes in a receipt's body.
pub const BODY_LIMIT: usize = 1_024;
/// Most bytes in the origin of a log.
pub const ORIGIN_LIMIT: usize = 255;

/// Why receipts were not made (ours), or one is not believed (the gateway's fault).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// The receipt carries no signature.
    #[error("there is no signature")]
    NoSignature,
    /// The signature over the batch's root.
    #[error("the receipt's signature does not hold")]
    Statement(#[source] StatementError),
    /// The path is longer than any batch needs, or holds something that is no hash.
    #[error("the receipt's path is not one")]
    Path,
    /// Index and size of the batch are not one, or over [`BATCH_LIMIT`].
    #[error("receipt {index} of {size} is not one of a batch")]
    Batch {
        /// Place in the batch.
        index: u64,
        /// Receipts in the batch.
        size: u64,
    },
    /// The path does not have the length that index and size need.
    #[error("the receipt's path does not fit its batch")]
    Proof(#[source] ProofError),
    /// The body is not the one encoding of a receipt body.
    #[error("the receipt cannot be read")]
    Encoding(#[source] StrictError),
    /// A field of the body breaks its form.
    #[error("the receipt's {0} breaks the form")]
    Field(&'static str),
}

/// Signs a batch of receipts with one signature, and gives them in the same order. No bodies, no receipts.
///
/// # Errors
/// [`ReceiptError`] when a body breaks the form, the batch is over [`BATCH_LIMIT`], or the key cannot sign.
pub fn sign_batch(
    bodies: &[wire::ReceiptBody],
    signer: &dyn Signer,
) -> Result<Vec<wire::Receipt>, ReceiptError> {
    if bodies.len() > BATCH_LIMIT {
        return Err(ReceiptError::Batch { index: 0, size: bodies.len() as u64 });
    }
    bodies.iter().try_for_each(check_body)?;
    let bodies: Vec<Bytes> = bodies.iter().map(|body| body.encode_to_vec().into()).collect();
    let rows = rows(bodies.iter().map(|body| leaf_hash(body)).collect());
    let Some([root]) = rows.last().map(Vec::as_slice) else {
        return Ok(Vec::new());
    };
    let signature = statement::signature(payload_type::RECEIPTS, root.as_ref(), signer)
        .map_err(ReceiptError::Statement)?;
    let batch_size = bodies.len() as u64;
    let receipt = |(body, index): (Bytes, usize)| wire::Receipt {
        body,
        batch_index: index as u64,
        batch_size,
        path: path(&rows, index),
        signature: Some(signature.clone()),
    };
    Ok(bodies.into_iter().zip(0..).map(receipt).collect())
}

/// Verifies that `key` (of the gateway's verified signing certificate) signed this receipt, and gives its body.
///
/// # Errors
/// [`ReceiptError`] otherwise.
pub fn verify(receipt: &wire::Receipt, key: &PublicKey) -> Result<wire::ReceiptBody, ReceiptError> {
    let signature = receipt.signature.as_ref().ok_or(ReceiptError::NoSignature)?;
    let (index, size) = (receipt.batch_index, receipt.batch_size);
    if index >= size || size > BATCH_LIMIT as u64 {
        return Err(ReceiptError::Batch { index, size });
    }
    if receipt.path.len() > PATH_LIMIT {
        return Err(ReceiptError::Path);
    }
    let path = receipt.path.iter().map(|hash| Hash::try_from(&hash[..])).collect::<Result<Vec<_>, _>>();
    let path = path.map_err(|_| ReceiptError::Path)?;
    let root = InclusionProof::new(path)
        .and_then(|path| path.root(leaf_hash(&receipt.body), index, size))
        .map_err(ReceiptError::Proof)?;
    let list = std::slice::from_ref(signature);
    statement::verify_signatures(list, payload_type::RECEIPTS, root.as_ref(), key)
        .map_err(ReceiptError::Statement)?;
    let body = strict::decode(&receipt.body, BODY_LIMIT).map_err(ReceiptError::Encoding)?;
    check_body(&body)?;
    Ok(body)
}

fn check_body(body: &wire::ReceiptBody) -> Result<(), ReceiptError> {
    let fields = [
        ("exchange_id", ExchangeId::from_bytes(&body.exchange_id).is_ok()),
        ("header_digest", body.header_digest.len() == 32),
        ("log_origin", (1..=ORIGIN_LIMIT).contains(&body.log_origin.len())),
        ("leaf_hash", body.leaf_hash.len() == 32),
    ];
    match fields.iter().find(|(_, holds)| !holds) {
        Some((field, _)) => Err(ReceiptError::Field(field)),
        None => Ok(()),
    }
}

/// Every row of the RFC 6962 tree, leaves first, root last. A last hash without a neighbour goes up as it is.
fn rows(leaves: Vec<Hash>) -> Vec<Vec<Hash>> {
    let mut rows = vec![leaves];
    while let Some(row) = rows.last().filter(|row| row.len() > 1) {
        let above = row
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => node_hash(left, right),
                alone => alone.first().copied().unwrap_or_else(crate::tlog::empty_root),
            })
            .collect();
        rows.push(above);
    }
    rows
}

fn path(rows: &[Vec<Hash>], leaf: usize) -> Vec<Bytes> {
    let beside = |(height, row): (usize, &Vec<Hash>)| row.get((leaf >> height) ^ 1).copied();
    rows.iter().enumerate().filter_map(beside).map(|hash| Bytes::copy_from_slice(hash.as_ref())).collect()
}
