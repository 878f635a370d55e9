//! Did an agreement that every party signed permit the exchange at that time?
//!
//! Document and signatures are the parties' own; the standing is folded from the agreement's entries in the log before
//! the decision. What the file leaves out of the log it cannot show: a suspension that nobody exported is not seen here,
//! nor a newer version that had taken the place of this one; who reads the whole log sees both.

use passerelle_pki::certificate::Chain;
use passerelle_pki::clock::Timestamp;

use super::case::Case;
use super::claim::{Answer, absent, fail, pass};
use super::signers::Doubt;
use crate::agreement::standing::Step;
use crate::agreement::{AgreementVersion, RecordError, VerifiedAgreement};
use crate::agreement::{Document, Standing, State, calendar, permits};
use crate::reason;
use crate::wire::event::Detail;
use crate::wire::{AgreementDetail, AgreementRecord, Event, EventKind, Header};

pub(super) fn answer(case: &Case<'_>) -> Answer {
    let Some(record) = &case.evidence.agreement else {
        return absent("l'entente n'est pas dans le fichier", "the agreement is not in the file");
    };
    let (Some(header), Some(at)) = (case.terms(), case.moment()) else {
        return absent(
            "sans l'enveloppe ni son inscription au journal, on ne sait pas ce que l'entente devait permettre",
            "without the envelope or its entry in the log nobody knows what the agreement had to permit",
        );
    };
    if let Some((_, _, denied)) =
        case.decision().filter(|(_, event, _)| event.kind() == EventKind::ExchangeDenied)
    {
        let code = reason::code(denied.reason());
        return absent(
            format!("la passerelle a refusé l'échange ({code}) : rien n'a été transmis"),
            format!("the gateway denied the exchange ({code}): nothing was passed on"),
        );
    }
    let verified = match signed(case, record, at) {
        Ok(verified) => verified,
        Err(answer) => return answer,
    };
    if header.agreement.as_ref() != Some(&verified.reference()) {
        return fail(
            "l'entente du fichier n'est pas celle que l'échange invoque (numéro, version, empreinte)",
            "the agreement in the file is not the one that the exchange relies on (number, version, digest)",
        );
    }
    let name = format!("{} v{}", verified.agreement().number, verified.agreement().version);
    let Some(standing) = standing(case, &verified, at) else {
        return absent(
            format!("l'entente {name} est signée, mais son activation n'est pas dans le fichier"),
            format!("agreement {name} is signed, but its activation is not in the file"),
        );
    };
    decide(&verified.with_standing(standing), &header, at, &name)
}

fn decide(agreement: &VerifiedAgreement, header: &Header, at: Timestamp, name: &str) -> Answer {
    match permits(agreement, header, at) {
        Ok(_) => {
            let parties: Vec<String> =
                agreement.signed().map(|party| party.agent.agency.to_string()).collect();
            let parties = parties.join(", ");
            pass(
                format!("l'entente {name}, signée par {parties}, permettait cet échange le {at}"),
                format!("agreement {name}, signed by {parties}, permitted this exchange on {at}"),
            )
        }
        Err(refusal) => {
            let code = reason::code(refusal.reason);
            fail(
                format!(
                    "l'entente {name} ne permettait pas cet échange le {at} : {code} ({})",
                    refusal.detail
                ),
                format!("agreement {name} did not permit this exchange on {at}: {code} ({})", refusal.detail),
            )
        }
    }
}

/// The version with every party's signature verified, each as of when it was taken.
fn signed(case: &Case<'_>, record: &AgreementRecord, at: Timestamp) -> Result<VerifiedAgreement, Answer> {
    let document = Document::parse(record.document.clone()).map_err(|_| {
        fail("le document de l'entente n'est pas une entente", "the agreement's document is not an agreement")
    })?;
    for signature in &record.signatures {
        let taken = taken(signature.received_ms, at);
        let chain = Chain::from_ders(&signature.signing_chain).map_err(|_| {
            fail(
                format!("le certificat de {} n'est pas lisible", signature.agency),
                format!("the certificate of {} cannot be read", signature.agency),
            )
        })?;
        case.signers
            .judge(&chain, taken)
            .map_err(|doubt: Doubt| doubt.answer((&signature.agency, &signature.agency)))?;
    }
    // Chains and revocation were judged above, each against the root it leads to.
    let unrevoked = |_: &[u8]| None;
    let mut outcome = Err(fail(
        "une partie n'a pas signé cette version de l'entente",
        "a party did not sign this version of the agreement",
    ));
    for root in &case.trust.roots {
        let mut version = AgreementVersion::proposed(document.clone());
        let each = record.signatures.iter().try_for_each(|signature| {
            let at = taken(signature.received_ms, at);
            version.take_signature(signature, root, &unrevoked, at).map(drop)
        });
        match each.map_err(RecordError::Signature).and_then(|()| version.into_verified()) {
            Ok(verified) => return Ok(verified),
            Err(RecordError::MissingSignatures(missing)) => {
                let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
                let missing = missing.join(", ");
                outcome = Err(absent(
                    format!("la signature de {missing} n'est pas dans le fichier"),
                    format!("the signature of {missing} is not in the file"),
                ));
            }
            Err(_) => {}
        }
    }
    outcome
}

fn taken(received_ms: u64, at: Timestamp) -> Timestamp {
    if received_ms == 0 { at } else { Timestamp::from_millis(received_ms).min(at) }
}

/// Where the version stood before the decision; `None` when its activation is not shown.
fn standing(case: &Case<'_>, agreement: &VerifiedAgreement, at: Timestamp) -> Option<Standing> {
    let terms = agreement.agreement();
    let before = case.accepted().map_or(u64::MAX, |(leaf, _, _)| leaf);
    let mut standing = Standing { state: State::Signed, ..Standing::proposed() };
    for (_, event) in case.events().filter(|(leaf, _)| *leaf < before) {
        let Some(Detail::Agreement(detail)) = &event.detail else { continue };
        let Some(reference) = &detail.agreement else { continue };
        let time = Timestamp::from_millis(event.time_ms);
        if *reference != agreement.reference() || time > at {
            continue;
        }
        if let Some(step) = step(event, detail) {
            standing = standing.after(step, terms.legal_basis, time).unwrap_or(standing);
        }
    }
    standing.activated.is_some().then_some(standing)
}

fn step(event: &Event, detail: &AgreementDetail) -> Option<Step> {
    let note = || detail.note.clone();
    match event.kind() {
        EventKind::AgreementActivated => Some(Step::Activate),
        EventKind::AgreementSentToCai => calendar::parse(&detail.on).map(Step::SentToCai),
        EventKind::AgreementReceivedByCai => calendar::parse(&detail.on).map(Step::ReceivedByCai),
        EventKind::AgreementSuspended => Some(Step::Suspend(note())),
        EventKind::AgreementResumed => Some(Step::Resume),
        EventKind::AgreementRevoked => Some(Step::Revoke(note())),
        EventKind::AgreementRejected => Some(Step::Reject(note())),
        _ => None,
    }
}
