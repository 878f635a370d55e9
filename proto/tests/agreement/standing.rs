//! The state machine: every step from every state, and the Commission's dates.

use jiff::civil::Date;
use passerelle_proto::agreement::standing::StandingError;
use passerelle_proto::agreement::{LegalBasis, Standing, State, Step, StepError};
use passerelle_proto::wire;

use crate::support::{active, at};

const BASIS: LegalBasis = LegalBasis::Section68;

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

fn steps() -> [Step; 9] {
    [
        Step::AllSigned,
        Step::Activate,
        Step::SentToCai(day("2026-10-01")),
        Step::ReceivedByCai(day("2026-10-05")),
        Step::Suspend("incident".to_owned()),
        Step::Resume,
        Step::Revoke("fin".to_owned()),
        Step::Replace,
        Step::Reject("non".to_owned()),
    ]
}

#[test]
fn every_step_from_every_state() {
    use State::{Active, Proposed, Rejected, Replaced, Revoked, Signed, Suspended};
    const NO: Option<State> = None;
    // Columns in the order of `steps`.
    let table = [
        (Proposed, [Some(Signed), NO, NO, NO, NO, NO, NO, NO, Some(Rejected)]),
        (Signed, [NO, Some(Active), Some(Signed), Some(Signed), NO, NO, NO, NO, Some(Rejected)]),
        (
            Active,
            [NO, NO, Some(Active), Some(Active), Some(Suspended), NO, Some(Revoked), Some(Replaced), NO],
        ),
        (
            Suspended,
            [NO, NO, Some(Suspended), Some(Suspended), NO, Some(Active), Some(Revoked), Some(Replaced), NO],
        ),
        (Revoked, [NO; 9]),
        (Replaced, [NO; 9]),
        (Rejected, [NO; 9]),
    ];
    let now = at("2026-11-24T15:00:00Z");
    for (state, row) in table {
        for (step, expected) in steps().into_iter().zip(row) {
            let mut standing = Standing { state, ..Standing::proposed() };
            if matches!(step, Step::ReceivedByCai(_)) {
                standing.sent_to_cai_on = Some(day("2026-10-01"));
            }
            let found = standing.after(step.clone(), BASIS, now);
            match expected {
                Some(next) => assert_eq!(found.unwrap().state, next, "{state:?} {step:?}"),
                None => assert_eq!(found, Err(StepError::State(state)), "{step:?}"),
            }
        }
    }
}

#[test]
fn a_life_from_proposal_to_revocation() {
    let now = at("2026-11-24T15:00:00Z");
    let mut standing = Standing::proposed();
    for step in [
        Step::AllSigned,
        Step::SentToCai(day("2026-10-01")),
        Step::ReceivedByCai(day("2026-10-05")),
        Step::Activate,
    ] {
        standing = standing.after(step, BASIS, now).unwrap();
    }
    assert_eq!(standing, Standing { activated: Some(now), ..active() });
    let suspended = standing.after(Step::Suspend("incident 12".to_owned()), BASIS, now).unwrap();
    assert_eq!(suspended.note, "incident 12");
    assert_eq!(suspended.after(Step::Resume, BASIS, now).unwrap(), standing);
    let revoked = suspended.after(Step::Revoke("fin".to_owned()), BASIS, now).unwrap();
    assert_eq!((revoked.state, revoked.note.as_str()), (State::Revoked, "fin"));
}

#[test]
fn dates_of_the_commission() {
    // 23:59 in Québec on 5 October, already the 6th in UTC.
    let now = at("2026-10-06T03:59:00Z");
    let signed = Standing { state: State::Signed, ..Standing::proposed() };
    let sent = |on| Step::SentToCai(day(on));
    let received = |on| Step::ReceivedByCai(day(on));
    let after_sending = signed.after(sent("2026-10-05"), BASIS, now).unwrap();
    let both = after_sending.after(received("2026-10-05"), BASIS, now).unwrap();
    assert_eq!(both.received_by_cai_on, Some(day("2026-10-05")));

    let refused = |standing: &Standing, step, basis| standing.after(step, basis, now).unwrap_err();
    assert_eq!(refused(&signed, sent("2026-10-06"), BASIS), StepError::Future(day("2026-10-06")));
    assert_eq!(refused(&after_sending, received("2026-10-06"), BASIS), StepError::Future(day("2026-10-06")));
    let early = day("2026-10-04");
    assert_eq!(refused(&after_sending, received("2026-10-04"), BASIS), StepError::NotSentBefore(early));
    assert_eq!(refused(&signed, received("2026-10-04"), BASIS), StepError::NotSentBefore(early));
    let recorded = StepError::AlreadyRecorded(day("2026-10-05"));
    assert_eq!(refused(&after_sending, sent("2026-10-01"), BASIS), recorded);
    assert_eq!(refused(&both, received("2026-10-05"), BASIS), recorded);
}

#[test]
fn only_three_bases_involve_the_commission() {
    let now = at("2026-11-24T15:00:00Z");
    let signed = Standing { state: State::Signed, ..Standing::proposed() };
    for &basis in LegalBasis::ALL {
        let found = signed.after(Step::SentToCai(day("2026-10-01")), basis, now);
        if ["A-2.1 s.64", "A-2.1 s.67.2.1", "A-2.1 s.68"].contains(&basis.code()) {
            assert!(found.is_ok(), "{basis}");
        } else {
            assert_eq!(found, Err(StepError::CommissionNotInvolved(basis)));
        }
    }
}

#[test]
fn the_wire_form_reads_back_or_is_refused() {
    for state in 1..=7 {
        let wire = wire::AgreementStanding { state, ..active().to_wire() };
        assert_eq!(Standing::try_from(&wire).unwrap().to_wire(), wire);
    }
    let proposed = Standing::proposed();
    assert_eq!(Standing::try_from(&proposed.to_wire()).unwrap(), proposed);
    for state in [0, 8, -1] {
        let wire = wire::AgreementStanding { state, ..active().to_wire() };
        assert_eq!(Standing::try_from(&wire), Err(StandingError::State(state)));
    }
    let sent = wire::AgreementStanding { sent_to_cai_on: "hier".to_owned(), ..active().to_wire() };
    assert_eq!(Standing::try_from(&sent), Err(StandingError::Date { field: "sent_to_cai_on" }));
    let received =
        wire::AgreementStanding { received_by_cai_on: "2026-02-30".to_owned(), ..active().to_wire() };
    assert_eq!(Standing::try_from(&received), Err(StandingError::Date { field: "received_by_cai_on" }));
}
