//! Sealed records for the tests, between members of a small house.

use std::collections::BTreeSet;

use passerelle_pki::clock::Timestamp;
use passerelle_pki::key::PublicKey;
use passerelle_proto::envelope::{
    self, EncapsulationCache, HeaderDraft, KemKey, KemKeys, RecipientPublicKey, Sealing, VerifiedEnvelope,
    seal_small,
};
use passerelle_proto::wire;
use ring::rand::SystemRandom;

use super::sealing::Sealed;
use crate::identity::house::{DAY, Member};

/// A record of these bytes, with a file name and a person that only the recipient may see.
pub(crate) fn sealed(from: &Member, to: &Member, text: &[u8], created: Timestamp) -> Sealed {
    ordered(from, to, (text, None), created)
}

/// The same, with a place in a stream perhaps.
pub(crate) fn ordered(
    from: &Member,
    to: &Member,
    (text, order): (&[u8], Option<wire::Order>),
    created: Timestamp,
) -> Sealed {
    let draft = HeaderDraft {
        kind: wire::ExchangeKind::Record,
        sender: from.id.clone(),
        recipients: BTreeSet::from([to.id.agency.clone()]),
        agreement: wire::AgreementRef {
            number: "ENT-2026-001".to_owned(),
            version: 1,
            digest: vec![7; 32].into(),
        },
        service: "changement-adresse".to_owned(),
        operation: String::new(),
        purpose: "QC-A".to_owned(),
        legal_basis: "A-2.1 s.67".to_owned(),
        data_categories: BTreeSet::from(["adresse".to_owned()]),
        acting_user: None,
        subjects: vec![[9; 32]],
        created,
        expires: created.plus(7 * DAY),
        in_reply_to: None,
        order,
        content_type: "text/plain".to_owned(),
        attributes: wire::SealedAttributes {
            file_name: "avis.txt".to_owned(),
            subjects: vec!["TREM 1234".to_owned()],
            ..wire::SealedAttributes::default()
        },
    };
    let (random, encapsulations) = (SystemRandom::new(), EncapsulationCache::new());
    let sealing =
        Sealing { signer: from.signing.key.as_ref(), encapsulations: &encapsulations, random: &random };
    let recipient = RecipientPublicKey::new(to.id.agency.clone(), to.kem.public_key().clone());
    let record = seal_small(draft, &[recipient], sealing, text).unwrap();
    Sealed {
        exchange_id: record.exchange_id,
        envelope: record.envelope,
        body: Some(record.body),
        removed_fields: Vec::new(),
        numbered: None,
    }
}

/// The sender's key, and the envelope verified with it.
pub(crate) fn verified(from: &Member, sealed: &Sealed) -> (PublicKey, VerifiedEnvelope) {
    let key = PublicKey::from_spki_der(from.signing.key.spki_der()).unwrap();
    let verified = envelope::verify(&sealed.envelope, &key).unwrap();
    (key, verified)
}

/// The keys of a member, as its identity gives them.
pub(crate) fn kem_keys(member: &Member) -> std::sync::Arc<KemKeys> {
    std::sync::Arc::new(KemKeys::new(vec![KemKey::from_bytes(&member.kem.to_bytes()[..]).unwrap()]))
}

/// Spoils the last bytes that the journal of a store has written, from `offset` of its only segment on: as a machine that
/// stops in the middle of a write.
pub(crate) fn tear(folder: &std::path::Path, offset: u64) {
    use std::os::unix::fs::FileExt;
    let files = std::fs::read_dir(folder.join("journal")).unwrap().map(|file| file.unwrap().path());
    let segments: Vec<_> = files.filter(|path| path.file_name().unwrap() != "lock").collect();
    let [segment] = &segments[..] else { panic!("{segments:?}") };
    let file = std::fs::File::options().write(true).open(segment).unwrap();
    let rest = usize::try_from(file.metadata().unwrap().len() - offset).unwrap();
    file.write_all_at(&vec![0; rest.min(1 << 20)], offset).unwrap();
}
