//! Real handshakes: what is negotiated, who is refused, and what changes while running.
#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{DAY, HOST, House, START};
use passerelle_pki::authority::Reason;
use passerelle_pki::certificate::Usage;
use passerelle_pki::revocation::{RevocationList, Revocations};
use passerelle_pki::tls::{
    ClientAuth, ClientSettings, ClientTls, Credential, PeerCertificate, ServerSettings, ServerTls, TlsError,
};
use rustls::{CertificateError as Refusal, HandshakeKind, NamedGroup, ProtocolVersion};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_rustls::client::TlsStream as ClientStream;
use tokio_rustls::server::TlsStream as ServerStream;

fn server_of(house: &House, credential: Credential, revocations: Option<Revocations>) -> ServerTls {
    ServerTls::new(server_settings(house, credential, revocations)).unwrap()
}

fn server_settings(
    house: &House,
    credential: Credential,
    revocations: Option<Revocations>,
) -> ServerSettings {
    ServerSettings {
        credential,
        anchor: house.anchor(),
        client_auth: ClientAuth::Required,
        revocations,
        alpn: vec![b"h2".to_vec()],
        clock: house.shared_clock(),
    }
}

fn server(house: &House) -> ServerTls {
    server_of(house, house.certify("gateway:principale", Usage::Tls), Some(house.revocations()))
}

fn client_settings(house: &House, credential: Option<Credential>) -> ClientSettings {
    ClientSettings {
        credential,
        anchor: house.anchor(),
        revocations: None,
        alpn: vec![b"h2".to_vec()],
        clock: house.shared_clock(),
    }
}

fn client_of(house: &House, credential: Option<Credential>) -> ClientTls {
    ClientTls::new(client_settings(house, credential)).unwrap()
}

fn client(house: &House) -> ClientTls {
    client_of(house, Some(house.certify("ramq/agent-1", Usage::Tls)))
}

fn name(text: &str) -> ServerName<'static> {
    ServerName::try_from(text.to_owned()).unwrap()
}

/// Both ends of a connection whose handshake is done.
struct Connection {
    client: ClientStream<DuplexStream>,
    gateway: PeerCertificate,
    server: ServerStream<DuplexStream>,
    agent: Option<PeerCertificate>,
}

impl Connection {
    /// One byte there and one back.
    async fn echo(&mut self) {
        let mut byte = [0];
        self.client.write_all(b"?").await.unwrap();
        self.client.flush().await.unwrap();
        self.server.read_exact(&mut byte).await.unwrap();
        self.server.write_all(b"!").await.unwrap();
        self.server.flush().await.unwrap();
        self.client.read_exact(&mut byte).await.unwrap();
    }

    fn kinds(&self) -> [Option<HandshakeKind>; 2] {
        [self.client.get_ref().1.handshake_kind(), self.server.get_ref().1.handshake_kind()]
    }
}

async fn connect(client: &ClientTls, server: &ServerTls) -> Connection {
    let (client_result, server_result) = attempt(client, server, HOST).await;
    let ((client, gateway), (server, agent)) = (client_result.unwrap(), server_result.unwrap());
    Connection { client, gateway, server, agent }
}

type ClientResult = Result<(ClientStream<DuplexStream>, PeerCertificate), TlsError>;
type ServerResult = Result<(ServerStream<DuplexStream>, Option<PeerCertificate>), TlsError>;

async fn attempt(client: &ClientTls, server: &ServerTls, host: &str) -> (ClientResult, ServerResult) {
    let (near, far) = tokio::io::duplex(64 * 1024);
    tokio::join!(client.connect(near, name(host)), server.accept(far))
}

fn refusal<T>(result: &Result<T, TlsError>) -> &Refusal {
    match result.as_ref().err().and_then(TlsError::rustls) {
        Some(rustls::Error::InvalidCertificate(refusal)) => refusal,
        other => unreachable!("expected a refused certificate: {other:?}"),
    }
}

#[tokio::test]
async fn both_sides_know_each_other_under_post_quantum_tls_1_3() {
    let house = House::new();
    let (agent, gateway) =
        (house.certify("ramq/agent-1", Usage::Tls), house.certify("gateway:principale", Usage::Tls));
    let agent_certificate = house.anchor().verify(&agent.chain, Usage::Tls, START).unwrap();
    let gateway_certificate = house.anchor().verify(&gateway.chain, Usage::Tls, START).unwrap();
    let server = server_of(&house, gateway, Some(house.revocations()));
    let mut connection = connect(&client_of(&house, Some(agent)), &server).await;

    assert_eq!(connection.agent, Some(PeerCertificate::from(&agent_certificate)));
    assert_eq!(connection.gateway, PeerCertificate::from(&gateway_certificate));
    connection.echo().await;
    let (client, server) = (connection.client.get_ref().1, connection.server.get_ref().1);
    for (version, group) in [
        (client.protocol_version(), client.negotiated_key_exchange_group()),
        (server.protocol_version(), server.negotiated_key_exchange_group()),
    ] {
        assert_eq!(version, Some(ProtocolVersion::TLSv1_3));
        assert_eq!(group.unwrap().name(), NamedGroup::X25519MLKEM768);
    }
    // Full, without a second hello: the hybrid was the client's first offer.
    assert_eq!(connection.kinds(), [Some(HandshakeKind::Full); 2]);
    assert_eq!(server.alpn_protocol(), Some(&b"h2"[..]));
}

#[tokio::test]
async fn a_second_connection_is_a_full_handshake() {
    let house = House::new();
    let (client, server) = (client(&house), server(&house));
    for _ in 0..3 {
        let mut connection = connect(&client, &server).await;
        connection.echo().await;
        assert_eq!(connection.kinds(), [Some(HandshakeKind::Full); 2]);
        assert_eq!(connection.client.get_ref().1.tls13_tickets_received(), 0);
    }
}

#[tokio::test]
async fn a_client_without_a_certificate_is_refused() {
    let house = House::new();
    let (_, accepted) = attempt(&client_of(&house, None), &server(&house), HOST).await;
    let error = accepted.err().unwrap();
    assert_eq!(error.rustls(), Some(&rustls::Error::NoCertificatesPresented));
}

#[tokio::test]
async fn where_no_certificate_is_asked_for_none_is_needed_and_none_believed() {
    let house = House::new();
    let mut settings = server_settings(&house, house.certify("gateway:principale", Usage::Tls), None);
    settings.client_auth = ClientAuth::None;
    let server = ServerTls::new(settings).unwrap();
    for client in [client_of(&house, None), client(&house)] {
        let mut connection = connect(&client, &server).await;
        assert_eq!(connection.agent, None);
        connection.echo().await;
    }
}

#[tokio::test]
async fn a_client_of_another_house_is_refused() {
    let (house, other) = (House::new(), House::new());
    // The stranger trusts our gateway and shows a certificate of its own house.
    let stranger = client_of(&house, None);
    let credential = other.certify("ramq/agent-1", Usage::Tls);
    assert!(matches!(stranger.rotate(&credential), Err(TlsError::OwnCertificate(_))));
    let (_, accepted) = common::raw::attempt(&other, &credential, &server(&house)).await;
    assert!(matches!(refusal(&accepted), Refusal::UnknownIssuer | Refusal::Other(_)));
}

#[tokio::test]
async fn a_signing_certificate_opens_no_connection() {
    let house = House::new();
    let signing = house.certify("ramq/agent-1", Usage::Signing);
    let settings = client_settings(&house, Some(signing.clone()));
    assert!(matches!(ClientTls::new(settings), Err(TlsError::OwnCertificate(_))));
    let (_, accepted) = common::raw::attempt(&house, &signing, &server(&house)).await;
    refusal(&accepted);

    let signing = house.certify("gateway:principale", Usage::Signing);
    let refused = ServerTls::new(server_settings(&house, signing.clone(), None));
    assert!(matches!(refused, Err(TlsError::OwnCertificate(_))));
    let connected = common::raw::serve(&house, &signing, &client(&house), HOST).await;
    refusal(&connected);
}

#[tokio::test]
async fn an_agent_is_no_server() {
    let house = House::new();
    let agent = house.certify("saaq/agent-1", Usage::Tls);
    let refused = ServerTls::new(server_settings(&house, agent.clone(), None));
    assert!(matches!(refused, Err(TlsError::NotAGateway(_))));
    let connected = common::raw::serve(&house, &agent, &client(&house), HOST).await;
    assert_eq!(refusal(&connected), &Refusal::InvalidPurpose);
}

#[tokio::test]
async fn a_key_without_its_certificate_is_refused_at_set_up() {
    let house = House::new();
    let mut credential = house.certify("gateway:principale", Usage::Tls);
    credential.key = house.certify("gateway:principale", Usage::Tls).key;
    assert!(matches!(
        ServerTls::new(server_settings(&house, credential.clone(), None)),
        Err(TlsError::OtherKey)
    ));
    let server = server(&house);
    assert!(matches!(server.rotate(&credential), Err(TlsError::OtherKey)));
    connect(&client(&house), &server).await.echo().await;
}

#[tokio::test]
async fn a_gateway_of_another_name_or_house_is_refused() {
    let (house, other) = (House::new(), House::new());
    let client = client(&house);
    for host in ["autre.qc.example", "qc.example", "127.0.0.2"] {
        let (connected, _) = attempt(&client, &server(&house), host).await;
        assert!(matches!(refusal(&connected), Refusal::NotValidForNameContext { .. }), "{host}");
    }
    let (connected, _) = attempt(&client, &server(&house), "127.0.0.1").await;
    assert!(connected.is_ok());
    let (connected, _) = attempt(&client, &server(&other), HOST).await;
    refusal(&connected);
}

#[tokio::test]
async fn validity_is_judged_by_the_clock_that_was_passed_in() {
    let house = House::new();
    let (client, server) = (client(&house), server(&house));
    house.clock.set(START.plus(91 * DAY));
    let (connected, _) = attempt(&client, &server, HOST).await;
    assert_eq!(refusal(&connected), &Refusal::Expired);
    // A fresh gateway, a fresh list, but the agent's certificate has expired.
    let server = self::server(&house);
    let (_, accepted) = attempt(&client, &server, HOST).await;
    assert_eq!(refusal(&accepted), &Refusal::Expired);
    house.clock.set(START.minus(DAY));
    let (connected, _) = attempt(&client, &server, HOST).await;
    assert_eq!(refusal(&connected), &Refusal::NotValidYet);
}

#[tokio::test]
async fn a_revoked_client_does_not_come_back() {
    let house = House::new();
    let revocations = house.revocations();
    let server =
        server_of(&house, house.certify("gateway:principale", Usage::Tls), Some(revocations.clone()));
    let (client, other) = (client(&house), client(&house));
    let mut open = connect(&client, &server).await;
    open.echo().await;
    let mut changes = revocations.subscribe();

    let serial = open.agent.clone().unwrap().serial;
    let der = house.issuing.revoke(&serial, Reason::KeyCompromise, START).unwrap();
    let list = RevocationList::verify(&der, house.issuing.issuer()).unwrap();
    assert!(revocations.replace(list).unwrap());

    let (_, accepted) = attempt(&client, &server, HOST).await;
    assert_eq!(refusal(&accepted), &Refusal::Revoked);
    connect(&other, &server).await.echo().await;
    // The open connection lives on: closing it is for whoever is told here.
    assert!(changes.has_changed().unwrap());
    open.echo().await;
    changes.mark_unchanged();
}

#[tokio::test]
async fn without_a_fresh_list_clients_are_refused() {
    let house = House::new();
    let gateway = house.certify("gateway:principale", Usage::Tls);
    let server = server_of(&house, gateway.clone(), Some(Revocations::new()));
    let (_, accepted) = attempt(&client(&house), &server, HOST).await;
    assert_eq!(refusal(&accepted), &Refusal::UnknownRevocationStatus);

    let server = self::server(&house);
    house.clock.advance(8 * DAY);
    let (_, accepted) = attempt(&client(&house), &server, HOST).await;
    assert_eq!(refusal(&accepted), &Refusal::ExpiredRevocationList);
}

#[tokio::test]
async fn a_client_with_lists_refuses_a_revoked_gateway() {
    let house = House::new();
    let server = server(&house);
    let agent = house.certify("ramq/agent-1", Usage::Tls);
    let revocations = house.revocations();
    let mut settings = client_settings(&house, Some(agent));
    settings.revocations = Some(revocations.clone());
    let client = ClientTls::new(settings).unwrap();
    let connection = connect(&client, &server).await;
    house.issuing.revoke(&connection.gateway.serial, Reason::Superseded, START).unwrap();
    house.publish(&revocations);
    let (connected, _) = attempt(&client, &server, HOST).await;
    assert_eq!(refusal(&connected), &Refusal::Revoked);
}

#[tokio::test]
async fn certificates_are_rotated_while_connections_stay_open() {
    let house = House::new();
    let (client, server) = (client(&house), server(&house));
    let mut open = connect(&client, &server).await;
    let gateway = house.certify("gateway:principale", Usage::Tls);
    let agent = house.certify("ramq/agent-1", Usage::Tls);
    server.rotate(&gateway).unwrap();
    client.rotate(&agent).unwrap();
    open.echo().await;

    let next = connect(&client, &server).await;
    assert_ne!(next.gateway.thumbprint, open.gateway.thumbprint);
    assert_eq!(next.gateway.key_id, common::key_id(&gateway));
    assert_eq!(next.agent.unwrap().key_id, common::key_id(&agent));
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_cut_off() {
    let house = House::new();
    let (_near, far) = tokio::io::duplex(1024);
    assert!(matches!(server(&house).accept(far).await, Err(TlsError::TooSlow)));
    let (near, _far) = tokio::io::duplex(64 * 1024);
    assert!(matches!(client(&house).connect(near, name(HOST)).await, Err(TlsError::TooSlow)));
}

#[tokio::test]
async fn garbage_ends_in_an_error() {
    let house = House::new();
    let server = server(&house);
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0; 600], &[0xff; 600], &[0x16, 3, 3, 0xff, 0xff]] {
        let (mut near, far) = tokio::io::duplex(1024);
        near.write_all(bytes).await.unwrap();
        near.shutdown().await.unwrap();
        assert!(matches!(server.accept(far).await, Err(TlsError::Handshake(_))), "{bytes:?}");
    }
}

#[tokio::test]
async fn no_common_protocol_no_connection() {
    let house = House::new();
    let mut settings = client_settings(&house, Some(house.certify("ramq/agent-1", Usage::Tls)));
    settings.alpn = vec![b"http/1.1".to_vec()];
    let (_, accepted) = attempt(&ClientTls::new(settings).unwrap(), &server(&house), HOST).await;
    assert_eq!(accepted.err().unwrap().rustls(), Some(&rustls::Error::NoApplicationProtocol));
}

/// A ClientHello of TLS 1.2 (RFC 5246 section 7.4.1.2): no supported_versions, a suite and a group of the time.
fn hello_of_tls_1_2() -> Vec<u8> {
    let extensions: &[&[u8]] = &[
        &[0x00, 0x0a, 0x00, 0x04, 0x00, 0x02, 0x00, 0x1d], // supported_groups: x25519
        &[0x00, 0x0b, 0x00, 0x02, 0x01, 0x00],             // ec_point_formats: uncompressed
        &[0x00, 0x0d, 0x00, 0x06, 0x00, 0x04, 0x08, 0x07, 0x04, 0x03], // signature_algorithms: ed25519, P-256
        &[0x00, 0x17, 0x00, 0x00],                         // extended_master_secret
    ];
    let extensions = extensions.concat();
    let mut body = vec![0x03, 0x03];
    body.extend([0x42; 32]);
    // No session id; TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384; no compression.
    body.extend([0x00, 0x00, 0x02, 0xc0, 0x2c, 0x01, 0x00]);
    body.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
    body.extend(extensions);
    let mut handshake = vec![0x01, 0x00];
    handshake.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
    handshake.extend(body);
    let mut record = vec![0x16, 0x03, 0x01];
    record.extend(u16::try_from(handshake.len()).unwrap().to_be_bytes());
    record.extend(handshake);
    record
}

#[tokio::test]
async fn tls_1_2_is_refused() {
    let house = House::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = server(&house);
    let accepting = tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        server.accept(socket).await.err()
    });
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    socket.write_all(&hello_of_tls_1_2()).await.unwrap();
    let mut answer = [0; 7];
    socket.read_exact(&mut answer).await.unwrap();
    // A fatal alert, protocol_version (RFC 8446 section 6.2).
    assert_eq!((answer[0], answer[5], answer[6]), (0x15, 2, 70));
    let error = accepting.await.unwrap().unwrap();
    assert!(matches!(error.rustls(), Some(rustls::Error::PeerIncompatible(_))), "{error:?}");
}

#[tokio::test]
async fn a_client_that_wants_to_resume_gets_no_ticket_and_is_checked_again() {
    let house = House::new();
    let revocations = house.revocations();
    let server =
        server_of(&house, house.certify("gateway:principale", Usage::Tls), Some(revocations.clone()));
    let agent = house.certify("ramq/agent-1", Usage::Tls);
    let config = common::raw::resuming_client(&house, &agent);
    for _ in 0..2 {
        let (connected, accepted) = common::raw::attempt_with(&config, &server).await;
        let (mut near, (mut far, _)) = (connected.unwrap(), accepted.unwrap());
        far.write_all(b"!").await.unwrap();
        far.flush().await.unwrap();
        near.read_exact(&mut [0]).await.unwrap();
        assert_eq!(near.get_ref().1.tls13_tickets_received(), 0);
        assert_eq!(near.get_ref().1.handshake_kind(), Some(HandshakeKind::Full));
    }
    let serial = house.anchor().verify(&agent.chain, Usage::Tls, START).unwrap().serial().to_vec();
    house.issuing.revoke(&serial, Reason::KeyCompromise, START).unwrap();
    house.publish(&revocations);
    let (_, accepted) = common::raw::attempt_with(&config, &server).await;
    assert_eq!(refusal(&accepted), &Refusal::Revoked);
}

#[tokio::test]
async fn a_client_without_the_hybrid_group_is_still_served() {
    let house = House::new();
    let agent = house.certify("ramq/agent-1", Usage::Tls);
    let config = common::raw::client_with(&house, &agent, vec![rustls::crypto::ring::kx_group::X25519]);
    let (connected, accepted) = common::raw::attempt_with(&Arc::new(config), &server(&house)).await;
    assert!(accepted.is_ok());
    let stream = connected.unwrap();
    assert_eq!(stream.get_ref().1.negotiated_key_exchange_group().unwrap().name(), NamedGroup::X25519);
    let config = common::raw::client_with(&house, &agent, vec![rustls::crypto::ring::kx_group::SECP256R1]);
    let (_, accepted) = common::raw::attempt_with(&Arc::new(config), &server(&house)).await;
    assert!(accepted.is_err());
}

#[tokio::test]
async fn many_handshakes_at_once_over_real_sockets() {
    let house = House::new();
    let (client, server) = (client(&house), server(&house));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let accepting = tokio::spawn(async move {
        for _ in 0..32 {
            let (socket, _) = listener.accept().await.unwrap();
            let server = server.clone();
            tokio::spawn(async move {
                let (mut stream, agent) = server.accept(socket).await.unwrap();
                let text = agent.unwrap().identity.to_string();
                stream.write_all(text.as_bytes()).await.unwrap();
                stream.shutdown().await.unwrap();
            });
        }
    });
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..32 {
        let client = client.clone();
        clients.spawn(async move {
            let socket = tokio::net::TcpStream::connect(address).await.unwrap();
            let (mut stream, _) = client.connect(socket, name(HOST)).await.unwrap();
            let mut text = String::new();
            tokio::time::timeout(Duration::from_secs(30), stream.read_to_string(&mut text))
                .await
                .unwrap()
                .unwrap();
            text
        });
    }
    assert_eq!(clients.join_all().await, vec!["ramq/agent-1"; 32]);
    accepting.await.unwrap();
}
