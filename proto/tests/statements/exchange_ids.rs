//! Exchange ids: UUIDv7 and nothing else.

use passerelle_pki::clock::Timestamp;
use passerelle_proto::exchange_id::{ExchangeId, ExchangeIdError};
use ring::rand::SystemRandom;

/// RFC 9562 appendix A.6: the example of a UUIDv7, of 2022-02-22T14:22:22.00-05:00.
const EXAMPLE: &str = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";

#[test]
fn the_example_of_the_rfc_is_read() {
    let id: ExchangeId = EXAMPLE.parse().unwrap();
    assert_eq!(id.drawn_at(), Timestamp::from_millis(0x017f_22e2_79b0));
    assert_eq!(id.to_string(), EXAMPLE);
    assert_eq!(ExchangeId::from_bytes(id.as_bytes()), Ok(id));
    assert_eq!(serde_json::from_str::<ExchangeId>(&format!("{EXAMPLE:?}")).unwrap(), id);
    assert_eq!(serde_json::to_string(&id).unwrap(), format!("{EXAMPLE:?}"));
}

#[test]
fn other_writings_and_versions_are_refused() {
    for text in [
        "",
        "017F22E2-79B0-7CC3-98C4-DC0C0C07398F",
        "017f22e279b07cc398c4dc0c0c07398f",
        "{017f22e2-79b0-7cc3-98c4-dc0c0c07398f}",
        "urn:uuid:017f22e2-79b0-7cc3-98c4-dc0c0c07398f",
        " 017f22e2-79b0-7cc3-98c4-dc0c0c07398f",
    ] {
        assert_eq!(text.parse::<ExchangeId>(), Err(ExchangeIdError::Text), "{text:?}");
    }
    for text in [
        "017f22e2-79b0-4cc3-98c4-dc0c0c07398f",
        "017f22e2-79b0-7cc3-18c4-dc0c0c07398f",
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
    ] {
        assert_eq!(text.parse::<ExchangeId>(), Err(ExchangeIdError::Version), "{text:?}");
    }
    assert_eq!(ExchangeId::from_bytes(&[0; 15]), Err(ExchangeIdError::Length(15)));
}

#[test]
fn ids_are_drawn_anew_and_carry_their_time() {
    let (now, random) = (Timestamp::from_seconds(1_772_452_800), SystemRandom::new());
    let (one, two) = (ExchangeId::draw(now, &random).unwrap(), ExchangeId::draw(now, &random).unwrap());
    assert_ne!(one, two);
    assert_eq!((one.drawn_at(), two.drawn_at()), (now, now));
    assert_eq!(ExchangeId::from_bytes(one.as_bytes()), Ok(one));
}
