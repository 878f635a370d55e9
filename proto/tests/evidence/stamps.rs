//! Time-stamps: what a token shows, and what it does not.

use passerelle_proto::timestamp::{Authorities, TimestampError, request, response, verify};
use rcgen::ExtendedKeyUsagePurpose;

use crate::authority::StampAuthority;
use crate::house::noon;

#[test]
fn a_token_shows_these_bytes_before_its_time() {
    let authority = StampAuthority::build();
    let token = authority.stamp(b"point", noon());
    let stamped = verify(&token, b"point", &authority.authorities()).unwrap();
    // The stated accuracy of one second is added.
    assert_eq!(stamped.before.as_seconds(), noon().as_seconds() + 1);
}

#[test]
fn what_a_token_does_not_show() {
    let authority = StampAuthority::build();
    let token = authority.stamp(b"point", noon());
    let trusted = authority.authorities();
    assert_eq!(verify(&token, b"poinT", &trusted), Err(TimestampError::OtherBytes));
    assert_eq!(verify(&token, b"point", &Authorities::default()), Err(TimestampError::Untrusted));
    let other = StampAuthority::build();
    assert_eq!(verify(&token, b"point", &other.authorities()), Err(TimestampError::Untrusted));
    // A certificate for another purpose, under a trusted root.
    let client = StampAuthority::for_purpose(ExtendedKeyUsagePurpose::ClientAuth);
    let token_of_client = client.stamp(b"point", noon());
    assert_eq!(verify(&token_of_client, b"point", &client.authorities()), Err(TimestampError::Untrusted));
    assert_eq!(verify(&token[..token.len() - 1], b"point", &trusted), Err(TimestampError::Malformed));
    assert_eq!(verify(&[], b"point", &trusted), Err(TimestampError::Malformed));
}

#[test]
fn no_changed_byte_of_a_token_is_taken_for_another_time() {
    let authority = StampAuthority::build();
    let token = authority.stamp(b"point", noon());
    let trusted = authority.authorities();
    let good = verify(&token, b"point", &trusted).unwrap();
    for place in 0..token.len() {
        let mut changed = token.clone();
        changed[place] ^= 1;
        // What is not signed (unused algorithm parameters, versions) may change; the outcome may not.
        if let Ok(stamped) = verify(&changed, b"point", &trusted) {
            assert_eq!(stamped, good, "byte {place}");
        }
    }
}

#[test]
fn an_answer_without_a_token_or_to_another_request() {
    assert!(request(b"point", [0; 8]).is_ok());
    // PKIStatusInfo with status 2 (rejection), and no token.
    assert_eq!(response(&[0x30, 5, 0x30, 3, 2, 1, 2], [1; 8]), Err(TimestampError::Refused(2)));
    assert_eq!(response(b"<html>", [1; 8]), Err(TimestampError::Malformed));
}
