//! `inbox`.

use serde_json::json;

use super::arguments::{ListOptions, seconds};
use super::failure::Failure;
use super::record::POLL;
use super::text::{size, table};
use crate::client::{ClientError, InboxQuery, LocalClient};
use crate::local::model::InboxRecord;

/// Prints what waits.
pub(super) async fn list(options: &ListOptions, client: &LocalClient) -> Result<(), Failure> {
    let records = waiting(options, client).await?;
    if options.output.json {
        println!("{}", json!({ "records": records }));
    } else if records.is_empty() {
        println!("La boîte de réception est vide. / The inbox is empty.");
    } else {
        let heading = ["exchange_id", "de / from", "entente", "fichier / file", "octets", "reçu / received"];
        let rows: Vec<Vec<String>> = records.iter().map(row).collect();
        print!("{}", table(&heading, &rows));
        println!("\nPrendre / take: passerelle-agent take --all --into DIR");
    }
    Ok(())
}

/// What is there, or comes before the time is over.
async fn waiting(options: &ListOptions, client: &LocalClient) -> Result<Vec<InboxRecord>, ClientError> {
    let query = InboxQuery { limit: Some(usize::from(options.limit)), after: options.after, wait: None };
    let records = client.inbox(&query).await?.records;
    let Some(wait) = seconds(options.wait).filter(|_| records.is_empty()) else { return Ok(records) };
    let query = InboxQuery { wait: Some(POLL), ..query };
    let polling = async {
        loop {
            let records = client.inbox(&query).await?.records;
            if !records.is_empty() {
                return Ok(records);
            }
        }
    };
    tokio::time::timeout(wait, polling).await.unwrap_or_else(|_| Ok(Vec::new()))
}

fn row(record: &InboxRecord) -> Vec<String> {
    vec![
        record.exchange_id.to_string(),
        record.from.to_string(),
        format!("{} v{}", record.agreement.number, record.agreement.version),
        record.file_name.clone().unwrap_or_else(|| record.content_type.clone()),
        size(record.length),
        record.received_at.to_string(),
    ]
}
