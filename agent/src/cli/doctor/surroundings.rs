//! What the configuration names on this machine and beside it: the local token, the signing key's token, services.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::report::Report;
use crate::config::{Config, Listen};
use crate::identity::Summary;
use crate::link::chain;
use crate::pkcs11::{Pkcs11Error, Token};

/// How long a service may take to let us in.
const PATIENCE: Duration = Duration::from_secs(5);

/// The token that local callers show: nobody else on the machine may read it.
pub(super) fn local_token(report: &mut Report, config: &Config) {
    const NAME: &str = "local_token";
    let path = &config.local.token_file;
    match fs::metadata(path) {
        Ok(metadata) if metadata.permissions().mode() & 0o007 != 0 => {
            let found = format!(
                "{} : lisible par tous ({:o}) / everybody can read it",
                path.display(),
                metadata.permissions().mode() & 0o777
            );
            let fr = format!(
                "chmod 600 {0}, puis supprimez-le et redémarrez l'agent s'il a pu être lu",
                path.display()
            );
            let en = format!(
                "chmod 600 {0}, then delete it and restart the agent if it may have been read",
                path.display()
            );
            report.failed(NAME, found, (&fr, &en));
        }
        Ok(_) => report.ok(NAME, path.display().to_string()),
        Err(_) if matches!(config.local.listen, Listen::Unix(_)) => {
            report.ok(NAME, "prise Unix, sans jeton / Unix socket, without a token");
        }
        Err(_) => report.ok(NAME, "fait au premier démarrage / made at the first start"),
    }
}

/// Whether the signing key is where it should be, and signs.
pub(super) async fn signing_key(report: &mut Report, config: &Config, summary: &Summary) {
    const NAME: &str = "signing_key";
    let Some(settings) = config.signing.clone() else {
        match summary.in_token {
            false => report.ok(NAME, "dans un fichier / in a file"),
            true => report.failed(
                NAME,
                "dans un jeton PKCS#11 que la configuration ne nomme pas / in a PKCS#11 token that the configuration does not name",
                ("rétablissez la section [signing]", "put the section [signing] back"),
            ),
        }
        return;
    };
    let (label, key, in_token) = (settings.token.clone(), summary.signing_key, summary.in_token);
    let looked = tokio::task::spawn_blocking(move || {
        let token = Token::open(&settings)?;
        if in_token { token.probe(key) } else { Ok(()) }
    });
    match looked.await {
        Ok(Ok(())) if in_token => report.ok(NAME, format!("jeton / token « {label} » : signe / signs")),
        Ok(Ok(())) => report.ok(
            NAME,
            format!("dans un fichier; la prochaine dans le jeton « {label} » / in a file; the next one in the token"),
        ),
        Ok(Err(error)) => report.failed(NAME, chain(&error), advice(&error)),
        Err(_) => report.skipped(NAME, "arrêt / stopping"),
    }
}

fn advice(error: &Pkcs11Error) -> (&'static str, &'static str) {
    match error {
        Pkcs11Error::PinRefused { .. } | Pkcs11Error::PinFile { .. } | Pkcs11Error::PinReadable { .. } => (
            "corrigez le fichier du NIP avant tout nouvel essai : chaque refus rapproche du verrouillage",
            "correct the file of the PIN before any new attempt: each refusal brings the lock nearer",
        ),
        Pkcs11Error::Absent { .. } | Pkcs11Error::Ambiguous(_) => (
            "insérez le jeton, ou corrigez signing.pkcs11_token",
            "insert the token, or correct signing.pkcs11_token",
        ),
        Pkcs11Error::NoKey(_) => (
            "remettez le bon jeton; sinon, avec un nouveau jeton d'inscription : passerelle-agent enrol --again",
            "put the right token back; otherwise, with a new enrolment token: passerelle-agent enrol --again",
        ),
        _ => (
            "voyez docs/agency/PKCS11 et le fabricant du module",
            "see docs/agency/PKCS11 and the module's maker",
        ),
    }
}

/// Whether each service of the agency lets a connection in.
pub(super) async fn services(report: &mut Report, config: &Config) {
    const NAME: &str = "services";
    let mut found = Vec::new();
    for (name, service) in &config.calls.services {
        let host = service.upstream.host().unwrap_or_default().trim_matches(['[', ']']);
        let usual = if service.upstream.scheme_str() == Some("https") { 443 } else { 80 };
        let port = service.upstream.port_u16().unwrap_or(usual);
        match timeout(PATIENCE, TcpStream::connect((host, port))).await {
            Ok(Ok(_)) => found.push(format!("{name} : {host}:{port}")),
            failed => {
                let why = match failed {
                    Ok(Err(error)) => error.to_string(),
                    _ => "délai dépassé / timed out".to_owned(),
                };
                let fr = format!("démarrez le service, ou corrigez services.{name}.upstream");
                let en = format!("start the service, or correct services.{name}.upstream");
                report.failed(NAME, format!("{name} : {host}:{port} : {why}"), (&fr, &en));
                return;
            }
        }
    }
    match found.is_empty() {
        true => report.ok(NAME, "aucun / none"),
        false => report.ok(NAME, found.join("\n")),
    }
}
