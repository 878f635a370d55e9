//! Taking from an agent that answers whatever a test wants.

use std::path::Path;
use std::sync::{Arc, Mutex};

use clap::Parser;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::super::arguments::{Arguments, Command};
use super::*;
use crate::client::Endpoint;

const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// An agent with one record.
struct Agent {
    client: LocalClient,
    asked: Arc<Mutex<Vec<String>>>,
}

/// What it gives as content: the length it announces, and the bytes before it hangs up.
#[derive(Copy, Clone)]
struct Given {
    name: &'static str,
    announced: usize,
    bytes: &'static [u8],
    confirms: bool,
}

impl Agent {
    async fn start(given: Given) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap().to_string();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                answer(stream, given, &seen).await;
            }
        });
        let client = LocalClient::new(Endpoint::Tcp { addr, token: "jeton".into() });
        Self { client, asked }
    }

    fn confirmed(&self) -> bool {
        self.asked.lock().unwrap().iter().any(|line| line.contains("/confirm"))
    }
}

async fn answer(mut stream: TcpStream, given: Given, seen: &Mutex<Vec<String>>) {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).await.unwrap() == 0 {
            return;
        }
        head.push(byte[0]);
    }
    let line = String::from_utf8_lossy(&head).lines().next().unwrap().to_owned();
    seen.lock().unwrap().push(line.clone());
    let entry = json!({
        "exchange_id": ID, "from": "ramq", "from_agent": "agent-1",
        "agreement": { "number": "ENT-2026-001", "version": 1 },
        "service": "s", "purpose": "p", "legal_basis": "b", "data_categories": ["c"],
        "content_type": "text/plain", "file_name": given.name, "length": given.announced,
        "created_at": "2026-01-15T12:00:00Z", "received_at": "2026-01-15T12:00:01Z",
        "subjects": [], "leaf_index": 1
    });
    let (status, length, body) = if line.contains("/content") {
        ("200 OK", given.announced, given.bytes.to_vec())
    } else if line.contains("/confirm") && given.confirms {
        ("204 No Content", 0, Vec::new())
    } else if line.contains("/confirm") {
        ("500 Internal Server Error", 0, Vec::new())
    } else {
        let entry = if line.contains("limit=") { json!({ "records": [entry] }) } else { entry };
        let body = entry.to_string().into_bytes();
        ("200 OK", body.len(), body)
    };
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body).await.unwrap();
}

async fn take(agent: &Agent, words: &str, into: &Path) -> Result<(), Failure> {
    let words = format!("passerelle-agent take --into {} {words}", into.display());
    let arguments = Arguments::try_parse_from(words.split_whitespace()).unwrap();
    let Command::Take(options) = arguments.command else { panic!("not take") };
    run(&options, &agent.client).await
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn what_was_taken_is_whole_beside_what_was_there_and_confirmed() {
    let given = Given { name: "avis.txt", announced: 7, bytes: b"nouveau", confirms: true };
    let agent = Agent::start(given).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("avis.txt"), "ancien").unwrap();
    take(&agent, "--all", folder.path()).await.unwrap();
    assert_eq!(names(folder.path()), ["avis (2).txt", "avis.txt"]);
    assert_eq!(std::fs::read(folder.path().join("avis.txt")).unwrap(), b"ancien");
    assert_eq!(std::fs::read(folder.path().join("avis (2).txt")).unwrap(), b"nouveau");
    assert!(agent.confirmed());
}

#[tokio::test]
async fn an_interrupted_take_leaves_no_file_and_confirms_nothing() {
    let given = Given { name: "avis.txt", announced: 100, bytes: b"la moiti", confirms: true };
    let agent = Agent::start(given).await;
    let folder = tempfile::tempdir().unwrap();
    let failure = take(&agent, ID, folder.path()).await.unwrap_err();
    assert!(failure.to_string().contains("1 record(s) not taken"), "{failure}");
    assert!(names(folder.path()).is_empty(), "{:?}", names(folder.path()));
    assert!(!agent.confirmed());
}

#[tokio::test]
async fn a_name_that_leads_elsewhere_stays_in_the_folder() {
    let given = Given { name: "../../evade.txt", announced: 1, bytes: b"x", confirms: true };
    let agent = Agent::start(given).await;
    let outer = tempfile::tempdir().unwrap();
    let inner = outer.path().join("a");
    std::fs::create_dir(&inner).unwrap();
    take(&agent, ID, &inner).await.unwrap();
    assert_eq!(names(outer.path()), ["a"]);
    assert_eq!(names(&inner), ["_.._evade.txt"]);
}

#[tokio::test]
async fn keeping_confirms_nothing() {
    let given = Given { name: "avis.txt", announced: 1, bytes: b"x", confirms: true };
    let agent = Agent::start(given).await;
    let folder = tempfile::tempdir().unwrap();
    take(&agent, "--all --keep", folder.path()).await.unwrap();
    assert_eq!(names(folder.path()), ["avis.txt"]);
    assert!(!agent.confirmed());
}

#[tokio::test]
async fn a_confirmation_that_fails_is_told_and_the_file_stays() {
    let given = Given { name: "avis.txt", announced: 1, bytes: b"x", confirms: false };
    let agent = Agent::start(given).await;
    let folder = tempfile::tempdir().unwrap();
    assert!(take(&agent, ID, folder.path()).await.is_err());
    assert_eq!(names(folder.path()), ["avis.txt"]);
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_told_before_anything_is_asked() {
    let agent = Agent::start(Given { name: "a", announced: 1, bytes: b"x", confirms: true }).await;
    let folder = tempfile::tempdir().unwrap();
    assert!(take(&agent, ID, &folder.path().join("absent")).await.is_err());
    assert!(agent.asked.lock().unwrap().is_empty());
}
