//! The agreements of the sandbox, as an agreement officer would fill them in.

use jiff::civil::Date;
use jiff::{Span, tz::TimeZone};
use passerelle_pki::clock::Timestamp;
use passerelle_proto::agreement::draft::{
    Bilingual, Draft, DraftAssessment, DraftCategory, DraftInterval, DraftLimits, DraftParty, DraftPurpose,
    PrivacyOfficer, Requires,
};

/// A public body of the sandbox.
#[derive(Copy, Clone, Debug)]
pub struct Body {
    /// Agency code.
    pub code: &'static str,
    /// French name.
    pub fr: &'static str,
    /// English name.
    pub en: &'static str,
}

/// Régie de l'assurance maladie du Québec.
pub const RAMQ: Body =
    Body {
        code: "ramq", fr: "Régie de l'assurance maladie du Québec", en: "Québec health insurance board"
    };
/// Société de l'assurance automobile du Québec.
pub const SAAQ: Body = Body {
    code: "saaq",
    fr: "Société de l'assurance automobile du Québec",
    en: "Québec automobile insurance corporation",
};
/// Revenu Québec.
pub const REVENU: Body = Body { code: "revenu-quebec", fr: "Revenu Québec", en: "Québec revenue agency" };

/// Names of what the sandbox's agreements cover.
pub mod codes {
    /// Service of both agreements.
    pub const SERVICE: &str = "dossiers";
    /// Purpose of both agreements: to verify eligibility.
    pub const PURPOSE: &str = "QC-F";
    /// Another purpose of the law, which they do not cover.
    pub const OTHER_PURPOSE: &str = "QC-G";
    /// Category of both agreements.
    pub const IDENTITY: &str = "identification";
    /// Category of both agreements.
    pub const ELIGIBILITY: &str = "admissibilite";
}

/// The present day in Québec.
#[must_use]
pub fn today(now: Timestamp) -> Date {
    let zone = TimeZone::get("America/Toronto").unwrap_or(TimeZone::UTC);
    now.to_jiff().to_zoned(zone).date()
}

/// `days` after (or before) a day.
#[must_use]
pub fn shifted(day: Date, days: i64) -> Date {
    day.saturating_add(Span::new().days(days))
}

/// An agreement by which `provider` releases records to `consumers` under s. 67, in force from yesterday for a year.
#[must_use]
pub fn draft(number: &str, provider: Body, consumers: &[Body], today: Date) -> Draft {
    Draft {
        format: "passerelle-agreement/1".to_owned(),
        number: number.to_owned(),
        version: 1,
        title: Bilingual::new(
            "Vérification de l'admissibilité (exemple du bac à sable)",
            "Verification of eligibility (sandbox example)",
        ),
        legal_regime: "A-2.1".to_owned(),
        legal_basis: "A-2.1 s.67".to_owned(),
        enabling_provision: "Disposition fictive, bac à sable".to_owned(),
        provider: party(provider),
        consumers: consumers.iter().copied().map(party).collect(),
        purposes: vec![DraftPurpose {
            code: codes::PURPOSE.to_owned(),
            dpv: None,
            text: Bilingual::new(
                "Vérifier l'admissibilité à un programme",
                "Verify eligibility for a programme",
            ),
        }],
        data_categories: vec![
            category(codes::IDENTITY, "Renseignements d'identité", "Identity information"),
            category(codes::ELIGIBILITY, "Admissibilité", "Eligibility"),
        ],
        method: vec!["record".to_owned(), "file".to_owned()],
        services: vec![codes::SERVICE.to_owned()],
        security_measures: vec![Bilingual::new(
            "Chiffrement de bout en bout, signature, journal vérifiable",
            "End-to-end encryption, signature, verifiable log",
        )],
        interval: DraftInterval {
            kind: "continuous".to_owned(),
            text: Bilingual::new("Au fil des demandes", "As requests come"),
        },
        valid_from: shifted(today, -1).to_string(),
        valid_to: shifted(today, 364).to_string(),
        requires: Requires { case_reference: false, acting_user: false },
        limits: DraftLimits { max_record_bytes: Some(1 << 30), ..DraftLimits::default() },
        retention_days: Some(365),
        ..Draft::default()
    }
}

/// The same under s. 68: with its assessment, and in force only 30 days after the Commission's receipt.
#[must_use]
pub fn under_section_68(mut draft: Draft, today: Date) -> Draft {
    draft.legal_basis = "A-2.1 s.68".to_owned();
    draft.section_68_case = Some("1".to_owned());
    draft.valid_from = shifted(today, -60).to_string();
    draft.efvp = Some(DraftAssessment {
        reference: "EFVP-2026-014".to_owned(),
        date: shifted(today, -90).to_string(),
        document_sha256: "5f".repeat(32),
        objective_needs_identifying: Some(true),
        consent_unreasonable: Some(true),
        interest_outweighs: Some(true),
        confidentiality_ensured: Some(true),
        reviewer: "Comité sur l'accès à l'information".to_owned(),
    });
    draft
}

fn party(body: Body) -> DraftParty {
    DraftParty {
        agency: body.code.to_owned(),
        name: Bilingual::new(body.fr, body.en),
        jurisdiction: "QC".to_owned(),
        privacy_officer: PrivacyOfficer {
            name: "Camille Exemple".to_owned(),
            title: "Responsable de la protection des renseignements personnels".to_owned(),
            contact: format!("acces@{}.example", body.code),
        },
    }
}

fn category(code: &str, fr: &str, en: &str) -> DraftCategory {
    DraftCategory { code: code.to_owned(), label: Bilingual::new(fr, en), sensitive: Some(false) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The agreements that every end-to-end test stands on are themselves without a mistake.
    #[test]
    fn the_sandbox_agreements_are_valid() {
        let today = Date::constant(2026, 3, 2);
        let plain = draft("ENT-2026-001", RAMQ, &[SAAQ], today);
        let waiting = under_section_68(draft("ENT-2026-002", REVENU, &[RAMQ, SAAQ], today), today);
        for form in [plain, waiting] {
            assert_eq!(form.check().map(drop), Ok(()), "{}", form.number);
        }
    }
}
