//! `[calls]` and `[services.NAME]`: what this agency calls, and what of its own can be called.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Uri;
use serde::{Deserialize, Serialize};

use super::mistake::Mistake;
use crate::calls::settings::DEADLINE_MAX;
use crate::calls::{CallSettings, ServiceSettings};

/// Services of one agency.
const SERVICES_MAX: usize = 256;
/// Calls that are answered at a time: each may take a thread while its answer is read.
const AT_ONCE_MAX: u32 = 256;

/// `[calls]`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Calls {
    /// Seconds that a call may take when its request does not say.
    pub(super) deadline_default_s: u64,
    /// Calls that are answered at a time.
    pub(super) at_once: u32,
}

impl Default for Calls {
    fn default() -> Self {
        let settings = CallSettings::default();
        Self { deadline_default_s: settings.deadline.as_secs(), at_once: settings.at_once }
    }
}

/// `[services.NAME]`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Service {
    /// `http://host:port/base` or `https://…`.
    pub(super) upstream: String,
    /// Seconds that it may take to begin its answer.
    pub(super) timeout_s: u64,
    /// Authorities of its certificate, PEM; empty: the system's.
    pub(super) ca_file: PathBuf,
}

impl Default for Service {
    fn default() -> Self {
        Self { upstream: String::new(), timeout_s: 30, ca_file: PathBuf::new() }
    }
}

/// What the sections make.
pub(super) fn calls(
    calls: &Calls,
    services: &[(String, Service)],
    base: &Path,
    mistakes: &mut Vec<Mistake>,
) -> CallSettings {
    let longest = DEADLINE_MAX.as_secs();
    range("calls.deadline_default_s", calls.deadline_default_s, longest, mistakes);
    range("calls.at_once", calls.at_once.into(), AT_ONCE_MAX.into(), mistakes);
    if services.len() > SERVICES_MAX {
        mistakes.push(Mistake::new("services", "plus de 256 services", "more than 256 services"));
    }
    let mut checked = BTreeMap::new();
    for (name, service) in services {
        range(&format!("services.{name}.timeout_s"), service.timeout_s, longest, mistakes);
        let Some(upstream) = upstream(&service.upstream) else {
            mistakes.push(Mistake::new(
                format!("services.{name}.upstream"),
                format!(
                    "« {} » ne convient pas; écrire http://hôte:port/base ou https://…, sans paramètres",
                    service.upstream
                ),
                format!(
                    "\"{}\" does not serve; write http://host:port/base or https://…, without a query",
                    service.upstream
                ),
            ));
            continue;
        };
        let ca_file = (!service.ca_file.as_os_str().is_empty()).then(|| base.join(&service.ca_file));
        let timeout = Duration::from_secs(service.timeout_s);
        checked.insert(name.clone(), ServiceSettings { upstream, timeout, ca_file });
    }
    CallSettings {
        deadline: Duration::from_secs(calls.deadline_default_s),
        at_once: calls.at_once,
        services: checked,
    }
}

fn range(key: &str, value: u64, high: u64, mistakes: &mut Vec<Mistake>) {
    if !(1..=high).contains(&value) {
        let fr = format!("{value} est hors de 1…{high}");
        mistakes.push(Mistake::new(key, fr, format!("{value} is outside 1…{high}")));
    }
}

/// An address that a path can be put behind. Credentials would stand in the file: there are none.
fn upstream(text: &str) -> Option<Uri> {
    let uri: Uri = text.parse().ok()?;
    let scheme = matches!(uri.scheme_str(), Some("http" | "https"));
    let authority = uri.authority()?;
    let plain = !authority.as_str().contains('@') && !authority.host().is_empty() && uri.query().is_none();
    (scheme && plain && !text.contains('#')).then_some(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_is_an_address_and_nothing_else() {
        for text in ["http://127.0.0.1:9000", "https://service.example/base/", "http://[::1]:1/"] {
            assert!(upstream(text).is_some(), "{text}");
        }
        for text in [
            "",
            "127.0.0.1:9000",
            "ftp://a/",
            "http://a/?b",
            "http://u:p@a/",
            "http:///a",
            "/base",
            "http://a/#b",
            "unix:/a",
        ] {
            assert!(upstream(text).is_none(), "{text}");
        }
    }
}
