//! `send`: each file is a record.

use std::path::Path;

use futures_util::TryStreamExt;
use serde_json::json;
use tokio::fs::File;
use tokio_util::io::ReaderStream;

use super::arguments::{SendArguments, seconds};
use super::failure::Failure;
use super::progress::Progress;
use super::record::{failed, outcome, state_text, text, to_json};
use super::text::harmless;
use crate::client::{ClientError, LocalClient, SendOptions};
use crate::landing::name::media_type;
use crate::local::model::Accepted;

/// Bytes read from a file at a time.
const CHUNK: usize = 64 * 1024;

/// Sends every file; what fails for one does not keep the others.
pub(super) async fn run(arguments: &SendArguments, client: &LocalClient) -> Result<(), Failure> {
    if arguments.idempotency_key.is_some() && arguments.files.len() > 1 {
        return Err(Failure::new(
            "--idempotency-key vaut pour un seul fichier : lancez la commande pour chacun.",
            "--idempotency-key is for one file: run the command for each.",
        ));
    }
    let mut not_sent = 0;
    for path in &arguments.files {
        match one(arguments, path, client).await {
            Ok(true) => {}
            Ok(false) => not_sent += 1,
            // The agent is gone: the next would fail the same way.
            Err(SendFailure::Client(error @ ClientError::NotReached { .. })) => return Err(error.into()),
            Err(error) => {
                not_sent += 1;
                tell_failure(arguments, path, &error);
            }
        }
    }
    match not_sent {
        0 => Ok(()),
        _ => Err(Failure::new(
            &format!("{not_sent} fichier(s) sur {} non transmis.", arguments.files.len()),
            &format!("{not_sent} file(s) of {} not sent.", arguments.files.len()),
        )),
    }
}

/// Why one file was not sent.
#[derive(Debug, thiserror::Error)]
enum SendFailure {
    /// The agent's answer, or none.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The file.
    #[error("le fichier ne peut être lu / the file cannot be read")]
    File(#[from] std::io::Error),
}

/// `false` when the outcome was waited for and is a bad one.
async fn one(arguments: &SendArguments, path: &Path, client: &LocalClient) -> Result<bool, SendFailure> {
    let file = File::open(path).await?;
    let metadata = file.metadata().await?;
    if metadata.is_dir() {
        return Err(SendFailure::File(std::io::ErrorKind::IsADirectory.into()));
    }
    // The length of a pipe is known at its end only.
    let length = metadata.is_file().then_some(metadata.len());
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let progress = Progress::new(name.as_deref().unwrap_or("–"), length, arguments.output.json);
    let (moved, shown) = (progress.clone(), name.clone());
    let body = ReaderStream::with_capacity(file, CHUNK).inspect_ok(move |bytes| moved.moved(bytes));
    let accepted = client.send(&options(arguments, path, name), body, length).await;
    progress.end();
    let accepted = accepted?;
    let Some(wait) = seconds(arguments.wait) else {
        tell(arguments, path, &accepted);
        return Ok(true);
    };
    // The first bar was for sealing, this one is for the way to the gateway.
    let bar = Progress::new(&format!("→ {}", shown.as_deref().unwrap_or("–")), length, arguments.output.json);
    let record = outcome(client, &accepted.exchange_id, Some(wait), Some(&bar)).await;
    bar.end();
    let record = record?;
    if arguments.output.json {
        let mut told = serde_json::to_value(&record).unwrap_or_default();
        told["file"] = json!(path);
        println!("{told}");
    } else {
        println!("{}", harmless(&path.display().to_string()));
        print!("{}", text(&record));
    }
    Ok(!failed(&record))
}

fn options(arguments: &SendArguments, path: &Path, name: Option<String>) -> SendOptions {
    let content_type = arguments.content_type.clone().unwrap_or_else(|| media_type(path).to_owned());
    SendOptions {
        agreement: arguments.agreement.clone(),
        version: arguments.agreement_version,
        to: arguments.to.clone(),
        service: arguments.service.clone(),
        purpose: arguments.purpose.clone(),
        data_categories: arguments.data_categories.clone(),
        case_reference: arguments.case_reference.clone(),
        acting_user: arguments.acting_user.clone(),
        subjects: arguments.subjects.clone(),
        file_name: name,
        content_type: Some(content_type),
        idempotency_key: arguments.idempotency_key.clone(),
        expires_in: seconds(arguments.expires_in),
        in_reply_to: arguments.in_reply_to,
        ordered: arguments.ordered,
        ..SendOptions::default()
    }
}

fn tell(arguments: &SendArguments, path: &Path, accepted: &Accepted) {
    if arguments.output.json {
        let mut told = serde_json::to_value(accepted).unwrap_or_default();
        told["file"] = json!(path);
        println!("{told}");
        return;
    }
    let removed: Vec<String> = accepted.removed_fields.iter().map(|field| harmless(field)).collect();
    if !removed.is_empty() {
        eprintln!("champs retirés selon l'entente / fields removed by the agreement: {}", removed.join(", "));
    }
    let state = state_text(accepted.state);
    println!("{}  {state}  {}", accepted.exchange_id, harmless(&path.display().to_string()));
}

fn tell_failure(arguments: &SendArguments, path: &Path, error: &SendFailure) {
    if arguments.output.json {
        let error = match error {
            SendFailure::Client(ClientError::Refused(problem)) => {
                to_json(problem).ok().and_then(|text| serde_json::from_str(&text).ok())
            }
            _ => None,
        }
        .unwrap_or_else(|| json!({ "detail": crate::link::chain(error) }));
        println!("{}", json!({ "file": path, "error": error }));
    } else {
        eprintln!("{} : {}", harmless(&path.display().to_string()), Failure::of(error));
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::arguments::{Arguments, Command};
    use super::*;
    use crate::client::InboxQuery;
    use crate::client::scene::{NUMBER, Scene, until};

    async fn typed(words: &[&str], client: &LocalClient) -> Result<(), Failure> {
        let words = ["passerelle-agent", "send", "--agreement", NUMBER].iter().chain(words);
        let Command::Send(arguments) = Arguments::try_parse_from(words).unwrap().command else {
            panic!("not send")
        };
        run(&arguments, client).await
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_fails_for_one_file_does_not_keep_the_others() {
        let scene = Scene::new().await;
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (first, absent, last) = (path("été 1.csv"), path("absent"), path("vide"));
        std::fs::write(&first, "a;b").unwrap();
        std::fs::write(&last, "").unwrap();
        let words = [first.as_str(), &absent, folder.path().to_str().unwrap(), &last, "--json"];
        let failure = typed(&words, &scene.ramq.client).await.unwrap_err();
        assert!(failure.to_string().contains("2 file(s) of 4 not sent"), "{failure}");
        until(&scene.saaq.running.agent, |agent| agent.status().inbox == 2).await;
        let mut records = scene.saaq.client.inbox(&InboxQuery::default()).await.unwrap().records;
        records.sort_by_key(|record| record.length);
        let told: Vec<_> = records
            .iter()
            .map(|record| (record.file_name.as_deref().unwrap_or_default(), record.content_type.as_str()))
            .collect();
        assert_eq!(told, [("vide", "application/octet-stream"), ("été 1.csv", "text/csv")]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_outcome_that_is_waited_for_decides_the_exit_status() {
        let scene = Scene::new().await;
        let denial = passerelle_proto::reason::denial(
            passerelle_proto::wire::Reason::MemberNotActive,
            "agency=saaq".to_owned(),
            bytes::Bytes::new(),
        );
        scene.gateway.exchange.deny(vec![denial]);
        let file = tempfile::NamedTempFile::new().unwrap();
        let words = [file.path().to_str().unwrap(), "--wait", "60"];
        assert!(typed(&words, &scene.ramq.client).await.is_err());
        let keys = [file.path().to_str().unwrap(), file.path().to_str().unwrap(), "--idempotency-key", "k"];
        let failure = typed(&keys, &scene.ramq.client).await.unwrap_err();
        assert!(failure.to_string().contains("for one file"), "{failure}");
    }
}
