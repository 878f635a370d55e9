//! Where a version of an agreement stands: its state, the Commission's dates, and which step may follow which.
//!
//! ```text
//! PROPOSED --all signed--> SIGNED --activate--> ACTIVE <--suspend / resume--> SUSPENDED
//!     \---------reject--------/                    \--------revoke, replace--------/
//! ```
//! REJECTED, REVOKED and REPLACED are final. The Commission's dates may be recorded from SIGNED on; they decide when
//! an active agreement comes into force ([`super::in_force_from`]). Expiry is no state: it follows from the clock.
//!
//! Trust: the gateway states the standing and no party signs it. What a lying gateway gains is limited to this: it may
//! call a signed agreement active or suspended, and misstate the Commission's dates; it can change no term. Each step
//! is an event of the log, where a lie can be read.

use jiff::civil::Date;
use passerelle_pki::clock::Timestamp;

use super::basis::LegalBasis;
use super::calendar;
use crate::wire;

/// State of a version.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Registered; parties are signing.
    Proposed,
    /// Signed by every party.
    Signed,
    /// Activated; in force between its two instants.
    Active,
    /// Stopped for now.
    Suspended,
    /// Ended before its time.
    Revoked,
    /// A later version governs.
    Replaced,
    /// Refused before it was activated.
    Rejected,
}

/// What happened to a version since it was proposed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// State.
    pub state: State,
    /// Day on which it was sent to the Commission.
    pub sent_to_cai_on: Option<Date>,
    /// Day on which the Commission received it.
    pub received_by_cai_on: Option<Date>,
    /// When it was activated.
    pub activated: Option<Timestamp>,
    /// Why it was suspended, revoked or rejected.
    pub note: String,
}

/// A step in the life of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The last party signed.
    AllSigned,
    /// Activated by a signing authority.
    Activate,
    /// Sent to the Commission on that day.
    SentToCai(Date),
    /// Received by the Commission on that day.
    ReceivedByCai(Date),
    /// Stopped for now, and why.
    Suspend(String),
    /// Restored.
    Resume,
    /// Ended, and why.
    Revoke(String),
    /// A later version has come into force.
    Replace,
    /// Refused, and why.
    Reject(String),
}

/// Why a step cannot be taken. The caller's misuse, never ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// Not from this state.
    #[error("a version that is {0:?} does not allow this step; read its present state again")]
    State(State),
    /// The basis does not involve the Commission.
    #[error("the basis {0} waits for no receipt by the Commission; record nothing")]
    CommissionNotInvolved(LegalBasis),
    /// A date that has not come yet.
    #[error("{0} is in the future; record the date when it has come")]
    Future(Date),
    /// Received before it was sent, or without having been sent.
    #[error("the Commission receives an agreement after it was sent; record a sending not after {0} first")]
    NotSentBefore(Date),
    /// The date is recorded already.
    #[error("recorded already as {0}; a date of the Commission is recorded once")]
    AlreadyRecorded(Date),
}

/// A standing that cannot be read. Whoever sent the record is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StandingError {
    /// Unspecified or unknown state.
    #[error("unknown agreement state {0}")]
    State(i32),
    /// Not an ISO 8601 date.
    #[error("{field} is not a date")]
    Date {
        /// Field of `AgreementStanding`.
        field: &'static str,
    },
}

impl Standing {
    /// Just proposed.
    #[must_use]
    pub fn proposed() -> Self {
        Self {
            state: State::Proposed,
            sent_to_cai_on: None,
            received_by_cai_on: None,
            activated: None,
            note: String::new(),
        }
    }

    /// The standing after a step taken at `now`.
    ///
    /// # Errors
    /// When the step is not allowed from here, or a date is wrong.
    pub fn after(&self, step: Step, basis: LegalBasis, now: Timestamp) -> Result<Self, StepError> {
        let mut next = self.clone();
        match (self.state, step) {
            (State::Proposed, Step::AllSigned) => next.state = State::Signed,
            (State::Signed, Step::Activate) => {
                next.state = State::Active;
                next.activated = Some(now);
            }
            (State::Signed | State::Active | State::Suspended, Step::SentToCai(on)) => {
                recordable(basis, self.sent_to_cai_on, on, now)?;
                next.sent_to_cai_on = Some(on);
            }
            (State::Signed | State::Active | State::Suspended, Step::ReceivedByCai(on)) => {
                recordable(basis, self.received_by_cai_on, on, now)?;
                if self.sent_to_cai_on.is_none_or(|sent| sent > on) {
                    return Err(StepError::NotSentBefore(on));
                }
                next.received_by_cai_on = Some(on);
            }
            (State::Active, Step::Suspend(note)) => next.stop(State::Suspended, note),
            (State::Suspended, Step::Resume) => next.stop(State::Active, String::new()),
            (State::Active | State::Suspended, Step::Revoke(note)) => next.stop(State::Revoked, note),
            (State::Active | State::Suspended, Step::Replace) => next.state = State::Replaced,
            (State::Proposed | State::Signed, Step::Reject(note)) => next.stop(State::Rejected, note),
            (state, _) => return Err(StepError::State(state)),
        }
        Ok(next)
    }

    fn stop(&mut self, state: State, note: String) {
        self.state = state;
        self.note = note;
    }

    /// The wire form.
    #[must_use]
    pub fn to_wire(&self) -> wire::AgreementStanding {
        let date = |date: Option<Date>| date.map(|date| date.to_string()).unwrap_or_default();
        wire::AgreementStanding {
            state: self.state.to_wire().into(),
            sent_to_cai_on: date(self.sent_to_cai_on),
            received_by_cai_on: date(self.received_by_cai_on),
            activated_ms: self.activated.map_or(0, Timestamp::as_millis),
            note: self.note.clone(),
        }
    }
}

impl TryFrom<&wire::AgreementStanding> for Standing {
    type Error = StandingError;

    fn try_from(standing: &wire::AgreementStanding) -> Result<Self, StandingError> {
        let date = |text: &str, field| match text {
            "" => Ok(None),
            text => calendar::parse(text).map(Some).ok_or(StandingError::Date { field }),
        };
        Ok(Self {
            state: State::from_wire(standing.state)?,
            sent_to_cai_on: date(&standing.sent_to_cai_on, "sent_to_cai_on")?,
            received_by_cai_on: date(&standing.received_by_cai_on, "received_by_cai_on")?,
            activated: (standing.activated_ms != 0).then(|| Timestamp::from_millis(standing.activated_ms)),
            note: standing.note.clone(),
        })
    }
}

impl State {
    /// The wire form.
    #[must_use]
    pub fn to_wire(self) -> wire::AgreementState {
        match self {
            Self::Proposed => wire::AgreementState::Proposed,
            Self::Signed => wire::AgreementState::Signed,
            Self::Active => wire::AgreementState::Active,
            Self::Suspended => wire::AgreementState::Suspended,
            Self::Revoked => wire::AgreementState::Revoked,
            Self::Replaced => wire::AgreementState::Replaced,
            Self::Rejected => wire::AgreementState::Rejected,
        }
    }

    fn from_wire(state: i32) -> Result<Self, StandingError> {
        match wire::AgreementState::try_from(state) {
            Ok(wire::AgreementState::Proposed) => Ok(Self::Proposed),
            Ok(wire::AgreementState::Signed) => Ok(Self::Signed),
            Ok(wire::AgreementState::Active) => Ok(Self::Active),
            Ok(wire::AgreementState::Suspended) => Ok(Self::Suspended),
            Ok(wire::AgreementState::Revoked) => Ok(Self::Revoked),
            Ok(wire::AgreementState::Replaced) => Ok(Self::Replaced),
            Ok(wire::AgreementState::Rejected) => Ok(Self::Rejected),
            Ok(wire::AgreementState::Unspecified) | Err(_) => Err(StandingError::State(state)),
        }
    }
}

/// A day of the Commission's file: once, by a basis that involves it, not in the future.
fn recordable(basis: LegalBasis, before: Option<Date>, on: Date, now: Timestamp) -> Result<(), StepError> {
    if !basis.waits_for_commission() {
        return Err(StepError::CommissionNotInvolved(basis));
    }
    if let Some(before) = before {
        return Err(StepError::AlreadyRecorded(before));
    }
    if on > calendar::day_of(now) {
        return Err(StepError::Future(on));
    }
    Ok(())
}
