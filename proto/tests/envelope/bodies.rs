//! What can be checked of a body without any key: the gateway's part.

use passerelle_proto::envelope::{
    BodyError, CHUNK_SIZE, ChunkHashes, PLAINTEXT_LIMIT, SEALED_CHUNK_SIZE, chunk_count, sealed_chunk_length,
    sealed_length,
};

use crate::support::{Recipient, Sender};

#[test]
fn lengths_and_counts_follow_from_the_plaintext() {
    let chunk = CHUNK_SIZE as u64;
    for (plaintext, chunks) in
        [(0, 1), (1, 1), (chunk, 1), (chunk + 1, 2), (10 * chunk, 10), (10 * chunk + 1, 11)]
    {
        assert_eq!(chunk_count(plaintext), chunks, "{plaintext}");
        assert_eq!(sealed_length(plaintext), plaintext + 16 * chunks, "{plaintext}");
    }
    assert_eq!(chunk_count(PLAINTEXT_LIMIT), 819_200);
    assert_eq!(sealed_length(u64::MAX), u64::MAX, "no overflow");
}

#[test]
fn each_chunk_has_the_length_that_its_place_demands() {
    assert_eq!(sealed_chunk_length(0, 0), Some(16));
    assert_eq!(sealed_chunk_length(0, 1), None);
    assert_eq!(sealed_chunk_length(CHUNK_SIZE as u64, 0), Some(SEALED_CHUNK_SIZE));
    assert_eq!(sealed_chunk_length(CHUNK_SIZE as u64 + 1, 0), Some(SEALED_CHUNK_SIZE));
    assert_eq!(sealed_chunk_length(CHUNK_SIZE as u64 + 1, 1), Some(17));
    assert_eq!(sealed_chunk_length(CHUNK_SIZE as u64 + 1, 2), None);
    assert_eq!(sealed_chunk_length(u64::MAX, u64::MAX), None);
}

#[test]
fn hashes_travel_before_the_chunks_and_check_each_of_them() {
    let (sender, saaq) = (Sender::new("ramq/agent-1"), Recipient::new("saaq"));
    let record = sender.seal(&[&saaq], &vec![1; 2 * CHUNK_SIZE + 5]);
    let envelope = sender.verify(&record.envelope);
    let bytes = record.chunk_hashes.to_bytes();
    // In two frames, as an upload would.
    let mut hashes = ChunkHashes::from_bytes(&bytes[..32]).unwrap();
    hashes.extend_from_bytes(&bytes[32..]).unwrap();
    assert_eq!(hashes, record.chunk_hashes);
    let chunks = hashes.verify(&envelope).unwrap();
    let body: Vec<&[u8]> = record.body.chunks(SEALED_CHUNK_SIZE).collect();
    assert_eq!(chunks.count(), 3);
    for (index, chunk) in body.iter().enumerate() {
        chunks.check(index as u64, chunk).unwrap();
    }
    assert_eq!(chunks.check(0, body[1]), Err(BodyError::Chunk(0)));
    let short = BodyError::ChunkLength { index: 0, found: 21, expected: SEALED_CHUNK_SIZE };
    assert_eq!(chunks.check(0, body[2]), Err(short));
    assert_eq!(chunks.check(3, body[2]), Err(BodyError::NoChunk(3)));
    assert_eq!(chunks.check(u64::MAX, body[2]), Err(BodyError::NoChunk(u64::MAX)));
}

#[test]
fn hashes_that_are_not_those_of_the_header_are_refused() {
    let (sender, saaq) = (Sender::new("ramq/agent-1"), Recipient::new("saaq"));
    let record = sender.seal(&[&saaq], &vec![1; 2 * CHUNK_SIZE]);
    let envelope = sender.verify(&record.envelope);
    let bytes = record.chunk_hashes.to_bytes();
    let verify =
        |bytes: &[u8]| ChunkHashes::from_bytes(bytes).and_then(|hashes| hashes.verify(&envelope).map(drop));
    assert_eq!(verify(&bytes), Ok(()));
    assert_eq!(verify(&bytes[..32]), Err(BodyError::Count { found: 1, expected: 2 }));
    assert_eq!(verify(&[&bytes[..], &bytes[..32]].concat()), Err(BodyError::Count { found: 3, expected: 2 }));
    assert_eq!(verify(&[&bytes[32..], &bytes[..32]].concat()), Err(BodyError::Root));
    assert_eq!(verify(&bytes[..63]), Err(BodyError::Hashes(63)));
    assert_eq!(verify(&[]), Err(BodyError::Count { found: 0, expected: 2 }));
}

#[test]
fn more_hashes_than_any_body_has_are_not_kept() {
    let limit = usize::try_from(chunk_count(PLAINTEXT_LIMIT)).unwrap();
    let mut hashes = ChunkHashes::from_bytes(&vec![0; limit * 32]).unwrap();
    assert!(matches!(hashes.extend_from_bytes(&[0; 32]), Err(BodyError::Count { .. })));
    assert_eq!(hashes.len(), limit as u64);
}
