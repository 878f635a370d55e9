//! `webhook`: how the webhooks are doing, and what to do with what was given up.

use super::arguments::WebhookAction;
use super::failure::Failure;
use super::record::to_json;
use super::text::{harmless, table};
use crate::client::LocalClient;
use crate::local::model::{DeadLetter, Webhook};

pub(super) async fn run(action: WebhookAction, client: &LocalClient) -> Result<(), Failure> {
    match action {
        WebhookAction::List { output } => {
            let webhooks = client.webhooks().await?;
            match output.json {
                true => println!("{}", to_json(&webhooks)?),
                false if webhooks.is_empty() => println!("Aucun webhook. / No webhook."),
                false => {
                    let rows: Vec<Vec<String>> = webhooks.iter().map(row).collect();
                    let heading = [
                        "nom / name",
                        "url",
                        "en attente / waiting",
                        "repris / retrying",
                        "morts / dead",
                        "dernier échec / last failure",
                    ];
                    print!("{}", table(&heading, &rows));
                }
            }
            Ok(())
        }
        WebhookAction::Dead { name, output } => {
            let letters = client.dead_letters(&name).await?;
            match output.json {
                true => println!("{}", to_json(&letters)?),
                false if letters.is_empty() => println!("Aucune lettre morte. / No dead letter."),
                false => {
                    let rows: Vec<Vec<String>> = letters.iter().map(letter).collect();
                    let heading = [
                        "exchange_id",
                        "essais / attempts",
                        "depuis / since",
                        "abandon / given up",
                        "pourquoi / why",
                    ];
                    print!("{}", table(&heading, &rows));
                    println!(
                        "\nReprendre / try again: passerelle-agent webhook retry {} ID",
                        harmless(&name)
                    );
                }
            }
            Ok(())
        }
        WebhookAction::Retry { name, ids } => {
            let ids = match ids.is_empty() {
                true => {
                    client.dead_letters(&name).await?.into_iter().map(|letter| letter.exchange_id).collect()
                }
                false => ids,
            };
            for id in ids {
                client.retry_dead_letter(&name, &id).await?;
                println!("✓ {id}");
            }
            Ok(())
        }
    }
}

fn row(webhook: &Webhook) -> Vec<String> {
    vec![
        webhook.name.clone(),
        webhook.url.clone(),
        webhook.waiting.to_string(),
        webhook.retrying.to_string(),
        webhook.dead.to_string(),
        webhook.last_failure.as_deref().map(harmless).unwrap_or_default(),
    ]
}

fn letter(letter: &DeadLetter) -> Vec<String> {
    vec![
        letter.exchange_id.to_string(),
        letter.attempts.to_string(),
        letter.first_failed_at.to_string(),
        letter.given_up_at.to_string(),
        harmless(&letter.why),
    ]
}
