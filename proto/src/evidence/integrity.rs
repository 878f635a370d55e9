//! Do the parts belong together, and to this exchange? Compared byte for byte; who signed them is asked elsewhere.

use super::case::Case;
use super::claim::{Answer, absent, fail, pass};
use crate::envelope::{ChunkHashes, SEALED_CHUNK_SIZE, sealed_length};
use crate::event::exchange_detail;
use crate::statement::first_key;
use crate::tlog::leaf_hash;
use crate::wire::{Envelope, EventKind, ExchangeDetail, Header};

pub(super) fn answer(case: &Case<'_>) -> Answer {
    let evidence = case.evidence;
    if evidence.envelope.is_none() && evidence.entries.is_empty() {
        return absent(
            "ni l'enveloppe ni les inscriptions du journal ne sont dans le fichier",
            "neither the envelope nor entries of the log are in the file",
        );
    }
    match envelope(case).or_else(|| entries(case)) {
        Some(wrong) => wrong,
        None => pass(
            format!("les parties du fichier se rapportent toutes à l'échange {} et concordent", case.id),
            format!("all parts of the file are of exchange {} and agree with each other", case.id),
        ),
    }
}

fn envelope(case: &Case<'_>) -> Option<Answer> {
    let Some(envelope) = &case.evidence.envelope else {
        return (!case.evidence.sealed_body.is_empty())
            .then(|| fail("un corps scellé sans son enveloppe", "a sealed body without its envelope"));
    };
    let Some(header) = &case.header else {
        return Some(fail("l'en-tête n'est pas lisible", "the header cannot be read"));
    };
    if header.exchange_id != case.id.as_bytes()[..] {
        return Some(fail("l'enveloppe est celle d'un autre échange", "the envelope is another exchange's"));
    }
    if !case.evidence.sealed_body.is_empty() && !is_body(header, &case.evidence.sealed_body) {
        return Some(fail(
            "le corps scellé n'est pas celui dont l'en-tête porte la racine",
            "the sealed body is not the one whose root the header has",
        ));
    }
    let (_, event, detail) = case.decision()?;
    let digest = case.header_digest?;
    let same = match event.kind() {
        EventKind::ExchangeAccepted => is_detail(detail, header, &digest, envelope),
        _ => detail.header_digest == digest[..],
    };
    (!same).then(|| {
        fail(
            "l'enveloppe n'est pas celle que la passerelle a inscrite au journal",
            "the envelope is not the one that the gateway logged",
        )
    })
}

fn entries(case: &Case<'_>) -> Option<Answer> {
    let entries = &case.evidence.entries;
    if entries.windows(2).any(|pair| matches!(pair, [one, next] if one.leaf_index >= next.leaf_index)) {
        return Some(fail(
            "les inscriptions du journal ne sont pas en ordre, ou l'une est répétée",
            "the entries of the log are out of order, or one is repeated",
        ));
    }
    for (entry, event) in entries.iter().zip(&case.events) {
        let leaf = entry.leaf_index;
        let Some(event) = event else {
            return Some(fail(
                format!("l'inscription {leaf} n'est pas un événement"),
                format!("entry {leaf} is not an event"),
            ));
        };
        if !case.concerns(event) {
            return Some(fail(
                format!("l'inscription {leaf} n'est ni de cet échange ni de son entente"),
                format!("entry {leaf} is neither of this exchange nor of its agreement"),
            ));
        }
    }
    None
}

fn is_body(header: &Header, body: &[u8]) -> bool {
    if body.len() as u64 != sealed_length(header.plaintext_length) {
        return false;
    }
    let mut hashes = ChunkHashes::default();
    body.chunks(SEALED_CHUNK_SIZE).for_each(|chunk| hashes.push(leaf_hash(chunk)));
    hashes.root().as_bytes()[..] == header.body_root
}

fn is_detail(detail: &ExchangeDetail, header: &Header, digest: &[u8; 32], envelope: &Envelope) -> bool {
    first_key(&envelope.signatures).is_some_and(|key| exchange_detail(header, digest, &key) == *detail)
}
