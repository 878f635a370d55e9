//! A path that two programs could read in two ways is refused; a template covers what it says and no more.

use passerelle_proto::call::path::{PathError, PathTemplate, RequestPath, SEGMENTS_LIMIT, TEXT_LIMIT};
use proptest::prelude::*;

#[test]
fn every_way_around_a_template_is_refused() {
    let long = format!("/{}", "a".repeat(TEXT_LIMIT));
    let deep = "/a".repeat(SEGMENTS_LIMIT + 1);
    let cases: &[(&str, PathError)] = &[
        ("", PathError::NotAbsolute),
        ("dossiers/1", PathError::NotAbsolute),
        ("http://ailleurs.example/dossiers", PathError::NotAbsolute),
        ("//ailleurs.example/dossiers", PathError::EmptySegment),
        ("/dossiers//1", PathError::EmptySegment),
        ("/dossiers/1/", PathError::EmptySegment),
        ("/dossiers/../admin", PathError::DotSegment),
        ("/dossiers/./1", PathError::DotSegment),
        ("/dossiers/%2e%2e/admin", PathError::DotSegment),
        ("/dossiers/.%2E/admin", PathError::DotSegment),
        ("/dossiers/%2E", PathError::DotSegment),
        ("/dossiers/%252e%252e/admin", PathError::HiddenSeparator),
        ("/dossiers/1%2fadmin", PathError::HiddenSeparator),
        ("/dossiers/1%2Fadmin", PathError::HiddenSeparator),
        ("/dossiers/1%252fadmin", PathError::HiddenSeparator),
        ("/dossiers/1%5cadmin", PathError::HiddenSeparator),
        ("/dossiers\\..\\admin", PathError::HiddenSeparator),
        ("/dossiers/..;/admin", PathError::HiddenSeparator),
        ("/dossiers/..%3b/admin", PathError::HiddenSeparator),
        ("/dossiers/1;role=admin", PathError::HiddenSeparator),
        ("/dossiers/1%00.txt", PathError::Character),
        ("/dossiers/1%0d%0aX: y", PathError::Character),
        ("/dossiers/1%c2%85", PathError::Character),
        ("/dossiers/%", PathError::Character),
        ("/dossiers/%4", PathError::Character),
        ("/dossiers/%zz", PathError::Character),
        ("/dossiers/%u002e", PathError::Character),
        // An overlong encoding of a dot, and of a slash.
        ("/dossiers/%c0%ae%c0%ae/admin", PathError::Character),
        ("/dossiers/1%c0%af..", PathError::Character),
        ("/dossiers/1?role=admin", PathError::Character),
        ("/dossiers/1#x", PathError::Character),
        ("/dossiers/é", PathError::Character),
        ("/dossiers/a b", PathError::Character),
        ("/dossiers/{numero}", PathError::Character),
        (&long, PathError::TooLong),
        (&deep, PathError::TooLong),
    ];
    for (text, expected) in cases {
        assert_eq!(RequestPath::parse(text), Err(*expected), "{text:.60}");
    }
}

#[test]
fn a_plain_path_is_read() {
    let path = RequestPath::parse("/dossiers/relev%C3%A9%20d'%C3%A9t%C3%A9/v1.0:pi%C3%A8ce@2").unwrap();
    assert_eq!(path.segments(), ["dossiers", "relevé d'été", "v1.0:pièce@2"]);
    assert_eq!(path.as_str(), "/dossiers/relev%C3%A9%20d'%C3%A9t%C3%A9/v1.0:pi%C3%A8ce@2");
    assert!(RequestPath::parse("/").unwrap().segments().is_empty());
    assert_eq!(RequestPath::parse("/...").unwrap().segments(), ["..."]);
}

#[test]
fn a_template_covers_segment_by_segment() {
    let template = PathTemplate::parse("/dossiers/{numero}/pieces").unwrap();
    let covers = |text: &str| template.matches(&RequestPath::parse(text).unwrap());
    assert!(covers("/dossiers/17/pieces") && covers("/dossiers/%C3%A9/pieces"));
    assert!(covers("/d%6Fssiers/17/pieces"), "the same segment, encoded");
    for other in [
        "/",
        "/dossiers",
        "/dossiers/17",
        "/dossiers/17/pieces/1",
        "/Dossiers/17/pieces",
        "/dossiers/17/piece",
    ] {
        assert!(!covers(other), "{other}");
    }
    assert!(PathTemplate::parse("/").unwrap().matches(&RequestPath::parse("/").unwrap()));
}

#[test]
fn a_template_that_means_nothing_is_refused() {
    for text in ["/a/{}", "/a/{b", "/a/b}", "/a/x{b}", "/a/{b}x", "/{a}/{a}", "/{a/b}", "/{é}", "/{a}{b}"] {
        assert_eq!(PathTemplate::parse(text), Err(PathError::Parameter), "{text}");
    }
    assert_eq!(PathTemplate::parse("/a/../{b}"), Err(PathError::DotSegment));
    assert_eq!(PathTemplate::parse("a/{b}"), Err(PathError::NotAbsolute));
}

proptest! {
    /// Whatever is read: decoding it again, or normalising it as RFC 3986 section 5.2.4 does, changes nothing.
    #[test]
    fn what_is_read_reads_the_same_twice(text in "/[a-z./%0-9A-F;\\\\]{0,24}") {
        if let Ok(path) = RequestPath::parse(&text) {
            for segment in path.segments() {
                prop_assert!(!segment.is_empty() && segment != "." && segment != "..");
                prop_assert!(!segment.contains(['/', '\\', ';']));
                let twice = percent_encoding::percent_decode_str(segment).decode_utf8().unwrap();
                prop_assert_eq!(&*twice, segment.as_str());
            }
        }
    }
}
