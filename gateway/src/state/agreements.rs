//! Agreements: every version, the signatures that it has, where it stands, and who moved it there.
//!
//! The document and the steps come from `proto::agreement`, so that agents come to the same conclusions. A newer version
//! that is in force replaces the older ones by the clock alone ([`State::superseded`]), without an event.

use std::sync::Arc;

use passerelle_pki::clock::Timestamp;
use passerelle_pki::name::{AgencyCode, AgentId};
use passerelle_proto::agreement::{
    AgreementVersion, Document, Permitted, Refusal, Standing, Step, StepError, VerifiedAgreement, change,
    in_force_from, permits,
};
use passerelle_proto::wire::{self, EventKind, Reason, event::Detail};

use super::{Misfit, State};
use crate::ledger::{NewEvent, Refused, RefusedKind};

/// A version, with or without all its signatures.
#[derive(Clone, Debug)]
pub enum Version {
    /// Parties are signing.
    Collecting(AgreementVersion),
    /// Signed by every party.
    Signed(VerifiedAgreement),
}

/// One version of an agreement.
#[derive(Clone, Debug)]
pub struct Agreement {
    /// Document, signatures and standing.
    pub version: Version,
    /// Who proposed it; somebody else activates it.
    pub proposed_by: String,
    /// Who suspended it last; somebody else resumes it.
    pub suspended_by: String,
}

impl Agreement {
    /// The document.
    #[must_use]
    pub fn document(&self) -> &Document {
        match &self.version {
            Version::Collecting(version) => version.document(),
            Version::Signed(version) => version.document(),
        }
    }

    /// Where it stands.
    #[must_use]
    pub fn standing(&self) -> &Standing {
        match &self.version {
            Version::Collecting(version) => version.standing(),
            Version::Signed(version) => version.standing(),
        }
    }

    /// The wire form.
    #[must_use]
    pub fn to_record(&self) -> wire::AgreementRecord {
        match &self.version {
            Version::Collecting(version) => version.to_record(),
            Version::Signed(version) => version.to_record(),
        }
    }

    /// Whether an agency is bound by it.
    #[must_use]
    pub fn is_party(&self, agency: &str) -> bool {
        self.document().agreement().is_party(agency)
    }

    fn with_standing(&self, standing: Standing) -> Version {
        match &self.version {
            Version::Collecting(version) => Version::Collecting(version.clone().with_standing(standing)),
            Version::Signed(version) => Version::Signed(version.with_standing(standing)),
        }
    }
}

/// A step that an operator asks for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Move {
    /// Activate what every party signed.
    Activate,
    /// Refuse it before it is activated.
    Reject,
    /// Record that it was sent to the Commission.
    SentToCai,
    /// Record that the Commission received it.
    ReceivedByCai,
    /// Stop it for now.
    Suspend,
    /// Restore it.
    Resume,
    /// End it.
    Revoke,
}

impl Move {
    const ALL: [(Self, EventKind); 7] = [
        (Self::Activate, EventKind::AgreementActivated),
        (Self::Reject, EventKind::AgreementRejected),
        (Self::SentToCai, EventKind::AgreementSentToCai),
        (Self::ReceivedByCai, EventKind::AgreementReceivedByCai),
        (Self::Suspend, EventKind::AgreementSuspended),
        (Self::Resume, EventKind::AgreementResumed),
        (Self::Revoke, EventKind::AgreementRevoked),
    ];

    fn kind(self) -> EventKind {
        Self::ALL.iter().find(|(known, _)| *known == self).map_or(EventKind::Unspecified, |(_, kind)| *kind)
    }

    fn of(kind: EventKind) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == kind).map(|(step, _)| *step)
    }

    /// The step of the standing, from what the operator wrote.
    fn step(self, on: &str, note: &str) -> Result<Step, Misfit> {
        let date = || on.parse().map_err(|_error| format!("« {on} » : date ISO 8601 / ISO 8601 date"));
        Ok(match self {
            Self::Activate => Step::Activate,
            Self::Reject => Step::Reject(note.to_owned()),
            Self::SentToCai => Step::SentToCai(date()?),
            Self::ReceivedByCai => Step::ReceivedByCai(date()?),
            Self::Suspend => Step::Suspend(note.to_owned()),
            Self::Resume => Step::Resume,
            Self::Revoke => Step::Revoke(note.to_owned()),
        })
    }
}

impl State {
    /// Decides on a header: the agreement that it names, in the version that it names.
    ///
    /// # Errors
    /// The first failing check of [`permits()`], or `AGREEMENT_REPLACED` when a newer version is in force.
    pub fn permits(&self, header: &wire::Header, now: Timestamp) -> Result<Permitted, Refusal> {
        let reference = header.agreement.as_ref();
        let not_found = || Refusal::not_found(reference);
        let named = reference.ok_or_else(not_found)?;
        let agreement = self.agreement(&named.number, named.version).ok_or_else(not_found)?;
        if !agreement.is_party(&header.sender_agency) {
            return Err(not_found());
        }
        let Version::Signed(version) = &agreement.version else {
            return Err(Refusal {
                reason: Reason::AgreementNotInForce,
                detail: format!("number={}; version={}; state=PROPOSED", named.number, named.version),
            });
        };
        let permitted = permits(version, header, now)?;
        match self.superseded(&named.number, named.version, now) {
            Some(newer) => Err(Refusal {
                reason: Reason::AgreementReplaced,
                detail: format!("number={}; version={newer}", named.number),
            }),
            None => Ok(permitted),
        }
    }

    /// The newer version that has taken the place of this one, when one is active and its time has come.
    #[must_use]
    pub fn superseded(&self, number: &str, version: u32, now: Timestamp) -> Option<u32> {
        use std::ops::Bound::{Excluded, Included};
        let later = (Excluded((number.to_owned(), version)), Included((number.to_owned(), u32::MAX)));
        self.agreements
            .range(later)
            .rev()
            .find(|(_, agreement)| {
                let standing = agreement.standing();
                standing.activated.is_some()
                    && in_force_from(agreement.document().agreement(), standing)
                        .is_some_and(|from| from <= now)
            })
            .map(|((_, newer), _)| *newer)
    }

    /// A version as agents read it.
    #[must_use]
    pub fn record(&self, agreement: &Agreement, now: Timestamp) -> wire::AgreementRecord {
        let mut record = agreement.to_record();
        let terms = agreement.document().agreement();
        if let Some(standing) = record.standing.as_mut()
            && matches!(standing.state(), wire::AgreementState::Active | wire::AgreementState::Suspended)
            && self.superseded(&terms.number, terms.version, now).is_some()
        {
            standing.state = wire::AgreementState::Replaced.into();
        }
        record
    }

    /// Proposes a version.
    ///
    /// # Errors
    /// Every mistake of the document; when the version exists, its predecessor does not, or a party is not
    /// registered.
    pub fn propose(&self, document: &Document, actor: wire::Actor) -> Result<NewEvent, Refused> {
        let terms = document.agreement();
        if self.agreement(&terms.number, terms.version).is_some() {
            return Err(Refused::new(
                RefusedKind::AlreadyExists,
                format!(
                    "La version {} de {} existe déjà; un contenu modifié est une nouvelle version.",
                    terms.version, terms.number
                ),
                format!(
                    "Version {} of {} exists; changed content is a new version.",
                    terms.version, terms.number
                ),
            ));
        }
        if let Some(before) = &terms.supersedes
            && self.agreement(&before.number, before.version).is_none()
        {
            return Err(Refused::new(
                RefusedKind::Conflict,
                format!(
                    "La version {} de {}, que celle-ci remplace, n'existe pas.",
                    before.version, before.number
                ),
                format!(
                    "Version {} of {}, which this one replaces, does not exist.",
                    before.version, before.number
                ),
            ));
        }
        for party in terms.parties() {
            self.known_agency(party.agency.as_str())?;
        }
        let detail = wire::AgreementDetail {
            agreement: Some(document.reference()),
            document: document.bytes().clone(),
            ..wire::AgreementDetail::default()
        };
        Ok(NewEvent { kind: EventKind::AgreementProposed, actor, detail: Detail::Agreement(detail) })
    }

    /// Takes a party's signature, sent by one of its agents.
    ///
    /// # Errors
    /// When there is no such version for this agency, it is no longer being signed, or the signature does not hold.
    pub fn sign(
        &self,
        request: &wire::SignAgreementRequest,
        agent: &AgentId,
        actor: wire::Actor,
        now: Timestamp,
    ) -> Result<NewEvent, Refused> {
        let agreement = self.known_agreement(&request.number, request.version, Some(&agent.agency))?;
        let Version::Collecting(version) = &agreement.version else {
            return Err(Refused::new(
                RefusedKind::Conflict,
                "Toutes les parties ont déjà signé cette version.",
                "Every party has signed this version already.",
            ));
        };
        let invalid = |why: String| {
            Refused::new(
                RefusedKind::Invalid,
                format!("La signature n'est pas recevable : {why}."),
                format!("The signature cannot be taken: {why}."),
            )
        };
        let signature =
            request.signature.clone().ok_or_else(|| invalid("signature absente / missing".to_owned()))?;
        if signature.agency != agent.agency.as_str() {
            return Err(invalid(
                "un agent ne signe que pour son organisme / an agent signs for its agency only".to_owned(),
            ));
        }
        self.with_signature(version, &signature, now).map_err(invalid)?;
        let detail = wire::AgreementDetail {
            agreement: Some(version.document().reference()),
            signature: Some(signature),
            ..wire::AgreementDetail::default()
        };
        Ok(NewEvent { kind: EventKind::AgreementSigned, actor, detail: Detail::Agreement(detail) })
    }

    /// Moves a version on.
    ///
    /// # Errors
    /// When there is no such version, the step is not allowed from where it stands, or the same person may not take
    /// it.
    pub fn move_agreement(
        &self,
        step: Move,
        request: &wire::AgreementStep,
        actor: wire::Actor,
        now: Timestamp,
    ) -> Result<NewEvent, Refused> {
        let agreement = self.known_agreement(&request.number, request.version, None)?;
        super::agencies::check_text("note", &request.note, true)?;
        let person = super::actor_name(Some(&actor));
        let same = match step {
            Move::Activate => agreement.proposed_by == person,
            Move::Resume => agreement.suspended_by == person,
            _ => false,
        };
        if same {
            return Err(Refused::new(
                RefusedKind::Forbidden,
                "Une autre personne doit le faire : nul ne propose et active, ou suspend et rétablit, seul.",
                "Another person must do this: nobody proposes and activates, or suspends and resumes, alone.",
            ));
        }
        let invalid = |why: String| {
            Refused::new(RefusedKind::Invalid, format!("Refusé : {why}."), format!("Refused: {why}."))
        };
        let basis = agreement.document().agreement().legal_basis;
        let taken = step.step(&request.on, &request.note).map_err(invalid)?;
        agreement.standing().after(taken, basis, now).map_err(|error| refused_step(&error))?;
        let detail = wire::AgreementDetail {
            agreement: Some(agreement.document().reference()),
            on: request.on.clone(),
            note: request.note.clone(),
            ..wire::AgreementDetail::default()
        };
        Ok(NewEvent { kind: step.kind(), actor, detail: Detail::Agreement(detail) })
    }

    /// The version that somebody asks about; for a party, only its own.
    ///
    /// # Errors
    /// When there is none.
    pub fn known_agreement(
        &self,
        number: &str,
        version: u32,
        party: Option<&AgencyCode>,
    ) -> Result<&Agreement, Refused> {
        self.agreement(number, version)
            .filter(|agreement| party.is_none_or(|agency| agreement.is_party(agency.as_str())))
            .ok_or_else(|| {
                Refused::new(
                    RefusedKind::NotFound,
                    "Aucune entente de ce numéro et de cette version. `agreement list` les énumère.",
                    "No agreement with this number and version. `agreement list` lists them.",
                )
            })
    }

    fn with_signature(
        &self,
        version: &AgreementVersion,
        signature: &wire::PartySignature,
        at: Timestamp,
    ) -> Result<Version, Misfit> {
        let mut version = version.clone();
        version
            .take_signature(signature, &self.anchor, &|serial| self.revoked_since(serial), at)
            .map_err(|error| chain(&error))?;
        if !version.unsigned().is_empty() {
            return Ok(Version::Collecting(version));
        }
        let basis = version.agreement().legal_basis;
        let standing =
            version.standing().after(Step::AllSigned, basis, at).map_err(|error| error.to_string())?;
        let signed = version.with_standing(standing).into_verified().map_err(|error| chain(&error))?;
        Ok(Version::Signed(signed))
    }

    pub(super) fn apply_agreement(
        &mut self,
        kind: EventKind,
        detail: &wire::AgreementDetail,
        actor: &str,
        at: Timestamp,
    ) -> Result<(), Misfit> {
        let reference = detail.agreement.as_ref().ok_or("an agreement's event without a reference")?;
        let key = (reference.number.clone(), reference.version);
        if kind == EventKind::AgreementProposed {
            let agreement = self.proposed(detail, actor)?;
            if agreement.document().reference() != *reference || self.agreements.contains_key(&key) {
                return Err(format!("agreement {} version {} proposed twice or otherwise", key.0, key.1));
            }
            Arc::make_mut(&mut self.agreements).insert(key, Arc::new(agreement));
            return Ok(());
        }
        let known = self
            .agreements
            .get(&key)
            .filter(|known| known.document().digest().as_slice() == reference.digest.as_ref())
            .ok_or_else(|| format!("agreement {} version {} is not known", key.0, key.1))?;
        let mut next = Agreement::clone(known);
        next.version = match (kind, Move::of(kind), &known.version) {
            (EventKind::AgreementSigned, _, Version::Collecting(version)) => {
                let signature = detail.signature.as_ref().ok_or("a signature's event without one")?;
                self.with_signature(version, signature, at)?
            }
            (_, Some(step), _) => {
                let basis = known.document().agreement().legal_basis;
                let taken = step.step(&detail.on, &detail.note)?;
                let standing = known.standing().after(taken, basis, at).map_err(|error| error.to_string())?;
                known.with_standing(standing)
            }
            _ => return Err(format!("{} does not fit", kind.as_str_name())),
        };
        if kind == EventKind::AgreementSuspended {
            actor.clone_into(&mut next.suspended_by);
        }
        Arc::make_mut(&mut self.agreements).insert(key, Arc::new(next));
        Ok(())
    }

    /// A proposal; it inherits the Commission's dates when it changes nothing that the law looks at.
    fn proposed(&self, detail: &wire::AgreementDetail, actor: &str) -> Result<Agreement, Misfit> {
        let document = Document::parse(detail.document.clone())
            .map_err(|mistakes| format!("a document with {} mistakes", mistakes.len()))?;
        let terms = document.agreement();
        let mut standing = Standing::proposed();
        if let Some(older) =
            terms.supersedes.as_ref().and_then(|older| self.agreement(&older.number, older.version))
            && change::inherits_receipt(older.document().agreement(), terms)
        {
            standing.sent_to_cai_on = older.standing().sent_to_cai_on;
            standing.received_by_cai_on = older.standing().received_by_cai_on;
        }
        Ok(Agreement {
            version: Version::Collecting(AgreementVersion::proposed(document).with_standing(standing)),
            proposed_by: actor.to_owned(),
            suspended_by: String::new(),
        })
    }
}

fn refused_step(error: &StepError) -> Refused {
    let fr = match error {
        StepError::State(state) => format!("Une version {state:?} ne permet pas cette étape."),
        StepError::CommissionNotInvolved(basis) => {
            format!("Le fondement {basis} n'attend aucune réception par la Commission; n'inscrivez rien.")
        }
        StepError::Future(on) => format!("Le {on} n'est pas encore arrivé; inscrivez la date le jour venu."),
        StepError::NotSentBefore(on) => {
            format!("Inscrivez d'abord une date d'envoi à la Commission qui ne suit pas le {on}.")
        }
        StepError::AlreadyRecorded(on) => format!("Déjà inscrite : {on}."),
    };
    Refused::new(RefusedKind::Conflict, fr, error.to_string())
}

/// An error with its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
