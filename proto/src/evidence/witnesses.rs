//! Did enough witnesses see that log? Counted over the checkpoint's text; who is not of the judge's policy does not count.

use passerelle_pki::clock::Timestamp;

use super::case::Case;
use super::claim::{Answer, absent, fail, pass};
use super::inclusion;
use crate::tlog::policy::{Outcome, QuorumCount};

pub(super) fn answer(case: &Case<'_>) -> Answer {
    let (checkpoint, policy) = (&case.evidence.checkpoint, &case.trust.log);
    if checkpoint.is_empty() {
        return absent("le point de contrôle n'est pas dans le fichier", "the checkpoint is not in the file");
    }
    let all = policy.witnesses().len();
    if all == 0 || !policy.has_quorum() {
        return absent("votre politique ne nomme aucun témoin", "your policy names no witness");
    }
    let Some(note) = inclusion::note(checkpoint, &case.trust.log) else {
        return fail(
            "le point de contrôle n'est pas d'un journal de votre politique",
            "the checkpoint is of no log of your policy",
        );
    };
    let judgement = policy.judge_note(&note);
    let names: Vec<&str> = judgement.cosigned().map(|(witness, _)| witness.name.as_str()).collect();
    let (count, names) = (names.len(), names.join(", "));
    if judgement.witnesses.iter().any(|witness| matches!(witness.outcome, Outcome::Refused(_))) {
        return fail("la cosignature d'un témoin est fausse", "a witness's cosignature is wrong");
    }
    match (count, judgement.is_met()) {
        (0, _) => absent(
            "aucun témoin de votre politique n'a cosigné ce point de contrôle",
            "no witness of your policy cosigned this checkpoint",
        ),
        (_, true) => pass(
            format!("{count} témoins sur {all} ont cosigné : {names}"),
            format!("{count} of {all} witnesses cosigned: {names}"),
        ),
        (_, false) => fail(
            format!("{count} témoins sur {all} ne font pas le quorum : {names}"),
            format!("{count} of {all} witnesses are not the quorum: {names}"),
        ),
    }
}

/// The latest time that witnesses put to a checkpoint, when they make the quorum.
pub(super) fn seen(case: &Case<'_>, checkpoint: &[u8]) -> Option<Timestamp> {
    let note = inclusion::note(checkpoint, &case.trust.log)?;
    let judgement = case.trust.log.judge_note(&note);
    let enough = judgement.quorum.as_ref().is_some_and(QuorumCount::is_met);
    let latest = judgement.cosigned().map(|(_, time_s)| Timestamp::from_seconds(time_s)).max();
    latest.filter(|_| enough)
}
