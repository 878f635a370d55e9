//! The configuration: mistakes are told together, the sample is true.

use super::*;

const SAMPLE: &str = include_str!("../../passerelle-gateway.toml");

#[test]
fn every_mistake_is_told_together() {
    let text = r#"
        surprise = 1
        [identity]
        trust_domain = "Pas Un Domaine"
        [listen]
        agents = "partout"
        public = 7
        [pki]
        agent_certificate_days = "trente"
        [log]
        publication = true
        [limits]
        connections_per_agency = 0
        header_skew_max_s = 999999
        burst_per_agency = -1
        [tracing]
        level = "passerelle=beaucoup"
    "#;
    let error = Config::parse(text, Path::new("/etc/passerelle/gateway.toml")).unwrap_err();
    let keys: Vec<&str> = error.mistakes().iter().map(|mistake| mistake.key.as_str()).collect();
    for key in [
        "surprise",
        "data_dir",
        "identity.trust_domain",
        "listen.agents",
        "listen.public",
        "pki.root_certificate",
        "pki.issuing_authority",
        "pki.agent_certificate_days",
        "log.publication",
        "limits.connections_per_agency",
        "limits.header_skew_max_s",
        "limits.burst_per_agency",
        "tracing.level",
    ] {
        assert!(keys.contains(&key), "{key} is not told: {keys:?}");
    }
    for mistake in error.mistakes() {
        assert!(!mistake.fr.is_empty() && mistake.fr != mistake.en, "{mistake:?}");
    }
}

#[test]
fn the_sample_is_without_mistake_and_its_comments_are_the_defaults() {
    let path = Path::new("/etc/passerelle/gateway.toml");
    let sample = Config::parse(SAMPLE, path).unwrap();
    assert_eq!(sample.data_dir, Path::new("/etc/passerelle/data"), "relative to the file");
    // Every commented value that is one, and no path that depends on another, taken as it stands.
    let without_providers = SAMPLE.lines().scan(false, |provider, line| {
        *provider = (*provider || line.contains("[[operators.oidc]]")) && !line.starts_with('[');
        Some((!*provider).then_some(line))
    });
    let taken: Vec<&str> = without_providers
        .flatten()
        .map(|line| match line.strip_prefix("# ") {
            Some(setting) if setting.split_once(" = ").is_some_and(|(key, _)| is_key(key)) => setting,
            _ => line,
        })
        .filter(|line| !line.contains('…') && !line.contains('<'))
        .collect();
    let all = Config::parse(&taken.join("\n"), path).unwrap();
    let shown = |config: &Config| format!("{:?}", Config { digest: [0; 32], ..config.clone() });
    assert_eq!(shown(&all), shown(&sample));
}

fn is_key(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit())
}
