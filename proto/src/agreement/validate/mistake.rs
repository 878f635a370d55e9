//! What can be wrong with a field, and how people are told.

use std::fmt;

use crate::agreement::FORMAT;

/// One mistake of a document. The drafter is at fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// Path of the field, such as `consumers[0].agency`; empty for the whole document.
    pub path: String,
    /// The section of law, or the format, that asks for it.
    pub section: String,
    /// What is wrong.
    pub mistake: Mistake,
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mistake {
    /// The document has more bytes than `limit`.
    DocumentTooLarge {
        /// In bytes.
        limit: usize,
    },
    /// Not JSON, or not the form: unknown or repeated field, wrong type.
    Unreadable {
        /// What the reader says, in English.
        detail: String,
    },
    /// A `format` that is not read here.
    UnknownFormat,
    /// Nothing is given.
    Missing,
    /// More characters than `limit`.
    TooLong {
        /// In characters.
        limit: usize,
    },
    /// More elements than `limit`.
    TooMany {
        /// In elements.
        limit: usize,
    },
    /// Control or direction-changing characters, which could show signatories another text.
    ForbiddenCharacter,
    /// Not in the form that the field demands.
    Malformed {
        /// A pattern or an example, the same in both languages.
        expected: &'static str,
    },
    /// A code that is not in the list.
    UnknownCode {
        /// The list, separated by commas.
        allowed: String,
    },
    /// Given before in the same list, or by a field that must differ.
    Repeated,
    /// A number outside its bounds.
    OutOfRange {
        /// Smallest.
        min: u64,
        /// Largest.
        max: u64,
    },
    /// A conclusion that is not favourable: the exchange may not take place.
    Unfavourable,
    /// A provision that is repealed.
    Repealed,
    /// Given where it has no meaning.
    NotExpected {
        /// The field or value that makes it so.
        because: &'static str,
    },
    /// A date that comes after the date of another field.
    After {
        /// The other field.
        field: &'static str,
    },
    /// Does not go with what another field says.
    Contradicts {
        /// The other field.
        field: &'static str,
    },
}

impl Mistake {
    /// Stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::DocumentTooLarge { .. } => "DOCUMENT_TOO_LARGE",
            Self::Unreadable { .. } => "UNREADABLE",
            Self::UnknownFormat => "UNKNOWN_FORMAT",
            Self::Missing => "MISSING",
            Self::TooLong { .. } => "TOO_LONG",
            Self::TooMany { .. } => "TOO_MANY",
            Self::ForbiddenCharacter => "FORBIDDEN_CHARACTER",
            Self::Malformed { .. } => "MALFORMED",
            Self::UnknownCode { .. } => "UNKNOWN_CODE",
            Self::Repeated => "REPEATED",
            Self::OutOfRange { .. } => "OUT_OF_RANGE",
            Self::Unfavourable => "UNFAVOURABLE",
            Self::Repealed => "REPEALED",
            Self::NotExpected { .. } => "NOT_EXPECTED",
            Self::After { .. } => "AFTER",
            Self::Contradicts { .. } => "CONTRADICTS",
        }
    }

    /// What is wrong and what to do, in French then in English.
    fn messages(&self) -> (String, String) {
        let (fr, en) = match self {
            Self::DocumentTooLarge { limit } => return document_too_large(*limit),
            Self::Unreadable { detail } => {
                return (
                    format!(
                        "Le document ne peut pas être lu comme une entente. Corriger à l'endroit indiqué : {detail}"
                    ),
                    format!(
                        "The document cannot be read as an agreement. Correct it at this place: {detail}"
                    ),
                );
            }
            Self::UnknownFormat => {
                return (
                    format!("Format inconnu. Écrire « {FORMAT} »."),
                    format!("Unknown format. Write \"{FORMAT}\"."),
                );
            }
            Self::TooLong { limit } => return too_long(*limit),
            Self::TooMany { limit } => return too_many(*limit),
            Self::Malformed { expected } => {
                return (
                    format!("Forme incorrecte. Forme attendue : {expected}"),
                    format!("Wrong form. Expected: {expected}"),
                );
            }
            Self::UnknownCode { allowed } => {
                return (
                    format!("Code inconnu. Choisir parmi : {allowed}."),
                    format!("Unknown code. Choose one of: {allowed}."),
                );
            }
            Self::OutOfRange { min, max } => {
                return (
                    format!("Nombre hors limites. Donner un nombre de {min} à {max}."),
                    format!("Number out of range. Give a number from {min} to {max}."),
                );
            }
            Self::NotExpected { because } => {
                return (
                    format!("Ce champ n'a pas lieu d'être, vu « {because} ». Le retirer."),
                    format!("This field has no place, given \"{because}\". Remove it."),
                );
            }
            Self::After { field } => {
                return (
                    format!("Cette date suit celle de « {field} ». Corriger l'une ou l'autre."),
                    format!("This date comes after that of \"{field}\". Correct one or the other."),
                );
            }
            Self::Contradicts { field } => {
                return (
                    format!("Ce champ contredit « {field} ». Corriger l'un ou l'autre."),
                    format!("This field contradicts \"{field}\". Correct one or the other."),
                );
            }
            Self::Missing
            | Self::ForbiddenCharacter
            | Self::Repeated
            | Self::Unfavourable
            | Self::Repealed => self.plain(),
        };
        (fr.to_owned(), en.to_owned())
    }

    /// The messages that name nothing.
    fn plain(&self) -> (&'static str, &'static str) {
        match self {
            Self::Missing => (
                "Renseignement obligatoire manquant. Remplir ce champ.",
                "A required item is missing. Fill in this field.",
            ),
            Self::ForbiddenCharacter => (
                "Caractère de commande, invisible ou qui change le sens de lecture. Retaper le texte sans lui.",
                "A control, invisible or direction-changing character. Type the text again without it.",
            ),
            Self::Repeated => (
                "Valeur donnée deux fois. La retirer ou la corriger.",
                "The value is given twice. Remove or correct it.",
            ),
            Self::Repealed => (
                "Cette disposition n'est plus en vigueur. Choisir celle qui permet aujourd'hui la communication.",
                "This provision is no longer in force. Choose the one that allows the release today.",
            ),
            _ => (
                "Conclusion défavorable : la communication ne peut pas avoir lieu. Revoir le projet, puis l'évaluation.",
                "An unfavourable conclusion: the release may not take place. Rework the project, then the assessment.",
            ),
        }
    }
}

fn document_too_large(limit: usize) -> (String, String) {
    (
        format!("Le document dépasse {limit} octets. Abréger les textes ou renvoyer à une annexe."),
        format!("The document has more than {limit} bytes. Shorten its texts or refer to an annex."),
    )
}

fn too_long(limit: usize) -> (String, String) {
    (
        format!("Texte trop long. S'en tenir à {limit} caractères."),
        format!("The text is too long. Keep to {limit} characters."),
    )
}

fn too_many(limit: usize) -> (String, String) {
    (
        format!("Trop d'éléments. S'en tenir à {limit}, ou conclure une autre entente."),
        format!("Too many elements. Keep to {limit}, or make another agreement."),
    )
}

impl FieldError {
    /// Stable code of the mistake.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.mistake.code()
    }

    /// What is wrong and what to do, in French.
    #[must_use]
    pub fn message_fr(&self) -> String {
        self.mistake.messages().0
    }

    /// What is wrong and what to do, in English.
    #[must_use]
    pub fn message_en(&self) -> String {
        self.mistake.messages().1
    }
}

impl fmt::Display for FieldError {
    /// One line, French then English, as an administrator reads it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "document" } else { &self.path };
        let (fr, en) = self.mistake.messages();
        write!(formatter, "{path} ({}) [{}] {fr} / {en}", self.section, self.code())
    }
}

impl std::error::Error for FieldError {}
