//! Who calls: put into every request's extensions by the listener, from the verified TLS connection and nothing
//! else.

use std::sync::Arc;

use passerelle_pki::name::{AgentId, Identity};
use passerelle_pki::tls::PeerCertificate;
use tonic::{Request, Status};

/// The peer of a request.
#[derive(Clone, Debug)]
pub enum Caller {
    /// An agent with a verified client certificate (listener `agents`).
    Agent(Arc<AgentCaller>),
    /// Anybody (listener `public`): operators show a token, agents to be enrolled a one-time token.
    Public,
}

/// An agent, as its certificate says.
#[derive(Debug)]
pub struct AgentCaller {
    /// Agency and agent.
    pub id: AgentId,
    /// The certificate of the connection.
    pub certificate: PeerCertificate,
}

impl Caller {
    /// The caller of a connection with this client certificate; `None` when it does not name an agent.
    pub fn of(certificate: PeerCertificate) -> Option<Self> {
        match &certificate.identity {
            Identity::Agent(id) => Some(Self::Agent(Arc::new(AgentCaller { id: id.clone(), certificate }))),
            Identity::Gateway(_) | Identity::Operator(_) => None,
        }
    }
}

impl AgentCaller {
    /// The actor of events that this agent causes.
    pub fn actor(&self) -> passerelle_proto::wire::Actor {
        actor_of(&self.id, &self.certificate.thumbprint)
    }
}

/// The actor that an agent is in an event.
pub fn actor_of(id: &AgentId, tls_certificate: &[u8; 32]) -> passerelle_proto::wire::Actor {
    passerelle_proto::wire::Actor {
        actor: Some(passerelle_proto::wire::actor::Actor::Agent(id.to_string())),
        tls_certificate: bytes::Bytes::copy_from_slice(tls_certificate),
        roles: Vec::new(),
    }
}

/// The agent that makes this request. Fails closed: a request without an agent's certificate is unauthenticated.
pub fn agent<T>(request: &Request<T>) -> Result<Arc<AgentCaller>, Status> {
    match request.extensions().get::<Caller>() {
        Some(Caller::Agent(agent)) => Ok(Arc::clone(agent)),
        Some(Caller::Public) | None => Err(Status::unauthenticated(
            "Un certificat d'agent est requis sur ce service. / An agent's certificate is required here.",
        )),
    }
}

/// The actor of what the gateway does itself.
pub fn gateway_actor(name: &str) -> passerelle_proto::wire::Actor {
    passerelle_proto::wire::Actor {
        actor: Some(passerelle_proto::wire::actor::Actor::Gateway(name.to_owned())),
        tls_certificate: bytes::Bytes::new(),
        roles: Vec::new(),
    }
}
