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
        minimised_bytes_max = 67108865
        lifetime_default_s = 2678401
        [metrics]
        listen = "localhost"
        [signing]
        pkcs11_token = "organisme"
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
        "limits.minimised_bytes_max",
        "limits.record_bytes_max",
        "local.liste",
        "local.listen",
        "metrics.listen",
        "signing.pkcs11_module",
        "signing.pkcs11_pin_file",
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
    for section in [
        "[agent]",
        "[gateway]",
        "[local]",
        "[systems.",
        "[checks]",
        "[pseudonyms]",
        "[limits]",
        "[metrics]",
        "[calls]",
        "[services.",
        "[folders]",
        "[signing]",
        "[govstack]",
        "[tracing]",
    ] {
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

/// The sample, with more of `[local]` and with systems.
fn with(local: &str, systems: &str) -> String {
    let plain = "[local]\nlisten = \"127.0.0.1:1\"\n";
    let (before, after) = SAMPLE.split_once("[local]").unwrap();
    let (_, after) = after.split_once("[checks]").unwrap();
    format!("{before}{plain}{local}\n{systems}\n[checks]{after}")
}

const GUICHET: &str =
    "[systems.guichet]\ntoken_file = \"g.token\"\nagreements = [\"ENT-1\"]\npurposes = [\"*\"]\n";

#[test]
fn a_system_is_read_with_the_least_that_it_may() {
    use crate::systems::{Action, Scope};
    let config = Config::parse(&with("", GUICHET), Path::new("/srv/agent.toml")).unwrap();
    let [system] = &config.local.systems[..] else { panic!("one system") };
    assert_eq!((&*system.name, system.token_file.as_deref()), ("guichet", Some(Path::new("/srv/g.token"))));
    assert_eq!(system.rights.agreements, Scope::Only(["ENT-1".to_owned()].into()));
    assert_eq!(system.rights.purposes, Scope::All);
    assert_eq!(system.rights.actions, [Action::Send, Action::Receive, Action::Call].into());
}

#[test]
fn mistakes_of_systems_are_told_together() {
    let systems = r#"
        [systems.local]
        token_file = "a"
        agreements = ["*", "ENT-1"]
        purposes = []
        may = ["tout"]
        [systems.guichet]
        agreements = ["*"]
        purposes = ["*"]
        jeton = "b"
        [systems.rentes]
        token_file = "a"
        certificate_sha256 = ["zz"]
        unix_user = "personne-de-ce-nom"
        agreements = ["*"]
        purposes = ["*"]
    "#;
    let mut found = mistakes(&with("unix_socket_mode = \"0777\"", systems));
    found.sort_unstable();
    let expected = [
        "local.unix_socket_mode",
        "systems.guichet",
        "systems.guichet.jeton",
        "systems.local",
        "systems.local.agreements",
        "systems.local.may",
        "systems.local.purposes",
        "systems.rentes.certificate_sha256",
        "systems.rentes.token_file",
        "systems.rentes.unix_user",
    ];
    assert_eq!(found, expected);
}

#[test]
fn other_machines_come_by_tls_to_systems_only() {
    let tls = "unix_socket = \"s\"\ntls_certificate = \"c\"\ntls_key = \"k\"\nclient_ca = \"a\"";
    let open = |local: &str, systems: &str| with(local, systems).replace("127.0.0.1:1", "10.0.0.1:1");
    let config = Config::parse(&open(tls, GUICHET), Path::new("a.toml")).unwrap();
    assert_eq!(config.local.tls.unwrap().address, "10.0.0.1:1".parse().unwrap());
    assert_eq!(mistakes(&open("", GUICHET)), ["local.listen"], "not in clear");
    assert_eq!(mistakes(&open(tls, "")), ["systems"]);
    assert_eq!(mistakes(&open(&tls.replace("unix_socket = \"s\"", ""), GUICHET)), ["local.unix_socket"]);
    assert_eq!(mistakes(&open(&tls.replace("tls_key = \"k\"", ""), GUICHET)), ["local.tls_key"]);
    // A socket that others reach needs somebody to tell them apart.
    let socket = "unix_socket = \"s\"\nunix_socket_mode = \"0666\"";
    assert_eq!(mistakes(&with(socket, "")), ["local.unix_socket_mode"]);
    let user = GUICHET.replace("token_file = \"g.token\"", "unix_user = \"4242\"");
    assert!(Config::parse(&with(socket, &user), Path::new("a.toml")).is_ok());
    assert_eq!(mistakes(&with("unix_socket = \"s\"", &user)), ["local.unix_socket_mode"]);
}

#[test]
fn mistakes_of_calls_and_services_are_told_together() {
    let text = SAMPLE.replace("deadline_default_s = 30", "deadline_default_s = 301")
        + r#"
        [services.bon]
        upstream = "http://127.0.0.1:9000/base/"
        [services.mauvais]
        upstream = "http://moi:secret@127.0.0.1"
        timeout_s = 0
        adresse = ""
    "#;
    let found = mistakes(&text);
    let expected = [
        "services.mauvais.adresse",
        "calls.deadline_default_s",
        "services.mauvais.timeout_s",
        "services.mauvais.upstream",
    ];
    assert_eq!(found, expected);
    let text = SAMPLE.to_owned() + "[services.bon]\nupstream = \"http://127.0.0.1:9000/base/\"\n";
    let calls = Config::parse(&text, Path::new("a.toml")).unwrap().calls;
    assert_eq!(calls.services["bon"].upstream.path(), "/base/");
}
