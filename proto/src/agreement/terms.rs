//! The terms of an agreement after they were checked. Only [`super::Draft::check`] makes an [`Agreement`].

use jiff::civil::Date;
use passerelle_pki::clock::Timestamp;
use passerelle_pki::name::AgencyCode;

use super::basis::{IntervalKind, LegalBasis, LegalRegime, Method, PurposeCode, Section68Case};
use super::draft::{Bilingual, PrivacyOfficer, Requires};
use super::scope::{FieldRules, OperationScope};

/// A lawful, well-formed agreement. Field by field it is the [`super::Draft`], with codes and dates read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Agreement {
    /// Number, the same for all versions.
    pub number: String,
    /// From 1.
    pub version: u32,
    /// The version that this one replaces.
    pub supersedes: Option<Supersedes>,
    /// What the agreement is about.
    pub title: Bilingual,
    /// The statute that governs the information.
    pub legal_regime: LegalRegime,
    /// The provision that allows the exchange.
    pub legal_basis: LegalBasis,
    /// Present exactly when the basis is s. 68.
    pub section_68_case: Option<Section68Case>,
    /// The provision that gives the recipient its attribution or programme.
    pub enabling_provision: String,
    /// The body that releases.
    pub provider: Party,
    /// Those who receive: at least one, none twice, never the provider.
    pub consumers: Vec<Party>,
    /// At least one, codes unique.
    pub purposes: Vec<Purpose>,
    /// At least one, codes unique.
    pub data_categories: Vec<Category>,
    /// At least one, unique.
    pub methods: Vec<Method>,
    /// At least one, unique.
    pub services: Vec<String>,
    /// What narrows services to some of their operations; no service twice. Only where `call` is a method.
    pub operations: Vec<OperationScope>,
    /// Which fields of JSON content may leave; no service twice.
    pub fields: Vec<FieldRules>,
    /// At least one.
    pub security_measures: Vec<Bilingual>,
    /// How often.
    pub interval: Interval,
    /// First day.
    pub valid_from: Date,
    /// Last day, included.
    pub valid_to: Date,
    /// The assessment; always there when the basis demands one.
    pub efvp: Option<Assessment>,
    /// States outside Québec that were assessed (s. 70.1).
    pub outside_quebec: Vec<OutsideQuebec>,
    /// What every exchange must state.
    pub requires: Requires,
    /// What the gateway counts.
    pub limits: Limits,
    /// Days that the recipient may keep the information.
    pub retention_days: u32,
    /// Start of `valid_from` and first instant after `valid_to`, America/Toronto.
    pub(super) validity: (Timestamp, Timestamp),
}

/// An earlier version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Supersedes {
    /// Its agreement's number.
    pub number: String,
    /// Its version.
    pub version: u32,
}

/// A body that is bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// Its code, as in its certificates.
    pub agency: AgencyCode,
    /// Its name.
    pub name: Bilingual,
    /// `QC`, or an ISO 3166 code.
    pub jurisdiction: String,
    /// Who answers for personal information there.
    pub privacy_officer: PrivacyOfficer,
}

/// One purpose.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Purpose {
    /// Statutory end.
    pub code: PurposeCode,
    /// Term of the Data Privacy Vocabulary.
    pub dpv: Option<String>,
    /// The specific end.
    pub text: Bilingual,
}

/// One category of information.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Category {
    /// Code that headers use.
    pub code: String,
    /// What people read.
    pub label: Bilingual,
    /// Sensitive in the sense of, s. 59.
    pub sensitive: bool,
}

/// How often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interval {
    /// Class.
    pub kind: IntervalKind,
    /// In words.
    pub text: Bilingual,
}

/// A privacy impact assessment (EFVP). None of its conclusions is unfavourable; under ss. 67.2.1 and 68 all four are stated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assessment {
    /// File number.
    pub reference: String,
    /// Day on which it was concluded.
    pub date: Date,
    /// SHA-256 of its document.
    pub document_sha256: [u8; 32],
    /// Who reviewed it.
    pub reviewer: String,
}

/// A State outside Québec, assessed and found to protect the information adequately.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutsideQuebec {
    /// ISO 3166 code.
    pub state: String,
    /// File number of the assessment.
    pub reference: String,
    /// Day on which it was concluded.
    pub date: Date,
    /// SHA-256 of its document.
    pub document_sha256: [u8; 32],
}

/// Volumes; `None` is not limited by the agreement. Every number is at least 1.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Exchanges in a second.
    pub per_second: Option<u64>,
    /// Exchanges in a day (America/Toronto).
    pub per_day: Option<u64>,
    /// Plaintext bytes in a day (America/Toronto).
    pub bytes_per_day: Option<u64>,
    /// Plaintext bytes in one record.
    pub max_record_bytes: Option<u64>,
}

impl Agreement {
    /// Provider first, then the consumers.
    pub fn parties(&self) -> impl Iterator<Item = &Party> {
        std::iter::once(&self.provider).chain(&self.consumers)
    }

    /// Whether this agency is bound.
    #[must_use]
    pub fn is_party(&self, agency: &str) -> bool {
        self.parties().any(|party| party.agency.as_str() == agency)
    }

    /// Whether this agency is one of those who receive.
    #[must_use]
    pub fn is_consumer(&self, agency: &str) -> bool {
        self.consumers.iter().any(|party| party.agency.as_str() == agency)
    }

    /// Whether information leaves Québec: column 3b of the register of s. 67.3.
    #[must_use]
    pub fn leaves_quebec(&self) -> bool {
        !self.outside_quebec.is_empty() || self.parties().any(|party| party.jurisdiction != QUEBEC)
    }
}

/// The jurisdiction code of Québec.
pub const QUEBEC: &str = "QC";
