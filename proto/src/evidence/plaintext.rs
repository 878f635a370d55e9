//! What did the record say? Only when the content key was disclosed: the signed header commits to it.
//!
//! With the sealed body in the file, it is opened. Without it, a plaintext that the judge has is sealed again with the
//! key, and must give the root that the sender signed: sealing has one outcome.

use ring::digest;

use super::case::Case;
use super::claim::{Answer, absent, fail, pass};
use crate::envelope::{self, VerifiedEnvelope, disclosure};

pub(super) fn answer(case: &Case<'_>, given: Option<&[u8]>) -> Answer {
    let evidence = case.evidence;
    let Ok(key) = <&[u8; 32]>::try_from(&evidence.content_key[..]) else {
        return absent(
            "la clé du contenu n'a pas été divulguée : le fichier ne dit rien du contenu",
            "the content key was not disclosed: the file tells nothing of the content",
        );
    };
    let (Some(unverified), Some(at)) = (&evidence.envelope, case.moment()) else {
        return absent("l'enveloppe n'est pas dans le fichier", "the envelope is not in the file");
    };
    let signer = envelope::signing_key_hint(unverified).map(|key| case.signers.find(key, at));
    let Some(Ok(certificate)) = signer else {
        return absent(
            "sans expéditeur vérifié, personne ne répond du contenu",
            "without a verified sender nobody answers for the content",
        );
    };
    let Ok(verified) = envelope::verify(unverified, certificate.public_key()) else {
        return fail(
            "l'en-tête n'est pas celui qui a été signé",
            "the header is not the one that was signed",
        );
    };
    opened(&verified, key, &evidence.sealed_body, given)
}

fn opened(envelope: &VerifiedEnvelope, key: &[u8; 32], body: &[u8], given: Option<&[u8]>) -> Answer {
    let Ok(opener) = disclosure::open(envelope, key) else {
        return fail(
            "la clé divulguée n'est pas celle sur laquelle l'expéditeur s'est engagé",
            "the disclosed key is not the one that the sender committed to",
        );
    };
    let plaintext = match (body.is_empty(), given) {
        (false, _) => match opener.open_small(body) {
            Ok(plaintext) => plaintext,
            Err(_) => {
                return fail(
                    "le corps scellé ne s'ouvre pas avec la clé divulguée",
                    "the sealed body does not open with the disclosed key",
                );
            }
        },
        (true, Some(given)) if disclosure::is_plaintext(envelope, key, given) => given.to_vec(),
        (true, Some(_)) => return differs(),
        (true, None) => {
            return absent(
                "le corps scellé n'est pas dans le fichier ; donnez le contenu (--plaintext) pour le comparer",
                "the sealed body is not in the file; give the content (--plaintext) to compare it",
            );
        }
    };
    if given.is_some_and(|given| given != plaintext) {
        return differs();
    }
    let hash = hex::encode(digest::digest(&digest::SHA256, &plaintext));
    let length = plaintext.len();
    pass(
        format!("le contenu scellé a {length} octets, SHA-256 {hash}"),
        format!("the sealed content has {length} bytes, SHA-256 {hash}"),
    )
}

fn differs() -> Answer {
    fail(
        "le contenu donné n'est pas celui que l'expéditeur a scellé",
        "the content given is not the one that the sender sealed",
    )
}
