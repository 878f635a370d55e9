//! Each attack by name. The attacker holds a certified key of its own and sees every envelope.

use bytes::Bytes;
use passerelle_pki::key::{KeyId, Signer};
use passerelle_proto::envelope::{
    BodyError, CHUNK_SIZE, EnvelopeError, OpenError, SEALED_CHUNK_SIZE, TAG_SIZE, danger, signing_key_hint,
    verify, verify_body,
};
use passerelle_proto::statement::{StatementError, payload_type};
use passerelle_proto::wire;
use prost::Message;

use crate::support::{Recipient, Sender, resigned, signed};

#[test]
fn an_envelope_without_signatures_is_refused() {
    let (sender, saaq) = (Sender::new("ramq/agent-1"), Recipient::new("saaq"));
    let mut envelope = sender.seal(&[&saaq], b"x").envelope;
    envelope.signatures.clear();
    let refused = verify(&envelope, sender.key.public_key()).unwrap_err();
    assert_eq!(refused, EnvelopeError::Signature(StatementError::NoSignature));
    assert_eq!(signing_key_hint(&envelope), None);
}

#[test]
fn a_signature_by_another_key_is_refused_even_under_the_right_key_id() {
    let (sender, other, saaq) =
        (Sender::new("ramq/agent-1"), Sender::new("ramq/agent-1"), Recipient::new("saaq"));
    let envelope = sender.seal(&[&saaq], b"x").envelope;
    let mut forged = signed(envelope.header.clone(), &other.key);
    let refused = verify(&forged, sender.key.public_key()).unwrap_err();
    assert_eq!(refused, EnvelopeError::Signature(StatementError::OtherKey(sender.key.key_id())));
    forged.signatures[0].key_id = Bytes::copy_from_slice(sender.key.key_id().as_bytes());
    let refused = verify(&forged, sender.key.public_key()).unwrap_err();
    assert_eq!(refused, EnvelopeError::Signature(StatementError::Signature(sender.key.key_id())));
}

#[test]
fn a_signature_of_another_payload_type_is_worth_nothing() {
    let (sender, saaq) = (Sender::new("ramq/agent-1"), Recipient::new("saaq"));
    let header = sender.seal(&[&saaq], b"x").envelope.header;
    for other in [payload_type::KEY_BUNDLE, payload_type::ACKNOWLEDGEMENT, ""] {
        let signature = passerelle_proto::statement::signature(other, &header, &sender.key).unwrap();
        let envelope = wire::Envelope { header: header.clone(), signatures: vec![signature] };
        assert!(matches!(verify(&envelope, sender.key.public_key()), Err(EnvelopeError::Signature(_))));
    }
}

#[test]
fn every_changed_byte_of_the_header_is_refused() {
    let (sender, saaq) = (Sender::new("ramq/agent-1"), Recipient::new("saaq"));
    let envelope = sender.seal(&[&saaq], b"x").envelope;
    for place in (0..envelope.header.len()).step_by(7) {
        let mut changed = envelope.header.to_vec();
        changed[place] ^= 1;
        let changed = wire::Envelope { header: changed.into(), ..envelope.clone() };
        assert!(
            matches!(verify(&changed, sender.key.public_key()), Err(EnvelopeError::Signature(_))),
            "{place}"
        );
    }
}

#[test]
fn a_re_serialised_header_does_not_carry_the_signature_over() {
    // A signed header with an unknown field: its re-serialisation drops the field and reads well.
    let (sender, saaq) = (Sender::new("ramq/agent-1"), Recipient::new("saaq"));
    let original = sender.seal(&[&saaq], b"x").envelope;
    let mut odd = original.header.to_vec();
    odd.extend_from_slice(&[0xf8, 0x07, 0x01]);
    let odd = signed(odd, &sender.key);
    assert!(matches!(verify(&odd, sender.key.public_key()), Err(EnvelopeError::Encoding(_))));
    let again = wire::Header::decode(&odd.header[..]).unwrap().encode_to_vec();
    let laundered = wire::Envelope { header: again.into(), signatures: odd.signatures };
    assert!(matches!(verify(&laundered, sender.key.public_key()), Err(EnvelopeError::Signature(_))));
}

#[test]
fn a_stripped_envelope_signed_as_ones_own_does_not_open() {
    let (victim, thief, saaq) =
        (Sender::new("ramq/agent-1"), Sender::new("revenu-quebec/agent-1"), Recipient::new("saaq"));
    let record = victim.seal(&[&saaq], b"secret");
    // With the recipient's memory cold, and warm from the honest record.
    for warm in [false, true] {
        if warm {
            saaq.open(&victim.verify(&record.envelope), &record.body).unwrap();
        }
        // As it is: the header still names the victim, who did not sign. The certificate's agency tells that already.
        let stolen = thief.verify(&signed(record.envelope.header.clone(), &thief.key));
        assert_ne!(stolen.sender(), &thief.id);
        assert_eq!(saaq.open(&stolen, &record.body), Err(OpenError::Unwrap));
        // Named as the thief's own.
        let renamed = resigned(&record.envelope, &thief.key, |header| {
            header.sender_agency = thief.id.agency.to_string();
            header.sender_agent = thief.id.agent.to_string();
        });
        assert_eq!(saaq.open(&thief.verify(&renamed), &record.body), Err(OpenError::Unwrap), "warm: {warm}");
    }
}

#[test]
fn another_agent_of_the_same_agency_cannot_take_a_record_over() {
    let (victim, thief, saaq) =
        (Sender::new("ramq/agent-1"), Sender::new("ramq/agent-2"), Recipient::new("saaq"));
    let record = victim.seal(&[&saaq], b"secret");
    saaq.open(&victim.verify(&record.envelope), &record.body).unwrap();
    let stolen = resigned(&record.envelope, &thief.key, |header| header.sender_agent = "agent-2".into());
    assert_eq!(saaq.open(&thief.verify(&stolen), &record.body), Err(OpenError::Unwrap));
}

#[test]
fn an_encapsulation_and_wrapped_key_of_another_sender_do_not_unwrap() {
    let (victim, thief, saaq) =
        (Sender::new("ramq/agent-1"), Sender::new("revenu-quebec/agent-1"), Recipient::new("saaq"));
    let (theirs, own) = (victim.seal(&[&saaq], b"secret"), thief.seal(&[&saaq], b"bait"));
    saaq.open(&victim.verify(&theirs.envelope), &theirs.body).unwrap();
    let stolen_key = victim.verify(&theirs.envelope).header().recipient_keys[0].clone();
    let mixed = resigned(&own.envelope, &thief.key, |header| header.recipient_keys[0] = stolen_key);
    assert_eq!(saaq.open(&thief.verify(&mixed), &own.body), Err(OpenError::Unwrap));
}

#[test]
fn a_key_wrapped_for_another_exchange_does_not_unwrap() {
    let (sender, saaq) = (Sender::new("ramq/agent-1"), Recipient::new("saaq"));
    let (first, second) = (sender.seal(&[&saaq], b"first"), sender.seal(&[&saaq], b"second"));
    let (first_key, second_key) = (
        sender.verify(&first.envelope).header().recipient_keys[0].clone(),
        sender.verify(&second.envelope).header().recipient_keys[0].clone(),
    );
    assert_eq!(first_key.encapsulated, second_key.encapsulated, "one encapsulation serves both");
    let mixed = resigned(&second.envelope, &sender.key, |header| header.recipient_keys[0] = first_key);
    assert_eq!(saaq.open(&sender.verify(&mixed), &second.body), Err(OpenError::Unwrap));
}

#[test]
fn a_key_wrapped_for_another_recipient_key_does_not_unwrap() {
    let sender = Sender::new("ramq/agent-1");
    let both = [Recipient::new("saaq"), Recipient::new("saaq")];
    let record = sender.seal(&both.each_ref(), b"x");
    let swapped = resigned(&record.envelope, &sender.key, |header| {
        let [a, b] = &mut header.recipient_keys[..] else { unreachable!() };
        std::mem::swap(&mut a.encapsulated, &mut b.encapsulated);
        std::mem::swap(&mut a.wrapped, &mut b.wrapped);
    });
    for recipient in &both {
        assert_eq!(recipient.open(&sender.verify(&swapped), &record.body), Err(OpenError::Unwrap));
    }
}

#[test]
fn another_encapsulated_key_does_not_unwrap() {
    let (sender, saaq) = (Sender::new("ramq/agent-1"), Recipient::new("saaq"));
    let record = sender.seal(&[&saaq], b"x");
    for place in [0, 1_087, 1_088, 1_119] {
        let other = resigned(&record.envelope, &sender.key, |header| {
            let mut bytes = header.recipient_keys[0].encapsulated.to_vec();
            bytes[place] ^= 1;
            header.recipient_keys[0].encapsulated = bytes.into();
        });
        assert_eq!(saaq.open(&sender.verify(&other), &record.body), Err(OpenError::Unwrap), "{place}");
    }
    assert!(saaq.decapsulations.is_empty(), "what does not unwrap is not remembered");
}

#[test]
fn a_content_key_other_than_the_one_committed_to_opens_nothing() {
    // The whole attack, one exchange that shows two recipients two texts, is "two-faced" in
    // vectors/envelope/openings.json: our own sealer cannot make it.
    let (sender, saaq) = (Sender::new("ramq/agent-1"), Recipient::new("saaq"));
    let record = sender.seal(&[&saaq], b"x");
    let other = resigned(&record.envelope, &sender.key, |header| {
        header.commitment = Bytes::copy_from_slice(&[9; 32]);
    });
    assert_eq!(saaq.open(&sender.verify(&other), &record.body), Err(OpenError::Commitment));
}

#[test]
fn a_body_that_was_cut_extended_reordered_or_repeated_does_not_open() {
    let (sender, saaq) = (Sender::new("ramq/agent-1"), Recipient::new("saaq"));
    let plaintext: Vec<u8> = (0..3 * CHUNK_SIZE).map(|index| (index / CHUNK_SIZE) as u8).collect();
    let record = sender.seal(&[&saaq], &plaintext);
    let envelope = sender.verify(&record.envelope);
    let chunks: Vec<&[u8]> = record.body.chunks(SEALED_CHUNK_SIZE).collect();
    let bodies = [
        ("cut", chunks[..2].concat()),
        ("cut within", record.body[..record.body.len() - 1].to_vec()),
        ("extended", [&record.body[..], &[0]].concat()),
        ("extended by a chunk", [&record.body[..], chunks[2]].concat()),
        ("reordered", [chunks[1], chunks[0], chunks[2]].concat()),
        ("repeated", [chunks[0], chunks[0], chunks[2]].concat()),
        ("last first", [chunks[2], chunks[0], chunks[1]].concat()),
        ("nothing", Vec::new()),
    ];
    for (attack, body) in bodies {
        assert!(verify_body(&envelope, &body).is_err(), "{attack}: the gateway");
        assert!(saaq.open(&envelope, &body).is_err(), "{attack}: the recipient");
    }
}

#[test]
fn a_header_that_shortens_the_body_does_not_make_its_beginning_open() {
    // The sender's own header says two chunks of three, root over these two: STREAM still knows the last chunk.
    let (sender, saaq) = (Sender::new("ramq/agent-1"), Recipient::new("saaq"));
    let record = sender.seal(&[&saaq], &vec![5; 3 * CHUNK_SIZE]);
    let short = &record.body[..2 * SEALED_CHUNK_SIZE];
    let root = {
        let mut hashes = passerelle_proto::envelope::ChunkHashes::default();
        record.chunk_hashes.hashes()[..2].iter().for_each(|hash| hashes.push(*hash));
        hashes.root()
    };
    let shortened = resigned(&record.envelope, &sender.key, |header| {
        header.plaintext_length = 2 * CHUNK_SIZE as u64;
        header.chunk_count = 2;
        header.body_root = Bytes::copy_from_slice(root.as_bytes());
    });
    let envelope = sender.verify(&shortened);
    verify_body(&envelope, short).unwrap();
    assert!(matches!(saaq.open(&envelope, short), Err(OpenError::Chunk(_))));
}

#[test]
fn a_body_under_another_root_does_not_finish() {
    let (sender, saaq) = (Sender::new("ramq/agent-1"), Recipient::new("saaq"));
    let record = sender.seal(&[&saaq], b"x");
    let other =
        resigned(&record.envelope, &sender.key, |header| header.body_root = Bytes::copy_from_slice(&[1; 32]));
    let refused = saaq.open(&sender.verify(&other), &record.body);
    assert_eq!(refused, Err(OpenError::Body(BodyError::Root)));
}

#[test]
fn attributes_of_another_exchange_do_not_open() {
    let (sender, saaq) = (Sender::new("ramq/agent-1"), Recipient::new("saaq"));
    let (first, second) = (sender.seal(&[&saaq], b"1"), sender.seal(&[&saaq], b"2"));
    let theirs = sender.verify(&first.envelope).header().sealed_attributes.clone();
    let mixed = resigned(&second.envelope, &sender.key, |header| header.sealed_attributes = theirs);
    assert_eq!(saaq.opener(&sender.verify(&mixed)).unwrap_err(), OpenError::AttributesSealed);
}

#[test]
fn a_case_commitment_that_the_attributes_do_not_bear_out_is_refused() {
    let (sender, saaq) = (Sender::new("ramq/agent-1"), Recipient::new("saaq"));
    let record = sender.seal(&[&saaq], b"x");
    let claimed = resigned(&record.envelope, &sender.key, |header| {
        header.case_commitment = Bytes::copy_from_slice(&[3; 32]);
    });
    assert!(matches!(saaq.opener(&sender.verify(&claimed)), Err(OpenError::Attributes(_))));
}

#[test]
fn the_signature_is_checked_before_anything_is_parsed() {
    let sender = Sender::new("ramq/agent-1");
    let garbage = wire::Envelope { header: Bytes::from_static(&[0xff; 40]), signatures: Vec::new() };
    assert!(matches!(verify(&garbage, sender.key.public_key()), Err(EnvelopeError::Signature(_))));
    let garbage = signed(vec![0xff; 40], &sender.key);
    assert!(matches!(verify(&garbage, sender.key.public_key()), Err(EnvelopeError::Encoding(_))));
    assert!(danger::peek(&garbage).is_none());
}

#[test]
fn a_list_of_signatures_must_have_the_form_of_one() {
    let (sender, saaq) = (Sender::new("ramq/agent-1"), Recipient::new("saaq"));
    let envelope = sender.seal(&[&saaq], b"x").envelope;
    let good = envelope.signatures[0].clone();
    let with = |signatures: Vec<wire::Signature>| {
        verify(&wire::Envelope { signatures, ..envelope.clone() }, sender.key.public_key())
    };
    let foreign =
        |byte: u8| wire::Signature { key_id: vec![byte; 32].into(), signature: vec![byte; 64].into() };
    assert!(with(vec![foreign(1), good.clone()]).is_ok(), "another's signature beside it is not looked at");
    assert!(with((0..7).map(foreign).chain([good.clone()]).collect()).is_ok());
    for signatures in [
        (0..8).map(foreign).chain([good.clone()]).collect(),
        vec![good.clone(), good.clone()],
        vec![good.clone(), wire::Signature { key_id: vec![1; 31].into(), ..foreign(1) }],
        vec![good.clone(), wire::Signature { signature: Bytes::new(), ..foreign(1) }],
        vec![good.clone(), wire::Signature { signature: vec![1; 8_193].into(), ..foreign(1) }],
        vec![foreign(1)],
    ] {
        assert!(matches!(with(signatures), Err(EnvelopeError::Signature(_))));
    }
    assert_eq!(signing_key_hint(&envelope), Some(KeyId::try_from(&good.key_id[..]).unwrap()));
    assert_eq!(TAG_SIZE, 16);
}
