//! The link over real TLS: made, lost, made again, replaced, refused.

use passerelle_pki::certificate::Usage;
use passerelle_pki::revocation::{RevocationList, Revocations};
use passerelle_pki::tls::ClientAuth;
use passerelle_proto::wire;
use passerelle_proto::wire::agreements_client::AgreementsClient;

use super::stub::Stub;
use super::*;
use crate::identity::house::{DAY, House};

const QUICK: Backoff = Backoff { min: Duration::from_millis(5), max: Duration::from_millis(40) };

fn start(
    house: &House,
    stub: &Stub,
    identity: &Identity,
    revocations: &Revocations,
) -> (Link, JoinHandle<()>) {
    let settings = LinkSettings {
        address: stub.address.clone(),
        identity: identity.clone(),
        revocations: revocations.clone(),
        backoff: QUICK,
        clock: house.shared_clock(),
    };
    Link::start(settings).unwrap()
}

async fn failure(link: &Link) -> String {
    let mut failures = link.0.failure.subscribe();
    let failure = failures.wait_for(Option::is_some).await.unwrap();
    failure.clone().unwrap()
}

async fn until_connected(link: &Link, connected: bool) {
    link.connected().wait_for(|now| *now == connected).await.unwrap();
}

#[tokio::test]
async fn it_connects_as_itself_and_comes_back_when_the_connection_is_lost() {
    let house = House::new();
    let stub = Stub::start(&house, ClientAuth::Required).await;
    let identity = house.enrolled("ramq/agent-1");
    let (link, task) = start(&house, &stub, &identity, &Revocations::new());
    let channel = link.ready().await.unwrap();
    let mut changes = AgreementsClient::new(channel).watch(wire::WatchRequest {}).await.unwrap().into_inner();
    assert_eq!(changes.message().await.unwrap().unwrap().generation, 1);
    assert_eq!(link.peer().unwrap().identity.to_string(), "gateway:principale");

    let mut connected = link.connected();
    connected.mark_unchanged();
    stub.cut_all();
    assert!(changes.message().await.is_err());
    connected.changed().await.unwrap();
    let peers = stub.connections(2).await;
    assert_eq!(peers[0].key_id, peers[1].key_id);
    let channel = link.ready().await.unwrap();
    assert!(AgreementsClient::new(channel).watch(wire::WatchRequest {}).await.is_ok());

    link.stop();
    task.await.unwrap();
    assert!(link.ready().await.is_none());
    assert!(link.channel().is_none());
}

#[tokio::test]
async fn a_renewed_certificate_is_presented_at_once_and_the_old_connection_is_cut() {
    let house = House::new();
    let stub = Stub::start(&house, ClientAuth::Required).await;
    let identity = house.enrolled("ramq/agent-1");
    let (link, _task) = start(&house, &stub, &identity, &Revocations::new());
    let channel = link.ready().await.unwrap();
    let mut changes = AgreementsClient::new(channel).watch(wire::WatchRequest {}).await.unwrap().into_inner();
    changes.message().await.unwrap();

    // A new bundle is no reason to connect again.
    identity.next_bundle(house.now()).unwrap();
    let requests = identity.prepare_renewal().unwrap();
    identity.install(&house.certify_requests("ramq/agent-1", &requests), house.now()).unwrap();
    let peers = stub.connections(2).await;
    assert_ne!(peers[0].key_id, peers[1].key_id);
    assert_eq!(peers[1].key_id, identity.tls().key.key_id());
    assert!(changes.message().await.is_err(), "the old connection is cut");
    until_connected(&link, true).await;
    assert_eq!(stub.peers.borrow().len(), 2);
}

#[tokio::test]
async fn a_gateway_of_another_root_is_not_believed() {
    let (house, stranger) = (House::new(), House::new());
    let stub = Stub::start(&stranger, ClientAuth::Required).await;
    let identity = house.enrolled("ramq/agent-1");
    let (link, _task) = start(&house, &stub, &identity, &Revocations::new());
    assert!(failure(&link).await.contains("TLS"));
    assert!(link.channel().is_none());
}

#[tokio::test]
async fn a_gateway_that_does_not_believe_us_is_told_apart_from_a_connection() {
    let house = House::new();
    let identity = house.enrolled("ramq/agent-1");
    house.revoke(&identity.tls(), Usage::Tls);
    let stub = Stub::start(&house, ClientAuth::Required).await;
    let (link, _task) = start(&house, &stub, &identity, &Revocations::new());
    let failure = failure(&link).await;
    assert!(failure.contains("doctor"), "{failure}");
    assert!(!*link.connected().borrow());
    assert!(stub.peers.borrow().is_empty());
}

#[tokio::test]
async fn a_revoked_gateway_is_left_and_not_met_again() {
    let house = House::new();
    let credential = house.certify("gateway:principale", Usage::Tls);
    let stub = Stub::start_as(&house, credential.clone(), ClientAuth::Required).await;
    let identity = house.enrolled("ramq/agent-1");
    let revocations = house.revocations();
    let (link, _task) = start(&house, &stub, &identity, &revocations);
    link.ready().await.unwrap();
    link.check_peer();
    assert!(*link.connected().borrow());

    house.clock.advance(DAY);
    house.revoke(&credential, Usage::Tls);
    let list = RevocationList::verify(&house.revocation_list(), house.issuing.issuer()).unwrap();
    revocations.replace(list).unwrap();
    // However stale the list: nobody comes off it.
    house.clock.advance(30 * DAY);
    link.check_peer();
    until_connected(&link, false).await;
    assert!(failure(&link).await.contains("révoqué"));
}

#[tokio::test]
async fn our_own_expired_certificate_is_told_at_the_start() {
    let house = House::new();
    let stub = Stub::start(&house, ClientAuth::Required).await;
    let identity = house.enrolled("ramq/agent-1");
    house.clock.advance(120 * DAY);
    let settings = LinkSettings {
        address: stub.address.clone(),
        identity,
        revocations: Revocations::new(),
        backoff: QUICK,
        clock: house.shared_clock(),
    };
    assert!(matches!(Link::start(settings), Err(TlsError::OwnCertificate(_))));
}

#[test]
fn waiting_times_double_with_jitter_up_to_the_longest() {
    let backoff = Backoff::default();
    let delays: Vec<_> = backoff.delays().take(40).collect();
    assert_eq!(delays.len(), 40, "without end");
    for (index, delay) in delays.iter().enumerate() {
        let base =
            (backoff.min * 2_u32.saturating_pow(u32::try_from(index).unwrap().min(20))).min(backoff.max / 2);
        assert!(base <= *delay && *delay <= base * 2, "{index}: {delay:?}");
        assert!(*delay <= backoff.max);
    }
    let other: Vec<_> = backoff.delays().take(40).collect();
    assert_ne!(delays, other, "two agents do not keep step");
}

#[test]
fn causes_are_told_once() {
    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] std::io::Error);
    assert_eq!(chain(&Outer(std::io::Error::other("inner"))), "outer: inner");
}
