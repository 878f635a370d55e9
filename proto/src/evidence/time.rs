//! Since when and until when: the two sides between which the exchange was logged.
//!
//! *Not after*: a time-stamp over the checkpoint, or the witnesses' own times; the exchange was in the log by then.
//! *Not before*: an earlier checkpoint of the same log, with a time-stamp or witnesses, in which the exchange was not yet.
//! The time that the gateway wrote into the entry must lie between, within [`TOLERANCE`].

use std::time::Duration;

use passerelle_pki::clock::Timestamp;

use super::case::Case;
use super::claim::{Answer, absent, fail, pass};
use super::{inclusion, witnesses};
use crate::timestamp;
use crate::tlog::{ConsistencyProof, Hash, VerifiedCheckpoint};
use crate::wire::EarlierCheckpoint;

/// How far clocks of gateway, witnesses and authorities may be apart.
const TOLERANCE: Duration = Duration::from_secs(60);

pub(super) fn not_after(case: &Case<'_>) -> Answer {
    let evidence = case.evidence;
    if evidence.checkpoint.is_empty() {
        return absent("le point de contrôle n'est pas dans le fichier", "the checkpoint is not in the file");
    }
    let known = match bound(case, &evidence.checkpoint, &evidence.timestamp) {
        Ok(known) => known,
        Err(answer) => return answer,
    };
    let (at, fr, en) = known;
    match case.decision() {
        Some((_, event, _)) if Timestamp::from_millis(event.time_ms) > at.plus(TOLERANCE) => fail(
            format!("l'inscription se dit plus récente que le {at} ({fr})"),
            format!("the entry claims to be later than {at} ({en})"),
        ),
        Some(_) => pass(
            format!("l'échange était au journal au plus tard le {at} ({fr})"),
            format!("the exchange was in the log by {at} at the latest ({en})"),
        ),
        None => absent(
            "la décision de la passerelle n'est pas parmi les inscriptions",
            "the gateway's decision is not among the entries",
        ),
    }
}

pub(super) fn not_before(case: &Case<'_>) -> Answer {
    let Some(earlier) = &case.evidence.earlier else {
        return absent(
            "aucun point de contrôle antérieur n'est dans le fichier",
            "no earlier checkpoint is in the file",
        );
    };
    let Some((leaf, event, _)) = case.decision() else {
        return absent(
            "la décision de la passerelle n'est pas parmi les inscriptions",
            "the gateway's decision is not among the entries",
        );
    };
    if let Some(wrong) = extends(case, earlier, leaf) {
        return wrong;
    }
    let (at, fr, en) = match bound(case, &earlier.checkpoint, &earlier.timestamp) {
        Ok(known) => known,
        Err(answer) => return answer,
    };
    if Timestamp::from_millis(event.time_ms).plus(TOLERANCE) < at {
        return fail(
            format!("l'inscription se dit antérieure au {at}, où elle n'était pas au journal ({fr})"),
            format!("the entry claims to be earlier than {at}, when it was not in the log ({en})"),
        );
    }
    pass(
        format!("l'échange n'était pas au journal le {at} ({fr})"),
        format!("the exchange was not in the log on {at} ({en})"),
    )
}

/// What stands against the earlier checkpoint's being the log before the exchange.
fn extends(case: &Case<'_>, earlier: &EarlierCheckpoint, leaf: u64) -> Option<Answer> {
    let logs = &case.trust.log;
    let old = inclusion::open(&earlier.checkpoint, logs);
    let new = inclusion::open(&case.evidence.checkpoint, logs);
    let (Some(old), Some(new)) = (old, new) else {
        return Some(fail(
            "un point de contrôle n'est signé par aucun journal de votre politique",
            "a checkpoint is signed by no log of your policy",
        ));
    };
    if old.size() > leaf {
        return Some(fail(
            "le point de contrôle antérieur contient déjà l'échange",
            "the earlier checkpoint has the exchange already",
        ));
    }
    let same = old.checkpoint().origin == new.checkpoint().origin;
    (!same || !is_beginning(&old, &new, &earlier.consistency)).then(|| {
        fail(
            "le point de contrôle antérieur n'est pas le début de ce journal",
            "the earlier checkpoint is not the beginning of this log",
        )
    })
}

fn is_beginning(old: &VerifiedCheckpoint, new: &VerifiedCheckpoint, path: &[bytes::Bytes]) -> bool {
    if old.size() == 0 {
        return path.is_empty();
    }
    let path = path.iter().map(|hash| Hash::try_from(&hash[..])).collect::<Result<Vec<_>, _>>();
    let proof = path.ok().and_then(|path| ConsistencyProof::new(path).ok());
    proof.is_some_and(|proof| proof.verify((old.size(), old.root()), (new.size(), new.root())).is_ok())
}

/// By when a checkpoint existed, and on whose word.
fn bound(
    case: &Case<'_>,
    checkpoint: &[u8],
    token: &[u8],
) -> Result<(Timestamp, &'static str, &'static str), Answer> {
    if inclusion::open(checkpoint, &case.trust.log).is_none() {
        return Err(fail(
            "le point de contrôle n'est signé par aucun journal de votre politique",
            "the checkpoint is signed by no log of your policy",
        ));
    }
    if !token.is_empty() && !case.trust.authorities.is_empty() {
        return match timestamp::verify(token, checkpoint, &case.trust.authorities) {
            Ok(stamped) => Ok((stamped.before, "horodatage RFC 3161", "RFC 3161 time-stamp")),
            Err(error) => Err(fail(
                "l'horodatage n'est pas celui de ce point de contrôle par une autorité de votre politique",
                format!(
                    "the time-stamp is not one of this checkpoint by an authority of your policy: {error}"
                ),
            )),
        };
    }
    match witnesses::seen(case, checkpoint) {
        Some(at) => Ok((at, "témoins", "witnesses")),
        None => Err(absent(
            "ni horodatage d'une autorité de votre politique, ni quorum de témoins",
            "neither a time-stamp by an authority of your policy nor a quorum of witnesses",
        )),
    }
}
