//! What was sealed opens again, for those it was sealed to and for nobody else.

use passerelle_proto::envelope::{
    CHUNK_SIZE, ChunkHashes, HeaderDraft, INLINE_BODY_LIMIT, KemKey, KemKeys, OpenError, RecipientPublicKey,
    SealError, Sealer, TAG_SIZE, case_commitment, danger, disclosure, seal_small, verify_body,
};
use passerelle_proto::wire;
use prost::Message;
use ring::rand::SystemRandom;

use crate::support::{Recipient, Sender, agency};

#[test]
fn a_small_record_opens_for_its_recipient() {
    let (sender, saaq) = (Sender::new("ramq/agent-1"), Recipient::new("saaq"));
    let record = sender.seal(&[&saaq], b"{\"permis\":\"T1234\"}");
    let envelope = sender.verify(&record.envelope);
    assert_eq!(envelope.exchange_id(), record.exchange_id);
    assert_eq!(envelope.sender(), &sender.id);
    assert_eq!(record.body.len() as u64, envelope.sealed_length());
    assert_eq!(saaq.open(&envelope, &record.body).unwrap(), b"{\"permis\":\"T1234\"}");
}

#[test]
fn lengths_around_the_chunk_size_open() {
    let (sender, saaq) = (Sender::new("ramq/agent-1"), Recipient::new("saaq"));
    for length in [0, 1, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 2 * CHUNK_SIZE, 2 * CHUNK_SIZE + 1] {
        let plaintext: Vec<u8> = (0..length).map(|index| (index % 251) as u8).collect();
        let record = sender.seal(&[&saaq], &plaintext);
        let envelope = sender.verify(&record.envelope);
        assert_eq!(record.chunk_hashes.len(), envelope.header().chunk_count, "{length}");
        verify_body(&envelope, &record.body).unwrap();
        assert_eq!(saaq.open(&envelope, &record.body).unwrap(), plaintext, "{length}");
    }
}

#[test]
fn the_empty_record_is_one_sealed_chunk_of_a_tag() {
    let (sender, saaq) = (Sender::new("ramq/agent-1"), Recipient::new("saaq"));
    let record = sender.seal(&[&saaq], b"");
    assert_eq!(record.body.len(), TAG_SIZE);
    assert_eq!(sender.verify(&record.envelope).header().chunk_count, 1);
}

#[test]
fn several_agents_of_several_agencies_read_the_same_text() {
    let sender = Sender::new("ramq/agent-1");
    let all = [Recipient::new("saaq"), Recipient::new("saaq"), Recipient::new("revenu-quebec")];
    let record = sender.seal(&all.each_ref(), b"le meme texte");
    let envelope = sender.verify(&record.envelope);
    assert_eq!(envelope.header().recipients, ["revenu-quebec", "saaq"]);
    assert_eq!(envelope.header().recipient_keys.len(), 3);
    for recipient in &all {
        assert_eq!(recipient.open(&envelope, &record.body).unwrap(), b"le meme texte");
    }
    assert_eq!(Recipient::new("saaq").open(&envelope, &record.body), Err(OpenError::NotForUs));
}

#[test]
fn an_earlier_key_of_the_recipient_still_opens() {
    let (sender, random) = (Sender::new("ramq/agent-1"), SystemRandom::new());
    let (old, new) = (KemKey::generate(&random).unwrap(), KemKey::generate(&random).unwrap());
    let public = RecipientPublicKey::new(agency("saaq"), old.public_key().clone());
    let record = seal_small(sender.draft(&["saaq"]), &[public], sender.sealing(), b"ancien").unwrap();
    let mut saaq = Recipient::new("saaq");
    saaq.keys = KemKeys::new(vec![new, old]);
    assert_eq!(saaq.open(&sender.verify(&record.envelope), &record.body).unwrap(), b"ancien");
}

#[test]
fn a_key_at_rest_is_the_same_key() {
    let key = KemKey::generate(&SystemRandom::new()).unwrap();
    let again = KemKey::from_bytes(&key.to_bytes()[..]).unwrap();
    assert_eq!(again.public_key(), key.public_key());
    assert!(!format!("{key:?}").contains(&hex::encode(&key.to_bytes()[..])));
    assert!(KemKey::from_bytes(&[1; 31]).is_err());
}

#[test]
fn a_streamed_record_opens_chunk_by_chunk() {
    let (sender, saaq) = (Sender::new("ramq/agent-1"), Recipient::new("saaq"));
    let mut sealer = Sealer::new(sender.draft(&["saaq"]), &[saaq.public()], sender.sealing()).unwrap();
    let plaintext: Vec<Vec<u8>> = vec![vec![1; CHUNK_SIZE], vec![2; CHUNK_SIZE], vec![3; 10]];
    let mut sealed = plaintext.clone();
    let mut hashes = ChunkHashes::default();
    for (index, chunk) in sealed.iter_mut().enumerate() {
        hashes.push(sealer.seal_chunk(chunk, index == 2).unwrap());
    }
    let envelope = sender.verify(&sealer.finish(&sender.key).unwrap());
    let chunks = hashes.verify(&envelope).unwrap();
    let mut opener = saaq.opener(&envelope).unwrap();
    for (index, chunk) in sealed.iter_mut().enumerate() {
        chunks.check(index as u64, chunk).unwrap();
        assert_eq!(opener.finish(), Err(OpenError::Unfinished(index as u64)));
        assert_eq!(opener.open_chunk(chunk).unwrap(), &plaintext[index][..]);
    }
    opener.finish().unwrap();
    assert!(opener.open_chunk(&mut [0; 16]).is_err());
}

#[test]
fn attributes_reach_the_recipient_and_only_show_as_commitment() {
    let (sender, saaq) = (Sender::new("ramq/agent-1"), Recipient::new("saaq"));
    let attributes = wire::SealedAttributes {
        file_name: "dossier.json".into(),
        case_reference: "C-2026-0042".into(),
        acting_user: "tremblay.j".into(),
        subjects: vec!["personne-1".into()],
        ..wire::SealedAttributes::default()
    };
    let draft = HeaderDraft {
        acting_user: Some([1; 32]),
        subjects: vec![[2; 32]],
        attributes: attributes.clone(),
        ..sender.draft(&["saaq"])
    };
    assert!(!format!("{draft:?}").contains("C-2026-0042"));
    let record = seal_small(draft, &[saaq.public()], sender.sealing(), b"x").unwrap();
    let envelope = sender.verify(&record.envelope);
    for secret in ["dossier.json", "C-2026-0042", "tremblay.j", "personne-1"] {
        let found = envelope.header_bytes().windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "{secret} is in the header");
    }
    let opener = saaq.opener(&envelope).unwrap();
    let opened = opener.attributes();
    assert_eq!((&opened.file_name, &opened.subjects), (&attributes.file_name, &attributes.subjects));
    let salt = opened.case_salt[..].try_into().unwrap();
    assert_eq!(envelope.header().case_commitment[..], case_commitment(salt, "C-2026-0042"));
}

#[test]
fn the_same_case_never_shows_the_same_commitment() {
    let (sender, saaq) = (Sender::new("ramq/agent-1"), Recipient::new("saaq"));
    let commitment = || {
        let mut draft = sender.draft(&["saaq"]);
        draft.attributes.case_reference = "C-1".into();
        let record = seal_small(draft, &[saaq.public()], sender.sealing(), b"").unwrap();
        sender.verify(&record.envelope).header().case_commitment.clone()
    };
    assert_ne!(commitment(), commitment());
}

#[test]
fn a_disclosed_content_key_proves_the_text() {
    let (sender, saaq) = (Sender::new("ramq/agent-1"), Recipient::new("saaq"));
    let record = sender.seal(&[&saaq], b"preuve");
    let envelope = sender.verify(&record.envelope);
    let content_key = danger::content_key(&saaq.opener(&envelope).unwrap());
    let opened = disclosure::open(&envelope, &content_key).unwrap().open_small(&record.body).unwrap();
    assert_eq!(opened, b"preuve");
    let refused = disclosure::open(&envelope, &[0; 32]).unwrap_err();
    assert_eq!(refused, OpenError::Commitment);
}

#[test]
fn chunks_of_the_wrong_shape_are_not_sealed() {
    let (sender, saaq) = (Sender::new("ramq/agent-1"), Recipient::new("saaq"));
    let begin = || Sealer::new(sender.draft(&["saaq"]), &[saaq.public()], sender.sealing()).unwrap();
    let refused = |sealer: &mut Sealer, length: usize, last: bool| {
        matches!(sealer.seal_chunk(&mut vec![0; length], last), Err(SealError::Chunk(_)))
    };
    assert!(refused(&mut begin(), CHUNK_SIZE - 1, false));
    assert!(refused(&mut begin(), 0, false));
    assert!(refused(&mut begin(), CHUNK_SIZE + 1, true));
    let mut sealer = begin();
    sealer.seal_chunk(&mut vec![0; CHUNK_SIZE], false).unwrap();
    assert!(refused(&mut sealer, 0, true), "the last chunk is empty only if the body is");
    sealer.seal_chunk(&mut vec![0; 1], true).unwrap();
    assert!(refused(&mut sealer, 1, true), "nothing after the last chunk");
    assert_eq!(begin().finish(&sender.key).unwrap_err(), SealError::Unfinished);
}

#[test]
fn a_record_over_the_inline_limit_must_be_streamed() {
    let (sender, saaq) = (Sender::new("ramq/agent-1"), Recipient::new("saaq"));
    let seal = |length: u64| {
        let plaintext = vec![0; usize::try_from(length).unwrap()];
        seal_small(sender.draft(&["saaq"]), &[saaq.public()], sender.sealing(), &plaintext)
    };
    // 16 chunks: 16 tags of 16 bytes make it exactly 1 MiB.
    let most = INLINE_BODY_LIMIT - 16 * 16;
    assert_eq!(seal(most).unwrap().body.len() as u64, INLINE_BODY_LIMIT);
    assert_eq!(seal(most + 1).unwrap_err(), SealError::RecordTooLarge(INLINE_BODY_LIMIT));
}

#[test]
fn a_record_is_finished_with_the_key_it_was_begun_for() {
    let (sender, saaq) = (Sender::new("ramq/agent-1"), Recipient::new("saaq"));
    let mut sealer = Sealer::new(sender.draft(&["saaq"]), &[saaq.public()], sender.sealing()).unwrap();
    sealer.seal_chunk(&mut Vec::new(), true).unwrap();
    let other = Sender::new("ramq/agent-1");
    assert!(matches!(sealer.finish(&other.key), Err(SealError::OtherSigner(_))));
}

#[test]
fn the_header_is_the_canonical_encoding() {
    let (sender, saaq) = (Sender::new("ramq/agent-1"), Recipient::new("saaq"));
    let record = sender.seal(&[&saaq], b"x");
    let header = wire::Header::decode(&record.envelope.header[..]).unwrap();
    assert_eq!(header.encode_to_vec(), record.envelope.header);
}
