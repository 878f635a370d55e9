//! Where a gateway listens.

use std::fmt;
use std::str::FromStr;

use rustls::pki_types::ServerName;
use serde::{Deserialize, Serialize};

/// Host and port of a gateway's listener, written `https://host:port`. The host is the name (or address) that the
/// gateway's certificate must carry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GatewayAddress {
    host: String,
    port: u16,
}

/// Not an address of a gateway.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("« {0} » n'est pas une adresse https://hôte:port / is not an address https://host:port")]
pub struct AddressError(String);

impl GatewayAddress {
    /// The host, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The name that the gateway's certificate must carry.
    pub(crate) fn server_name(&self) -> Option<ServerName<'static>> {
        ServerName::try_from(self.host.clone()).ok()
    }

    /// `host:port`, an IPv6 address in brackets.
    pub(crate) fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// `https://host:port`.
impl fmt::Display for GatewayAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}", self.authority())
    }
}

impl FromStr for GatewayAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let refuse = || AddressError(text.chars().take(100).collect());
        let rest = text.strip_prefix("https://").ok_or_else(refuse)?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = rest.rsplit_once(':').ok_or_else(refuse)?;
        let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = match bracketed {
            Some(host) => host,
            None if host.contains(':') => return Err(refuse()),
            None => host,
        };
        let port: u16 = port.parse().map_err(|_| refuse())?;
        let address = Self { host: host.to_owned(), port };
        if port == 0 || address.server_name().is_none() {
            return Err(refuse());
        }
        Ok(address)
    }
}

impl TryFrom<String> for GatewayAddress {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl From<GatewayAddress> for String {
    fn from(address: GatewayAddress) -> Self {
        address.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_read() {
        for text in ["https://passerelle.qc.example:7443", "https://127.0.0.1:7443", "https://[::1]:7443"] {
            let address: GatewayAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
        }
        let address: GatewayAddress = "https://[::1]:7443/".parse().unwrap();
        assert_eq!((address.host(), address.port()), ("::1", 7443));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "https://",
            "https://host",
            "http://host:7443",
            "host:7443",
            "https://host:0",
            "https://host:70000",
            "https://host:7443/chemin",
            "https://user@host:7443",
            "https://::1:7443",
            "https://ho st:7443",
        ] {
            assert!(text.parse::<GatewayAddress>().is_err(), "{text:?}");
        }
    }
}
