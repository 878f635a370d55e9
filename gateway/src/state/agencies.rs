//! Agencies: registered by one administrator, active once another has approved.

use std::sync::Arc;

use passerelle_pki::name::AgencyCode;
use passerelle_proto::wire::{self, EventKind, event::Detail};

use super::{Misfit, State};
use crate::ledger::{NewEvent, Refused, RefusedKind};

/// Characters that a name or a note may have.
const TEXT_LIMIT: usize = 500;

/// Where an agency stands.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum AgencyStanding {
    /// Waits for another administrator's approval.
    Registered,
    /// May enrol agents and exchange.
    Active,
    /// May not exchange.
    Suspended,
}

/// A public body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agency {
    /// Name; the French one is the name of the body.
    pub name_fr: String,
    /// English name.
    pub name_en: String,
    /// `QC`, or an ISO 3166 code.
    pub jurisdiction: String,
    /// Where it stands.
    pub standing: AgencyStanding,
    /// Who registered it, or suspended it: somebody else approves.
    pub by: String,
}

impl State {
    pub(super) fn apply_agency(
        &mut self,
        kind: EventKind,
        detail: &wire::AgencyDetail,
        actor: &str,
    ) -> Result<(), Misfit> {
        let code: AgencyCode = detail.agency.parse().map_err(|error| format!("agency code: {error}"))?;
        let agencies = Arc::make_mut(&mut self.agencies);
        match (kind, agencies.get_mut(&code)) {
            (EventKind::AgencyRegistered, None) => {
                let agency = Agency {
                    name_fr: detail.name_fr.clone(),
                    name_en: detail.name_en.clone(),
                    jurisdiction: detail.jurisdiction.clone(),
                    standing: AgencyStanding::Registered,
                    by: actor.to_owned(),
                };
                agencies.insert(code, Arc::new(agency));
                Ok(())
            }
            (EventKind::AgencyApproved, Some(agency)) => {
                Arc::make_mut(agency).standing = AgencyStanding::Active;
                Ok(())
            }
            (EventKind::AgencySuspended, Some(agency)) => {
                let agency = Arc::make_mut(agency);
                agency.standing = AgencyStanding::Suspended;
                actor.clone_into(&mut agency.by);
                Ok(())
            }
            (kind, _) => Err(format!("{} of agency {code}", kind.as_str_name())),
        }
    }

    /// Registers an agency.
    ///
    /// # Errors
    /// When the form is wrong or the code is taken.
    pub fn register_agency(&self, agency: &wire::Agency, actor: wire::Actor) -> Result<NewEvent, Refused> {
        let code = parse_code(&agency.code)?;
        if self.agencies.contains_key(&code) {
            return Err(Refused::new(
                RefusedKind::AlreadyExists,
                format!("L'organisme {code} est déjà enregistré."),
                format!("The agency {code} is registered already."),
            ));
        }
        for (field, text) in [("name_fr", &agency.name_fr), ("name_en", &agency.name_en)] {
            check_text(field, text, false)?;
        }
        let jurisdiction = &agency.jurisdiction;
        let fits = (2..=6).contains(&jurisdiction.len())
            && jurisdiction.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
        if !fits {
            return Err(Refused::new(
                RefusedKind::Invalid,
                "jurisdiction : QC, ou un code ISO 3166 en majuscules.",
                "jurisdiction: QC, or an ISO 3166 code in capitals.",
            ));
        }
        let detail = wire::AgencyDetail {
            agency: code.to_string(),
            name_fr: agency.name_fr.clone(),
            name_en: agency.name_en.clone(),
            jurisdiction: jurisdiction.clone(),
            note: String::new(),
        };
        Ok(event(EventKind::AgencyRegistered, actor, detail))
    }

    /// Approves a registered or suspended agency; not by who registered or suspended it.
    ///
    /// # Errors
    /// When there is no such agency, it is active, or the same person asks.
    pub fn approve_agency(&self, code: &str, actor: wire::Actor) -> Result<NewEvent, Refused> {
        let (code, agency) = self.known_agency(code)?;
        if agency.standing == AgencyStanding::Active {
            return Err(conflict(&code, "est déjà actif", "is active already"));
        }
        if agency.by == super::actor_name(Some(&actor)) {
            return Err(Refused::new(
                RefusedKind::Forbidden,
                "Une autre personne doit approuver : pas celle qui a enregistré ou suspendu l'organisme.",
                "Another person must approve: not the one who registered or suspended the agency.",
            ));
        }
        let detail = wire::AgencyDetail { agency: code.to_string(), ..wire::AgencyDetail::default() };
        Ok(event(EventKind::AgencyApproved, actor, detail))
    }

    /// Suspends an active agency.
    ///
    /// # Errors
    /// When there is no such agency, it is not active, or the note does not fit.
    pub fn suspend_agency(&self, code: &str, note: &str, actor: wire::Actor) -> Result<NewEvent, Refused> {
        let (code, agency) = self.known_agency(code)?;
        if agency.standing != AgencyStanding::Active {
            return Err(conflict(&code, "n'est pas actif", "is not active"));
        }
        check_text("note", note, true)?;
        let detail = wire::AgencyDetail {
            agency: code.to_string(),
            note: note.to_owned(),
            ..wire::AgencyDetail::default()
        };
        Ok(event(EventKind::AgencySuspended, actor, detail))
    }

    /// The agency with this code.
    ///
    /// # Errors
    /// When the code is none, or nobody's.
    pub fn known_agency(&self, code: &str) -> Result<(AgencyCode, &Agency), Refused> {
        let code = parse_code(code)?;
        match self.agencies.get(&code) {
            Some(agency) => Ok((code, agency)),
            None => Err(Refused::new(
                RefusedKind::NotFound,
                format!("Aucun organisme n'a le code {code}. `agency list` les énumère."),
                format!("No agency has the code {code}. `agency list` lists them."),
            )),
        }
    }
}

fn parse_code(code: &str) -> Result<AgencyCode, Refused> {
    code.parse().map_err(|_error| {
        Refused::new(
            RefusedKind::Invalid,
            "Code d'organisme : 2 à 40 lettres minuscules, chiffres et traits d'union.",
            "Agency code: 2 to 40 lower-case letters, digits and hyphens.",
        )
    })
}

/// A text that people write: not empty (unless it may be), bounded, without control characters.
pub(super) fn check_text(field: &str, text: &str, may_be_empty: bool) -> Result<(), Refused> {
    let fits = (may_be_empty || !text.trim().is_empty())
        && text.chars().count() <= TEXT_LIMIT
        && !text.chars().any(char::is_control);
    if fits {
        return Ok(());
    }
    Err(Refused::new(
        RefusedKind::Invalid,
        format!("{field} : 1 à {TEXT_LIMIT} caractères imprimables."),
        format!("{field}: 1 to {TEXT_LIMIT} printable characters."),
    ))
}

fn conflict(code: &AgencyCode, fr: &str, en: &str) -> Refused {
    Refused::new(
        RefusedKind::Conflict,
        format!("L'organisme {code} {fr}."),
        format!("The agency {code} {en}."),
    )
}

fn event(kind: EventKind, actor: wire::Actor, detail: wire::AgencyDetail) -> NewEvent {
    NewEvent { kind, actor, detail: Detail::Agency(detail) }
}
