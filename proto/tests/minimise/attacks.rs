//! Ways past the rules that must not be ways.

use bytes::Bytes;
use passerelle_proto::agreement::Otherwise;
use passerelle_proto::minimise::{DEPTH_LIMIT, FieldRefusal};

use crate::{JSON, refusal, removed, rules};

#[test]
fn a_field_nested_in_lists_of_lists_goes() {
    for given in [
        r#"{"l":[{"nas":1}]}"#,
        r#"{"l":[[{"nas":1}]]}"#,
        r#"{"l":[[[[{"nom":1,"nas":1}]]]]}"#,
        r#"{"l":{"nas":1}}"#,
        r#"{"l":[{"nom":2,"x":{"nas":1}}]}"#,
        r#"[{"l":[{"nas":1}]}]"#,
    ] {
        let (stays, _) = removed(&["/l/*/nom", "/nom"], given);
        assert!(!stays.contains("nas"), "{given}: {stays}");
    }
}

#[test]
fn an_escaped_key_is_the_key() {
    assert_eq!(removed(&["/nom"], r#"{"\u006e\u0061s":1,"n\u006fm":2}"#).0, r#"{"n\u006fm":2}"#);
    // Surrogates, slashes, tildes and stars in keys.
    assert_eq!(
        removed(
            &["/a~1b", "/~0", "/~2", "/\u{1f600}"],
            r#"{"a/b":1,"a":{"b":2},"~":3,"*":4,"z":5,"\ud83d\ude00":6}"#
        )
        .0,
        r#"{"a/b":1,"~":3,"*":4,"\ud83d\ude00":6}"#
    );
    assert_eq!(removed(&["/a\\/b"], r#"{"a\/b":1}"#).0, "{}", "JSON's escapes are none of a pointer");
}

#[test]
fn keys_that_only_look_alike_are_others() {
    // Composed and decomposed, Latin and Cyrillic, letter case, white space, a NUL behind.
    for key in ["cafe\u{301}", "\u{441}afé", "Café", "café ", "café\\u0000"] {
        assert_eq!(removed(&["/café"], &format!("{{\"{key}\":1}}")).0, "{}", "{key}");
    }
    assert_eq!(removed(&["/café"], "{\"café\":1}").0, "{\"café\":1}");
    assert_eq!(removed(&["/cafe\u{301}"], "{\"cafe\u{301}\":1}").1, [""; 0]);
}

#[test]
fn a_place_in_a_list_is_no_key() {
    assert_eq!(removed(&["/l/0"], r#"{"l":[1,2]}"#).0, r#"{"l":[]}"#);
    assert_eq!(removed(&["/l/0"], r#"{"l":{"0":1,"1":2}}"#).0, r#"{"l":{"0":1}}"#);
}

#[test]
fn a_key_given_twice_is_refused_wherever_it_stands() {
    for (given, at) in [
        (r#"{"a":1,"a":1}"#, "/a"),
        (r#"{"a":1,"\u0061":2}"#, "/a"),
        (r#"{"a":[0,{"b":{"c":1,"d":2,"c":3}}]}"#, "/a/*/b/c"),
        (r#"{"zz":{"x":1,"x":2}}"#, "/zz/x"),
        (r#"[[{"":1,"":2}]]"#, "/*/*/"),
    ] {
        let refused = refusal(&["/a"], given.as_bytes());
        assert_eq!(refused, FieldRefusal::RepeatedKey(at.to_owned()), "{given}");
        assert!(!refused.outward().contains(at));
    }
}

#[test]
fn what_is_not_one_json_text_is_refused_with_its_place() {
    for (given, line, column) in [
        (&b"{\"a\":1}\n{\"a\":2}"[..], 2, 1),
        (b"{\"a\":1,}", 1, 8),
        (b"{'a':1}", 1, 2),
        (b"\xef\xbb\xbf{}", 1, 1),
        (b"{\"a\":\n\"\xff\"}", 2, 2),
        (b"{\"a\":\"\\ud800\"}", 1, 13),
        (b"{\"a\":NaN}", 1, 6),
        (b"{\"a\":01}", 1, 7),
        (b"{\"a\":1e999}", 1, 10),
        (b"{\"a\":1", 1, 6),
        (b"{\"a\":\"\t\"}", 1, 7),
        (b"  ", 1, 2),
        (b"{\"nas\":\"046454286\"} // {", 1, 21),
    ] {
        let refused = refusal(&["/a"], given);
        assert!(matches!(refused, FieldRefusal::NotJson { .. }), "{refused:?}");
        let FieldRefusal::NotJson { line: found_line, column: found_column } = refused else { continue };
        let near = (found_column as i64 - column as i64).abs() <= 1;
        assert!(
            found_line == line && near,
            "{}: {found_line}:{found_column}",
            String::from_utf8_lossy(given)
        );
    }
}

#[test]
fn depth_is_bounded_and_nothing_overflows() {
    let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth)).into_bytes();
    let allow = ["/*"];
    assert!(rules(&allow, Otherwise::Remove).apply(JSON, &nested(DEPTH_LIMIT).into()).is_ok());
    assert_eq!(refusal(&allow, &nested(DEPTH_LIMIT + 1)), FieldRefusal::TooDeep);
    assert_eq!(refusal(&allow, &"[".repeat(1 << 20).into_bytes()), FieldRefusal::TooDeep);
    assert_eq!(refusal(&allow, &"{\"a\":".repeat(1 << 18).into_bytes()), FieldRefusal::TooDeep);
}

#[test]
fn what_is_told_is_bounded_and_sober() {
    let many: Vec<String> = (0..1_000).map(|index| format!("\"k{index}\":{index}")).collect();
    let long = format!("\"{}\\u0000\\n\":1", "é".repeat(5_000));
    let given = format!("{{{},{long}}}", many.join(","));
    let minimised = rules(&["/a"], Otherwise::Remove).apply(JSON, &Bytes::from(given)).unwrap();
    assert_eq!((minimised.removed.count(), minimised.removed.shapes().len()), (1_001, 64));
    let (_, told) = removed(&["/a"], &format!("{{{long}}}"));
    assert_eq!(told, [format!("/{}…", "é".repeat(64))]);
}
