//! The French wording of what can be wrong. Exhaustive, so that nothing new goes untranslated.

use passerelle_proto::tlog::checkpoint::CheckpointError;
use passerelle_proto::tlog::note::{NOTE_LIMIT, NoteError, SIGNATURE_LIMIT};
use passerelle_proto::tlog::tlog_proof::{HEADER, TlogProofError};

use crate::fault::{EntryFault, Fault, TileFault, Which};

/// A fault of a log.
pub(crate) fn fault(fault: &Fault) -> String {
    match fault {
        Fault::Checkpoint { which, error } => {
            let which = match which {
                Which::Current => "point de contrôle",
                Which::Old => "point de contrôle antérieur",
            };
            match error {
                None => format!("{which} : absent"),
                Some(error) => format!("{which} : {}", checkpoint(error)),
            }
        }
        Fault::Root { signed, computed } => format!(
            "point de contrôle, ligne 3 : la racine {signed} est signée, les entrées donnent {computed} ; le journal a été réécrit"
        ),
        Fault::Entry { index, bundle, reason } => match reason {
            EntryFault::Changed => format!(
                "l'entrée {index} ({bundle}) n'est pas celle qui a été consignée : modifiée, ou une entrée a été permutée, retirée ou ajoutée"
            ),
            EntryFault::Disagrees => format!(
                "l'entrée {index} ({bundle}) et sa tuile se contredisent, et ni l'une ni l'autre ne mène à la racine signée"
            ),
            EntryFault::Missing => format!("l'entrée {index} ({bundle}) est absente ou tronquée"),
            EntryFault::ErasedUnlogged => format!(
                "le contenu de l'entrée {index} ({bundle}) est effacé et aucun événement du journal ne le dit : il a été retiré illicitement"
            ),
            EntryFault::ErasedEarly => format!(
                "le contenu de l'entrée {index} ({bundle}) est effacé alors que le délai de l'effacement qui la nomme n'était pas écoulé"
            ),
            EntryFault::BackDated { time_ms, before_ms } => format!(
                "l'entrée {index} ({bundle}) est antidatée : son moment est {time_ms} ms, celui de l'entrée d'avant {before_ms} ms"
            ),
            EntryFault::Undecodable(why) => {
                format!("l'entrée {index} ({bundle}) n'est pas un événement : {why}")
            }
        },
        Fault::Tile { path, reason } => format!("{path} {}", tile(reason)),
        Fault::RolledBack { old_size, size } => format!(
            "le journal a été ramené en arrière : {size} entrées, {old_size} au point de contrôle antérieur"
        ),
        Fault::Forked { old_size, signed, computed } => format!(
            "le journal a été scindé : à {old_size} entrées la racine {signed} est signée, les entrées donnent {computed}"
        ),
    }
}

fn tile(reason: &TileFault) -> String {
    match reason {
        TileFault::Missing => "est absent".to_owned(),
        TileFault::Length => "n'a pas la longueur d'une telle tuile".to_owned(),
        TileFault::Stray(stray) => {
            format!("a {stray} octets après sa dernière entrée : une entrée a été ajoutée")
        }
        TileFault::Changed { position } => {
            format!("a été modifié : son empreinte {position} n'est pas celle des entrées")
        }
        TileFault::ChangedWithEntries => "a été modifié avec ses entrées".to_owned(),
        TileFault::Disagrees { position } => format!(
            "contredit ses entrées à l'empreinte {position}, et ni l'un ni l'autre ne mène à la racine signée"
        ),
        TileFault::Earlier => "n'est pas le début de la tuile actuelle".to_owned(),
    }
}

/// An error of a checkpoint.
pub(crate) fn checkpoint(error: &CheckpointError) -> String {
    match error {
        CheckpointError::Note(error) => note(error),
        CheckpointError::Missing(line) => format!("la ligne {line} manque ou n'est pas terminée"),
        CheckpointError::Origin => "la ligne 1 n'est pas une origine".to_owned(),
        CheckpointError::Size => "la ligne 2 n'est pas une taille".to_owned(),
        CheckpointError::Root(_) => "la ligne 3 n'est pas une racine de 32 octets en base64".to_owned(),
        CheckpointError::EmptyRoot => "la ligne 3 n'est pas la racine de l'arbre vide".to_owned(),
        CheckpointError::Extension(line) => format!("la ligne {line} est vide"),
        CheckpointError::OtherOrigin { found, expected } => {
            format!("la ligne 1 est {found} et non {expected} : c'est un autre journal")
        }
    }
}

fn note(error: &NoteError) -> String {
    match error {
        NoteError::TooLong(length) => format!("{length} octets, {NOTE_LIMIT} au plus"),
        NoteError::TooManySignatures => format!("plus de {SIGNATURE_LIMIT} signatures"),
        NoteError::Characters => "pas un texte UTF-8 sans caractères de contrôle".to_owned(),
        NoteError::Form => "pas un texte, une ligne vide et des signatures".to_owned(),
        NoteError::SignatureLine(line) => format!("la ligne {line} n'est pas une signature"),
        NoteError::BadSignature(name) => format!("la signature de {name} n'est pas celle de ce texte"),
        NoteError::Unsigned(names) => format!("aucune signature par la clé donnée ({names})"),
        NoteError::Text | NoteError::Key(_) => "la note ne peut pas être signée".to_owned(),
    }
}

/// An error of a proof file.
pub(crate) fn proof(error: &TlogProofError) -> String {
    match error {
        TlogProofError::TooLong => "le fichier de preuve est trop long".to_owned(),
        TlogProofError::Characters => "le fichier de preuve n'est pas un texte UTF-8".to_owned(),
        TlogProofError::Header => format!("la ligne 1 n'est pas {HEADER}"),
        TlogProofError::Extra => "la ligne « extra » n'est pas en base64".to_owned(),
        TlogProofError::Index => "il n'y a pas de ligne « index » avec un nombre".to_owned(),
        TlogProofError::Hash { number, .. } => format!("l'empreinte {number} n'a pas 32 octets en base64"),
        TlogProofError::Missing => "la ligne vide et le point de contrôle manquent".to_owned(),
        TlogProofError::Checkpoint(error) => format!("point de contrôle : {}", checkpoint(error)),
        TlogProofError::Proof(_) => "rien ne montre que l'entrée est dans ce journal".to_owned(),
    }
}
