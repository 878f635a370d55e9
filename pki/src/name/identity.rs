//! Who a certificate speaks for.
//!
//! Owns the two spellings of an identity: the SPIFFE URI in a certificate, read strictly (the only byte string that
//! [`Identity::from_uri`] accepts for an identity is the one that [`Identity::to_uri`] writes), and the short form
//! that people type and logs show.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{AgencyCode, AgentName, NameError, TrustDomain, excerpt};

/// One agent of one agency.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AgentId {
    /// The agency that the agent acts for.
    pub agency: AgencyCode,
    /// The agent within the agency.
    pub agent: AgentName,
}

/// `agency/agent`.
impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.agency, self.agent)
    }
}

impl FromStr for AgentId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (agency, agent) = text.split_once('/').ok_or_else(|| NameError::Short(excerpt(text)))?;
        Ok(Self { agency: agency.parse()?, agent: agent.parse()? })
    }
}

impl TryFrom<String> for AgentId {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<AgentId> for String {
    fn from(id: AgentId) -> Self {
        id.to_string()
    }
}

/// What a certificate certifies, under one trust domain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Identity {
    /// An agent: `spiffe://<trust domain>/agency/<agency>/agent/<agent>`.
    Agent(AgentId),
    /// A gateway: `spiffe://<trust domain>/gateway/<name>`.
    Gateway(AgentName),
    /// A person with a role: `spiffe://<trust domain>/operator/<name>`.
    Operator(AgentName),
}

impl Identity {
    /// The SPIFFE URI of this identity under a trust domain.
    #[must_use]
    pub fn to_uri(&self, domain: &TrustDomain) -> String {
        match self {
            Self::Agent(id) => format!("spiffe://{domain}/agency/{}/agent/{}", id.agency, id.agent),
            Self::Gateway(name) => format!("spiffe://{domain}/gateway/{name}"),
            Self::Operator(name) => format!("spiffe://{domain}/operator/{name}"),
        }
    }

    /// Reads a SPIFFE URI, strictly: no capitals, no percent-encoding, no port, query, fragment or empty segment.
    ///
    /// # Errors
    /// [`NameError`] for whatever [`Identity::to_uri`] would not have written.
    pub fn from_uri(uri: &str) -> Result<(TrustDomain, Self), NameError> {
        let refuse = || NameError::Identity(excerpt(uri));
        let mut parts = uri.strip_prefix("spiffe://").ok_or_else(refuse)?.split('/');
        let domain = parts.next().ok_or_else(refuse)?.parse()?;
        let path: [Option<&str>; 5] = std::array::from_fn(|_| parts.next());
        let identity = match path {
            [Some("agency"), Some(agency), Some("agent"), Some(agent), None] => {
                Self::Agent(AgentId { agency: agency.parse()?, agent: agent.parse()? })
            }
            [Some("gateway"), Some(name), None, None, None] => Self::Gateway(name.parse()?),
            [Some("operator"), Some(name), None, None, None] => Self::Operator(name.parse()?),
            _ => return Err(refuse()),
        };
        Ok((domain, identity))
    }

    /// The agent, when it is one.
    #[must_use]
    pub fn agent(&self) -> Option<&AgentId> {
        match self {
            Self::Agent(id) => Some(id),
            Self::Gateway(_) | Self::Operator(_) => None,
        }
    }
}

/// `agency/agent`, `gateway:name` or `operator:name`.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agent(id) => id.fmt(f),
            Self::Gateway(name) => write!(f, "gateway:{name}"),
            Self::Operator(name) => write!(f, "operator:{name}"),
        }
    }
}

impl FromStr for Identity {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.split_once(':') {
            Some(("gateway", name)) => Ok(Self::Gateway(name.parse()?)),
            Some(("operator", name)) => Ok(Self::Operator(name.parse()?)),
            Some(_) => Err(NameError::Short(excerpt(text))),
            None => Ok(Self::Agent(text.parse()?)),
        }
    }
}

impl TryFrom<String> for Identity {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Identity> for String {
    fn from(identity: Identity) -> Self {
        identity.to_string()
    }
}

impl From<AgentId> for Identity {
    fn from(id: AgentId) -> Self {
        Self::Agent(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_come_back_as_they_went() {
        let domain: TrustDomain = "qc.example".parse().unwrap();
        for short in ["ramq/agent-1", "gateway:principale", "operator:lise"] {
            let identity: Identity = short.parse().unwrap();
            assert_eq!(identity.to_string(), short);
            let uri = identity.to_uri(&domain);
            assert_eq!(Identity::from_uri(&uri), Ok((domain.clone(), identity)));
        }
    }

    #[test]
    fn the_uri_is_the_one_of_the_design() {
        let domain: TrustDomain = "qc.example".parse().unwrap();
        let identity: Identity = "ramq/agent-1".parse().unwrap();
        assert_eq!(identity.to_uri(&domain), "spiffe://qc.example/agency/ramq/agent/agent-1");
    }

    #[test]
    fn any_other_uri_is_refused() {
        for uri in [
            "",
            "spiffe://",
            "spiffe:///agency/ramq/agent/agent-1",
            "https://qc.example/agency/ramq/agent/agent-1",
            "SPIFFE://qc.example/agency/ramq/agent/agent-1",
            "spiffe://QC.example/agency/ramq/agent/agent-1",
            "spiffe://qc.example/agency/RAMQ/agent/agent-1",
            "spiffe://qc.example/agency/ra%6Dq/agent/agent-1",
            "spiffe://qc.example:443/agency/ramq/agent/agent-1",
            "spiffe://u@qc.example/agency/ramq/agent/agent-1",
            "spiffe://qc.example/agency/ramq/agent/agent-1/",
            "spiffe://qc.example/agency/ramq/agent/agent-1?x",
            "spiffe://qc.example/agency/ramq/agent/agent-1#x",
            "spiffe://qc.example/agency/ramq/agent/agent-1/more",
            "spiffe://qc.example/agency//agent/agent-1",
            "spiffe://qc.example/agency/../agent/agent-1",
            "spiffe://qc.example//agency/ramq/agent/agent-1",
            "spiffe://qc.example/agent/agent-1/agency/ramq",
            "spiffe://qc.example/gateway/principale/x",
            "spiffe://qc.example/gateway",
            "spiffe://qc.example/role/lise",
            "spiffe://qc.example",
        ] {
            assert!(Identity::from_uri(uri).is_err(), "{uri:?}");
        }
    }

    #[test]
    fn short_forms_of_nothing_are_refused() {
        for text in
            ["", "ramq", "ramq/", "/agent-1", "ramq/agent/1", "gateway:", "user:lise", "Gateway:principale"]
        {
            assert!(text.parse::<Identity>().is_err(), "{text:?}");
        }
    }
}
