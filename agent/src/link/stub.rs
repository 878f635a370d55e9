//! A gateway that answers what a test tells it to, over real TLS.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use futures_util::Stream;
use futures_util::StreamExt;
use passerelle_pki::certificate::Usage;
use passerelle_pki::revocation::{RevocationList, Revocations};
use passerelle_pki::tls::{ClientAuth, Credential, PeerCertificate, ServerSettings, ServerTls};
use passerelle_proto::wire;
use passerelle_proto::wire::agreements_server::{Agreements, AgreementsServer};
use passerelle_proto::wire::directory_server::{Directory, DirectoryServer};
use passerelle_proto::wire::enrolment_server::{Enrolment, EnrolmentServer};
use passerelle_proto::wire::exchange_server::ExchangeServer;
use passerelle_proto::wire::renewal_server::{Renewal, RenewalServer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::{ReceiverStream, WatchStream};
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::transport::server::Connected;
use tonic::{Request, Response, Status};

use super::GatewayAddress;
use super::exchange_stub::ExchangeStub;
use super::guarded::Guarded;
use crate::identity::house::{HOST, House};

type Answer<Q, A> = Box<dyn Fn(Q) -> Result<A, Status> + Send + Sync>;

/// What the gateway answers, and what it has seen.
#[derive(Default)]
pub(crate) struct Script {
    pub(crate) lookup: Option<wire::LookupReply>,
    pub(crate) agreements: Option<wire::ListAgreementsReply>,
    pub(crate) enrol: Option<Answer<wire::EnrolRequest, wire::EnrolReply>>,
    pub(crate) renew: Option<Answer<wire::RenewRequest, wire::RenewReply>>,
    /// Refuse the next publications.
    pub(crate) refuse_bundles: bool,
    pub(crate) asked: Vec<wire::LookupRequest>,
    pub(crate) bundles: Vec<wire::Statement>,
    pub(crate) signed: Vec<wire::SignAgreementRequest>,
}

/// A gateway that runs.
#[derive(Clone)]
pub(crate) struct Stub {
    pub(crate) address: GatewayAddress,
    pub(crate) script: Arc<Mutex<Script>>,
    /// Who has connected, in order; each change is told.
    pub(crate) peers: watch::Sender<Vec<PeerCertificate>>,
    pub(crate) changes: watch::Sender<u64>,
    pub(crate) exchange: ExchangeStub,
    revocations: Option<Revocations>,
    cuts: Arc<Mutex<Vec<CancellationToken>>>,
}

impl Stub {
    /// Starts a gateway of a house, with its certificate and the house's revocation list.
    pub(crate) async fn start(house: &House, client_auth: ClientAuth) -> Self {
        let credential = house.certify("gateway:principale", Usage::Tls);
        Self::start_as(house, credential, client_auth).await
    }

    pub(crate) async fn start_as(house: &House, credential: Credential, client_auth: ClientAuth) -> Self {
        let revocations = (client_auth == ClientAuth::Required).then(|| house.revocations());
        let tls = ServerTls::new(ServerSettings {
            credential,
            anchor: house.anchor(),
            client_auth,
            revocations: revocations.clone(),
            alpn: vec![b"h2".to_vec()],
            clock: house.shared_clock(),
        })
        .unwrap();
        let listener = TcpListener::bind((HOST, 0)).await.unwrap();
        let address = format!("https://{}", listener.local_addr().unwrap()).parse().unwrap();
        let stub = Self {
            address,
            script: Arc::default(),
            peers: watch::Sender::new(Vec::new()),
            changes: watch::Sender::new(1),
            exchange: ExchangeStub::default(),
            revocations,
            cuts: Arc::default(),
        };
        let (hand, streams) = mpsc::channel(8);
        tokio::spawn(stub.clone().accept(listener, tls, hand));
        let server = Server::builder()
            .add_service(DirectoryServer::new(stub.clone()))
            .add_service(AgreementsServer::new(stub.clone()))
            .add_service(EnrolmentServer::new(stub.clone()))
            .add_service(RenewalServer::new(stub.clone()))
            .add_service(ExchangeServer::new(stub.exchange.clone()))
            .serve_with_incoming(ReceiverStream::new(streams));
        tokio::spawn(server);
        stub
    }

    async fn accept(
        self,
        listener: TcpListener,
        tls: ServerTls,
        hand: mpsc::Sender<io::Result<Guarded<TlsStream<TcpStream>>>>,
    ) {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok((stream, peer)) = tls.accept(stream).await {
                let (stream, guard) = Guarded::new(stream);
                self.cuts.lock().unwrap().push(guard.cut);
                self.peers.send_modify(|peers| peers.extend(peer));
                if hand.send(Ok(stream)).await.is_err() {
                    return;
                }
            }
        }
    }

    /// Takes the house's revocation list of now, as a gateway does every day.
    pub(crate) fn take_list(&self, house: &House) {
        let list = RevocationList::verify(&house.revocation_list(), house.issuing.issuer()).unwrap();
        self.revocations.as_ref().unwrap().replace(list).unwrap();
    }

    /// Cuts every connection.
    pub(crate) fn cut_all(&self) {
        for cut in self.cuts.lock().unwrap().drain(..) {
            cut.cancel();
        }
    }

    /// Waits until so many clients have connected.
    pub(crate) async fn connections(&self, count: usize) -> Vec<PeerCertificate> {
        let mut peers = self.peers.subscribe();
        let peers = peers.wait_for(|peers| peers.len() >= count).await.unwrap();
        peers.clone()
    }

    pub(crate) fn set(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script.lock().unwrap());
    }

    pub(crate) fn seen<T>(&self, look: impl FnOnce(&Script) -> T) -> T {
        look(&self.script.lock().unwrap())
    }
}

impl Connected for Guarded<TlsStream<TcpStream>> {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

fn silent() -> Status {
    Status::unimplemented("not in this script")
}

#[tonic::async_trait]
impl Directory for Stub {
    async fn lookup(
        &self,
        request: Request<wire::LookupRequest>,
    ) -> Result<Response<wire::LookupReply>, Status> {
        let mut script = self.script.lock().unwrap();
        script.asked.push(request.into_inner());
        script.lookup.clone().map(Response::new).ok_or_else(silent)
    }

    async fn publish_key_bundle(
        &self,
        request: Request<wire::PublishKeyBundleRequest>,
    ) -> Result<Response<wire::PublishKeyBundleReply>, Status> {
        let mut script = self.script.lock().unwrap();
        script.bundles.extend(request.into_inner().key_bundle);
        if script.refuse_bundles {
            return Err(Status::unavailable("later"));
        }
        Ok(Response::new(wire::PublishKeyBundleReply { leaf_index: 1 }))
    }
}

#[tonic::async_trait]
impl Agreements for Stub {
    async fn list(
        &self,
        _: Request<wire::ListAgreementsRequest>,
    ) -> Result<Response<wire::ListAgreementsReply>, Status> {
        self.script.lock().unwrap().agreements.clone().map(Response::new).ok_or_else(silent)
    }

    async fn sign(
        &self,
        request: Request<wire::SignAgreementRequest>,
    ) -> Result<Response<wire::SignAgreementReply>, Status> {
        self.script.lock().unwrap().signed.push(request.into_inner());
        Ok(Response::new(wire::SignAgreementReply { standing: Some(wire::AgreementStanding::default()) }))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<wire::Change, Status>> + Send>>;

    async fn watch(&self, _: Request<wire::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let changes = WatchStream::new(self.changes.subscribe());
        Ok(Response::new(Box::pin(changes.map(|generation| Ok(wire::Change { generation })))))
    }
}

#[tonic::async_trait]
impl Enrolment for Stub {
    async fn enrol(
        &self,
        request: Request<wire::EnrolRequest>,
    ) -> Result<Response<wire::EnrolReply>, Status> {
        let script = self.script.lock().unwrap();
        let answer = script.enrol.as_ref().ok_or_else(silent)?;
        answer(request.into_inner()).map(Response::new)
    }
}

#[tonic::async_trait]
impl Renewal for Stub {
    async fn renew(
        &self,
        request: Request<wire::RenewRequest>,
    ) -> Result<Response<wire::RenewReply>, Status> {
        let script = self.script.lock().unwrap();
        let answer = script.renew.as_ref().ok_or_else(silent)?;
        answer(request.into_inner()).map(Response::new)
    }
}
