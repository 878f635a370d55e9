//! Tokens that are not what they say, and roles that reach for more: on the gateway's public listener, over the wire.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use passerelle_gateway::operators::{Role, Rpc};
use passerelle_pki::clock::{SharedClock, SystemClock};
use passerelle_pki::key::{Ed25519Key, Signer};
use passerelle_pki::keyfile;
use passerelle_proto::wire::{ListAgenciesReply, ListAgenciesRequest};
use passerelle_tests::network::Network;
use passerelle_tests::network::operators::Operator;
use passerelle_tests::network::process::Program;
use passerelle_tests::probe::connect;
use ring::hmac;
use serde_json::{Value, json};
use tonic::client::Grpc;
use tonic::transport::Channel;
use tonic::{Code, Request};
use tonic_prost::ProstCodec;

/// A call with a body that is empty: who may not call is told so before it is looked at.
async fn call(channel: &Channel, rpc: Rpc, token: Option<&str>) -> Code {
    let mut request = Request::new(ListAgenciesRequest {});
    if let Some(token) = token {
        let value = format!("Bearer {token}").parse().unwrap();
        request.metadata_mut().insert("authorization", value);
    }
    let mut client = Grpc::new(channel.clone());
    client.ready().await.unwrap();
    let path = format!("/passerelle.v1.{}", rpc.path()).parse().unwrap();
    let codec = ProstCodec::<ListAgenciesRequest, ListAgenciesReply>::default();
    client.unary(request, path, codec).await.map_or_else(|status| status.code(), |_| Code::Ok)
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// Header and claims of a token.
fn read(token: &str) -> (Value, Value) {
    let part = |at: usize| {
        let bytes = URL_SAFE_NO_PAD.decode(token.split('.').nth(at).unwrap()).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    };
    (part(0), part(1))
}

fn signed(key: &Ed25519Key, header: &Value, claims: &Value) -> String {
    let text = format!("{}.{}", part(header), part(claims));
    let signature = key.sign(text.as_bytes()).unwrap();
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn with(value: &Value, name: &str, other: Value) -> Value {
    let mut value = value.clone();
    value[name] = other;
    value
}

fn without(value: &Value, name: &str) -> Value {
    let mut value = value.clone();
    value.as_object_mut().unwrap().remove(name);
    value
}

/// Each is wrong in one thing.
fn forged(good: &str, key: &Ed25519Key) -> Vec<(&'static str, String)> {
    let (header, claims) = read(good);
    let seconds = claims["iat"].as_u64().unwrap();
    let mut tokens = vec![
        ("nothing", String::new()),
        ("no token", "jeton".to_owned()),
        ("longer than it was", format!("{good}{}", "A".repeat(9_000))),
        ("another claim under the same signature", {
            let parts: Vec<&str> = good.split('.').collect();
            format!("{}.{}.{}", parts[0], part(&with(&claims, "sub", json!("autre"))), parts[2])
        }),
        ("no signature", format!("{}.", &good[..good.rfind('.').unwrap()])),
        ("alg none", format!("{}.{}.", part(&with(&header, "alg", json!("none"))), part(&claims))),
        ("a key of its own", signed(&Ed25519Key::generate().unwrap(), &header, &claims)),
    ];
    // RFC 8725, 2.1: the public key as the secret of a HMAC.
    let text = format!("{}.{}", part(&with(&header, "alg", json!("HS256"))), part(&claims));
    let secret = hmac::Key::new(hmac::HMAC_SHA256, key.public_key().raw());
    let tag = hmac::sign(&secret, text.as_bytes());
    tokens.push(("HS256 under the public key", format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag))));
    let headers = [
        ("another type", with(&header, "typ", json!("JWT"))),
        ("no type", without(&header, "typ")),
        ("no key id", without(&header, "kid")),
        ("another key id", with(&header, "kid", json!("00"))),
        ("a critical header", with(&header, "crit", json!(["x"]))),
    ];
    tokens.extend(headers.map(|(what, header)| (what, signed(key, &header, &claims))));
    let others = [
        ("another issuer", with(&claims, "iss", json!("https://ailleurs.example"))),
        ("two issuers", with(&claims, "iss", json!([claims["iss"], "autre"]))),
        ("another audience", with(&claims, "aud", json!("autre-passerelle"))),
        ("no audience", without(&claims, "aud")),
        ("no subject", without(&claims, "sub")),
        ("no end", without(&claims, "exp")),
        ("over", with(&claims, "exp", json!(seconds - 3_600))),
        ("not yet", with(&claims, "nbf", json!(seconds + 3_600))),
        ("issued tomorrow", with(&claims, "iat", json!(seconds + 86_400))),
        ("for years", with(&claims, "exp", json!(seconds + 100_000_000))),
        ("an end that is text", with(&claims, "exp", json!("demain"))),
    ];
    tokens.extend(others.map(|(what, claims)| (what, signed(key, &header, &claims))));
    tokens
}

/// A token with one role, as the gateway's own command makes it.
fn token(network: &Network, role: Role) -> String {
    let config = network.gateway_config();
    let mut arguments: Vec<std::ffi::OsString> =
        ["operator", "token", "--subject", "zoe", "--role", role.as_str()].map(Into::into).to_vec();
    if role.is_of_an_agency() {
        arguments.extend(["--agency".into(), "ramq".into()]);
    }
    arguments.extend(["--config".into(), config.into_os_string()]);
    let printed = network.program().run(passerelle_tests::roles::Role::Gateway, &arguments).unwrap();
    printed.lines().last().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_true_token_with_the_role_opens_a_door() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::new(env!("CARGO_BIN_EXE_sandbox").into());
    let network = Network::create(folder.path(), program).unwrap();
    let clock: SharedClock = SystemClock::shared();
    let channel =
        connect(network.addresses().public, &network.anchor().unwrap(), None, &clock).await.unwrap();

    let good = std::fs::read_to_string(network.token_file(Operator::Admin)).unwrap();
    let (good, rpc) = (good.trim(), Rpc::ListAgencies);
    assert_eq!(call(&channel, rpc, Some(good)).await, Code::Ok);
    let key = keyfile::load(&network.gateway_data().join("keys/operators.key.pem"), None).unwrap();
    let (header, claims) = read(good);
    assert_eq!(
        call(&channel, rpc, Some(&signed(&key, &header, &claims))).await,
        Code::Ok,
        "signed as we sign"
    );
    for (what, token) in forged(good, &key) {
        assert_eq!(call(&channel, rpc, Some(&token)).await, Code::Unauthenticated, "{what}");
    }

    // Headers of that size are refused before anybody reads them.
    assert_ne!(call(&channel, rpc, Some(&format!("{good}{}", "A".repeat(60_000)))).await, Code::Ok);

    // No role, or one that nobody knows, is no stranger: it only opens nothing.
    for roles in [json!([]), json!(["roi"]), json!("platform_admin ")] {
        let token = signed(&key, &header, &with(&claims, "roles", roles.clone()));
        let code = call(&channel, rpc, Some(&token)).await;
        assert!([Code::PermissionDenied, Code::Unauthenticated].contains(&code), "{roles}: {code:?}");
    }

    for rpc in Rpc::ALL {
        assert_eq!(call(&channel, *rpc, None).await, Code::Unauthenticated, "{rpc:?} without a token");
    }
    for role in Role::ALL {
        let token = token(&network, role);
        for rpc in Rpc::ALL.iter().filter(|rpc| !rpc.roles().contains(&role)) {
            let code = call(&channel, *rpc, Some(&token)).await;
            assert_eq!(code, Code::PermissionDenied, "{role} at {rpc:?}");
        }
    }

    // Each refusal by role left its trace.
    let denied = network.audit(&[]).unwrap();
    let denied = denied.iter().filter(|event| event["kind"] == "OPERATOR_DENIED").count();
    assert!(denied > 20, "{denied} refusals logged");
}
