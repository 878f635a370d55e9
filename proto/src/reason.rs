//! Why an exchange was refused, in words: for each stable code, what is wrong and what to do, in French and English.
//!
//! The table is closed (`docs/formats/reasons.md`): a code is never renumbered and never reused.

use bytes::Bytes;

use crate::wire::{Denial, Reason};

/// What people read about one reason.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// French.
    pub fr: &'static str,
    /// English.
    pub en: &'static str,
}

/// The stable code, such as `AGREEMENT_NOT_IN_FORCE`.
#[must_use]
pub fn code(reason: Reason) -> &'static str {
    reason.as_str_name()
}

/// What is wrong and what to do.
#[must_use]
#[expect(clippy::too_many_lines, reason = "one table, one row a reason")]
pub fn text(reason: Reason) -> Text {
    let (fr, en) = match reason {
        Reason::Unspecified => ("Refusé.", "Refused."),
        Reason::AgreementNotFound => (
            "Aucune entente de ce numéro et de cette version ne lie votre organisme. Vérifiez le numéro, ou demandez au responsable des ententes de l'enregistrer.",
            "No agreement with this number and version binds your agency. Check the number, or ask the agreement officer to register it.",
        ),
        Reason::AgreementNotInForce => (
            "L'entente n'est pas en vigueur à ce moment. Attendez la date indiquée, ou faites activer l'entente.",
            "The agreement is not in force at this moment. Wait for the date shown, or have the agreement activated.",
        ),
        Reason::AgreementExpired => (
            "L'entente est échue. Faites conclure une nouvelle version.",
            "The agreement has expired. Have a new version concluded.",
        ),
        Reason::AgreementSuspended => (
            "L'entente est suspendue. Communiquez avec le responsable de la protection des renseignements personnels.",
            "The agreement is suspended. Contact the privacy officer.",
        ),
        Reason::AgreementRevoked => (
            "L'entente a été révoquée. Rien ne peut plus être transmis sur ce fondement.",
            "The agreement was revoked. Nothing can be sent on this ground any more.",
        ),
        Reason::AgreementReplaced => (
            "Une version plus récente de l'entente s'applique. Utilisez la version en vigueur.",
            "A later version of the agreement applies. Use the version in force.",
        ),
        Reason::AgreementDigestMismatch => (
            "Le document de l'entente n'est pas celui qui est en vigueur. Actualisez les ententes de l'agent.",
            "The agreement's document is not the one in force. Refresh the agent's agreements.",
        ),
        Reason::DirectionNotCovered => (
            "L'entente ne prévoit pas de transmission dans ce sens, ou à ce destinataire. Vérifiez qui communique et qui recueille.",
            "The agreement covers no release in this direction, or to this recipient. Check who releases and who collects.",
        ),
        Reason::PurposeNotCovered => (
            "Cette finalité n'est pas prévue à l'entente. Utilisez l'une de ses finalités.",
            "This purpose is not covered by the agreement. Use one of its purposes.",
        ),
        Reason::CategoryNotCovered => (
            "Une catégorie de renseignements n'est pas prévue à l'entente. Retirez ces renseignements.",
            "A category of information is not covered by the agreement. Remove this information.",
        ),
        Reason::ServiceNotCovered => (
            "Ce service n'est pas prévu à l'entente. Utilisez l'un de ses services.",
            "This service is not covered by the agreement. Use one of its services.",
        ),
        Reason::LegalBasisNotCovered => (
            "Le fondement juridique invoqué n'est pas celui de l'entente.",
            "The legal basis given is not the one of the agreement.",
        ),
        Reason::CaseReferenceMissing => (
            "L'entente exige une référence de dossier. Indiquez-la.",
            "The agreement demands a case reference. Give it.",
        ),
        Reason::ActingUserMissing => (
            "L'entente exige l'identité de la personne qui agit. Indiquez-la.",
            "The agreement demands the acting user. Give it.",
        ),
        Reason::OperationNotCovered => (
            "L'opération demandée n'est pas prévue à l'entente. Vérifiez la méthode et le chemin.",
            "The operation asked for is not covered by the agreement. Check method and path.",
        ),
        Reason::FieldNotCovered => (
            "Un champ n'est pas prévu à l'entente, qui exige de refuser plutôt que de retirer. Retirez-le.",
            "A field is not covered by the agreement, which demands refusal rather than removal. Remove it.",
        ),
        Reason::QuotaExceeded => (
            "La limite de volume est atteinte. Réessayez plus tard, ou faites réviser la limite.",
            "The volume limit is reached. Try again later, or have the limit revised.",
        ),
        Reason::RecordTooLarge => (
            "L'enregistrement dépasse la taille permise. Divisez-le, ou faites réviser la limite.",
            "The record is larger than allowed. Split it, or have the limit revised.",
        ),
        Reason::HeaderExpired => (
            "Le délai de l'échange est passé. Transmettez-le de nouveau.",
            "The exchange's time is over. Send it again.",
        ),
        Reason::ClockSkew => (
            "L'horloge de l'expéditeur s'écarte de celle de la passerelle. Synchronisez-la.",
            "The sender's clock differs from the gateway's. Synchronise it.",
        ),
        Reason::RecipientUnknown => (
            "Un destinataire n'est pas enregistré. Vérifiez le code de l'organisme.",
            "A recipient is not registered. Check the agency's code.",
        ),
        Reason::SenderMismatch => (
            "L'expéditeur nommé n'est pas le titulaire du certificat. Corrigez l'identité de l'agent.",
            "The sender named is not the certificate's holder. Correct the agent's identity.",
        ),
        Reason::SignatureInvalid => (
            "La signature n'est pas celle d'une clé en règle de l'agent expéditeur. Vérifiez ses certificats.",
            "The signature is not by a key in force of the sending agent. Check its certificates.",
        ),
        Reason::RecipientKeyUnknown => (
            "Une clé de destinataire n'est dans aucun trousseau signé par ce destinataire. Actualisez le répertoire de l'agent.",
            "A recipient key is in no bundle signed by that recipient. Refresh the agent's directory.",
        ),
        Reason::CertificateRevoked => (
            "Le certificat est révoqué. Enrôlez l'agent de nouveau.",
            "The certificate is revoked. Enrol the agent again.",
        ),
        Reason::MemberNotActive => (
            "Un organisme n'est pas actif, ou n'a pas d'agent. Communiquez avec l'administrateur de la passerelle.",
            "An agency is not active, or has no agent. Contact the gateway's administrator.",
        ),
        Reason::ExchangeIdReused => (
            "Cet identifiant a déjà servi à un autre contenu. Scellez de nouveau l'enregistrement.",
            "This exchange id was used for other content. Seal the record again.",
        ),
        Reason::HeaderMalformed => (
            "L'en-tête n'a pas la forme prescrite. Mettez l'agent à jour.",
            "The header does not have the prescribed form. Update the agent.",
        ),
        Reason::BodyMismatch => (
            "Le corps n'est pas celui que l'en-tête annonce. Transmettez-le de nouveau.",
            "The body is not the one that the header announces. Send it again.",
        ),
        Reason::SuiteUnsupported => (
            "La suite cryptographique n'est pas reconnue. Mettez l'agent à jour.",
            "The cryptographic suite is not supported. Update the agent.",
        ),
        Reason::SequencePassed => (
            "Un enregistrement de ce rang ou d'un rang suivant de la même suite est déjà passé : l'accepter romprait l'ordre. Transmettez-le de nouveau; l'agent commence au besoin une nouvelle suite.",
            "A record of this number or a later one of the same stream has passed already: to accept it would break the order. Send it again; the agent begins a new stream where it must.",
        ),
        Reason::LogUnavailable => (
            "Le journal ne peut être écrit : rien n'a été accepté. Réessayez plus tard.",
            "The log cannot be written: nothing was accepted. Try again later.",
        ),
        Reason::Busy => (
            "La passerelle est occupée. Réessayez dans un instant.",
            "The gateway is busy. Try again in a moment.",
        ),
        Reason::Unreadable => (
            "Le destinataire n'a pu ouvrir l'enregistrement. Actualisez le répertoire, puis transmettez-le de nouveau.",
            "The recipient could not open the record. Refresh the directory, then send it again.",
        ),
        Reason::ProviderAway => (
            "Aucun agent de l'organisme fournisseur n'est en ligne. Réessayez plus tard, ou communiquez avec cet organisme.",
            "No agent of the providing agency is on line. Try again later, or contact that agency.",
        ),
        Reason::ServiceUnknown => (
            "L'organisme fournisseur n'offre pas ce service, ou l'a désactivé. Vérifiez le catalogue.",
            "The providing agency does not offer this service, or has turned it off. Check the catalogue.",
        ),
        Reason::ProviderFailed => (
            "Le système de l'organisme fournisseur n'a pas répondu comme il le doit. Communiquez avec cet organisme.",
            "The providing agency's system did not answer as it must. Contact that agency.",
        ),
        Reason::CallTimedOut => (
            "Le délai de l'appel est passé sans réponse. Réessayez, ou accordez plus de temps.",
            "The call's time was over before an answer came. Try again, or allow more time.",
        ),
        Reason::CallCancelled => (
            "L'appelant a mis fin à l'appel avant la réponse.",
            "The caller ended the call before an answer came.",
        ),
    };
    Text { fr, en }
}

/// Whether the same exchange may be accepted later, unchanged: the sender keeps it and tries again.
#[must_use]
pub fn is_temporary(reason: Reason) -> bool {
    matches!(reason, Reason::LogUnavailable | Reason::Busy | Reason::QuotaExceeded)
}

/// A refusal as people and programs read it. `detail` is a date, a limit or a field, never personal information.
#[must_use]
pub fn denial(reason: Reason, detail: impl Into<String>, exchange_id: Bytes) -> Denial {
    let Text { fr, en } = text(reason);
    Denial {
        reason: reason.into(),
        message_fr: fr.to_owned(),
        message_en: en.to_owned(),
        detail: detail.into(),
        exchange_id,
        leaf_index: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Every code of the schema, by its number: the enum is sparse and ends well below 100.
    fn all() -> impl Iterator<Item = Reason> {
        (1..=100).filter_map(|number| Reason::try_from(number).ok())
    }

    #[test]
    fn every_reason_has_words_of_its_own_in_both_languages() {
        let texts: Vec<Text> = all().map(text).collect();
        assert_eq!(texts.len(), 39);
        let distinct =
            |pick: fn(&Text) -> &'static str| texts.iter().map(pick).collect::<BTreeSet<_>>().len();
        assert_eq!((distinct(|text| text.fr), distinct(|text| text.en)), (texts.len(), texts.len()));
        for reason in all() {
            let Text { fr, en } = text(reason);
            assert!(fr.ends_with('.') && en.ends_with('.') && fr != en, "{}", code(reason));
        }
    }

    #[test]
    fn a_denial_carries_its_reason_and_detail() {
        let denial = denial(Reason::PurposeNotCovered, "purpose=QC-G", Bytes::from_static(&[1; 16]));
        assert_eq!(denial.reason(), Reason::PurposeNotCovered);
        assert_eq!(code(denial.reason()), "PURPOSE_NOT_COVERED");
        assert!(denial.message_fr.contains("finalité") && denial.message_en.contains("purpose"));
        assert_eq!((denial.detail.as_str(), denial.leaf_index), ("purpose=QC-G", None));
    }

    #[test]
    fn only_the_gateways_own_troubles_and_quotas_are_temporary() {
        let temporary: Vec<Reason> = all().filter(|reason| is_temporary(*reason)).collect();
        assert_eq!(temporary, [Reason::QuotaExceeded, Reason::LogUnavailable, Reason::Busy]);
    }
}
