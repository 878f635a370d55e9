//! HTTP fields between a connection and a sealed head.
//!
//! What belongs to one connection stays there, and so does what this side's agent says or is told by itself: the
//! credentials that a system shows its own agent, and `passerelle-*`.

use http::header::{AUTHORIZATION, CONNECTION, HeaderMap, HeaderName, HeaderValue};
use passerelle_proto::call::head::travels;
use passerelle_proto::wire::HttpField;

/// The fields of a request of ours that travel, in their order. Credentials for this agent do not.
pub(crate) fn of_request(headers: &HeaderMap) -> Vec<HttpField> {
    to_wire(headers, |name| *name != AUTHORIZATION)
}

/// The fields of our service's answer that travel, in their order.
pub(crate) fn of_answer(headers: &HeaderMap) -> Vec<HttpField> {
    to_wire(headers, |_| true)
}

fn to_wire(headers: &HeaderMap, also: impl Fn(&HeaderName) -> bool) -> Vec<HttpField> {
    // RFC 9110, section 7.6.1: what `Connection` names is this connection's.
    let named = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let named: Vec<String> =
        named.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase()).collect();
    let field = |(name, value): (&HeaderName, &HeaderValue)| HttpField {
        name: name.as_str().to_owned(),
        value: value.as_bytes().to_vec().into(),
    };
    headers
        .iter()
        .filter(|(name, _)| travels(name.as_str()) && also(name))
        .filter(|(name, _)| !named.iter().any(|other| other == name.as_str()))
        .map(field)
        .collect()
}

/// The fields of a head that was checked. What is no field then is left out: there is none.
pub(crate) fn from_wire(fields: &[HttpField]) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(fields.len());
    for field in fields {
        let name = HeaderName::from_bytes(field.name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(&field.value)) {
            headers.append(name, value);
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_this_sides_stays_here() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("accept", "application/json"),
            ("x-deux", "1"),
            ("x-deux", "2"),
            ("authorization", "Bearer jeton"),
            ("host", "127.0.0.1"),
            ("content-length", "3"),
            ("connection", "close, X-Saut"),
            ("x-saut", "a"),
            ("passerelle-purpose", "QC-F"),
            ("passerelle_from", "saaq"),
            ("x-http-method-override", "DELETE"),
            ("x-forwarded-for", "10.0.0.1"),
        ] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let names = |fields: &[HttpField]| fields.iter().map(|field| field.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&of_request(&headers)), ["accept", "x-deux", "x-deux"]);
        assert_eq!(names(&of_answer(&headers)), ["accept", "x-deux", "x-deux", "authorization"]);
        let back = from_wire(&of_request(&headers));
        assert_eq!(back.get_all("x-deux").iter().collect::<Vec<_>>(), ["1", "2"]);
    }
}
