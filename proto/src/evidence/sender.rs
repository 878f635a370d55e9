//! Did the sender named in the header sign it?

use super::case::Case;
use super::claim::{Answer, absent, fail, pass};
use crate::envelope;

pub(super) fn answer(case: &Case<'_>) -> Answer {
    let Some(envelope) = &case.evidence.envelope else {
        return absent("l'enveloppe n'est pas dans le fichier", "the envelope is not in the file");
    };
    let (Some(header), Some(at)) = (&case.header, case.moment()) else {
        return fail("l'en-tête n'est pas lisible", "the header cannot be read");
    };
    let unsigned = || fail("l'en-tête n'est pas signé", "the header is not signed");
    let Some(key) = envelope::signing_key_hint(envelope) else { return unsigned() };
    let named = format!("{}/{}", header.sender_agency, header.sender_agent);
    let certificate = match case.signers.find(key, at) {
        Ok(certificate) => certificate,
        Err(doubt) => return doubt.answer(("l'expéditeur", "the sender")),
    };
    let Ok(verified) = envelope::verify(envelope, certificate.public_key()) else {
        return fail(
            format!("la signature de l'en-tête n'est pas celle de {}", certificate.identity()),
            format!("the header's signature is not that of {}", certificate.identity()),
        );
    };
    if certificate.identity().agent() != Some(verified.sender()) {
        return fail(
            format!("l'en-tête nomme {named}, mais {} l'a signé", certificate.identity()),
            format!("the header names {named}, but {} signed it", certificate.identity()),
        );
    }
    pass(
        format!("{named} a signé l'en-tête ; son certificat valait le {at}"),
        format!("{named} signed the header; its certificate was valid on {at}"),
    )
}
