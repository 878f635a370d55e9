//! Both agents and the gateway are killed while records are under way; every record arrives once, whole.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use passerelle_agent::client::{ClientError, InboxQuery, SendOptions};
use passerelle_pki::clock::SystemClock;
use passerelle_proto::exchange_id::ExchangeId;
use passerelle_tests::network::Network;
use passerelle_tests::network::agent::AgentProcess;
use passerelle_tests::network::agreements::{RAMQ, SAAQ, codes, draft, today};
use passerelle_tests::network::process::Program;
use tokio::time::timeout;

const RECORDS: usize = 60;
const PATIENCE: Duration = Duration::from_secs(150);

/// Small ones, and each tenth in chunks.
fn body(number: usize) -> Bytes {
    let repeated = if number.is_multiple_of(10) { 200_000 } else { 1 };
    Bytes::from(format!("dossier {number};").repeat(repeated))
}

/// Sends under a key of its own, again when the agent was not there to answer.
async fn send(ramq: &AgentProcess, number: usize) -> Result<ExchangeId, ClientError> {
    let mut options = SendOptions::under("ENT-2026-001");
    options.data_categories = vec![codes::IDENTITY.to_owned()];
    options.idempotency_key = Some(format!("dossier-{number}"));
    let body = body(number);
    let (length, source) = (body.len() as u64, stream::iter([Ok(body)]));
    Ok(ramq.client.send(&options, source, Some(length)).await?.exchange_id)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_record_arrives_once_whoever_is_killed() {
    let run = async {
        let folder = tempfile::tempdir().unwrap();
        let program = Program::new(env!("CARGO_BIN_EXE_sandbox").into());
        let mut network = Network::create(folder.path(), program).unwrap();
        for body in [RAMQ, SAAQ] {
            network.register(body).unwrap();
        }
        let (mut ramq, mut saaq) = (network.agent(RAMQ).unwrap(), network.agent(SAAQ).unwrap());
        let form = draft("ENT-2026-001", RAMQ, &[SAAQ], today(SystemClock::shared().now()));
        network.conclude_by_agents(&form, &[&ramq, &saaq]).await.unwrap();

        let mut sent = BTreeMap::new();
        for number in 0..RECORDS {
            let id = send(&ramq, number).await.unwrap();
            // What was taken over is the agent's to deliver, whatever happens next.
            match number % 15 {
                4 => {
                    ramq.process.kill().unwrap();
                    assert!(matches!(send(&ramq, number).await, Err(ClientError::NotReached { .. })));
                    ramq.restart().unwrap();
                }
                8 => {
                    saaq.process.kill().unwrap();
                    saaq.restart().unwrap();
                }
                12 => {
                    network.gateway().unwrap().kill().unwrap();
                    network.start_gateway().unwrap();
                }
                _ => {}
            }
            // The same request under the same key is the same record, also after a kill.
            assert_eq!(send(&ramq, number).await.unwrap(), id);
            assert!(sent.insert(id, number).is_none());
        }

        let mut taken = 0;
        while taken < RECORDS {
            let query = InboxQuery { wait: Some(Duration::from_secs(20)), ..InboxQuery::default() };
            for record in saaq.client.inbox(&query).await.unwrap().records {
                let number = sent.remove(&record.exchange_id);
                let number = number.unwrap_or_else(|| panic!("{} came twice", record.exchange_id));
                let content = saaq.client.content(&record.exchange_id).await.unwrap();
                let chunks: Vec<_> = content.map(Result::unwrap).collect().await;
                assert!(chunks.concat() == body(number)[..], "{number}");
                saaq.client.confirm(&record.exchange_id).await.unwrap();
                taken += 1;
                if taken == RECORDS / 2 {
                    saaq.process.kill().unwrap();
                    saaq.restart().unwrap();
                    break;
                }
            }
        }
        assert!(saaq.client.inbox(&InboxQuery::default()).await.unwrap().records.is_empty());
        for agent in [&mut ramq, &mut saaq] {
            assert!(agent.process.stop().unwrap().success());
        }
        assert!(network.gateway().unwrap().stop().unwrap().success());
        network.verify_log().unwrap();
    };
    timeout(PATIENCE, run).await.unwrap();
}
