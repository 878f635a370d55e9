//! Calls of SAAQ's systems to RAMQ's service: what comes back is compared with what the service says itself, and what the
//! agreement does not cover must not reach it.

use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use http::Method;
use passerelle_agent::client::{CallAnswer, CallOptions, ClientError};
use passerelle_pki::clock::SharedClock;
use passerelle_pki::name::AgencyCode;
use passerelle_proto::agreement::draft::{Draft, DraftOperations, DraftPath};
use tokio::time::{Instant, sleep};

use crate::network::Network;
use crate::network::agent::AgentProcess;
use crate::network::agreements::{RAMQ, SAAQ, codes, draft, shifted, today};
use crate::probe::services::openapi;
use crate::service::Service;

/// What RAMQ's service offers.
const OPERATIONS: [(&str, &str, &str); 3] = [
    ("lireDossier", "GET", "/dossiers/{numero}"),
    ("ajouterPiece", "POST", "/dossiers/{numero}"),
    ("supprimerDossier", "DELETE", "/dossiers/{numero}"),
];
/// How long news of the service may take.
const KNOWN: Duration = Duration::from_secs(30);
/// The agreement that is in force from tomorrow.
const LATER: &str = "ENT-2026-003";

/// What came of them.
#[derive(Copy, Clone, Debug)]
pub(super) struct Calls {
    /// Calls that the service answered.
    pub(super) answered: u64,
    /// Whether each answer came byte for byte.
    pub(super) byte_identical: bool,
}

/// `form` with calls: SAAQ may read a file and add to it, not delete it.
pub(super) fn with_calls(mut form: Draft) -> Draft {
    form.method.push("call".to_owned());
    let path = |method: &str| DraftPath { method: method.to_owned(), path: "/dossiers/{numero}".to_owned() };
    form.operations = vec![DraftOperations {
        service: codes::SERVICE.to_owned(),
        operations: vec!["lireDossier".to_owned(), "ajouterPiece".to_owned()],
        paths: ["GET", "POST"].map(path).to_vec(),
    }];
    form
}

/// Publishes the service, turns it on, and waits until SAAQ's agent may call it; concludes the agreement of tomorrow.
pub(super) async fn prepare(
    network: &Network,
    (ramq, saaq): (&AgentProcess, &AgentProcess),
    clock: &SharedClock,
) -> anyhow::Result<()> {
    publish(network, ramq)?;
    let day = today(clock.now());
    let mut later = with_calls(draft(LATER, RAMQ, &[SAAQ], day));
    later.valid_from = shifted(day, 1).to_string();
    network.conclude_by_agents(&later, &[ramq, saaq]).await?;
    let until = Instant::now() + KNOWN;
    while let Err(error) = call(saaq, &CallOptions::at(Method::GET, "/dossiers/1"), None).await {
        ensure!(Instant::now() < until, "the service is not known: {error}");
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Publishes the service as an administrator does.
fn publish(network: &Network, ramq: &AgentProcess) -> anyhow::Result<()> {
    let file = network.folder().join("openapi.json");
    std::fs::write(&file, openapi(codes::SERVICE, &OPERATIONS))?;
    let file = file.to_str().context("a path in UTF-8")?;
    let said = ["--name", codes::SERVICE, "--category", codes::IDENTITY, "--classification", "protege-b"];
    ramq.command(&[&["service", "publish", file], &said[..]].concat())?;
    ramq.command(&["service", "enable", codes::SERVICE])?;
    Ok(())
}

/// Calls what is covered and what is not.
pub(super) async fn make(saaq: &AgentProcess, service: &Service) -> anyhow::Result<Calls> {
    service.forget();
    let mut calls = Calls { answered: 0, byte_identical: true };
    let content: Vec<u8> = (0..=255).cycle().take(3 << 20).collect();
    for (path, content) in [
        ("/dossiers/1042", None),
        ("/dossiers/1042?langue=fr", None),
        ("/dossiers/echo", Some(Bytes::from_static(b"une piece"))),
        ("/dossiers/echo", Some(Bytes::from(content))),
        ("/dossiers/statut-404", None),
    ] {
        let method = if content.is_some() { Method::POST } else { Method::GET };
        let asked = CallOptions::at(method.clone(), path);
        let through = bytes(call(saaq, &asked, content.clone()).await?).await?;
        let direct = service.ask(method, path, content.unwrap_or_default()).await?;
        calls.answered += 1;
        calls.byte_identical &= through == direct;
    }
    let visits = service.visits().len();
    let under = |agreement: &str| {
        let mut asked = CallOptions::at(Method::GET, "/dossiers/1042");
        asked.agreement = Some(agreement.to_owned());
        asked
    };
    let mut purpose = under(super::FIRST);
    purpose.purpose = Some(codes::OTHER_PURPOSE.to_owned());
    for (code, asked) in [
        ("OPERATION_NOT_COVERED", CallOptions::at(Method::DELETE, "/dossiers/1042")),
        ("OPERATION_NOT_COVERED", CallOptions::at(Method::GET, "/autre/1042")),
        ("PATH_REFUSED", CallOptions::at(Method::GET, "/dossiers/..%2fautre")),
        ("PURPOSE_NOT_COVERED", purpose),
        ("AGREEMENT_NOT_IN_FORCE", under(LATER)),
    ] {
        match call(saaq, &asked, None).await {
            Err(ClientError::Refused(problem)) if problem.code == code => eprintln!("   {code}"),
            other => anyhow::bail!("{code} was expected: {other:?}"),
        }
    }
    ensure!(service.visits().len() == visits, "what was refused has reached the service");
    Ok(calls)
}

async fn call(
    saaq: &AgentProcess,
    options: &CallOptions,
    content: Option<Bytes>,
) -> Result<CallAnswer, ClientError> {
    let ramq: AgencyCode = RAMQ.code.parse().map_err(|_| ClientError::Field("agency"))?;
    let body = content.map(|content| {
        let length = content.len() as u64;
        (stream::iter([Ok(content)]), Some(length))
    });
    saaq.client.call((&ramq, codes::SERVICE), options, body).await
}

/// Status and content.
async fn bytes(answer: CallAnswer) -> anyhow::Result<(u16, Vec<u8>)> {
    let status = answer.status.as_u16();
    let content = answer.content.map(|bytes| bytes.map(Vec::from)).try_concat().await;
    Ok((status, content.context("the content of an answer")?))
}
