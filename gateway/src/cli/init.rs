//! `init`: makes the gateway's keys, has the issuing authority certify two of them, and writes the log's verifier key.
//! Nothing that exists is ever replaced: a run that was cut off is finished by the next one.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use passerelle_pki::authority::Authority;
use passerelle_pki::certificate::Usage;
use passerelle_pki::clock::Timestamp;
use passerelle_pki::key::{Ed25519Key, Signer};
use passerelle_pki::name::Identity;
use passerelle_pki::{files, keyfile, request};
use passerelle_proto::tlog::NoteSigner;

use super::arguments::ConfigOption;
use super::failure::Failure;
use crate::config::Config;

/// Validity of the gateway's own certificates.
const VALIDITY: Duration = Duration::from_secs(397 * 24 * 3_600);
/// File of the log's verifier key, in the data folder.
const VKEY: &str = "log.vkey";

pub(super) fn run(options: &ConfigOption, now: Timestamp) -> Result<(), Failure> {
    let config = options.load()?;
    if config.keys.log_key.exists() && config.data_dir.join(VKEY).exists() {
        return Err(Failure::new(
            &format!("{} est déjà initialisé; rien n'a été changé.", config.data_dir.display()),
            &format!("{} is initialised already; nothing was changed.", config.data_dir.display()),
        ));
    }
    let passphrase = config.passphrase()?;
    let folder = &config.pki.issuing_authority;
    let authority = Authority::open(folder, &passphrase).map_err(|error| Failure::file(folder, &error))?;
    for folder in [&config.data_dir, &config.data_dir.join("keys")] {
        match files::create_private_directory(folder) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(Failure::file(folder, &error));
            }
            _ => {}
        }
    }
    let identity = Identity::Gateway(config.name.clone());
    let tls = make(&config.keys.tls_key)?;
    certify(&authority, &tls, &identity, Usage::Tls, &config.hosts, &config.keys.tls_certificate, now)?;
    let signing = make(&config.keys.signing_key)?;
    certify(&authority, &signing, &identity, Usage::Signing, &[], &config.keys.signing_certificate, now)?;
    make(&config.keys.operator_key)?;
    make(&config.keys.enrolment_key)?;
    let vkey = verifier_key(&config)?;
    println!("Passerelle initialisée dans / Gateway initialised in {}", config.data_dir.display());
    println!("Clé de vérification du journal / Verifier key of the log ({VKEY}):\n  {vkey}");
    println!("Ensuite / Next:\n  passerelle-gateway serve --config {}", config.path.display());
    Ok(())
}

/// The key in a file, made when there is none.
fn make(path: &Path) -> Result<Ed25519Key, Failure> {
    if path.exists() {
        return keyfile::load(path, None).map_err(|error| Failure::file(path, &error));
    }
    let key = Ed25519Key::generate().map_err(|error| Failure::of(&error))?;
    keyfile::create_plain(path, &key).map_err(|error| Failure::file(path, &error))?;
    Ok(key)
}

fn certify(
    authority: &Authority,
    key: &Ed25519Key,
    identity: &Identity,
    usage: Usage,
    hosts: &[String],
    path: &Path,
    now: Timestamp,
) -> Result<(), Failure> {
    if path.exists() {
        return Ok(());
    }
    let asked = request::create(key, identity, authority.domain()).map_err(|error| Failure::of(&error))?;
    let chain = authority
        .issue(&asked, identity, usage, VALIDITY, now, hosts)
        .map_err(|error| Failure::of(&error))?;
    chain.write_pem_file(path).map_err(|error| Failure::file(path, &error))
}

fn verifier_key(config: &Config) -> Result<String, Failure> {
    let key: Arc<dyn Signer> = Arc::new(make(&config.keys.log_key)?);
    let name = config.log_origin.parse().map_err(|error| Failure::of(&error))?;
    let signer = NoteSigner::new(name, key).map_err(|error| Failure::of(&error))?;
    let vkey = signer.verifier().to_string();
    let path = config.data_dir.join(VKEY);
    if !path.exists() {
        let line = format!("{vkey}\n");
        files::create_new(&path, line.as_bytes(), 0o644).map_err(|error| Failure::file(&path, &error))?;
    }
    Ok(vkey)
}
