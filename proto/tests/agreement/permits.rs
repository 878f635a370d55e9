//! The decision on one header: every reason, the order of reasons, and the edges in time.

use bytes::Bytes;
use passerelle_pki::clock::Timestamp;
use passerelle_proto::agreement::{
    Refusal, Standing, State, VerifiedAgreement, permits, permitted_at_acceptance,
};
use passerelle_proto::wire::{AgreementRef, ExchangeKind, Header, Reason};
use serde_json::json;

use crate::support::{active, at, verified};

fn noon() -> Timestamp {
    at("2026-12-15T17:00:00Z")
}

fn header(agreement: &VerifiedAgreement) -> Header {
    Header {
        kind: ExchangeKind::Record.into(),
        sender_agency: "ramq".to_owned(),
        sender_agent: "agent-1".to_owned(),
        recipients: vec!["revenu-quebec".to_owned(), "saaq".to_owned()],
        agreement: Some(agreement.reference()),
        service: "admissibilite".to_owned(),
        purpose: "QC-F".to_owned(),
        legal_basis: "A-2.1 s.68".to_owned(),
        data_categories: vec!["admissibilite".to_owned(), "identite".to_owned()],
        case_commitment: Bytes::from_static(&[1; 32]),
        acting_user: Bytes::from_static(&[2; 32]),
        plaintext_length: 104_857_600,
        ..Header::default()
    }
}

fn reference(header: &mut Header) -> &mut AgreementRef {
    header.agreement.as_mut().unwrap()
}

#[test]
fn what_the_agreement_covers_is_permitted() {
    let agreement = verified(&[], active());
    let permitted = permits(&agreement, &header(&agreement), noon()).unwrap();
    assert_eq!(permitted.at(), noon());
    assert_eq!(permitted.limits().per_second, Some(50));
    assert_eq!(permitted.agreement().reference(), agreement.reference());
    let mut one = header(&agreement);
    one.recipients = vec!["saaq".to_owned()];
    one.purpose = "QC-A".to_owned();
    one.data_categories = vec!["adresse".to_owned()];
    assert!(permits(&agreement, &one, noon()).is_ok());
}

type Change = fn(&mut Header);

#[test]
fn every_term_that_is_not_met() {
    const DIRECTION: &str = "kind=EXCHANGE_KIND_RECORD; provider=ramq; consumers=saaq,revenu-quebec";
    let agreement = verified(&[], active());
    let digest = format!("expected={}", hex::encode(agreement.document().digest()));
    let rows: [(Change, Reason, &str); 23] = [
        (|header| header.agreement = None, Reason::AgreementNotFound, "field=agreement"),
        (
            |header| reference(header).number = "ENT-X".to_owned(),
            Reason::AgreementNotFound,
            "number=ENT-X; version=1",
        ),
        (
            |header| reference(header).number = "Mme X".to_owned(),
            Reason::AgreementNotFound,
            "number=?; version=1",
        ),
        (|header| reference(header).version = 2, Reason::AgreementNotFound, "number=ENT-2026-001; version=2"),
        (
            |header| header.sender_agency = "cnesst".to_owned(),
            Reason::AgreementNotFound,
            "number=ENT-2026-001; version=1",
        ),
        (
            |header| reference(header).digest = Bytes::from_static(&[0; 32]),
            Reason::AgreementDigestMismatch,
            &digest,
        ),
        (|header| reference(header).digest.truncate(31), Reason::AgreementDigestMismatch, &digest),
        (|header| header.kind = 0, Reason::DirectionNotCovered, "field=kind"),
        (|header| header.kind = 9, Reason::DirectionNotCovered, "field=kind"),
        (|header| header.sender_agency = "saaq".to_owned(), Reason::DirectionNotCovered, DIRECTION),
        (|header| header.recipients.clear(), Reason::DirectionNotCovered, DIRECTION),
        (|header| header.recipients.push("cnesst".to_owned()), Reason::DirectionNotCovered, DIRECTION),
        (|header| header.recipients.push("ramq".to_owned()), Reason::DirectionNotCovered, DIRECTION),
        (|header| header.service = "autre".to_owned(), Reason::ServiceNotCovered, "service=autre"),
        (|header| header.service = "Tremblay, Luc".to_owned(), Reason::ServiceNotCovered, "service=?"),
        (|header| header.purpose = "QC-G".to_owned(), Reason::PurposeNotCovered, "purpose=QC-G"),
        (|header| header.purpose = "qc-f".to_owned(), Reason::PurposeNotCovered, "purpose=qc-f"),
        (
            |header| header.legal_basis = "A-2.1 s.67".to_owned(),
            Reason::LegalBasisNotCovered,
            "legal_basis=A-2.1 s.68",
        ),
        (|header| header.data_categories.clear(), Reason::CategoryNotCovered, "field=data_categories"),
        (
            |header| header.data_categories.push("sante".to_owned()),
            Reason::CategoryNotCovered,
            "data_category=sante",
        ),
        (|header| header.case_commitment.clear(), Reason::CaseReferenceMissing, "field=case_reference"),
        (|header| header.acting_user.clear(), Reason::ActingUserMissing, "field=acting_user"),
        (
            |header| header.plaintext_length += 1,
            Reason::RecordTooLarge,
            "max_record_bytes=104857600; length=104857601",
        ),
    ];
    for (change, reason, detail) in rows {
        let mut header = header(&agreement);
        change(&mut header);
        let refusal = permits(&agreement, &header, noon()).unwrap_err();
        assert_eq!(refusal, Refusal { reason, detail: detail.to_owned() });
        assert_eq!(permitted_at_acceptance(&agreement, &header, noon()).unwrap_err(), refusal);
    }
}

#[test]
fn another_version_of_the_document_is_another_digest() {
    let (agreement, changed) =
        (verified(&[], active()), verified(&[("/retention_days", json!(731))], active()));
    let refusal = permits(&agreement, &header(&changed), noon()).unwrap_err();
    assert_eq!(refusal.reason, Reason::AgreementDigestMismatch);
}

#[test]
fn the_standing_decides() {
    for (state, reason, name, after_acceptance) in [
        (State::Proposed, Reason::AgreementNotInForce, "PROPOSED", false),
        (State::Signed, Reason::AgreementNotInForce, "SIGNED", false),
        (State::Suspended, Reason::AgreementSuspended, "SUSPENDED", true),
        (State::Revoked, Reason::AgreementRevoked, "REVOKED", true),
        (State::Replaced, Reason::AgreementReplaced, "REPLACED", true),
        (State::Rejected, Reason::AgreementNotInForce, "REJECTED", false),
    ] {
        let agreement = verified(&[], Standing { state, ..active() });
        let header = header(&agreement);
        let refusal = Refusal { reason, detail: format!("state=AGREEMENT_STATE_{name}") };
        assert_eq!(permits(&agreement, &header, noon()).unwrap_err(), refusal);
        // Accepted in time, delivered later: the recipient takes it although the agreement was stopped meanwhile.
        let late = permitted_at_acceptance(&agreement, &header, noon());
        assert_eq!(late.is_ok(), after_acceptance, "{state:?}");
        assert!(late.is_ok() || late.unwrap_err() == refusal);
    }
}

#[test]
fn to_the_millisecond() {
    let not_yet =
        "in_force_from=2026-12-01T00:00:00-05:00; valid_from=2026-12-01; received_by_cai_on=2026-10-05";
    let over = "valid_to=2028-11-30; in_force_until=2028-12-01T00:00:00-05:00";
    let agreement = verified(&[], active());
    let header = header(&agreement);
    for (instant, refused) in [
        ("2026-12-01T04:59:59.999Z", Some((Reason::AgreementNotInForce, not_yet))),
        ("2026-12-01T05:00:00.000Z", None),
        ("2028-12-01T04:59:59.999Z", None),
        ("2028-12-01T05:00:00.000Z", Some((Reason::AgreementExpired, over))),
    ] {
        let expected = refused.map(|(reason, detail)| Refusal { reason, detail: detail.to_owned() });
        assert_eq!(permits(&agreement, &header, at(instant)).err(), expected, "{instant}");
        assert_eq!(permitted_at_acceptance(&agreement, &header, at(instant)).err(), expected, "{instant}");
    }
}

#[test]
fn the_commissions_thirty_days_to_the_millisecond() {
    let received = |day: &str| Standing { received_by_cai_on: Some(day.parse().unwrap()), ..active() };
    // Received on 10 November: 10 December, 00:00 at UTC-5.
    let agreement = verified(&[], received("2026-11-10"));
    let header = header(&agreement);
    let refusal = permits(&agreement, &header, at("2026-12-10T04:59:59.999Z")).unwrap_err();
    assert_eq!(refusal.reason, Reason::AgreementNotInForce);
    assert_eq!(
        refusal.detail,
        "in_force_from=2026-12-10T00:00:00-05:00; valid_from=2026-12-01; received_by_cai_on=2026-11-10"
    );
    assert!(permits(&agreement, &header, at("2026-12-10T05:00:00Z")).is_ok());

    let waiting = agreement.with_standing(Standing { received_by_cai_on: None, ..active() });
    let refusal = permits(&waiting, &header, noon()).unwrap_err();
    assert_eq!(
        (refusal.reason, refusal.detail.as_str()),
        (Reason::AgreementNotInForce, "received_by_cai_on=unknown")
    );
}

#[test]
fn calls_go_to_the_provider_and_answers_come_back() {
    let calls = verified(&[("/method", json!(["call"]))], active());
    let route = |agreement: &VerifiedAgreement, kind: ExchangeKind, sender: &str, recipients: &[&str]| {
        let mut header = header(agreement);
        header.kind = kind.into();
        header.sender_agency = sender.to_owned();
        header.recipients = recipients.iter().map(|&recipient| recipient.to_owned()).collect();
        permits(agreement, &header, noon()).map(drop).map_err(|refusal| (refusal.reason, refusal.detail))
    };
    let (request, response) = (ExchangeKind::CallRequest, ExchangeKind::CallResponse);
    assert_eq!(route(&calls, request, "saaq", &["ramq"]), Ok(()));
    assert_eq!(route(&calls, response, "ramq", &["saaq"]), Ok(()));
    for (kind, sender, recipients) in [
        (request, "ramq", ["saaq"].as_slice()),
        (request, "saaq", &["revenu-quebec"]),
        (request, "saaq", &["ramq", "revenu-quebec"]),
        (request, "saaq", &[]),
        (request, "ramq", &["ramq"]),
        (response, "saaq", &["ramq"]),
        (response, "ramq", &["ramq"]),
    ] {
        let (reason, _) = route(&calls, kind, sender, recipients).unwrap_err();
        assert_eq!(reason, Reason::DirectionNotCovered, "{kind:?} {sender} -> {recipients:?}");
    }
    let method = |methods: &str| Err((Reason::ServiceNotCovered, format!("method={methods}")));
    assert_eq!(route(&calls, ExchangeKind::Record, "ramq", &["saaq"]), method("call"));
    let records = verified(&[], active());
    assert_eq!(route(&records, request, "saaq", &["ramq"]), method("record,file"));
    assert_eq!(route(&records, response, "ramq", &["saaq"]), method("record,file"));
}

#[test]
fn what_is_not_required_may_be_left_out() {
    let edits = [("/requires", json!({})), ("/limits", json!({}))];
    let agreement = verified(&edits, active());
    let mut header = header(&agreement);
    header.case_commitment.clear();
    header.acting_user.clear();
    header.plaintext_length = u64::MAX;
    assert!(permits(&agreement, &header, noon()).is_ok());
}

/// Everything is wrong; what is mended in each step uncovers the next reason.
#[test]
fn the_first_failing_check_gives_the_reason() {
    let sound = verified(&[], active());
    let mut header = header(&sound);
    reference(&mut header).number = "ENT-2026-999".to_owned();
    reference(&mut header).digest = Bytes::from_static(&[0; 32]);
    header.recipients = vec!["cnesst".to_owned()];
    header.service = "autre".to_owned();
    header.purpose = "QC-G".to_owned();
    header.legal_basis = "A-2.1 s.67".to_owned();
    header.data_categories = vec!["sante".to_owned()];
    header.case_commitment.clear();
    header.acting_user.clear();
    header.plaintext_length = u64::MAX;
    let stopped =
        sound.with_standing(Standing { state: State::Suspended, received_by_cai_on: None, ..active() });
    let unreceived = sound.with_standing(Standing { received_by_cai_on: None, ..active() });
    let (over, now) = (at("2030-01-01T00:00:00Z"), noon());
    let reason = |agreement: &VerifiedAgreement, header: &Header, at| {
        permits(agreement, header, at).unwrap_err().reason
    };

    assert_eq!(reason(&stopped, &header, over), Reason::AgreementNotFound);
    reference(&mut header).number = "ENT-2026-001".to_owned();
    assert_eq!(reason(&stopped, &header, over), Reason::AgreementDigestMismatch);
    header.agreement = Some(sound.reference());
    assert_eq!(reason(&stopped, &header, over), Reason::AgreementSuspended);
    assert_eq!(reason(&unreceived, &header, over), Reason::AgreementExpired);
    assert_eq!(reason(&unreceived, &header, now), Reason::AgreementNotInForce);
    let mends: [(Reason, Change); 8] = [
        (Reason::DirectionNotCovered, |header| header.recipients = vec!["saaq".to_owned()]),
        (Reason::ServiceNotCovered, |header| header.service = "admissibilite".to_owned()),
        (Reason::PurposeNotCovered, |header| header.purpose = "QC-F".to_owned()),
        (Reason::LegalBasisNotCovered, |header| header.legal_basis = "A-2.1 s.68".to_owned()),
        (Reason::CategoryNotCovered, |header| header.data_categories = vec!["adresse".to_owned()]),
        (Reason::CaseReferenceMissing, |header| header.case_commitment = Bytes::from_static(&[1; 32])),
        (Reason::ActingUserMissing, |header| header.acting_user = Bytes::from_static(&[2; 32])),
        (Reason::RecordTooLarge, |header| header.plaintext_length = 1),
    ];
    for (expected, mend) in mends {
        assert_eq!(reason(&sound, &header, now), expected);
        mend(&mut header);
    }
    assert!(permits(&sound, &header, now).is_ok());
}
