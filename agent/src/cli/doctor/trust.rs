//! What the directory that the agent keeps says of this agent: its certificates are not revoked, and the key that others seal
//! to is its own.

use std::path::Path;
use std::sync::Arc;

use passerelle_pki::certificate::TrustAnchor;
use passerelle_pki::clock::SharedClock;
use passerelle_pki::revocation::RevocationError;

use super::report::Report;
use crate::directory::Directory;
use crate::identity::Summary;
use crate::link::chain;

const REVOCATION: &str = "revocation";
const KEY_BUNDLE: &str = "key_bundle";

/// Both checks, against the last directory that the agent fetched.
pub(super) fn check(
    report: &mut Report,
    data_dir: &Path,
    anchor: &TrustAnchor,
    summary: &Summary,
    clock: &SharedClock,
) {
    let advice = (
        "démarrez l'agent et voyez la connexion : il lit l'annuaire et la liste de révocation à chaque connexion",
        "start the agent and see the connection: it reads directory and revocation list at each connection",
    );
    match Directory::open(data_dir, anchor, Arc::clone(clock)) {
        Ok(directory) => {
            revocation(report, &directory, anchor, summary, clock);
            key_bundle(report, &directory, summary, clock);
        }
        Err(error) => {
            report.failed(REVOCATION, chain(&error), advice);
            report.skipped(KEY_BUNDLE, "annuaire / directory");
        }
    }
}

fn revocation(
    report: &mut Report,
    directory: &Directory,
    anchor: &TrustAnchor,
    summary: &Summary,
    clock: &SharedClock,
) {
    let now = clock.now();
    let [tls, signing] = &summary.certificates;
    let (root, lists) = (anchor.issuer().key_id(), directory.revocations());
    for (what, certificate) in [("TLS", tls), ("signature", signing)] {
        let Err(error) = lists.check(certificate, root, now) else { continue };
        let found = format!("{what} : {}", chain(&error));
        match error {
            RevocationError::Unknown | RevocationError::Stale(_) => report.failed(
                REVOCATION,
                found,
                (
                    "pas de liste de révocation à jour : démarrez l'agent, voyez la connexion; si elle est bonne, l'administrateur de la passerelle doit publier une nouvelle liste",
                    "no revocation list that is up to date: start the agent, see the connection; if it is good, the gateway's administrator has to publish a new list",
                ),
            ),
            _ => report.failed(
                REVOCATION,
                found,
                (
                    "certificat révoqué : appelez l'administrateur de la passerelle; puis, avec un nouveau jeton : passerelle-agent enrol --again --token-file jeton.txt",
                    "certificate revoked: call the gateway's administrator; then, with a new token: passerelle-agent enrol --again --token-file jeton.txt",
                ),
            ),
        }
        return;
    }
    let list = lists.list(signing.issuer().key_id());
    let until = list.map(|list| format!("liste / list {} → {}", list.number(), list.next_update()));
    report.ok(REVOCATION, until.unwrap_or_default());
}

/// Whether what others seal to is a key of this agent, published by it.
fn key_bundle(report: &mut Report, directory: &Directory, summary: &Summary, clock: &SharedClock) {
    let now = clock.now();
    if summary.bundle_until.is_none() {
        report.failed(
            KEY_BUNDLE,
            "jamais publié / never published",
            (
                "démarrez l'agent : il publie son trousseau à sa première connexion",
                "start the agent: it publishes its key bundle when it first connects",
            ),
        );
        return;
    }
    let agents = directory.agents();
    let listed = agents.iter().find(|(agent, _)| *agent == summary.agent);
    match listed.and_then(|(_, listed)| listed.bundle(now)) {
        Some(bundle) if summary.published.contains(&bundle.key_id()) => {
            report.ok(KEY_BUNDLE, format!("{} → {}", short(&bundle.key_id().to_string()), bundle.expires()));
        }
        Some(bundle) => report.failed(
            KEY_BUNDLE,
            format!("{} n'est pas à cet agent / is not this agent's", bundle.key_id()),
            (
                "quelqu'un d'autre annonce une clé en votre nom, ou ce dossier est une vieille copie : appelez l'administrateur de la passerelle avant d'envoyer quoi que ce soit",
                "somebody else announces a key in your name, or this folder is an old copy: call the gateway's administrator before you send anything",
            ),
        ),
        None => report.failed(
            KEY_BUNDLE,
            "l'annuaire n'en montre pas / the directory shows none",
            (
                "personne ne peut vous écrire : laissez l'agent connecté une minute; s'il reste absent, voyez son journal et l'administrateur de la passerelle",
                "nobody can send to you: leave the agent connected for a minute; if it stays absent, see its log and the gateway's administrator",
            ),
        ),
    }
}

fn short(key: &str) -> String {
    key.chars().take(16).chain(['…']).collect()
}
