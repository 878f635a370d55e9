//! The client against the real local interface of real agents.

use futures_util::{StreamExt, TryStreamExt, stream};
use passerelle_proto::wire::AgreementState;

use super::scene::{NUMBER, Scene, until};
use super::*;
use crate::records::RecordState;

const WAIT: Option<Duration> = Some(Duration::from_secs(30));

/// This many bytes, in chunks of 64 KiB, made as they are asked for.
fn body(length: u64) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    stream::unfold(0_u64, move |at| async move {
        let size = (length - at).min(65_536);
        let chunk: Vec<u8> = (at..at + size).map(|at| (at % 251) as u8).collect();
        (size > 0).then(|| (Ok(Bytes::from(chunk)), at + size))
    })
}

fn refusal(error: ClientError) -> Problem {
    match error {
        ClientError::Refused(problem) => *problem,
        other => panic!("no refusal: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_goes_through_both_local_interfaces() {
    let scene = Scene::new().await;
    let (ramq, saaq) = (&scene.ramq.client, &scene.saaq.client);
    let options = SendOptions {
        file_name: Some("relevé d'été, 1/2.json".into()),
        content_type: Some("application/json".into()),
        case_reference: Some("D-77, suite – é".into()),
        subjects: vec!["TREM 1234".into(), "ROYA,5678".into()],
        idempotency_key: Some("lot-1".into()),
        ..SendOptions::under(NUMBER)
    };
    let length = 3_000_000;
    let accepted = ramq.send(&options, body(length), Some(length)).await.unwrap();
    assert!(!accepted.repeated);
    let again = ramq.send(&options, body(length), None).await.unwrap();
    assert_eq!((again.exchange_id, again.repeated), (accepted.exchange_id, true));
    let other = refusal(ramq.send(&options, body(5), Some(5)).await.unwrap_err());
    assert_eq!(other.status, 409, "{other:?}");

    let page = saaq.inbox(&InboxQuery { wait: WAIT, ..InboxQuery::default() }).await.unwrap();
    let received = saaq.inbox_entry(&accepted.exchange_id).await.unwrap();
    assert_eq!(page.records, std::slice::from_ref(&received));
    assert_eq!(received.file_name, options.file_name);
    assert_eq!(received.case_reference, options.case_reference);
    assert_eq!(received.subjects, options.subjects);
    let content = saaq.content(&accepted.exchange_id).await.unwrap();
    assert_eq!(content.length(), Some(length));
    let got: Vec<Bytes> = content.try_collect().await.unwrap();
    let sent: Vec<Bytes> = body(length).map(Result::unwrap).collect().await;
    assert!(got.concat() == sent.concat());
    saaq.confirm(&accepted.exchange_id).await.unwrap();
    saaq.confirm(&accepted.exchange_id).await.unwrap();
    assert!(saaq.inbox(&InboxQuery::default()).await.unwrap().records.is_empty());
    assert_eq!(refusal(saaq.inbox_entry(&accepted.exchange_id).await.unwrap_err()).status, 404);

    let mut record = ramq.record(&accepted.exchange_id, None).await.unwrap();
    while record.receipt.is_none() {
        record = ramq.record(&accepted.exchange_id, WAIT).await.unwrap();
    }
    assert_eq!((record.length, record.agreement.number.as_str()), (length, NUMBER));
    let queued = RecordsQuery { state: Some(RecordState::Denied), ..RecordsQuery::default() };
    assert!(ramq.records(&queued).await.unwrap().records.is_empty());
    assert_eq!(ramq.records(&RecordsQuery::default()).await.unwrap().records.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_and_unsized_bodies_are_records_too() {
    let scene = Scene::new().await;
    let options = SendOptions::under(NUMBER);
    let empty = scene.ramq.client.send(&options, body(0), Some(0)).await.unwrap();
    let sized_later = scene.ramq.client.send(&options, body(70_000), None).await.unwrap();
    for (id, length) in [(empty.exchange_id, 0), (sized_later.exchange_id, 70_000)] {
        until(&scene.saaq.running.agent, |agent| agent.status().inbox == 2).await;
        let content = scene.saaq.client.content(&id).await.unwrap();
        let got: Vec<Bytes> = content.try_collect().await.unwrap();
        assert_eq!(got.concat().len(), length);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_read_even_when_most_of_the_body_was_not() {
    let scene = Scene::new().await;
    let length = 64 << 20;
    let options = SendOptions::under("ENT-2099-999");
    for (client, announced) in [(&scene.ramq.client, Some(length)), (&scene.saaq.client, None)] {
        let problem = refusal(client.send(&options, body(length), announced).await.unwrap_err());
        assert_eq!((problem.status, problem.code.as_str()), (403, "AGREEMENT_NOT_FOUND"));
        let shown = ClientError::Refused(Box::new(problem)).to_string();
        assert!(shown.contains("Aucune entente") && shown.contains("No agreement"), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn status_and_agreements_are_read() {
    let scene = Scene::new().await;
    let status = scene.saaq.client.status().await.unwrap();
    assert_eq!((status.agent.to_string().as_str(), status.agreements), ("saaq/agent-1", 2));
    let agreements = scene.ramq.client.agreements().await.unwrap();
    let found = scene.ramq.client.agreement(NUMBER, 1).await.unwrap();
    assert_eq!((agreements.len(), &agreements[0]), (2, &found.summary));
    let digest = ring::digest::digest(&ring::digest::SHA256, found.document.as_bytes());
    assert_eq!(found.summary.digest, hex::encode(digest));
    assert_eq!(found.summary.state, AgreementState::Active.as_str_name());
    assert_eq!(refusal(scene.ramq.client.agreement(NUMBER, 9).await.unwrap_err()).status, 404);
    let mut right = [0; 32];
    right.copy_from_slice(digest.as_ref());
    // It is in force already: nothing is signed twice.
    let problem = refusal(scene.ramq.client.sign(NUMBER, 1, &right).await.unwrap_err());
    assert_eq!(problem.status, 409, "{problem:?}");
    assert!(scene.gateway.script.lock().unwrap().signed.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_and_an_absent_agent_are_told_apart() {
    let scene = Scene::new().await;
    let Endpoint::Tcp { addr, .. } = scene.ramq.client.endpoint().clone() else { panic!("not TCP") };
    let stranger = LocalClient::new(Endpoint::Tcp { addr, token: "devine".into() });
    assert_eq!(refusal(stranger.status().await.unwrap_err()).status, 401);
    let nobody = LocalClient::new(Endpoint::Unix { path: scene.house.data_dir("x").join("absent") });
    let error = nobody.status().await.unwrap_err();
    assert!(matches!(error, ClientError::NotReached { .. }), "{error:?}");
    assert!(error.to_string().contains("passerelle-agent serve"), "{error}");
}

#[tokio::test]
async fn what_is_no_agent_is_not_believed() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = [0; 1_024];
        assert!(stream.read(&mut head).await.unwrap() > 0);
        stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 6\r\n\r\n<html>").await.unwrap();
    });
    let error = LocalClient::new(Endpoint::Tcp { addr, token: "t".into() }).status().await.unwrap_err();
    assert!(matches!(error, ClientError::Unreadable { status: 502, .. }), "{error:?}");
}
