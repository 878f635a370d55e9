//! For the tests: two agencies, a gateway that carries, and the local interface of each: TCP here, a Unix socket there.

use std::time::Duration;

use passerelle_pki::certificate::Usage;
use passerelle_pki::tls::ClientAuth;
use passerelle_proto::agreement::sign_document;
use passerelle_proto::wire;
use tokio_util::sync::CancellationToken;

use super::{Endpoint, LocalClient};
use crate::agent::{Agent, Running, Settings};
use crate::config::{Listen, LocalSettings};
use crate::identity::Identity;
use crate::identity::house::{House, document, draft, record};
use crate::link::stub::Stub;
use crate::local::Server;
use crate::records::Limits;
use crate::webhooks::Webhooks;

/// In force.
pub(crate) const NUMBER: &str = "ENT-2026-001";
/// Waits for signatures.
pub(crate) const PROPOSED: &str = "ENT-2026-002";

/// An agent that runs, and a client of it.
pub(crate) struct Side {
    pub(crate) running: Running,
    pub(crate) client: LocalClient,
    stop: CancellationToken,
}

impl Drop for Side {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Both sides.
pub(crate) struct Scene {
    pub(crate) house: House,
    pub(crate) gateway: Stub,
    pub(crate) ramq: Side,
    pub(crate) saaq: Side,
}

impl Scene {
    /// With an agreement under which the RAMQ releases to the SAAQ, once both know it.
    pub(crate) async fn new() -> Self {
        let house = House::new();
        let gateway = Stub::start(&house, ClientAuth::Required).await;
        let terms = document(&draft(NUMBER, 1, "ramq", "saaq"));
        let (mut entries, mut signatures) = (Vec::new(), Vec::new());
        for name in ["ramq", "saaq"] {
            let identity = house.enrolled_in(&house.data_dir(name), &format!("{name}/agent-1"));
            let (chain, key) = identity.signing();
            let signed = sign_document(&terms, key.as_ref(), &chain, &identity.agent().agency).unwrap();
            signatures.push(wire::PartySignature { received_ms: house.now().as_millis(), ..signed });
            entries.push(entry(&identity, &house));
        }
        let signing = house.certify("gateway:principale", Usage::Signing);
        let mut answer = house.answer(entries);
        answer.gateway_signing_chain = signing.chain.to_ders().into_iter().map(Into::into).collect();
        *gateway.exchange.key.lock().unwrap() = Some(signing.key);
        let proposed = document(&draft(PROPOSED, 1, "ramq", "saaq"));
        let agreements = vec![
            record(&terms, wire::AgreementState::Active, signatures),
            record(&proposed, wire::AgreementState::Proposed, Vec::new()),
        ];
        gateway.set(|script| {
            script.lookup = Some(answer);
            script.agreements = Some(wire::ListAgreementsReply { agreements });
        });
        let ramq = side(&house, &gateway, "ramq").await;
        let saaq = side(&house, &gateway, "saaq").await;
        for side in [&ramq, &saaq] {
            until(&side.running.agent, |agent| {
                !agent.agreements().is_empty() && agent.status().directory_at.is_some()
            })
            .await;
        }
        Self { house, gateway, ramq, saaq }
    }
}

/// The RAMQ's local interface is on TCP, the SAAQ's on a Unix socket.
async fn side(house: &House, gateway: &Stub, name: &str) -> Side {
    let settings = Settings {
        data_dir: house.data_dir(name),
        anchor: house.anchor(),
        agents: gateway.address.clone(),
        public: gateway.address.clone(),
        expected: None,
        signing: None,
        check_before_sending: true,
        pseudonym_key: None,
        checks: crate::inclusion::CheckSettings::default(),
        limits: Limits::default(),
        calls: crate::calls::CallSettings::default(),
        folders: Vec::new(),
    };
    let running = Agent::start(settings, house.shared_clock()).await.unwrap();
    let (socket, token_file) = (house.data_dir(name).join("s"), house.data_dir(name).join("local.token"));
    let listen = match name {
        "ramq" => Listen::Tcp("127.0.0.1:0".parse().unwrap()),
        _ => Listen::Unix(socket.clone()),
    };
    let stop = CancellationToken::new();
    let local = LocalSettings::new(listen, token_file.clone());
    let server = Server::bind(
        &local,
        (running.agent.clone(), Webhooks::default()),
        house.shared_clock(),
        stop.clone(),
    )
    .await
    .unwrap();
    let endpoint = match server.address().strip_prefix("http://") {
        Some(addr) => {
            Endpoint::Tcp { addr: addr.to_owned(), token: std::fs::read_to_string(token_file).unwrap() }
        }
        None => Endpoint::Unix { path: socket },
    };
    tokio::spawn(server.run());
    Side { running, client: LocalClient::new(endpoint), stop }
}

fn entry(identity: &Identity, house: &House) -> wire::AgentEntry {
    let (chain, _) = identity.signing();
    wire::AgentEntry {
        agency: identity.agent().agency.to_string(),
        agent: identity.agent().agent.to_string(),
        signing_chain: chain.to_ders().into_iter().map(Into::into).collect(),
        key_bundle: Some(identity.next_bundle(house.now()).unwrap()),
        ..wire::AgentEntry::default()
    }
}

/// Looks again at each change, and from time to time at what has none, until it holds.
pub(crate) async fn until(agent: &Agent, holds: impl Fn(&Agent) -> bool) {
    let waiting = async {
        let mut changed = agent.changed();
        while !holds(agent) {
            drop(tokio::time::timeout(Duration::from_millis(50), changed.changed()).await);
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("it never came to hold");
}
