//! With SoftHSM. `SOFTHSM2_CONF` must name a configuration with an empty folder of tokens: `./tests/run pkcs11` makes one.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::thread;

use super::*;

const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
const PIN: &str = "739155";

fn make_token(label: &str) {
    let made = Command::new("softhsm2-util")
        .args(["--init-token", "--free", "--label", label, "--so-pin", "000000", "--pin", PIN])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

fn settings(folder: &Path, token: &str, pin: &str) -> Pkcs11Settings {
    let pin_file = folder.join(format!("{token}.nip"));
    std::fs::write(&pin_file, format!("{pin}\n")).unwrap();
    std::fs::set_permissions(&pin_file, std::fs::Permissions::from_mode(0o600)).unwrap();
    Pkcs11Settings {
        module: MODULE.into(),
        token: token.to_owned(),
        pin_file,
        key_label: "passerelle essai".to_owned(),
    }
}

fn sign(signer: &Arc<dyn Signer>, message: &[u8]) {
    let public = passerelle_pki::key::PublicKey::from_spki_der(signer.spki_der()).unwrap();
    let signature = signer.sign(message).unwrap();
    assert_eq!(public.verify(message, &signature), Ok(()));
    assert!(public.verify(b"another", &signature).is_err());
}

/// One test: the module is the process's, and knows the tokens that were there when it was loaded.
#[test]
#[ignore = "needs SoftHSM and a SOFTHSM2_CONF of its own: ./tests/run pkcs11"]
fn a_token_makes_uses_and_destroys_keys_and_says_what_is_wrong() {
    assert!(std::env::var_os("SOFTHSM2_CONF").is_some(), "run it by ./tests/run pkcs11");
    for label in ["essai", "double", "double"] {
        make_token(label);
    }
    let folder = tempfile::tempdir().unwrap();
    let good = settings(folder.path(), "essai", PIN);
    let token = Token::open(&good).unwrap();

    let key = token.generate().unwrap();
    sign(&key, b"message");
    token.probe(key.key_id()).unwrap();
    // Another handle, as after a restart, finds it; more threads than sessions sign at a time.
    let again = Token::open(&good).unwrap();
    let found = again.find(key.key_id()).unwrap();
    assert_eq!(found.spki_der(), key.spki_der());
    thread::scope(|scope| {
        for number in 0..16_u8 {
            let found = &found;
            scope.spawn(move || (0..20).for_each(|_| sign(found, &[number; 100])));
        }
    });

    let other = token.generate().unwrap();
    assert_ne!(other.key_id(), key.key_id());
    token.destroy(key.key_id()).unwrap();
    token.destroy(key.key_id()).unwrap();
    assert!(matches!(again.find(key.key_id()), Err(Pkcs11Error::NoKey(_))));
    assert!(found.sign(b"message").is_err(), "its key is gone");
    sign(&other, b"message");

    let absent = Token::open(&settings(folder.path(), "parti", PIN));
    assert!(
        matches!(&absent, Err(Pkcs11Error::Absent { found, .. }) if found.contains("essai")),
        "{absent:?}"
    );
    let double = Token::open(&settings(folder.path(), "double", PIN));
    assert!(matches!(double, Err(Pkcs11Error::Ambiguous(_))), "{double:?}");
    let missing = Pkcs11Settings { module: folder.path().join("rien.so"), ..good.clone() };
    assert!(matches!(Token::open(&missing), Err(Pkcs11Error::Module { .. })));
    let no_pin = Pkcs11Settings { pin_file: folder.path().join("rien"), ..good.clone() };
    assert!(matches!(Token::open(&no_pin), Err(Pkcs11Error::PinFile { .. })));
    std::fs::set_permissions(&good.pin_file, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(Token::open(&good), Err(Pkcs11Error::PinReadable { .. })));
}
