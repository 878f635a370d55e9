//! A signing key that is kept elsewhere: it is never in a file, follows the configuration at a renewal, and goes when it is of
//! no more use.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use passerelle_pki::key::{Ed25519Key, KeyId, Signer};

use super::house::{House, START};
use super::*;
use crate::pkcs11::Pkcs11Error;

/// A token in memory, which can be pulled.
#[derive(Debug, Default)]
struct Drawer {
    keys: Mutex<HashMap<KeyId, Arc<Ed25519Key>>>,
    pulled: Mutex<bool>,
}

impl Drawer {
    fn keys(&self) -> Vec<KeyId> {
        self.keys.lock().unwrap().keys().copied().collect()
    }

    fn check(&self) -> Result<(), Pkcs11Error> {
        if *self.pulled.lock().unwrap() { Err(Pkcs11Error::Busy) } else { Ok(()) }
    }
}

impl KeyStore for Drawer {
    fn generate(&self) -> Result<Arc<dyn Signer>, Pkcs11Error> {
        self.check()?;
        let key = Arc::new(Ed25519Key::generate().unwrap());
        self.keys.lock().unwrap().insert(key.key_id(), Arc::clone(&key));
        Ok(key)
    }

    fn find(&self, id: KeyId) -> Result<Arc<dyn Signer>, Pkcs11Error> {
        self.check()?;
        let key = self.keys.lock().unwrap().get(&id).cloned();
        Ok(key.ok_or(Pkcs11Error::NoKey(id))?)
    }

    fn destroy(&self, id: KeyId) -> Result<(), Pkcs11Error> {
        self.check()?;
        self.keys.lock().unwrap().remove(&id);
        Ok(())
    }
}

struct Scene {
    house: House,
    drawer: Arc<Drawer>,
}

impl Scene {
    fn new() -> Self {
        Self { house: House::new(), drawer: Arc::default() }
    }

    fn token(&self) -> Option<Arc<dyn KeyStore>> {
        Some(Arc::<Drawer>::clone(&self.drawer))
    }

    fn enrolled(&self) -> Identity {
        let agent = "ramq/agent-1".parse().unwrap();
        let begun = Enrolling::begin_with(&self.folder(), &self.house.anchor(), &agent, false, self.token());
        let mut enrolling = begun.unwrap();
        let issued = self.house.certify_requests("ramq/agent-1", &enrolling.requests().unwrap());
        enrolling.finish(&issued, &self.house.log_key(), START).unwrap()
    }

    fn folder(&self) -> std::path::PathBuf {
        self.house.data_dir("ramq")
    }

    fn open(&self, token: Option<Arc<dyn KeyStore>>) -> Result<Identity, IdentityError> {
        Identity::open_with(&self.folder(), &self.house.anchor(), token)
    }

    fn renew(&self, identity: &Identity) {
        let requests = identity.prepare_renewal().unwrap();
        identity.install(&self.house.certify_requests("ramq/agent-1", &requests), START).unwrap();
    }
}

fn signing_files(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder.join("identity/keys")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("signing-")).count()
}

#[test]
fn the_key_is_in_the_token_and_in_no_file() {
    let scene = Scene::new();
    let identity = scene.enrolled();
    let key = identity.signer().key_id();
    assert_eq!(scene.drawer.keys(), [key]);
    assert_eq!(signing_files(&scene.folder()), 0);
    assert_eq!(identity.signing_certificate().key_id(), key);
    let bundle = identity.next_bundle(START).unwrap();
    assert_eq!(passerelle_proto::statement::key_hint(&bundle), Some(key));
    drop(identity);

    assert!(matches!(scene.open(None), Err(IdentityError::TokenNotConfigured)));
    *scene.drawer.pulled.lock().unwrap() = true;
    assert!(matches!(scene.open(scene.token()), Err(IdentityError::Token(Pkcs11Error::Busy))));
    *scene.drawer.pulled.lock().unwrap() = false;
    assert_eq!(scene.open(scene.token()).unwrap().signer().key_id(), key);
    // A look needs no token.
    let summary = Summary::read(&scene.folder(), &scene.house.anchor()).unwrap();
    assert_eq!((summary.signing_key, summary.in_token), (key, true));
}

#[test]
fn a_renewal_makes_the_next_key_in_the_token_and_destroys_the_former() {
    let scene = Scene::new();
    let identity = scene.enrolled();
    let first = identity.signer().key_id();
    let requests = identity.prepare_renewal().unwrap();
    assert_eq!(scene.drawer.keys().len(), 2);
    assert_eq!(
        identity.prepare_renewal().unwrap().signing.len(),
        requests.signing.len(),
        "the same key again"
    );
    assert_eq!(scene.drawer.keys().len(), 2);
    scene.renew(&identity);
    let second = identity.signer().key_id();
    assert_ne!(second, first);
    assert_eq!(scene.drawer.keys(), [second]);
}

#[test]
fn a_former_key_that_could_not_go_goes_at_the_next_opening() {
    let scene = Scene::new();
    let identity = scene.enrolled();
    let requests = identity.prepare_renewal().unwrap();
    let issued = scene.house.certify_requests("ramq/agent-1", &requests);
    *scene.drawer.pulled.lock().unwrap() = true;
    // The certificates are in force on the disk; the key that belongs to them cannot be had now.
    assert!(identity.install(&issued, START).is_err());
    drop(identity);
    assert_eq!(scene.drawer.keys().len(), 2);
    *scene.drawer.pulled.lock().unwrap() = false;
    let identity = scene.open(scene.token()).unwrap();
    assert_eq!(scene.drawer.keys(), [identity.signer().key_id()]);
}

#[test]
fn the_key_moves_in_with_a_renewal_and_out_with_an_enrolment() {
    let scene = Scene::new();
    drop(scene.house.enrolled_in(&scene.folder(), "ramq/agent-1"));
    // A token is configured: the key in the file serves until it is renewed.
    let identity = scene.open(scene.token()).unwrap();
    assert_eq!((signing_files(&scene.folder()), scene.drawer.keys().len()), (1, 0));
    scene.renew(&identity);
    assert_eq!((signing_files(&scene.folder()), scene.drawer.keys()), (0, vec![identity.signer().key_id()]));
    // Keys that were asked for in a file do not serve a token.
    identity.prepare_renewal().unwrap();
    drop(identity);
    assert!(matches!(scene.open(None), Err(IdentityError::TokenNotConfigured)), "still in the token");
    let (agent, anchor) = ("ramq/agent-1".parse().unwrap(), scene.house.anchor());
    let mut enrolling = Enrolling::begin(&scene.folder(), &anchor, &agent, true).unwrap();
    let issued = scene.house.certify_requests("ramq/agent-1", &enrolling.requests().unwrap());
    drop(enrolling.finish(&issued, &scene.house.log_key(), START).unwrap());
    assert_eq!(signing_files(&scene.folder()), 1);
    drop(scene.open(None).unwrap());
    // Given the token once more, what was left there goes.
    drop(scene.open(scene.token()).unwrap());
    assert_eq!(scene.drawer.keys(), []);
}
