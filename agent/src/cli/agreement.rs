//! `agreement …`: reading what binds the agency, and signing it.

use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;

use passerelle_pki::clock::Timestamp;
use passerelle_pki::files::{self, PUBLIC};
use serde_json::json;

use super::arguments::{AgreementAction, OutputOption, WhichAgreement};
use super::failure::Failure;
use super::record::to_json;
use super::text::{harmless, table};
use crate::client::LocalClient;
use crate::local::model::Agreement;

pub(super) async fn run(action: AgreementAction, client: &LocalClient) -> Result<(), Failure> {
    match action {
        AgreementAction::List { output } => list(output, client).await,
        AgreementAction::Show { which, document, output } => {
            show(&which, document.as_deref(), output, client).await
        }
        AgreementAction::Sign { which, yes, digest, output } => {
            sign(&which, (yes, digest), output, client).await
        }
    }
}

async fn list(output: OutputOption, client: &LocalClient) -> Result<(), Failure> {
    let agreements = client.agreements().await?;
    if output.json {
        println!("{}", json!({ "agreements": agreements }));
        return Ok(());
    }
    if agreements.is_empty() {
        println!("Aucune entente connue. / No agreement known.");
        return Ok(());
    }
    let rows: Vec<Vec<String>> = agreements.iter().map(row).collect();
    print!("{}", table(&["entente", "état / state", "parties", "échéance / end", "titre / title"], &rows));
    Ok(())
}

fn row(agreement: &Agreement) -> Vec<String> {
    vec![
        format!("{} v{}", agreement.number, agreement.version),
        french(&agreement.state).to_owned(),
        parties(agreement),
        agreement.valid_to.to_string(),
        agreement.title_fr.clone(),
    ]
}

fn parties(agreement: &Agreement) -> String {
    let consumers: Vec<String> = agreement.consumers.iter().map(ToString::to_string).collect();
    format!("{} → {}", agreement.provider, consumers.join(", "))
}

async fn show(
    which: &WhichAgreement,
    document: Option<&Path>,
    output: OutputOption,
    client: &LocalClient,
) -> Result<(), Failure> {
    let found = client.agreement(&which.number, which.version).await?;
    if let Some(path) = document {
        let bytes = found.document.as_bytes();
        files::create_new(path, bytes, PUBLIC).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => Failure::new(
                &format!("{} existe déjà et n'a pas été touché; donnez un autre nom.", path.display()),
                &format!("{} exists already and was not touched; give another name.", path.display()),
            ),
            _ => Failure::file(path, &error),
        })?;
    }
    if output.json {
        println!("{}", to_json(&found)?);
    } else {
        print!("{}", text(&found.summary));
        if let Some(path) = document {
            println!("Document : {}", path.display());
        }
    }
    Ok(())
}

/// What a person needs before signing.
fn text(agreement: &Agreement) -> String {
    let unsigned: Vec<String> = agreement.unsigned.iter().map(ToString::to_string).collect();
    let from = agreement.in_force_from.as_ref().map_or_else(|| "–".to_owned(), ToString::to_string);
    let lines = [
        format!("{} v{}  {}", agreement.number, agreement.version, french(&agreement.state)),
        format!("    {}", agreement.title_fr),
        format!("    {}", agreement.title_en),
        format!("    communique → recueille / releases → collects: {}", parties(agreement)),
        format!("    services: {}", agreement.services.join(", ")),
        format!("    finalités / purposes: {}", agreement.purposes.join(", ")),
        format!("    catégories / categories: {}", agreement.data_categories.join(", ")),
        format!("    période / period: {} → {}", agreement.valid_from, agreement.valid_to),
        format!("    en vigueur / in force: {from} → {}", agreement.in_force_until),
        format!("    non signée par / not signed by: {}", unsigned.join(", ")),
        format!("    SHA-256: {}", agreement.digest),
    ];
    let lines: Vec<String> = lines.iter().map(|line| harmless(line)).collect();
    lines.join("\n") + "\n"
}

async fn sign(
    which: &WhichAgreement,
    (yes, wanted): (bool, Option<[u8; 32]>),
    output: OutputOption,
    client: &LocalClient,
) -> Result<(), Failure> {
    let found = client.agreement(&which.number, which.version).await?;
    let mut shown = [0; 32];
    hex::decode_to_slice(&found.summary.digest, &mut shown).map_err(|error| Failure::of(&error))?;
    if wanted.is_some_and(|wanted| wanted != shown) {
        return Err(Failure::new(
            &format!(
                "le document a l'empreinte {}, pas celle que vous donnez. Rien n'a été signé; relisez-le (agreement show).",
                hex::encode(shown)
            ),
            &format!(
                "the document has the digest {}, not yours. Nothing was signed; read it again (agreement show).",
                hex::encode(shown)
            ),
        ));
    }
    if !output.json {
        print!("{}", text(&found.summary));
    }
    if !yes && wanted.is_none() && !confirmed(output)? {
        return Err(Failure::new("rien n'a été signé.", "nothing was signed."));
    }
    let signed = client.sign(&which.number, which.version, &shown).await?;
    if output.json {
        println!("{}", to_json(&signed)?);
    } else {
        println!("Signée / Signed: {} v{} → {}", which.number, which.version, french(&signed.state));
    }
    Ok(())
}

/// Asks on the terminal; without one, says what to give.
fn confirmed(output: OutputOption) -> Result<bool, Failure> {
    let (stdin, mut stdout) = (std::io::stdin(), std::io::stdout());
    if output.json || !stdin.is_terminal() || !stdout.is_terminal() {
        return Err(Failure::new(
            "sans terminal, donnez --digest (l'empreinte du document lu) ou --yes. Rien n'a été signé.",
            "without a terminal, give --digest (the digest of the document read) or --yes. Nothing was signed.",
        ));
    }
    print!("Signer pour votre organisme ? / Sign for your agency? [oui/yes, non/no] ");
    stdout.flush().map_err(|error| Failure::of(&error))?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer).map_err(|error| Failure::of(&error))?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "oui" | "o" | "yes" | "y"))
}

/// Whether records may be sent under it now.
pub(super) fn is_in_force(agreement: &Agreement, now: Timestamp) -> bool {
    let now = now.to_jiff();
    agreement.state == "AGREEMENT_STATE_ACTIVE"
        && agreement.in_force_from.is_some_and(|from| from <= now)
        && now < agreement.in_force_until
}

/// A state as people say it.
fn french(state: &str) -> &str {
    match state {
        "AGREEMENT_STATE_PROPOSED" => "proposée",
        "AGREEMENT_STATE_SIGNED" => "signée",
        "AGREEMENT_STATE_ACTIVE" => "active",
        "AGREEMENT_STATE_SUSPENDED" => "suspendue",
        "AGREEMENT_STATE_REVOKED" => "révoquée",
        "AGREEMENT_STATE_REPLACED" => "remplacée",
        "AGREEMENT_STATE_REJECTED" => "rejetée",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::arguments::{Arguments, Command};
    use super::*;
    use crate::client::scene::{NUMBER, PROPOSED, Scene};

    async fn typed(line: &str, client: &LocalClient) -> Result<(), Failure> {
        let words = ["passerelle-agent", "agreement"].into_iter().chain(line.split_whitespace());
        let Command::Agreement(action) = Arguments::try_parse_from(words).unwrap().command else {
            panic!("no agreement command")
        };
        run(action, client).await
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn only_the_document_that_was_read_is_signed() {
        let scene = Scene::new().await;
        let client = &scene.saaq.client;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("entente.json");
        typed(&format!("show {PROPOSED} 1 --document {}", path.display()), client).await.unwrap();
        let read = std::fs::read(&path).unwrap();
        let digest = hex::encode(ring::digest::digest(&ring::digest::SHA256, &read));

        let again = typed(&format!("show {PROPOSED} 1 --document {}", path.display()), client).await;
        assert!(again.unwrap_err().to_string().contains("not touched"));
        let unread = typed(&format!("sign {PROPOSED} 1 --json"), client).await.unwrap_err();
        assert!(unread.to_string().contains("--digest"), "{unread}");
        let other = format!("sign {PROPOSED} 1 --yes --digest {}", "ab".repeat(32));
        assert!(typed(&other, client).await.unwrap_err().to_string().contains(&digest));
        let signed = || scene.gateway.seen(|script| script.signed.len());
        assert_eq!(signed(), 0);

        typed(&format!("sign {PROPOSED} 1 --digest {digest} --json"), client).await.unwrap();
        assert_eq!(signed(), 1);
        let refused = typed(&format!("sign {NUMBER} 1 --yes --json"), client).await.unwrap_err();
        assert!(refused.to_string().contains("AGREEMENT_NOT_SIGNABLE"), "{refused}");
        assert_eq!(signed(), 1);
    }
}
