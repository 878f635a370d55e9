//! Did enough witnesses see that log? Counted over the checkpoint's text; who is not of the judge's policy does not count.

use passerelle_pki::clock::Timestamp;

use super::case::Case;
use super::claim::{Answer, absent, fail, pass};
use super::inclusion;

pub(super) fn answer(case: &Case<'_>) -> Answer {
    let (checkpoint, policy) = (&case.evidence.checkpoint, &case.trust.log);
    if checkpoint.is_empty() {
        return absent("le point de contrôle n'est pas dans le fichier", "the checkpoint is not in the file");
    }
    let all = policy.witnesses();
    if all == 0 {
        return absent("votre politique ne nomme aucun témoin", "your policy names no witness");
    }
    let Some(note) = inclusion::note(checkpoint, case.trust.logs()) else {
        return fail(
            "le point de contrôle n'est pas d'un journal de votre politique",
            "the checkpoint is of no log of your policy",
        );
    };
    let cosigned = policy.cosigned(&note);
    let names: Vec<&str> = cosigned.by.keys().map(String::as_str).collect();
    let (count, names) = (names.len(), names.join(", "));
    if cosigned.forged {
        return fail("la cosignature d'un témoin est fausse", "a witness's cosignature is wrong");
    }
    match (count, cosigned.quorum) {
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
    let note = inclusion::note(checkpoint, case.trust.logs())?;
    let cosigned = case.trust.log.cosigned(&note);
    cosigned.by.into_values().max().filter(|_| cosigned.quorum)
}
