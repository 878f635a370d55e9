//! Why a file is put aside, in words for whoever looks into `quarantine/`: what, and what to do; French, then English.

use passerelle_proto::exchange_id::ExchangeId;

use crate::link;
use crate::records::{DenialView, RecordState, RecordView, SendError};

/// Why a file is not sent, or came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    code: String,
    fr: String,
    en: String,
    fact: String,
    exchange_id: Option<ExchangeId>,
}

impl Refusal {
    fn new(code: &str, fr: impl Into<String>, en: impl Into<String>) -> Self {
        let (fr, en) = (fr.into(), en.into());
        Self { code: code.to_owned(), fr, en, fact: String::new(), exchange_id: None }
    }

    /// Stable.
    #[cfg(test)]
    pub(super) fn code(&self) -> &'static str {
        Box::leak(self.code.clone().into_boxed_str())
    }

    pub(super) fn not_a_file() -> Self {
        Self::new(
            "FILE_KIND",
            "ce n'est pas un fichier ordinaire (lien, tube, périphérique); déposer le fichier lui-même",
            "it is not a regular file (a link, pipe or device); drop the file itself",
        )
    }

    pub(super) fn linked() -> Self {
        Self::new(
            "FILE_LINKED",
            "le fichier a d'autres noms (liens physiques) et peut changer par eux; déposer une copie",
            "the file has other names (hard links) and can change through them; drop a copy",
        )
    }

    pub(super) fn unreadable(error: &std::io::Error) -> Self {
        let refusal = Self::new(
            "FILE_UNREADABLE",
            "l'agent ne peut lire le fichier; lui en donner le droit, puis le déposer de nouveau",
            "the agent cannot read the file; give it the right to, then drop the file again",
        );
        Self { fact: error.to_string(), ..refusal }
    }

    pub(super) fn unusable_name() -> Self {
        Self::new(
            "FILE_NAME_UNUSABLE",
            "le nom n'est pas de l'UTF-8, a des caractères de commande ou plus de 200 octets; le renommer, puis déposer \
             le fichier de nouveau",
            "the name is not UTF-8, has control characters or more than 200 bytes; rename the file, then drop it again",
        )
    }

    pub(super) fn file_name(name: &str) -> Self {
        let refusal = Self::new(
            "FILE_NAME_NOT_PLAIN",
            "file_name du fichier .meta.json n'est pas un simple nom; l'écrire sans dossier",
            "file_name of the .meta.json file is not a plain name; write it without a folder",
        );
        Self { fact: format!("file_name={name:?}"), ..refusal }
    }

    pub(super) fn sidecar_invalid(error: &str) -> Self {
        let refusal = Self::new(
            "SIDECAR_INVALID",
            "le fichier .meta.json ne convient pas; le corriger, puis déposer les deux de nouveau",
            "the .meta.json file does not serve; correct it, then drop both again",
        );
        Self { fact: error.to_owned(), ..refusal }
    }

    pub(super) fn sidecar_contradicts(field: &str, said: &str, ours: &str) -> Self {
        let refusal = Self::new(
            "SIDECAR_CONTRADICTS_FOLDER",
            "le fichier .meta.json nomme autre chose que ce dossier; le corriger, ou déposer dans le bon dossier",
            "the .meta.json file names something else than this folder; correct it, or drop in the right folder",
        );
        Self { fact: format!("{field}: {said:?} ≠ {ours:?}"), ..refusal }
    }

    /// The agent did not take the file over, and never will as it is.
    pub(super) fn of_error(error: &SendError) -> Self {
        let both = |message: &str| match message.split_once(" / ") {
            Some((fr, en)) => (fr.trim().to_owned(), en.trim().to_owned()),
            None => (message.to_owned(), message.to_owned()),
        };
        match error {
            SendError::Refused(denial) => {
                let view = DenialView::of(denial.reason(), denial.detail.clone(), None);
                Self { fact: view.detail, ..Self::new(view.code, view.message_fr, view.message_en) }
            }
            error => {
                let code = match error {
                    SendError::TooLarge(_) => "RECORD_TOO_LARGE",
                    SendError::Seal(_) => "RECORD_NOT_SEALABLE",
                    _ => "REQUEST_INVALID",
                };
                let (fr, en) = both(&error.to_string());
                let fact = std::error::Error::source(error).map(link::chain).unwrap_or_default();
                Self { fact, ..Self::new(code, fr, en) }
            }
        }
    }

    /// A record that ended without being delivered; `None` for any other.
    pub(super) fn of_record(record: &RecordView) -> Option<Self> {
        let refusal = match (record.state, &record.denial) {
            (RecordState::Denied, Some(denial)) => {
                let detail = denial.detail.clone();
                Self { fact: detail, ..Self::new(denial.code, denial.message_fr, denial.message_en) }
            }
            (RecordState::Refused, _) => {
                let by: Vec<String> = record
                    .recipients
                    .iter()
                    .filter_map(|recipient| Some(format!("{}: {}", recipient.agency, recipient.reason?)))
                    .collect();
                let refusal = Self::new(
                    "RECIPIENT_REFUSED",
                    "l'agent d'un destinataire a refusé l'enregistrement; voir le motif, et l'en avertir",
                    "a recipient's agent refused the record; see the reason, and tell the recipient",
                );
                Self { fact: by.join(", "), ..refusal }
            }
            (RecordState::Expired, _) => Self::new(
                "EXPIRED",
                "un destinataire n'a pas pris l'enregistrement à temps; s'entendre avec lui, puis déposer de nouveau",
                "a recipient did not collect the record in time; agree with it, then drop the file again",
            ),
            _ => return None,
        };
        Some(Self { exchange_id: Some(record.exchange_id), ..refusal })
    }

    /// The text of `NAME.reason.txt`.
    pub(super) fn text(&self, name: &str) -> String {
        let mut text = format!("Code : {}\nFichier / file: {name}\n", self.code);
        if let Some(id) = &self.exchange_id {
            text.push_str(&format!("Échange / exchange: {id}\n"));
        }
        if !self.fact.is_empty() {
            let fact: String =
                self.fact.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
            text.push_str(&format!("Fait / fact: {fact}\n"));
        }
        text.push_str(&format!("\n{}\n\n{}\n", self.fr, self.en));
        text
    }
}

/// In a line of the agent's log: no name of a file, which may say whom it is about.
impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.code)
    }
}
