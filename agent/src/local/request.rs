//! The headers of `POST /v1/records` made into a request, with every mistake told together.
//!
//! Values are percent-encoded UTF-8 (RFC 3986, section 2.1); codes are plain, lists are separated by commas.

use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderMap};
use percent_encoding::percent_decode_str;

use super::problem::Fault;
use crate::calls::settings::DEADLINE_MAX;
use crate::records::SendRequest;

/// Values of one field that may be given.
const VALUES_MAX: usize = 256;

/// Reads the headers. Fields that begin with `Passerelle-` and are unknown are mistakes.
pub(super) fn read(headers: &HeaderMap) -> Result<SendRequest, Fault> {
    let mut fields = Fields { headers, mistakes: Vec::new() };
    let request = SendRequest {
        agreement: fields.required("passerelle-agreement"),
        version: fields.parsed("passerelle-agreement-version"),
        recipients: fields.list("passerelle-to"),
        service: fields.one("passerelle-service"),
        purpose: fields.one("passerelle-purpose"),
        legal_basis: fields.one("passerelle-legal-basis"),
        data_categories: fields.list("passerelle-data-categories"),
        case_reference: fields.one("passerelle-case-reference"),
        acting_user: fields.one("passerelle-acting-user"),
        subjects: fields.all("passerelle-subject"),
        file_name: fields.one("passerelle-file-name"),
        content_type: fields.plain(CONTENT_TYPE.as_str()),
        expires_in: fields.parsed("passerelle-expires-in").map(Duration::from_secs),
        in_reply_to: fields.parsed("passerelle-in-reply-to"),
        ordered: fields.parsed("passerelle-ordered").unwrap_or_default(),
        idempotency_key: fields.one("idempotency-key"),
    };
    fields.unknown(&KNOWN);
    fields.end(request)
}

/// Reads the headers of a call: its terms, and how long it may take.
pub(super) fn read_call(headers: &HeaderMap) -> Result<(SendRequest, Option<Duration>), Fault> {
    let mut fields = Fields { headers, mistakes: Vec::new() };
    let terms = SendRequest {
        agreement: fields.one("passerelle-agreement").unwrap_or_default(),
        version: fields.parsed("passerelle-agreement-version"),
        purpose: fields.one("passerelle-purpose"),
        legal_basis: fields.one("passerelle-legal-basis"),
        data_categories: fields.list("passerelle-data-categories"),
        case_reference: fields.one("passerelle-case-reference"),
        acting_user: fields.one("passerelle-acting-user"),
        subjects: fields.all("passerelle-subject"),
        ..SendRequest::default()
    };
    if terms.version.is_some() && terms.agreement.is_empty() {
        fields.wrong("passerelle-agreement", "manque à côté de sa version", "missing beside its version");
    }
    let deadline: Option<u64> = fields.parsed(DEADLINE);
    if deadline.is_some_and(|seconds| !(1..=DEADLINE_MAX.as_secs()).contains(&seconds)) {
        fields.wrong(DEADLINE, "donner de 1 à 300 secondes", "give from 1 to 300 seconds");
    }
    fields.unknown(&KNOWN_OF_CALLS);
    fields.end((terms, deadline.map(Duration::from_secs)))
}

const DEADLINE: &str = "passerelle-deadline";

/// Every header that a call may have beside those of HTTP.
const KNOWN_OF_CALLS: [&str; 9] = [
    "passerelle-agreement",
    "passerelle-agreement-version",
    "passerelle-purpose",
    "passerelle-legal-basis",
    "passerelle-data-categories",
    "passerelle-case-reference",
    "passerelle-acting-user",
    "passerelle-subject",
    DEADLINE,
];

/// Every header that a record may have beside those of HTTP.
const KNOWN: [&str; 14] = [
    "passerelle-agreement",
    "passerelle-agreement-version",
    "passerelle-to",
    "passerelle-service",
    "passerelle-purpose",
    "passerelle-legal-basis",
    "passerelle-data-categories",
    "passerelle-case-reference",
    "passerelle-acting-user",
    "passerelle-subject",
    "passerelle-file-name",
    "passerelle-expires-in",
    "passerelle-in-reply-to",
    "passerelle-ordered",
];

struct Fields<'a> {
    headers: &'a HeaderMap,
    /// French, English.
    mistakes: Vec<(String, String)>,
}

impl Fields<'_> {
    fn wrong(&mut self, name: &str, fr: &str, en: &str) {
        self.mistakes.push((format!("{name} : {fr}"), format!("{name}: {en}")));
    }

    fn all(&mut self, name: &str) -> Vec<String> {
        let values: Vec<_> = self.headers.get_all(name).iter().take(VALUES_MAX + 1).collect();
        if values.len() > VALUES_MAX {
            self.wrong(name, "plus de 256 valeurs", "more than 256 values");
        }
        let mut texts = Vec::with_capacity(values.len());
        for value in values {
            let decoded = value.to_str().ok().map(|text| percent_decode_str(text).decode_utf8());
            match decoded {
                Some(Ok(text)) => texts.push(text.trim().to_owned()),
                _ => self.wrong(
                    name,
                    "écrire en UTF-8 encodé en pourcentage (é : %C3%A9)",
                    "write percent-encoded UTF-8 (é: %C3%A9)",
                ),
            }
        }
        texts
    }

    fn one(&mut self, name: &str) -> Option<String> {
        let mut texts = self.all(name);
        if texts.len() > 1 {
            self.wrong(name, "donné plus d'une fois", "given more than once");
        }
        texts.pop().filter(|text| !text.is_empty())
    }

    fn plain(&mut self, name: &str) -> Option<String> {
        let value = self.headers.get(name)?;
        match value.to_str() {
            Ok(text) => Some(text.to_owned()),
            Err(_) => {
                self.wrong(name, "caractères qui ne conviennent pas", "characters that do not serve");
                None
            }
        }
    }

    fn required(&mut self, name: &str) -> String {
        let text = self.one(name);
        if text.is_none() && self.headers.get(name).is_none_or(http::HeaderValue::is_empty) {
            self.wrong(
                name,
                "manque; y mettre le numéro de l'entente",
                "missing; put the agreement's number there",
            );
        }
        text.unwrap_or_default()
    }

    fn parsed<T: std::str::FromStr>(&mut self, name: &str) -> Option<T> {
        let text = self.one(name)?;
        let parsed = text.parse().ok();
        if parsed.is_none() {
            self.wrong(name, "valeur qui ne convient pas", "a value that does not serve");
        }
        parsed
    }

    fn list<T: std::str::FromStr + Ord>(&mut self, name: &str) -> std::collections::BTreeSet<T> {
        let texts = self.all(name);
        let parts: Vec<&str> = texts
            .iter()
            .flat_map(|text| text.split(','))
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .collect();
        let mut items = std::collections::BTreeSet::new();
        for part in parts {
            match part.parse() {
                Ok(item) => {
                    items.insert(item);
                }
                Err(_) => {
                    let shown: String = part.chars().take(60).collect();
                    self.wrong(
                        name,
                        &format!("« {shown} » ne convient pas"),
                        &format!("\"{shown}\" does not serve"),
                    );
                }
            }
        }
        items
    }

    fn end<T>(self, read: T) -> Result<T, Fault> {
        if self.mistakes.is_empty() { Ok(read) } else { Err(Fault::invalid(&self.mistakes)) }
    }

    fn unknown(&mut self, known: &[&str]) {
        let unknown: Vec<String> = self
            .headers
            .keys()
            .map(http::HeaderName::as_str)
            .filter(|name| name.starts_with("passerelle-") && !known.contains(name))
            .map(str::to_owned)
            .collect();
        for name in unknown {
            self.wrong(
                &name,
                "en-tête inconnu; vérifier l'orthographe",
                "unknown header; check the spelling",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        let mut map = HeaderMap::new();
        pairs.iter().map(pair).for_each(|(name, value)| {
            map.append(name, value);
        });
        map
    }

    #[test]
    fn a_request_is_read_from_its_headers() {
        let request = read(&headers(&[
            ("passerelle-agreement", "ENT-2026-001"),
            ("passerelle-to", "saaq, revenu-quebec"),
            ("passerelle-data-categories", "identification"),
            ("passerelle-file-name", "relev%C3%A9%201.pdf"),
            ("passerelle-subject", "TREM%201234"),
            ("passerelle-subject", "ROYA%205678"),
            ("passerelle-expires-in", "60"),
            ("content-type", "application/pdf"),
            ("passerelle-ordered", "true"),
            ("idempotency-key", "cle"),
        ]))
        .unwrap();
        assert_eq!(request.agreement, "ENT-2026-001");
        assert!(request.ordered && request.recipients.len() == 2);
        assert_eq!(request.file_name.as_deref(), Some("relevé 1.pdf"));
        assert_eq!(request.subjects, ["TREM 1234", "ROYA 5678"]);
        assert_eq!(request.expires_in, Some(Duration::from_secs(60)));
        assert_eq!(request.content_type.as_deref(), Some("application/pdf"));
        assert_eq!(request.idempotency_key.as_deref(), Some("cle"));
    }

    #[test]
    fn every_mistake_is_told_together() {
        let fault = read(&headers(&[
            ("passerelle-to", "saaq,PAS BON"),
            ("passerelle-file-name", "%FF"),
            ("passerelle-expires-in", "demain"),
            ("passerelle-ordered", "oui"),
            ("passerelle-service", "a"),
            ("passerelle-service", "b"),
            ("passerelle-finalite", "QC-A"),
        ]))
        .unwrap_err();
        let problem = fault.problem();
        assert_eq!((problem.status, problem.code.as_str()), (400, "REQUEST_INVALID"));
        for name in ["agreement", "to", "file-name", "expires-in", "ordered", "service", "finalite"] {
            let name = format!("passerelle-{name}");
            assert!(
                problem.detail.contains(&name) && problem.detail_en.contains(&name),
                "{name}: {problem:?}"
            );
        }
    }
}
