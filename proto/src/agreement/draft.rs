//! The agreement as a form: the JSON of `docs/formats/agreement.md`, before it is checked.
//!
//! Every field may be left out here, so that [`Draft::check`] can name *all* that is missing or wrong at once instead
//! of stopping at the first. Unknown fields are refused when the JSON is read. A draft can be filled in a program and
//! written with [`Draft::to_json`].

use serde::{Deserialize, Serialize};

use super::terms::Agreement;
use super::validate::{self, FieldError};

/// A text in French and in English; the French one prevails.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bilingual {
    /// French.
    pub fr: String,
    /// English.
    pub en: String,
}

impl Bilingual {
    /// A text of both languages.
    pub fn new(fr: impl Into<String>, en: impl Into<String>) -> Self {
        Self { fr: fr.into(), en: en.into() }
    }
}

/// The whole form.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Draft {
    /// `passerelle-agreement/1`.
    pub format: String,
    /// Number of the agreement, such as `ENT-2026-001`; the same for all its versions.
    pub number: String,
    /// From 1.
    pub version: u32,
    /// The version that this one replaces; required from version 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<DraftSupersedes>,
    /// What the agreement is about.
    pub title: Bilingual,
    /// Code of [`super::LegalRegime`].
    pub legal_regime: String,
    /// Code of [`super::LegalBasis`].
    pub legal_basis: String,
    /// Code of [`super::Section68Case`]; required for s. 68, refused otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub section_68_case: Option<String>,
    /// The provision that gives the recipient the attribution or programme.
    pub enabling_provision: String,
    /// The body that releases the information.
    pub provider: DraftParty,
    /// Those who receive it.
    pub consumers: Vec<DraftParty>,
    /// For what.
    pub purposes: Vec<DraftPurpose>,
    /// Nature of the information.
    pub data_categories: Vec<DraftCategory>,
    /// Codes of [`super::Method`].
    pub method: Vec<String>,
    /// Names of the services covered.
    pub services: Vec<String>,
    /// What narrows a service to some of its operations.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub operations: Vec<DraftOperations>,
    /// Which fields of JSON content may leave.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<DraftFields>,
    /// How the information is protected.
    pub security_measures: Vec<Bilingual>,
    /// How often.
    pub interval: DraftInterval,
    /// First day, ISO 8601, America/Toronto.
    pub valid_from: String,
    /// Last day, included.
    pub valid_to: String,
    /// The privacy impact assessment (EFVP).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub efvp: Option<DraftAssessment>,
    /// One block per State outside Québec (s. 70.1).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outside_quebec: Vec<DraftOutsideQuebec>,
    /// What every exchange must state.
    pub requires: Requires,
    /// What the gateway counts.
    pub limits: DraftLimits,
    /// Days that the recipient may keep the information.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention_days: Option<u32>,
}

/// An earlier version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DraftSupersedes {
    /// Its agreement's number.
    pub number: String,
    /// Its version.
    pub version: u32,
}

/// A public body that is bound.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DraftParty {
    /// Agency code, as in its certificates.
    pub agency: String,
    /// Name of the body.
    pub name: Bilingual,
    /// `QC`, or the ISO 3166 code of the State outside Québec.
    pub jurisdiction: String,
    /// Who answers for personal information there (A-2.1, s. 8).
    pub privacy_officer: PrivacyOfficer,
}

/// The person in charge of the protection of personal information.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PrivacyOfficer {
    /// Name.
    pub name: String,
    /// Title.
    pub title: String,
    /// Business e-mail address or telephone.
    pub contact: String,
}

/// One purpose.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DraftPurpose {
    /// Code of [`super::PurposeCode`].
    pub code: String,
    /// A term of the Data Privacy Vocabulary, where one fits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dpv: Option<String>,
    /// The specific end; a code alone is not enough.
    pub text: Bilingual,
}

/// One category of information.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DraftCategory {
    /// Code that headers use.
    pub code: String,
    /// What people read.
    pub label: Bilingual,
    /// Sensitive in the sense of, s. 59.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sensitive: Option<bool>,
}

/// The operations of one service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DraftOperations {
    /// One of the services.
    pub service: String,
    /// Names of operations.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub operations: Vec<String>,
    /// Methods and path templates.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<DraftPath>,
}

/// A method and a path template.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DraftPath {
    /// Such as `GET`.
    pub method: String,
    /// Such as `/dossiers/{numero}`.
    pub path: String,
}

/// Which fields may leave.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DraftFields {
    /// The services concerned; every one when left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<String>,
    /// JSON Pointers, with `*` for any key or element.
    pub allow: Vec<String>,
    /// Code of [`super::Otherwise`]: what becomes of the other fields.
    pub otherwise: String,
}

/// How often.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DraftInterval {
    /// Code of [`super::IntervalKind`].
    pub kind: String,
    /// In words.
    pub text: Bilingual,
}

/// The assessment and its four conclusions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DraftAssessment {
    /// File number of the assessment.
    pub reference: String,
    /// Day on which it was concluded, ISO 8601.
    pub date: String,
    /// SHA-256 of the assessment's document, lower-case hexadecimal.
    pub document_sha256: String,
    /// The objective can only be attained with information in identifying form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objective_needs_identifying: Option<bool>,
    /// It is unreasonable to require consent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consent_unreasonable: Option<bool>,
    /// The objective outweighs, for the public interest, the impact on privacy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interest_outweighs: Option<bool>,
    /// The information will be used in a way that ensures its confidentiality.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidentiality_ensured: Option<bool>,
    /// Who reviewed it.
    pub reviewer: String,
}

/// Release outside Québec: the factors of s. 70.1 for one State.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DraftOutsideQuebec {
    /// ISO 3166 code of the State.
    pub state: String,
    /// File number of the assessment.
    pub reference: String,
    /// Day on which it was concluded, ISO 8601.
    pub date: String,
    /// SHA-256 of the assessment's document, lower-case hexadecimal.
    pub document_sha256: String,
    /// Factor 1: sensitivity of the information.
    pub sensitivity: Bilingual,
    /// Factor 2: purpose of its use.
    pub purpose: Bilingual,
    /// Factor 3: protection measures, contractual ones included.
    pub protection_measures: Bilingual,
    /// Factor 4: legal framework of the State.
    pub legal_framework: Bilingual,
    /// Conclusion: the information would be adequately protected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adequate_protection: Option<bool>,
}

/// What every exchange must state. Nothing unless the agreement says so.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Requires {
    /// A case reference.
    pub case_reference: bool,
    /// The user on whose behalf the exchange is made.
    pub acting_user: bool,
}

/// Volumes; what is left out is not limited by the agreement.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DraftLimits {
    /// Exchanges in a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_second: Option<u64>,
    /// Exchanges in a day (America/Toronto).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_day: Option<u64>,
    /// Plaintext bytes in a day (America/Toronto).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_day: Option<u64>,
    /// Plaintext bytes in one record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_record_bytes: Option<u64>,
}

impl Draft {
    /// The checked agreement.
    ///
    /// # Errors
    /// Every mistake of the form, in the order of the form; never empty.
    pub fn check(&self) -> Result<Agreement, Vec<FieldError>> {
        validate::check(self)
    }

    /// The form as indented JSON, ready for [`super::Document::parse`].
    ///
    /// # Errors
    /// None in practice: every field has a JSON form.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec_pretty(self)
    }
}
