//! Who asks: every proof alone, wrong, and together with another's.

use std::collections::BTreeSet;

use super::*;

const CERTIFICATE: [u8; 32] = [7; 32];
const USER: u32 = 4_242;

fn rights(agreement: &str) -> Rights {
    Rights {
        agreements: Scope::Only([agreement.to_owned()].into()),
        purposes: Scope::Only(["QC-F".to_owned()].into()),
        actions: [Action::Send].into(),
    }
}

/// Two systems: « guichet » by token, certificate and user; « rentes » by its token alone.
struct Scene {
    systems: Systems,
    local: String,
    guichet: String,
    rentes: String,
}

fn scene() -> Scene {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let guichet = SystemSettings {
        name: "guichet".to_owned(),
        token_file: Some(path("guichet")),
        certificates: vec![CERTIFICATE],
        unix_user: Some(USER),
        rights: rights("ENT-1"),
    };
    let rentes = SystemSettings {
        name: "rentes".to_owned(),
        token_file: Some(path("rentes")),
        certificates: Vec::new(),
        unix_user: None,
        rights: rights("ENT-2"),
    };
    let systems = Systems::open(Some(&path("local")), &[guichet, rentes]).unwrap();
    let read = |name: &str| std::fs::read_to_string(path(name)).unwrap();
    Scene { systems, local: read("local"), guichet: read("guichet"), rentes: read("rentes") }
}

impl Scene {
    fn who(&self, peer: Peer, token: Option<&str>) -> Result<String, Unidentified> {
        self.systems.identify(peer, token.map(str::as_bytes)).map(|caller| caller.name().to_owned())
    }
}

#[test]
fn each_proof_names_its_system_and_no_other() {
    let scene = scene();
    let is = |name: &str| Ok(name.to_owned());
    assert_eq!(scene.who(Peer::Tcp, Some(&scene.guichet)), is("guichet"));
    assert_eq!(scene.who(Peer::Tcp, Some(&scene.rentes)), is("rentes"));
    assert_eq!(scene.who(Peer::Tcp, Some(&scene.local)), is("local"));
    assert_eq!(scene.who(Peer::Tls(Some(CERTIFICATE)), None), is("guichet"));
    assert_eq!(scene.who(Peer::Tls(None), Some(&scene.rentes)), is("rentes"));
    assert_eq!(scene.who(Peer::Unix(USER), None), is("guichet"));
    assert_eq!(scene.who(Peer::Unix(9), Some(&scene.rentes)), is("rentes"));
    // The same system twice is no contradiction.
    assert_eq!(scene.who(Peer::Tls(Some(CERTIFICATE)), Some(&scene.guichet)), is("guichet"));
    assert_eq!(scene.who(Peer::Unix(USER), Some(&scene.guichet)), is("guichet"));
    let own = rustix::process::geteuid().as_raw();
    assert_eq!(scene.who(Peer::Unix(own), None), is("local"));
    assert_eq!(scene.who(Peer::Unix(own), Some(&scene.rentes)), is("rentes"), "the lesser of both");
}

#[test]
fn what_is_wrong_or_of_two_is_refused() {
    let scene = scene();
    let shorter = &scene.guichet[..scene.guichet.len() - 1];
    for token in [None, Some(""), Some("faux"), Some(shorter)] {
        assert_eq!(scene.who(Peer::Tcp, token), Err(Unidentified::Token), "{token:?}");
    }
    assert_eq!(scene.who(Peer::Tls(None), None), Err(Unidentified::Token));
    assert_eq!(scene.who(Peer::Tls(Some([8; 32])), None), Err(Unidentified::Certificate));
    assert_eq!(scene.who(Peer::Unix(9), None), Err(Unidentified::User(9)));
    // A good proof does not carry a bad one.
    assert_eq!(scene.who(Peer::Tls(Some([8; 32])), Some(&scene.guichet)), Err(Unidentified::Certificate));
    assert_eq!(scene.who(Peer::Tls(Some(CERTIFICATE)), Some("faux")), Err(Unidentified::Token));
    assert_eq!(scene.who(Peer::Unix(USER), Some("faux")), Err(Unidentified::Token));
    assert_eq!(scene.who(Peer::Tls(Some(CERTIFICATE)), Some(&scene.rentes)), Err(Unidentified::Two));
    assert_eq!(scene.who(Peer::Unix(USER), Some(&scene.rentes)), Err(Unidentified::Two));
    assert_eq!(scene.who(Peer::Unix(USER), Some(&scene.local)), Err(Unidentified::Two));
    // The agency's own token does not come over the network.
    assert_eq!(scene.who(Peer::Tls(None), Some(&scene.local)), Err(Unidentified::Token));
    assert_eq!(scene.who(Peer::Tls(Some(CERTIFICATE)), Some(&scene.local)), Err(Unidentified::Token));
}

#[test]
fn one_token_for_two_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let system = SystemSettings {
        name: "guichet".to_owned(),
        token_file: Some(path("guichet")),
        certificates: Vec::new(),
        unix_user: None,
        rights: rights("ENT-1"),
    };
    Systems::open(Some(&path("local")), &[]).unwrap();
    std::fs::copy(path("local"), path("guichet")).unwrap();
    let opened = Systems::open(Some(&path("local")), &[system]);
    assert!(
        matches!(opened, Err(SystemsError::SameToken(one, other)) if one == "local" && other == "guichet")
    );
}

#[test]
fn a_system_is_held_to_agreement_purpose_and_action() {
    let caller = Caller::system("guichet", rights("ENT-1"));
    assert!(caller.sees("ENT-1") && caller.may_use("ENT-1", "QC-F") && caller.may(Action::Send));
    for (agreement, purpose) in [("ENT-1", "QC-G"), ("ENT-2", "QC-F"), ("", ""), ("ENT-1", ""), ("*", "*")] {
        assert!(!caller.may_use(agreement, purpose), "{agreement} {purpose}");
        assert!(caller.bound(agreement, Some(purpose)).is_err());
    }
    for action in [Action::Receive, Action::Call, Action::Sign, Action::Administer] {
        assert_eq!(caller.allow(action), Err(CallerError::NotAllowed { system: "guichet".into(), action }));
    }
    let nothing =
        Rights { agreements: Scope::Only(BTreeSet::new()), purposes: Scope::All, actions: BTreeSet::new() };
    assert!(!Caller::system("rien", nothing).sees("ENT-1"));
    assert!(Caller::local().may_use("ENT-1", "QC-G") && Caller::local().may(Action::Administer));
}
