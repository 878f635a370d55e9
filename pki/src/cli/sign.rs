//! `request`, `sign`, `renew`, `revoke` and `crl`.

use std::path::Path;
use std::time::Duration;

use super::arguments::{Crl, Renew, Request, Revoke, RevokeWhat, Sign};
use super::passphrase::{self, VARIABLE};
use super::report::Failure;
use super::{print, say_error, show, write_out};
use crate::authority::Authority;
use crate::certificate::{Chain, Usage, VerifiedCertificate, pem_with_label};
use crate::clock::Timestamp;
use crate::files;
use crate::key::Ed25519Key;
use crate::keyfile;
use crate::request::{self, REQUEST_LIMIT};

const REQUEST_LABEL: &str = "CERTIFICATE REQUEST";

pub(super) fn request(options: &Request) -> Result<(), Failure> {
    let key = match (&options.key.key, &options.key.new_key) {
        (Some(path), _) => load_key(path)?,
        (None, Some(path)) => {
            let key = Ed25519Key::generate().map_err(keyless)?;
            keyfile::create_plain(path, &key)?;
            key
        }
        (None, None) => return Err(Failure::new(("aucune clé", "no key"), ("donner --key", "give --key"))),
    };
    let der = request::create(&key, &options.identity, &options.trust_domain)?;
    write_out(options.out.as_deref(), &pem_with_label(REQUEST_LABEL, &der))
}

fn load_key(path: &Path) -> Result<Ed25519Key, Failure> {
    match keyfile::load(path, None) {
        Err(keyfile::KeyFileError::PassphraseMissing(_)) => {
            let passphrase = passphrase::existing(None, VARIABLE, &path.display().to_string())?;
            Ok(keyfile::load(path, Some(&passphrase))?)
        }
        other => Ok(other?),
    }
}

fn keyless(error: crate::key::KeyError) -> Failure {
    Failure::new(("la clé n'a pu être créée", "the key could not be made"), ("réessayer", "try again"))
        .because(error)
}

pub(super) fn sign(options: &Sign, now: Timestamp) -> Result<(), Failure> {
    let request = read_request(&options.request)?;
    let authority = open(&options.dir, options.passphrase.passphrase_file.as_deref())?;
    let chain = authority.issue(
        &request,
        &options.identity,
        options.usage,
        days(options.days),
        now,
        &options.hosts,
    )?;
    hand_over(&chain, options.out.as_deref())
}

pub(super) fn renew(options: &Renew, now: Timestamp) -> Result<(), Failure> {
    let request = read_request(&options.request)?;
    let authority = open(&options.dir, options.passphrase.passphrase_file.as_deref())?;
    let chain = Chain::from_pem_file(&options.certificate)?;
    let current = verify_either(&authority, &chain, now)?;
    let next = authority.renew(&request, &current, days(options.days), now)?;
    hand_over(&next, options.out.as_deref())
}

/// Verifies a chain for whichever usage it has.
fn verify_either(
    authority: &Authority,
    chain: &Chain,
    now: Timestamp,
) -> Result<VerifiedCertificate, Failure> {
    let anchor = authority.trust_anchor();
    match anchor.verify(chain, Usage::Tls, now) {
        Ok(verified) => Ok(verified),
        Err(as_tls) => anchor.verify(chain, Usage::Signing, now).map_err(|_| as_tls.into()),
    }
}

pub(super) fn revoke(options: &Revoke, now: Timestamp) -> Result<(), Failure> {
    let authority = open(&options.dir, options.passphrase.passphrase_file.as_deref())?;
    let serials = serials(&authority, &options.what, now)?;
    for serial in &serials {
        authority.revoke(serial, options.reason, now)?;
        print(&format!("Révoqué / Revoked: {}\n", hex::encode(serial)))?;
    }
    print(&format!("Liste / List: {}\n", authority.directory().join("crl.pem").display()))
}

fn serials(authority: &Authority, what: &RevokeWhat, now: Timestamp) -> Result<Vec<Vec<u8>>, Failure> {
    let unreadable = || {
        Failure::new(
            ("ce numéro de série est illisible", "this serial number cannot be read"),
            (
                "le donner en hexadécimal (passerelle-pki show)",
                "give it in hexadecimal (passerelle-pki show)",
            ),
        )
    };
    if let Some(serial) = &what.serial {
        return Ok(vec![hex::decode(serial.replace(':', "")).map_err(|_| unreadable())?]);
    }
    if let Some(path) = &what.certificate {
        return Ok(vec![show::first_serial(path)?]);
    }
    let issued = authority.issued()?;
    let of_identity: Vec<_> = issued
        .iter()
        .filter(|record| record.identity == what.identity && record.not_after_ms >= now)
        .filter_map(|record| hex::decode(&record.serial).ok())
        .collect();
    if of_identity.is_empty() {
        return Err(Failure::new(
            ("aucun certificat en cours pour cette identité", "no current certificate of this identity"),
            ("vérifier l'identité et le dossier", "check the identity and the folder"),
        ));
    }
    Ok(of_identity)
}

pub(super) fn list(options: &Crl, now: Timestamp) -> Result<(), Failure> {
    let authority = open(&options.dir, options.passphrase.passphrase_file.as_deref())?;
    let der = authority.revocation_list(now)?;
    if let Some(out) = &options.out {
        write_out(Some(out), &pem_with_label("X509 CRL", &der))?;
    }
    print(&format!("Liste / List: {}\n", authority.directory().join("crl.pem").display()))
}

fn open(directory: &Path, passphrase_file: Option<&Path>) -> Result<Authority, Failure> {
    let passphrase = passphrase::existing(passphrase_file, VARIABLE, &directory.display().to_string())?;
    Ok(Authority::open(directory, &passphrase)?)
}

fn read_request(path: &Path) -> Result<Vec<u8>, Failure> {
    // PEM is a third longer than DER, and carries two lines more.
    let limit = u64::try_from(REQUEST_LIMIT * 2).unwrap_or(u64::MAX);
    let bytes = files::read_limited(path, limit).map_err(|source| Failure::file(path, source))?;
    Ok(show::one_section(&bytes, REQUEST_LABEL).unwrap_or(bytes))
}

fn hand_over(chain: &Chain, out: Option<&Path>) -> Result<(), Failure> {
    write_out(out, &chain.to_pem())?;
    say_error(&format!(
        "Certificat émis / Certificate issued:\n{}",
        show::describe(chain.leaf())?.trim_end()
    ));
    Ok(())
}

fn days(days: u16) -> Duration {
    Duration::from_secs(u64::from(days) * 86_400)
}
