//! Are the events in the log? Every entry, under the one checkpoint that a log of the judge's policy signed.

use super::case::Case;
use super::claim::{Answer, absent, fail, pass};
use crate::tlog::note::Note;
use crate::tlog::{Checkpoint, Hash, InclusionProof, Policy, VerifiedCheckpoint, leaf_hash};
use crate::wire::EvidenceEntry;

pub(super) fn answer(case: &Case<'_>) -> Answer {
    let evidence = case.evidence;
    if evidence.entries.is_empty() {
        return absent(
            "aucune inscription du journal n'est dans le fichier",
            "no entry of the log is in the file",
        );
    }
    if evidence.checkpoint.is_empty() {
        return absent("le point de contrôle n'est pas dans le fichier", "the checkpoint is not in the file");
    }
    let Some(checkpoint) = open(&evidence.checkpoint, &case.trust.log) else {
        return fail(
            "le point de contrôle n'est signé par aucun journal de votre politique",
            "the checkpoint is signed by no log of your policy",
        );
    };
    for entry in &evidence.entries {
        if !is_in(entry, &checkpoint) {
            let leaf = entry.leaf_index;
            return fail(
                format!("la preuve de l'inscription {leaf} ne mène pas à la racine du point de contrôle"),
                format!("the proof of entry {leaf} does not lead to the checkpoint's root"),
            );
        }
    }
    if case.decision().is_none() {
        return absent(
            "la décision de la passerelle sur cet échange n'est pas parmi les inscriptions",
            "the gateway's decision on this exchange is not among the entries",
        );
    }
    let (count, size) = (evidence.entries.len(), checkpoint.size());
    let origin = &checkpoint.checkpoint().origin;
    pass(
        format!("{count} inscriptions sont dans le journal {origin} de {size} entrées"),
        format!("{count} entries are in the log {origin} of {size} entries"),
    )
}

/// The checkpoint, when one of these logs signed it.
pub(super) fn open(note: &[u8], policy: &Policy) -> Option<VerifiedCheckpoint> {
    policy.open(note).ok()
}

/// A checkpoint's note, whoever signed it, when its origin is that of one of these logs.
pub(super) fn note(bytes: &[u8], policy: &Policy) -> Option<Note> {
    let note = Note::parse(bytes).ok()?;
    let checkpoint = Checkpoint::parse(note.text()).ok()?;
    policy.logs().iter().any(|log| log.key.name().as_str() == checkpoint.origin).then_some(note)
}

fn is_in(entry: &EvidenceEntry, checkpoint: &VerifiedCheckpoint) -> bool {
    let path = entry.path.iter().map(|hash| Hash::try_from(&hash[..])).collect::<Result<Vec<_>, _>>();
    let proof = path.ok().and_then(|path| InclusionProof::new(path).ok());
    proof.is_some_and(|proof| {
        let leaf = leaf_hash(&entry.entry);
        proof.verify(leaf, entry.leaf_index, checkpoint.size(), checkpoint.root()).is_ok()
    })
}
