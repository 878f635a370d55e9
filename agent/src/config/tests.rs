//! The configuration: mistakes are told together, the sample is true.

use super::*;

fn mistakes(text: &str) -> Vec<String> {
    let error = Config::parse(text, Path::new("/etc/passerelle/agent.toml")).unwrap_err();
    for mistake in error.mistakes() {
        assert!(!mistake.fr.is_empty() && mistake.fr != mistake.en, "{mistake:?}");
    }
    error.mistakes().iter().map(|mistake| mistake.key.clone()).collect()
}

#[test]
fn ten_mistakes_are_told_together() {
    let text = r#"
        surprise = 1
        [agent]
        id = "Ramq"
        [gateway]
        agents = "http://passerelle.example:7443"
        public = 7
        [local]
        listen = "0.0.0.0:7450"
        liste = ""
        [checks]
        before_sending = "oui"
        [limits]
        record_bytes_max = 0
        lifetime_default_s = 2678401
        [tracing]
        level = "passerelle=beaucoup"
    "#;
    let mut found = mistakes(text);
    found.sort_unstable();
    let expected = [
        "agent.id",
        "checks.before_sending",
        "data_dir",
        "gateway.agents",
        "gateway.public",
        "gateway.public",
        "gateway.root_certificate",
        "limits.lifetime_default_s",
        "limits.record_bytes_max",
        "local.liste",
        "local.listen",
        "surprise",
        "tracing.level",
    ];
    assert_eq!(found, expected);
}

#[test]
fn the_sample_is_without_mistake_and_shows_the_defaults() {
    let sample = Config::parse(SAMPLE, Path::new("/srv/agent/passerelle-agent.toml")).unwrap();
    assert_eq!(sample.data_dir, Path::new("/srv/agent/agent"), "relative to the file");
    let bare = r#"
        data_dir = "agent"
        agent.id = "organisme/agent-1"
        [gateway]
        agents = "https://passerelle.example:7443"
        public = "https://passerelle.example:7444"
        root_certificate = "root.cert.pem"
    "#;
    let bare = Config::parse(bare, Path::new("/srv/agent/passerelle-agent.toml")).unwrap();
    assert_eq!(format!("{sample:?}"), format!("{bare:?}"), "every value shown is the default");
    assert_eq!(bare.limits, Limits::default());
    // Every key that exists is shown.
    for section in ["[agent]", "[gateway]", "[local]", "[checks]", "[pseudonyms]", "[limits]", "[tracing]"] {
        assert!(SAMPLE.contains(section), "{section}");
    }
}

#[test]
fn only_this_machine_may_reach_the_agent() {
    for (listen, serves) in [
        ("127.0.0.1:1", true),
        ("[::1]:1", true),
        ("10.0.0.1:1", false),
        ("[::]:1", false),
        ("localhost:1", false),
    ] {
        let text = SAMPLE.replace("127.0.0.1:7450", listen);
        assert_eq!(Config::parse(&text, Path::new("a.toml")).is_ok(), serves, "{listen}");
    }
}

#[test]
fn a_key_of_pseudonyms_is_read_whole_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("pseudonymes.hex");
    let text = SAMPLE.replace("key_file = \"\"", "key_file = \"pseudonymes.hex\"");
    let config = Config::parse(&text, &folder.path().join("agent.toml")).unwrap();
    assert!(config.pseudonym_key().is_err(), "no file");
    std::fs::write(&key, format!("{}\n", "0a".repeat(32))).unwrap();
    assert_eq!(config.pseudonym_key().unwrap(), Some([10; 32]));
    std::fs::write(&key, "0a".repeat(31)).unwrap();
    assert!(config.pseudonym_key().is_err(), "31 bytes");
}
