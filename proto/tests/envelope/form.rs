//! Every rule of a header's form, at its limit and one beyond.
//!
//! Rules that need only small headers are in `vectors/envelope/headers.json` too; here are those with long lists.

use bytes::Bytes;
use passerelle_proto::envelope::limits::{self, HEADER_LIMIT};
use passerelle_proto::envelope::{EnvelopeError, HeaderDraft, RecipientPublicKey, SealError, Sealer, verify};
use passerelle_proto::wire::{self, Reason};

use crate::support::{Recipient, Sender, agency, resigned, signed};

struct World {
    sender: Sender,
    envelope: wire::Envelope,
}

fn world() -> World {
    let (sender, saaq) = (Sender::new("ramq/agent-1"), Recipient::new("saaq"));
    let envelope = sender.seal(&[&saaq], b"x").envelope;
    World { sender, envelope }
}

impl World {
    /// The field for which the changed header is refused, `None` when it is accepted.
    fn refused(&self, change: impl FnOnce(&mut wire::Header)) -> Option<&'static str> {
        let changed = resigned(&self.envelope, &self.sender.key, change);
        match verify(&changed, self.sender.key.public_key()) {
            Ok(_) => None,
            Err(EnvelopeError::Form(error)) => Some(error.field),
            Err(other) => panic!("refused otherwise: {other:?}"),
        }
    }
}

/// Distinct, sorted recipient keys of these agencies in turn.
fn keys(count: usize, agencies: &[String]) -> Vec<wire::RecipientKey> {
    (0..count)
        .map(|index| {
            let mut key_id = [0; 32];
            key_id[..8].copy_from_slice(&(index as u64).to_be_bytes());
            wire::RecipientKey {
                agency: agencies[index % agencies.len()].clone(),
                key_id: Bytes::copy_from_slice(&key_id),
                encapsulated: vec![1; 1_120].into(),
                wrapped: vec![2; 48].into(),
            }
        })
        .collect()
}

fn codes(count: usize) -> Vec<String> {
    (0..count).map(|index| format!("agence-{index:03}")).collect()
}

#[test]
fn recipients_at_the_limit_and_one_more() {
    let with = |count: usize| {
        world().refused(|header| {
            header.recipients = codes(count);
            header.recipient_keys = keys(count, &header.recipients);
        })
    };
    assert_eq!(with(limits::RECIPIENTS_LIMIT), None);
    assert_eq!(with(limits::RECIPIENTS_LIMIT + 1), Some("recipients"));
}

#[test]
fn recipient_keys_at_the_limit_and_one_more() {
    let with =
        |count: usize| world().refused(|header| header.recipient_keys = keys(count, &header.recipients));
    assert_eq!(with(limits::RECIPIENT_KEYS_LIMIT), None);
    assert_eq!(with(limits::RECIPIENT_KEYS_LIMIT + 1), Some("recipient_keys"));
    assert_eq!(with(0), Some("recipient_keys"));
}

#[test]
fn recipients_and_their_keys_belong_together() {
    let world = world();
    let two = || vec!["revenu-quebec".to_owned(), "saaq".to_owned()];
    assert_eq!(
        world.refused(|header| header.recipients = two()),
        Some("recipient_keys"),
        "one is not reached"
    );
    let alien = |header: &mut wire::Header| header.recipient_keys = keys(2, &two());
    assert_eq!(world.refused(alien), Some("recipient_keys"), "a key of no recipient");
    let unsorted = |header: &mut wire::Header| {
        header.recipient_keys = keys(2, &header.recipients);
        header.recipient_keys.reverse();
    };
    assert_eq!(world.refused(unsorted), Some("recipient_keys"));
    let twice = |header: &mut wire::Header| {
        let key = header.recipient_keys[0].clone();
        header.recipient_keys.push(key);
    };
    assert_eq!(world.refused(twice), Some("recipient_keys"));
}

#[test]
fn lists_at_their_limits_and_one_more() {
    let world = world();
    let categories = |count: usize| {
        move |header: &mut wire::Header| {
            header.data_categories = (0..count).map(|index| format!("c{index:03}")).collect();
        }
    };
    assert_eq!(world.refused(categories(limits::CATEGORIES_LIMIT)), None);
    assert_eq!(world.refused(categories(limits::CATEGORIES_LIMIT + 1)), Some("data_categories"));
    assert_eq!(
        world.refused(categories(0)),
        Some("data_categories"),
        "none would escape the agreement's list"
    );
    let subjects =
        |count: usize| move |header: &mut wire::Header| header.subjects = vec![vec![1; 32].into(); count];
    assert_eq!(world.refused(subjects(limits::SUBJECTS_LIMIT)), None);
    assert_eq!(world.refused(subjects(limits::SUBJECTS_LIMIT + 1)), Some("subjects"));
}

#[test]
fn texts_at_their_limits_and_one_more() {
    type Field = (&'static str, usize, fn(&mut wire::Header) -> &mut String);
    let fields: [Field; 5] = [
        ("service", limits::SERVICE_LIMIT, |header| &mut header.service),
        ("purpose", limits::PURPOSE_LIMIT, |header| &mut header.purpose),
        ("legal_basis", limits::LEGAL_BASIS_LIMIT, |header| &mut header.legal_basis),
        ("content_type", limits::CONTENT_TYPE_LIMIT, |header| &mut header.content_type),
        ("agreement.number", limits::AGREEMENT_NUMBER_LIMIT, |header| {
            &mut header.agreement.as_mut().unwrap().number
        }),
    ];
    let world = world();
    for (field, limit, text) in fields {
        assert_eq!(world.refused(|header| *text(header) = "a".repeat(limit)), None, "{field}");
        let wrong = ["a".repeat(limit + 1), String::new(), "a\nb".into(), "a\u{7f}".into(), "a\u{85}".into()];
        for wrong in wrong {
            assert_eq!(world.refused(|header| text(header).clone_from(&wrong)), Some(field), "{wrong:?}");
        }
    }
    let longest = "a".repeat(limits::CATEGORY_LIMIT);
    assert_eq!(world.refused(|header| header.data_categories = vec![longest.clone()]), None);
    assert_eq!(world.refused(|header| header.data_categories = vec![longest + "a"]), Some("data_categories"));
}

#[test]
fn sealed_attributes_at_their_limits_and_beyond() {
    let world = world();
    for (length, expected) in
        [(15, Some("sealed_attributes")), (16, None), (4_096, None), (4_097, Some("sealed_attributes"))]
    {
        let changed = world.refused(|header| header.sealed_attributes = vec![0; length].into());
        assert_eq!(changed, expected, "{length}");
    }
}

#[test]
fn the_record_at_its_limit_and_one_more() {
    let world = world();
    let with = |length: u64, count: u64| {
        let envelope = resigned(&world.envelope, &world.sender.key, |header| {
            header.plaintext_length = length;
            header.chunk_count = count;
        });
        verify(&envelope, world.sender.key.public_key()).map(drop)
    };
    assert_eq!(with(limits::PLAINTEXT_LIMIT, 819_200), Ok(()));
    let over = limits::PLAINTEXT_LIMIT + 1;
    assert_eq!(with(over, 819_201), Err(EnvelopeError::RecordTooLarge(over)));
    assert_eq!(with(u64::MAX, u64::MAX), Err(EnvelopeError::RecordTooLarge(u64::MAX)));
    assert_eq!(with(over, 819_201).unwrap_err().reason(), Reason::RecordTooLarge);
}

#[test]
fn a_header_over_64_kib_is_not_even_verified() {
    let world = world();
    let envelope = signed(vec![0; HEADER_LIMIT + 1], &world.sender.key);
    let refused = verify(&envelope, world.sender.key.public_key()).unwrap_err();
    assert_eq!(refused, EnvelopeError::TooLarge(HEADER_LIMIT + 1));
    assert_eq!(refused.reason(), Reason::HeaderMalformed);
}

#[test]
fn an_unknown_suite_is_named_before_the_form() {
    let world = world();
    for suite in [0, 2, u32::MAX] {
        let envelope = resigned(&world.envelope, &world.sender.key, |header| {
            header.suite = suite;
            header.recipient_keys.clear();
        });
        let refused = verify(&envelope, world.sender.key.public_key()).unwrap_err();
        assert_eq!(refused, EnvelopeError::Suite(suite));
        assert_eq!(refused.reason(), Reason::SuiteUnsupported);
    }
}

#[test]
fn what_nobody_would_accept_is_not_sealed() {
    let (sender, saaq) = (Sender::new("ramq/agent-1"), Recipient::new("saaq"));
    let begin = |draft: HeaderDraft, keys: &[RecipientPublicKey]| {
        Sealer::new(draft, keys, sender.sealing()).unwrap_err()
    };
    let field = |error: SealError| match error {
        SealError::Form(error) => error.field,
        other => panic!("{other:?}"),
    };
    let draft = || sender.draft(&["saaq"]);
    assert_eq!(field(begin(draft(), &[])), "recipient_keys");
    assert_eq!(field(begin(sender.draft(&["saaq", "ramq"]), &[saaq.public()])), "recipient_keys");
    assert_eq!(field(begin(sender.draft(&[]), &[saaq.public()])), "recipients");
    assert_eq!(field(begin(draft(), &[saaq.public(), saaq.public()])), "recipient_keys");
    assert_eq!(field(begin(HeaderDraft { service: String::new(), ..draft() }, &[saaq.public()])), "service");
    let request = HeaderDraft { kind: wire::ExchangeKind::CallRequest, ..draft() };
    assert_eq!(field(begin(request, &[saaq.public()])), "operation");
    let wrong = RecipientPublicKey::new(agency("ramq"), saaq.public().key().clone());
    assert_eq!(field(begin(draft(), &[wrong])), "recipient_keys");
}

#[test]
fn attributes_that_are_too_long_or_contradict_the_header_are_not_sealed() {
    let (sender, saaq) = (Sender::new("ramq/agent-1"), Recipient::new("saaq"));
    let begin = |attributes: wire::SealedAttributes| {
        let draft = HeaderDraft { attributes, ..sender.draft(&["saaq"]) };
        Sealer::new(draft, &[saaq.public()], sender.sealing()).map(drop)
    };
    let named =
        |length: usize| wire::SealedAttributes { file_name: "a".repeat(length), ..Default::default() };
    // 4,096 less the tag, a field tag and a length of two bytes.
    assert_eq!(begin(named(4_096 - 16 - 3)), Ok(()));
    assert_eq!(begin(named(4_096 - 16 - 2)), Err(SealError::AttributesTooLarge));
    let user = wire::SealedAttributes { acting_user: "x".into(), ..Default::default() };
    assert!(matches!(begin(user), Err(SealError::Attributes(_))));
    let subject = wire::SealedAttributes { subjects: vec!["x".into()], ..Default::default() };
    assert!(matches!(begin(subject), Err(SealError::Attributes(_))));
}

#[test]
fn a_header_that_would_be_too_long_is_not_sealed() {
    let sender = Sender::new("ramq/agent-1");
    let recipients: Vec<_> = (0..48).map(|_| Recipient::new("saaq").public()).collect();
    let draft = HeaderDraft { subjects: vec![[1; 32]; 256], ..sender.draft(&["saaq"]) };
    assert!(matches!(Sealer::new(draft, &recipients, sender.sealing()), Err(SealError::HeaderTooLarge(_))));
}
