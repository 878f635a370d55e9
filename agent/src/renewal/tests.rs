//! Renewal over real TLS.

use std::sync::Arc;

use passerelle_pki::certificate::Usage;
use passerelle_pki::clock::Timestamp;
use passerelle_pki::revocation::Revocations;
use passerelle_pki::tls::ClientAuth;

use super::*;
use crate::identity::Requests;
use crate::identity::house::{DAY, House};
use crate::link::LinkSettings;
use crate::link::stub::Stub;

const AGENT: &str = "ramq/agent-1";

struct Scene {
    house: Arc<House>,
    stub: Stub,
    identity: Identity,
    link: Link,
    renewal: Renewal,
}

impl Scene {
    async fn new() -> Self {
        let house = Arc::new(House::new());
        let stub = Stub::start(&house, ClientAuth::Required).await;
        let identity = house.enrolled(AGENT);
        let settings = LinkSettings {
            address: stub.address.clone(),
            identity: identity.clone(),
            revocations: Revocations::new(),
            backoff: Backoff { min: Duration::from_millis(5), max: Duration::from_millis(40) },
            clock: house.shared_clock(),
        };
        let (link, _) = Link::start(settings).unwrap();
        let renewal = Renewal::new(identity.clone(), house.shared_clock());
        let scene = Self { house, stub, identity, link, renewal };
        scene.answer_with(AGENT);
        scene
    }

    /// The gateway certifies requests, for whom it likes.
    fn answer_with(&self, agent: &'static str) {
        let house = Arc::clone(&self.house);
        self.stub.set(|script| {
            script.renew = Some(Box::new(move |request: wire::RenewRequest| {
                let ders = |chain: &Chain| chain.to_ders().into_iter().map(Into::into).collect();
                if agent != AGENT {
                    let tls = house.certify(agent, Usage::Tls).chain;
                    let signing = house.certify(agent, Usage::Signing).chain;
                    return Ok(wire::RenewReply { tls_chain: ders(&tls), signing_chain: ders(&signing) });
                }
                let requests =
                    Requests { tls: request.tls_request.to_vec(), signing: request.signing_request.to_vec() };
                let issued = house.certify_requests(agent, &requests);
                Ok(wire::RenewReply { tls_chain: ders(&issued.tls), signing_chain: ders(&issued.signing) })
            }));
        });
    }

    fn go_to(&self, moment: Timestamp) {
        self.house.clock.set(moment);
        self.stub.take_list(&self.house);
    }

    async fn look(&self) -> Result<Renewed, RenewalError> {
        self.renewal.look(self.link.ready().await.unwrap()).await
    }
}

#[tokio::test]
async fn certificates_and_bundle_are_renewed_in_time_and_only_then() {
    let scene = Scene::new().await;
    assert_eq!(scene.look().await.unwrap(), Renewed { certificates: false, bundle: true });
    assert_eq!(scene.look().await.unwrap(), Renewed::default());
    scene.house.clock.advance(45 * DAY);
    assert_eq!(scene.look().await.unwrap(), Renewed::default());

    let before = scene.identity.signer().key_id();
    scene.go_to(scene.identity.renewal_due());
    assert_eq!(scene.look().await.unwrap(), Renewed { certificates: true, bundle: false });
    assert_ne!(scene.identity.signer().key_id(), before);
    // The link comes back under the new certificate; the bundle follows on it.
    let peers = scene.stub.connections(2).await;
    assert_eq!(peers[1].key_id, scene.identity.tls().key.key_id());
    scene.link.connected().wait_for(|connected| *connected).await.unwrap();
    let renewed = loop {
        // The former connection may be cut under the call: that is told as an error, and tried again.
        if let Ok(renewed) = scene.look().await {
            break renewed;
        }
    };
    assert_eq!(renewed, Renewed { certificates: false, bundle: true });
    let hints: Vec<_> =
        scene.stub.seen(|script| script.bundles.iter().map(passerelle_proto::statement::key_hint).collect());
    assert_eq!(hints.first(), Some(&Some(before)));
    assert_eq!(hints.last(), Some(&Some(scene.identity.signer().key_id())));
}

#[tokio::test]
async fn a_bundle_that_was_not_confirmed_is_published_again_as_it_was() {
    let scene = Scene::new().await;
    scene.stub.set(|script| script.refuse_bundles = true);
    assert!(matches!(scene.look().await, Err(RenewalError::Refused(_))));
    scene.stub.set(|script| script.refuse_bundles = false);
    scene.look().await.unwrap();
    let bundles = scene.stub.seen(|script| script.bundles.clone());
    assert_eq!(bundles.len(), 2);
    assert_eq!(bundles[0], bundles[1]);
    assert_eq!(scene.identity.summary().kem_keys, 1);
}

#[tokio::test]
async fn certificates_of_somebody_else_are_not_taken() {
    let scene = Scene::new().await;
    scene.answer_with("saaq/agent-1");
    let before = scene.identity.signer().key_id();
    scene.go_to(scene.identity.renewal_due());
    let refusal = scene.look().await;
    assert!(matches!(refusal, Err(RenewalError::Identity(IdentityError::OtherName { .. }))), "{refusal:?}");
    assert_eq!(scene.identity.signer().key_id(), before);
    scene.answer_with(AGENT);
    assert!(scene.look().await.unwrap().certificates);
}

#[tokio::test]
async fn it_runs_by_itself_and_stops_when_told() {
    let scene = Scene::new().await;
    let stop = CancellationToken::new();
    let mut changes = scene.identity.changes();
    let task = tokio::spawn(scene.renewal.clone().run(scene.link.clone(), stop.clone()));
    // The first bundle, without being asked.
    changes.changed().await.unwrap();
    stop.cancel();
    task.await.unwrap();
}
