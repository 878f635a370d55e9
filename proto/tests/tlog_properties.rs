//! Properties of trees, proofs, tiles and notes, and agreement with an independent implementation (`ct-merkle`).

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what went wrong by panicking")]

mod tlog_support;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof as TheirConsistency, InclusionProof as TheirInclusion};
use passerelle_proto::tlog::frontier::FrontierError;
use passerelle_proto::tlog::tile::TileNodes;
use passerelle_proto::tlog::tree::{self, Leaves};
use passerelle_proto::tlog::{
    ConsistencyProof, Frontier, Hash, InclusionProof, LogWriter, TilePath, TlogProof, leaf_hash,
};
use proptest::prelude::*;
use sha2::Sha256;
use tlog_support::Files;

fn leaves(size: u64) -> Vec<Hash> {
    (0..size).map(|n| leaf_hash(&n.to_be_bytes())).collect()
}

fn root(leaves: &[Hash], size: u64) -> Hash {
    tree::root(&mut Leaves(leaves), size).unwrap()
}

/// The same hash with one bit changed.
fn flipped(hash: Hash, bit: usize) -> Hash {
    let mut bytes = *hash.as_bytes();
    bytes[bit / 8 % 32] ^= 1 << (bit % 8);
    Hash::from_bytes(bytes)
}

/// An earlier size and a size, the earlier one from 1.
fn two_sizes() -> impl Strategy<Value = (u64, u64)> {
    (1u64..600).prop_flat_map(|size| (1..=size, Just(size)))
}

/// An index and a size.
fn place() -> impl Strategy<Value = (u64, u64)> {
    (1u64..600).prop_flat_map(|size| (0..size, Just(size)))
}

proptest! {
    #[test]
    fn an_incremental_frontier_gives_the_root_of_the_batch(size in 0u64..700) {
        let leaves = leaves(size);
        let mut frontier = Frontier::new();
        for leaf in &leaves {
            frontier.push(*leaf).unwrap();
        }
        prop_assert_eq!(frontier.root(), root(&leaves, size));
        prop_assert_eq!(Frontier::from_bytes(&frontier.to_bytes()).unwrap(), frontier.clone());
        let peaks = tree::peaks(&mut Leaves(&leaves), size).unwrap();
        prop_assert_eq!(Frontier::from_peaks(size, peaks).unwrap(), frontier);
    }

    #[test]
    fn every_inclusion_proof_verifies_and_none_with_one_bit_changed(
        (index, size) in place(), hash in any::<prop::sample::Index>(), bit in 0usize..256,
    ) {
        let leaves = leaves(size);
        let (leaf, root) = (leaves[usize::try_from(index).unwrap()], root(&leaves, size));
        let proof = tree::inclusion_proof(&mut Leaves(&leaves), index, size).unwrap();
        prop_assert_eq!(proof.verify(leaf, index, size, &root), Ok(()));
        prop_assert!(proof.verify(flipped(leaf, bit), index, size, &root).is_err());
        prop_assert!(proof.verify(leaf, index, size, &flipped(root, bit)).is_err());
        prop_assert!(proof.verify(leaf, index ^ 1, size, &root).is_err());
        if !proof.hashes().is_empty() {
            let mut hashes = proof.hashes().to_vec();
            let changed = hash.index(hashes.len());
            hashes[changed] = flipped(hashes[changed], bit);
            prop_assert!(InclusionProof::new(hashes).unwrap().verify(leaf, index, size, &root).is_err());
        }
    }

    #[test]
    fn every_consistency_proof_verifies_and_none_with_one_bit_changed(
        (old, size) in two_sizes(), hash in any::<prop::sample::Index>(), bit in 0usize..256,
    ) {
        let leaves = leaves(size);
        let (old_root, root) = (root(&leaves, old), root(&leaves, size));
        let proof = tree::consistency_proof(&mut Leaves(&leaves), old, size).unwrap();
        prop_assert_eq!(proof.verify((old, &old_root), (size, &root)), Ok(()));
        prop_assert!(proof.verify((old, &flipped(old_root, bit)), (size, &root)).is_err());
        prop_assert!(proof.verify((old, &old_root), (size, &flipped(root, bit))).is_err());
        if !proof.hashes().is_empty() {
            let mut hashes = proof.hashes().to_vec();
            let changed = hash.index(hashes.len());
            hashes[changed] = flipped(hashes[changed], bit);
            let changed = ConsistencyProof::new(hashes).unwrap();
            prop_assert!(changed.verify((old, &old_root), (size, &root)).is_err());
        }
    }

    #[test]
    fn ct_merkle_builds_the_same_proofs_and_accepts_ours((old, size) in two_sizes(), at in any::<prop::sample::Index>()) {
        let mut theirs = MemoryBackedTree::<Sha256, [u8; 8]>::new();
        let mut old_root = None;
        for n in 0..size {
            theirs.push(n.to_be_bytes());
            if n + 1 == old {
                old_root = Some(theirs.root());
            }
        }
        let (leaves, their_root, old_root) = (leaves(size), theirs.root(), old_root.unwrap());
        prop_assert_eq!(their_root.as_bytes().to_vec(), root(&leaves, size).as_bytes().to_vec());

        let index = at.index(leaves.len());
        let ours = tree::inclusion_proof(&mut Leaves(&leaves), u64::try_from(index).unwrap(), size).unwrap();
        let ours: Vec<u8> = ours.hashes().iter().flat_map(|hash| *hash.as_bytes()).collect();
        prop_assert_eq!(theirs.prove_inclusion(index).as_bytes().to_vec(), ours.clone());
        let ours = TheirInclusion::try_from_bytes(ours).unwrap();
        let (value, index) = (u64::try_from(index).unwrap().to_be_bytes(), u64::try_from(index).unwrap());
        prop_assert!(their_root.verify_inclusion(&value, index, &ours).is_ok());

        let ours = tree::consistency_proof(&mut Leaves(&leaves), old, size).unwrap();
        let ours: Vec<u8> = ours.hashes().iter().flat_map(|hash| *hash.as_bytes()).collect();
        let added = usize::try_from(size - old).unwrap();
        prop_assert_eq!(theirs.prove_consistency(added).as_bytes().to_vec(), ours.clone());
        let ours = TheirConsistency::try_from_bytes(ours).unwrap();
        prop_assert!(their_root.verify_consistency(&old_root, &ours).is_ok());
    }

    #[test]
    fn root_through_any_node_is_the_root((index, size) in place(), height in 0u32..10, bit in 0usize..256) {
        let leaves = leaves(size);
        let (root, node) = (root(&leaves, size), (height, index >> height));
        prop_assume!(node.1 < size >> height);
        let width = 1usize << height;
        let start = usize::try_from(node.1).unwrap() * width;
        let hash = tree::complete_root(&leaves[start..start + width]).unwrap();
        prop_assert_eq!(tree::root_through(&mut Leaves(&leaves), node, hash, size), Ok(root));
        prop_assert_ne!(tree::root_through(&mut Leaves(&leaves), node, flipped(hash, bit), size), Ok(root));
    }

    #[test]
    fn a_log_written_in_any_batches_is_the_same_log(batches in prop::collection::vec(0usize..200, 0..8)) {
        let (mut writer, mut files) = (LogWriter::new(), Files::default());
        let mut all = Vec::new();
        for batch in batches {
            // Each batch by a writer that only knows the files.
            writer = LogWriter::resume(&files, writer.size()).unwrap();
            let entries: Vec<_> = (all.len()..all.len() + batch).map(|n| format!("entrée {n}")).collect();
            files.write(writer.append(&entries).unwrap());
            all.extend(entries);
            let size = u64::try_from(all.len()).unwrap();
            let hashes: Vec<_> = all.iter().map(|entry| leaf_hash(entry.as_bytes())).collect();
            prop_assert_eq!(writer.root(), root(&hashes, size));
            // Every tile that a tree of this size has is there, and gives the tree.
            let mut nodes = TileNodes::new(&files, size);
            prop_assert_eq!(tree::root(&mut nodes, size), Ok(root(&hashes, size)));
            for index in (0..size).step_by(97) {
                prop_assert_eq!(
                    tree::inclusion_proof(&mut nodes, index, size),
                    Ok(tree::inclusion_proof(&mut Leaves(&hashes), index, size).unwrap())
                );
            }
        }
    }

    #[test]
    fn a_tile_path_reads_back(index in 0u64..1 << 40, width in 1u16..=256, level in 0u8..3) {
        let level = passerelle_proto::tlog::tile::Level::Hashes(level);
        if let Ok(path) = TilePath::new(level, index, width) {
            prop_assert_eq!(path.to_string().parse(), Ok(path));
        }
    }

    #[test]
    fn parsers_of_anything_give_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..300), text in "\\PC{0,80}") {
        use passerelle_proto::tlog::{Checkpoint, Note, NoteVerifier, bundle};
        let _ = (Note::parse(&bytes).is_ok(), TlogProof::parse(&bytes).is_ok(), Frontier::from_bytes(&bytes).is_ok());
        let _ = (bundle::parse(&bytes, 256).is_ok(), Checkpoint::parse(&text).is_ok());
        let _ = (text.parse::<TilePath>().is_ok(), text.parse::<NoteVerifier>().is_ok());
    }
}

#[test]
fn a_stored_frontier_is_read_strictly() {
    let mut frontier = Frontier::new();
    for leaf in leaves(11) {
        frontier.push(leaf).unwrap();
    }
    let bytes = frontier.to_bytes();
    assert_eq!(bytes.len(), 9 + 3 * 32);
    for cut in [0, 1, 8, 9, bytes.len() - 32, bytes.len() - 1] {
        assert!(matches!(Frontier::from_bytes(&bytes[..cut]), Err(FrontierError::Length { .. })), "{cut}");
    }
    assert!(Frontier::from_bytes(&[bytes.as_slice(), &[0; 32]].concat()).is_err());
    let other = [&[2], &bytes[1..]].concat();
    assert_eq!(Frontier::from_bytes(&other), Err(FrontierError::Version(2)));
    let large = [&[1, 0x80], &[0; 7][..], &[0; 32]].concat();
    assert_eq!(Frontier::from_bytes(&large), Err(FrontierError::TooLarge));
}
