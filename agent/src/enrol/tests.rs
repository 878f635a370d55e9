//! Enrolment over real TLS, with gateways that lie.

use passerelle_pki::certificate::{Chain, Usage};
use passerelle_pki::tls::ClientAuth;
use passerelle_proto::wire;
use tonic::Status;

use super::*;
use crate::identity::house::House;
use crate::identity::{Requests, Summary};
use crate::link::stub::Stub;

const AGENT: &str = "ramq/agent-1";

fn settings(house: &House, stub: &Stub) -> EnrolSettings {
    EnrolSettings {
        data_dir: house.data_dir("agent"),
        address: stub.address.clone(),
        anchor: house.anchor(),
        agent: AGENT.parse().unwrap(),
        again: false,
        signing: None,
    }
}

fn ders(chain: &Chain) -> Vec<bytes::Bytes> {
    chain.to_ders().into_iter().map(Into::into).collect()
}

/// An honest answer to a request.
fn answer(house: &House, request: &wire::EnrolRequest) -> wire::EnrolReply {
    let requests = Requests { tls: request.tls_request.to_vec(), signing: request.signing_request.to_vec() };
    let issued = house.certify_requests(AGENT, &requests);
    wire::EnrolReply {
        tls_chain: ders(&issued.tls),
        signing_chain: ders(&issued.signing),
        trust_domain: "qc.example".to_owned(),
        log_vkey: house.log_key().to_string(),
    }
}

/// Enrols at a gateway that changes its honest answer.
async fn attempt(
    house: &Arc<House>,
    stub: &Stub,
    change: impl Fn(&mut wire::EnrolReply) + Send + Sync + 'static,
) -> Result<Identity, EnrolError> {
    let honest = Arc::clone(house);
    stub.set(|script| {
        script.enrol = Some(Box::new(move |request| {
            if request.token != "jeton" {
                return Err(Status::unauthenticated("jeton inconnu"));
            }
            let mut answer = answer(&honest, &request);
            change(&mut answer);
            Ok(answer)
        }));
    });
    enrol(&settings(house, stub), "jeton\n", &house.shared_clock()).await
}

#[tokio::test]
async fn a_token_gives_an_identity_that_lasts() {
    let house = Arc::new(House::new());
    let stub = Stub::start(&house, ClientAuth::None).await;
    let identity = attempt(&house, &stub, |_| {}).await.unwrap();
    assert_eq!(identity.agent().to_string(), AGENT);
    let key = identity.signer().key_id();
    drop(identity);
    let data_dir = house.data_dir("agent");
    let identity = Identity::open(&data_dir, &house.anchor()).unwrap();
    assert_eq!(identity.signer().key_id(), key);
    assert_eq!(Summary::read(&data_dir, &house.anchor()).unwrap().log_vkey, house.log_key().to_string());
    drop(identity);
    let again = attempt(&house, &stub, |_| {}).await;
    assert!(matches!(again, Err(EnrolError::Identity(IdentityError::Exists { .. }))));
}

#[tokio::test]
async fn a_lying_gateway_enrols_nobody() {
    let house = Arc::new(House::new());
    let stub = Stub::start(&house, ClientAuth::None).await;
    let refused = |result: Result<Identity, EnrolError>| match result {
        Err(EnrolError::Identity(error)) => error,
        other => unreachable!("{other:?}"),
    };

    let stranger = ders(&House::new().certify(AGENT, Usage::Signing).chain);
    let other_root = attempt(&house, &stub, move |reply| reply.signing_chain = stranger.clone()).await;
    assert!(matches!(refused(other_root), IdentityError::Certificate { .. }));
    let own_key = ders(&house.certify(AGENT, Usage::Signing).chain);
    let other_key = attempt(&house, &stub, move |reply| reply.signing_chain = own_key.clone()).await;
    assert!(matches!(refused(other_key), IdentityError::OtherKey(Usage::Signing)));
    let other = ders(&house.certify("saaq/agent-1", Usage::Tls).chain);
    let other_name = attempt(&house, &stub, move |reply| reply.tls_chain = other.clone()).await;
    assert!(matches!(refused(other_name), IdentityError::OtherName { .. }));

    let domain = attempt(&house, &stub, |reply| reply.trust_domain = "on.example".to_owned()).await;
    assert!(matches!(domain, Err(EnrolError::OtherDomain { .. })));
    let vkey = attempt(&house, &stub, |reply| reply.log_vkey = "journal+x".to_owned()).await;
    assert!(matches!(vkey, Err(EnrolError::LogKey(_))));
    let short = attempt(&house, &stub, |reply| reply.tls_chain.truncate(1)).await;
    assert!(matches!(short, Err(EnrolError::Answer(_))));

    // Nothing came into force, and an honest answer still serves.
    assert!(Identity::open(&house.data_dir("agent"), &house.anchor()).is_err());
    assert!(attempt(&house, &stub, |_| {}).await.is_ok());
}

#[tokio::test]
async fn a_gateway_of_another_root_never_sees_the_token() {
    let (house, stranger) = (House::new(), Arc::new(House::new()));
    let stub = Stub::start(&stranger, ClientAuth::None).await;
    let result = enrol(&settings(&house, &stub), "jeton", &house.shared_clock()).await;
    assert!(matches!(result, Err(EnrolError::Link(_))));
}

#[tokio::test]
async fn a_refused_token_is_told_in_the_gateways_words() {
    let house = Arc::new(House::new());
    let stub = Stub::start(&house, ClientAuth::None).await;
    stub.set(|script| script.enrol = Some(Box::new(|_| Err(Status::unauthenticated("jeton expiré")))));
    let result = enrol(&settings(&house, &stub), "jeton", &house.shared_clock()).await;
    assert!(result.unwrap_err().to_string().contains("jeton expiré"));
}
