//! `status`.

use super::arguments::OutputOption;
use super::failure::Failure;
use super::record::to_json;
use super::text::{harmless, size};
use crate::client::LocalClient;

pub(super) async fn run(output: OutputOption, client: &LocalClient) -> Result<(), Failure> {
    let status = client.status().await?;
    if output.json {
        println!("{}", to_json(&status)?);
        return Ok(());
    }
    println!("{} ({})", status.agent, status.trust_domain);
    match (&status.connected, &status.last_failure) {
        (true, _) => println!("✓ connecté à la passerelle / connected to the gateway"),
        (false, why) => {
            let why = why.as_deref().map(harmless).unwrap_or_default();
            println!("✗ pas de connexion / no connection: {why}\n  → passerelle-agent doctor");
        }
    }
    let (queued, inbox) = (size(status.queued_bytes), size(status.inbox_bytes));
    println!("À transmettre / to send:       {} ({queued})", status.queued);
    println!("En route / on the way:         {}", status.on_the_way);
    println!("Boîte de réception / inbox:    {} ({inbox})", status.inbox);
    println!("Ententes / agreements:         {}", status.agreements);
    println!("Certificat TLS / certificate:  → {}", status.tls_until);
    println!("Certificat de signature:       → {}", status.signing_until);
    if let Some(until) = &status.bundle_until {
        println!("Trousseau / key bundle:        → {until}");
    }
    Ok(())
}
