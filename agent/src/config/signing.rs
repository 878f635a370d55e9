//! `[signing]`: a PKCS#11 token for the signing key. Without it the key is a file of the data folder.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::mistake::Mistake;
use crate::pkcs11::Pkcs11Settings;

/// Bytes of a token's label (`CK_TOKEN_INFO`).
const LABEL_BYTES: usize = 32;

/// The section as it is written.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Signing {
    /// Library of the module; empty: no token.
    pub(super) pkcs11_module: PathBuf,
    /// Label of the token.
    pub(super) pkcs11_token: String,
    /// File of the user's PIN.
    pub(super) pkcs11_pin_file: PathBuf,
    /// Label of the keys; `passerelle` and the agent's name when empty.
    pub(super) pkcs11_key_label: String,
}

/// The token that the section names, when it names one: all of it, or nothing.
pub(super) fn settings(
    signing: &Signing,
    agent: &str,
    base: &Path,
    mistakes: &mut Vec<Mistake>,
) -> Option<Pkcs11Settings> {
    let Signing { pkcs11_module, pkcs11_token, pkcs11_pin_file, pkcs11_key_label } = signing;
    let given = [
        ("signing.pkcs11_module", !pkcs11_module.as_os_str().is_empty()),
        ("signing.pkcs11_token", !pkcs11_token.is_empty()),
        ("signing.pkcs11_pin_file", !pkcs11_pin_file.as_os_str().is_empty()),
    ];
    if !given.iter().any(|(_, is_given)| *is_given) && pkcs11_key_label.is_empty() {
        return None;
    }
    for (key, _) in given.iter().filter(|(_, is_given)| !is_given) {
        mistakes.push(Mistake::new(
            *key,
            "manque; un jeton PKCS#11 demande pkcs11_module, pkcs11_token et pkcs11_pin_file, ou rien de la section",
            "missing; a PKCS#11 token needs pkcs11_module, pkcs11_token and pkcs11_pin_file, or nothing of the section",
        ));
    }
    if pkcs11_token.len() > LABEL_BYTES {
        mistakes.push(Mistake::new(
            "signing.pkcs11_token",
            format!("un nom de jeton a {LABEL_BYTES} octets au plus; reprendre celui que le module montre"),
            format!("a token's label has {LABEL_BYTES} bytes at most; take the one that the module shows"),
        ));
    }
    let key_label = match pkcs11_key_label.is_empty() {
        true => format!("passerelle {agent}"),
        false => pkcs11_key_label.clone(),
    };
    Some(Pkcs11Settings {
        module: base.join(pkcs11_module),
        token: pkcs11_token.clone(),
        pin_file: base.join(pkcs11_pin_file),
        key_label,
    })
}
