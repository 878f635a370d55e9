//! Any text of any length, and any bytes at all.

use passerelle_proto::envelope::{danger, seal_small, verify};
use passerelle_proto::strict;
use passerelle_proto::wire;
use proptest::prelude::*;

use crate::support::{Recipient, Sender, signed};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_sealed_opens(
        plaintext in prop::collection::vec(any::<u8>(), 0..200_000),
        file_name in "\\PC{0,200}",
        case_reference in "\\PC{0,60}",
    ) {
        let (sender, saaq) = (Sender::new("ramq/agent-1"), Recipient::new("saaq"));
        let mut draft = sender.draft(&["saaq"]);
        draft.attributes.file_name.clone_from(&file_name);
        draft.attributes.case_reference.clone_from(&case_reference);
        let record = seal_small(draft, &[saaq.public()], sender.sealing(), &plaintext).unwrap();
        let envelope = sender.verify(&record.envelope);
        let opener = saaq.opener(&envelope).unwrap();
        prop_assert_eq!(&opener.attributes().file_name, &file_name);
        prop_assert_eq!(&opener.attributes().case_reference, &case_reference);
        prop_assert_eq!(opener.open_small(&record.body).unwrap(), plaintext);
    }

    #[test]
    fn any_changed_bit_of_the_body_is_found(
        length in 0_usize..150_000,
        place in any::<prop::sample::Index>(),
        bit in 0_u8..8,
    ) {
        let (sender, saaq) = (Sender::new("ramq/agent-1"), Recipient::new("saaq"));
        let record = sender.seal(&[&saaq], &vec![0; length]);
        let envelope = sender.verify(&record.envelope);
        let mut body = record.body.to_vec();
        let place = place.index(body.len());
        body[place] ^= 1 << bit;
        prop_assert!(passerelle_proto::envelope::verify_body(&envelope, &body).is_err());
        prop_assert!(saaq.open(&envelope, &body).is_err());
    }
}

proptest! {
    #[test]
    fn any_bytes_are_refused_without_a_panic(header in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let sender = Sender::new("ramq/agent-1");
        let envelope = signed(header, &sender.key);
        prop_assert!(verify(&envelope, sender.key.public_key()).is_err());
        let _unverified = danger::peek(&envelope);
    }

    #[test]
    fn what_decodes_strictly_encodes_to_the_same_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(message) = strict::decode::<wire::Statement>(&bytes, 200) {
            prop_assert_eq!(prost::Message::encode_to_vec(&message), bytes);
        }
    }
}
