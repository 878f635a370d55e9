//! Agreements (ententes): who may send what to whom, for which purposes, under which law, when and how much.
//!
//! An agreement is an immutable JSON document (`docs/formats/agreement.md`) that every party signs over the same
//! bytes. What happened to it since (its [`Standing`]) is kept beside it and never inside it. The road to a
//! decision goes through types that only the checkers can make:
//!
//! ```text
//! bytes --Document::parse--> Document --signatures of every party--> VerifiedAgreement --permits(header)--> Permitted
//! ```
//!
//! - [`draft`]: the form as it is written in JSON; [`validate`]: every mistake of a form, reported together.
//! - [`terms`]: the checked agreement; [`scope`]: the operations and fields that narrow it; [`basis`]: the closed lists of codes; [`document`]: bytes, digest, terms.
//! - [`signature`], [`version`]: the parties' signatures; [`standing`]: the states; [`calendar`]: the clock of the law.
//! - [`permits`](mod@permits): the decision on one header; [`change`]: does a new version restart the clock.
//!
//! Invariant: everything here is a pure function of its arguments; the time is given.

pub mod basis;
pub mod calendar;
pub mod change;
pub mod document;
pub mod draft;
pub mod permits;
pub mod scope;
pub mod signature;
pub mod standing;
pub mod terms;
pub mod validate;
pub mod version;

pub use basis::{
    IntervalKind, LegalBasis, LegalRegime, Method, Otherwise, PurposeCode, Section68Case, StatutoryItem,
};
pub use calendar::{in_force_from, in_force_until};
pub use document::Document;
pub use draft::{Bilingual, Draft};
pub use permits::{Permitted, Refusal, permits, permitted_at_acceptance};
pub use scope::{FieldRules, OperationScope};
pub use signature::{PartySigned, SignatureError, sign_document, verify_signature};
pub use standing::{Standing, State, Step, StepError};
pub use terms::{Agreement, Limits};
pub use validate::{FieldError, Mistake};
pub use version::{AgreementVersion, RecordError, VerifiedAgreement};

/// DSSE payload type of a party's signature over the document.
pub use crate::statement::payload_type::AGREEMENT as PAYLOAD_TYPE;

/// The `format` of the documents read here.
pub const FORMAT: &str = "passerelle-agreement/1";

/// Most bytes in a document (48 KiB): the proposal's event, document included, fits a log entry of 65,535 bytes.
pub const DOCUMENT_LIMIT: usize = 48 * 1024;
