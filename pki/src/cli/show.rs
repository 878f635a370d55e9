//! `show`: what is in a file.

use std::fmt::Write;
use std::path::Path;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::{self, SectionKind};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

use super::arguments::Show;
use super::print;
use super::report::Failure;
use crate::certificate::{Chain, TrustAnchor, Usage};
use crate::clock::Timestamp;
use crate::files;
use crate::key::{KeyId, sha256};
use crate::request;

/// Bytes that a file to show may have.
const FILE_LIMIT: u64 = 16 * 1024 * 1024;

pub(super) fn show(options: &Show, now: Timestamp) -> Result<(), Failure> {
    let bytes = files::read_limited(&options.file, FILE_LIMIT)
        .map_err(|source| Failure::file(&options.file, source))?;
    let mut text = String::new();
    for (kind, der) in sections(&bytes) {
        text.push_str(&match kind {
            Some(SectionKind::Certificate) => describe(&der)?,
            Some(SectionKind::Csr) => describe_request(&der)?,
            Some(SectionKind::Crl) => describe_list(&der)?,
            Some(_) => "(clé ou autre section, non montrée / key or other section, not shown)\n".to_owned(),
            None => describe(&der).or_else(|_| describe_request(&der)).or_else(|_| describe_list(&der))?,
        });
    }
    if text.is_empty() {
        return Err(unreadable());
    }
    print(&text)?;
    match &options.root {
        Some(root) => verify(&bytes, root, now),
        None => Ok(()),
    }
}

/// The sections of a PEM file; a file without any is taken for DER.
fn sections(bytes: &[u8]) -> Vec<(Option<SectionKind>, Vec<u8>)> {
    let mut rest = bytes;
    let mut found = Vec::new();
    while let Ok(Some((kind, der))) = pem::from_buf(&mut rest) {
        found.push((Some(kind), der));
    }
    if found.is_empty() {
        found.push((None, bytes.to_vec()));
    }
    found
}

/// The DER of a PEM file that starts with a section of this label.
pub(super) fn one_section(bytes: &[u8], label: &str) -> Option<Vec<u8>> {
    match pkcs8::der::pem::decode_vec(bytes) {
        Ok((found, der)) if found == label => Some(der),
        _ => None,
    }
}

/// The serial number of the first certificate in a file.
pub(super) fn first_serial(path: &Path) -> Result<Vec<u8>, Failure> {
    let bytes = files::read_limited(path, FILE_LIMIT).map_err(|source| Failure::file(path, source))?;
    let sections = sections(&bytes);
    let (_, der) = sections.first().ok_or_else(unreadable)?;
    let (_, certificate) = X509Certificate::from_der(der).map_err(|_| unreadable())?;
    Ok(certificate.tbs_certificate.raw_serial().to_vec())
}

fn verify(bytes: &[u8], root: &Path, now: Timestamp) -> Result<(), Failure> {
    let anchor = TrustAnchor::from_pem_file(root)?;
    let chain = Chain::from_pem(bytes)?;
    let verified = match anchor.verify(&chain, Usage::Tls, now) {
        Ok(verified) => verified,
        Err(as_tls) => anchor.verify(&chain, Usage::Signing, now).map_err(|_| Failure::from(as_tls))?,
    };
    print(&format!(
        "Chaîne valide / Chain valid: {}, {}, {}\n",
        verified.identity(),
        verified.usage(),
        anchor.domain()
    ))
}

/// A certificate in a few lines. Describes, does not believe.
pub(super) fn describe(der: &[u8]) -> Result<String, Failure> {
    let der = CertificateDer::from(der);
    let (_, certificate) = X509Certificate::from_der(&der).map_err(|_| unreadable())?;
    let tbs = &certificate.tbs_certificate;
    let moment = |seconds: i64| Timestamp::from_seconds(u64::try_from(seconds).unwrap_or(0));
    let mut lines = vec![
        ("Sujet / Subject", tbs.subject().to_string()),
        ("Émetteur / Issuer", tbs.issuer().to_string()),
        ("Série / Serial", hex::encode(tbs.raw_serial())),
        ("Du / From", moment(tbs.validity().not_before.timestamp()).to_string()),
        ("Au / To", moment(tbs.validity().not_after.timestamp()).to_string()),
        ("Clé / Key id", KeyId::of(tbs.public_key().raw).to_string()),
        ("Empreinte / Thumbprint", hex::encode(sha256(&der))),
    ];
    for extension in tbs.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::SubjectAlternativeName(names) => {
                lines.extend(names.general_names.iter().map(|name| ("Nom / Name", general_name(name))));
            }
            ParsedExtension::KeyUsage(usage) => lines.push(("Usage de clé / Key usage", usage.to_string())),
            ParsedExtension::ExtendedKeyUsage(usage) => lines.push(("Usage / Usage", purposes(usage))),
            ParsedExtension::BasicConstraints(constraints) if constraints.ca => {
                lines.push(("Autorité / Authority", "oui / yes".to_owned()));
            }
            _ => {}
        }
    }
    Ok(section("Certificat / Certificate", &lines))
}

fn purposes(usage: &x509_parser::extensions::ExtendedKeyUsage<'_>) -> String {
    let mut found = Vec::new();
    for (present, name) in [
        (usage.any, "any"),
        (usage.server_auth, "serverAuth"),
        (usage.client_auth, "clientAuth"),
        (usage.code_signing, "codeSigning"),
        (usage.email_protection, "emailProtection"),
        (usage.time_stamping, "timeStamping"),
        (usage.ocsp_signing, "OCSPSigning"),
    ] {
        if present {
            found.push(name.to_owned());
        }
    }
    for oid in &usage.other {
        found.push(match oid.to_id_string() {
            text if text == "1.3.6.1.5.5.7.3.36" => "documentSigning".to_owned(),
            text => text,
        });
    }
    found.join(", ")
}

fn general_name(name: &GeneralName<'_>) -> String {
    match name {
        GeneralName::URI(text) | GeneralName::DNSName(text) => (*text).to_owned(),
        other => other.to_string(),
    }
}

fn describe_request(der: &[u8]) -> Result<String, Failure> {
    let request = request::check(der)?;
    Ok(section(
        "Demande / Request",
        &[
            ("Identité / Identity", request.identity().to_string()),
            ("Domaine / Trust domain", request.domain().to_string()),
            ("Clé / Key id", request.public_key().key_id().to_string()),
        ],
    ))
}

fn describe_list(der: &[u8]) -> Result<String, Failure> {
    let (_, list) = CertificateRevocationList::from_der(der).map_err(|_| unreadable())?;
    let moment = |seconds: i64| Timestamp::from_seconds(u64::try_from(seconds).unwrap_or(0)).to_string();
    let mut lines = vec![
        ("Émetteur / Issuer", list.issuer().to_string()),
        ("Numéro / Number", list.crl_number().map_or_else(String::new, ToString::to_string)),
        ("Du / From", moment(list.last_update().timestamp())),
        ("Au / To", list.next_update().map_or_else(String::new, |time| moment(time.timestamp()))),
    ];
    lines.extend(
        list.iter_revoked_certificates().map(|entry| ("Révoqué / Revoked", hex::encode(entry.raw_serial()))),
    );
    Ok(section("Liste de révocation / Revocation list", &lines))
}

fn section(title: &str, lines: &[(&str, String)]) -> String {
    let mut text = format!("{title}\n");
    for (name, value) in lines {
        // What a stranger put into a certificate must not steer the terminal.
        let value: String = value.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        // Writing to a String does not fail.
        writeln!(text, "  {name} : {value}").ok();
    }
    text
}

fn unreadable() -> Failure {
    Failure::new(
        (
            "ce fichier n'est ni certificat, ni demande, ni liste",
            "this file is no certificate, request or list",
        ),
        ("donner un fichier PEM ou DER", "give a PEM or DER file"),
    )
}
