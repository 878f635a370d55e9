//! A head has one form, stays within its limits, and carries nothing that is not for the other side.

use bytes::Bytes;
use passerelle_proto::call::head::{self, FIELDS_LIMIT, HEAD_LIMIT, HeadError};
use passerelle_proto::call::path::PathError;
use passerelle_proto::wire::{HttpField, HttpRequestHead, HttpResponseHead};

fn field(name: &str, value: &'static [u8]) -> HttpField {
    HttpField { name: name.to_owned(), value: Bytes::from_static(value) }
}

fn request() -> HttpRequestHead {
    HttpRequestHead {
        method: "GET".to_owned(),
        path: "/a".to_owned(),
        query: "q=1".to_owned(),
        fields: vec![field("accept", b"*/*")],
    }
}

/// By hand from the schema: tag, length, bytes.
const REQUEST: &[u8] = b"\x0a\x03GET\x12\x02/a\x1a\x03q=1\x22\x0d\x0a\x06accept\x12\x03*/*";

#[test]
fn the_bytes_are_those_of_the_schema() {
    let length = u32::try_from(REQUEST.len()).unwrap().to_be_bytes();
    assert_eq!(head::encode(&request()).unwrap(), [&length[..], REQUEST].concat());
    assert_eq!(head::length(length), Ok(REQUEST.len()));
    assert_eq!(head::decode::<HttpRequestHead>(REQUEST), Ok(request()));
    let answer = HttpResponseHead { status: 404, fields: Vec::new() };
    assert_eq!(head::encode(&answer).unwrap(), b"\x00\x00\x00\x03\x08\x94\x03");
}

#[test]
fn a_second_form_of_the_same_head_is_refused() {
    let again = [REQUEST, b"\x1a\x03q=1"].concat();
    let unknown = [REQUEST, b"\x2a\x01x"].concat();
    let reordered = [&REQUEST[5..], &REQUEST[..5]].concat();
    for bytes in [again, unknown, reordered, REQUEST[..REQUEST.len() - 1].to_vec()] {
        assert!(matches!(head::decode::<HttpRequestHead>(&bytes), Err(HeadError::Encoding(_))));
    }
}

#[test]
fn lengths_that_lie_are_refused_before_anything_is_read() {
    let limit = u32::try_from(HEAD_LIMIT).unwrap();
    assert_eq!(head::length(limit.to_be_bytes()), Ok(HEAD_LIMIT));
    for length in [0, limit + 1, u32::MAX] {
        assert!(matches!(head::length(length.to_be_bytes()), Err(HeadError::Length(_))), "{length}");
    }
    let value = Bytes::from(vec![b'x'; HEAD_LIMIT]);
    let large = HttpRequestHead { fields: vec![HttpField { name: "x".to_owned(), value }], ..request() };
    assert!(matches!(head::encode(&large), Err(HeadError::Length(_))));
}

#[test]
fn requests_that_are_none_are_refused() {
    let refused = |change: &dyn Fn(&mut HttpRequestHead)| {
        let mut head = request();
        change(&mut head);
        head::encode(&head).unwrap_err()
    };
    for method in ["", "get", "GE T", "GET\r\n", "CONNECT", "TRACE"] {
        assert_eq!(refused(&|head| head.method = method.to_owned()), HeadError::Method, "{method:?}");
    }
    let escaping = refused(&|head| head.path = "/a/%2e%2e/b".to_owned());
    assert_eq!(escaping, HeadError::Path(PathError::DotSegment));
    for query in ["a b", "a#b", "a\r\nx", "é"] {
        assert_eq!(refused(&|head| head.query = query.to_owned()), HeadError::Query, "{query:?}");
    }
    for name in [
        "",
        "Accept",
        "a b",
        "a\r\nb",
        "connection",
        "te",
        "transfer-encoding",
        "upgrade",
        "host",
        "content-length",
        "proxy-authorization",
        "passerelle-consumer",
        "passerelle-x",
        "passerelle_from",
        "passerelle-agreement_number",
        "content_length",
        "transfer_encoding",
        "_",
        "x-http-method",
        "x-http-method-override",
        "x-method-override",
        "x-original-url",
        "x-rewrite-url",
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-prefix",
        "x-real-ip",
    ] {
        let error = refused(&|head| head.fields = vec![field(name, b"x")]);
        assert!(matches!(error, HeadError::Field(_)), "{name:?}");
    }
    let split = refused(&|head| head.fields = vec![field("x", b"a\r\nhost: b")]);
    assert!(matches!(split, HeadError::Field(_)));
    let many = refused(&|head| head.fields = vec![field("x", b"y"); FIELDS_LIMIT + 1]);
    assert!(matches!(many, HeadError::Field(_)));
}

#[test]
fn what_misleads_a_service_is_told_from_what_only_stays_here() {
    for (name, travels, misleads) in [
        ("accept", true, false),
        ("x-forwarded", true, false),
        ("x-http-methods", true, false),
        ("host", false, false),
        ("x-forwarded-host", false, false),
        ("passerelle-from", false, false),
        ("passerelle_from", false, true),
        ("x-http-method-override", false, true),
    ] {
        assert_eq!((head::travels(name), head::misleads(name)), (travels, misleads), "{name}");
    }
    let answer = HttpResponseHead { status: 200, fields: vec![field("set_cookie", b"x")] };
    assert!(matches!(head::encode(&answer), Err(HeadError::Field(_))));
}

#[test]
fn interim_and_invented_statuses_are_refused() {
    for status in [0, 100, 101, 199, 600, u32::MAX] {
        let answer = HttpResponseHead { status, fields: Vec::new() };
        assert_eq!(head::encode(&answer), Err(HeadError::Status(status)));
    }
}
