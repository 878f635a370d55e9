//! Names, checked once.
//!
//! Owns the form of every name that identifies a party: the agency's code, the agent's name, the trust domain, and
//! the identity that a certificate certifies ([`Identity`]). A value of these types has passed the check, so nobody
//! downstream meets a slash, a capital or a percent sign in a name.

mod identity;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use identity::{AgentId, Identity};

/// Why a name was refused. The peer or the person who gave it is at fault, never us.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// A code or name that breaks the rule of [`AgencyCode`].
    #[error("{0:?} is not a name: 2 to 40 of a-z, 0-9 and '-', not starting or ending with '-'")]
    Form(String),
    /// A trust domain that breaks the rule of [`TrustDomain`].
    #[error("{0:?} is not a trust domain: 1 to 255 of a-z, 0-9, '.', '-' and '_'")]
    TrustDomain(String),
    /// A URI that is not one of ours.
    #[error(
        "{0:?} is not an identity: spiffe://<trust domain>/agency/<agency>/agent/<agent>, …/gateway/<name> or …/operator/<name>"
    )]
    Identity(String),
    /// An identity as people write it that is neither `agency/agent`, `gateway:name` nor `operator:name`.
    #[error("{0:?} is not an identity: agency/agent, gateway:name or operator:name")]
    Short(String),
}

/// 2 to 40 characters of `a-z0-9-`, the first and last of them a letter or digit.
fn is_name(text: &str) -> bool {
    let inner = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (2..=40).contains(&text.len())
        && text.bytes().all(|byte| inner(&byte) || byte == b'-')
        && text.as_bytes().first().is_some_and(inner)
        && text.as_bytes().last().is_some_and(inner)
}

/// Letters and digits in lower case, dots, dashes and underscores, at most 255 (SPIFFE ID specification 2.1).
fn is_trust_domain(text: &str) -> bool {
    (1..=255).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte))
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $check:ident, $error:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                if $check(text) { Ok(Self(text.into())) } else { Err(NameError::$error(excerpt(text))) }
            }
        }

        impl TryFrom<&str> for $name {
            type Error = NameError;

            fn try_from(text: &str) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.into()
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name_type! {
    /// The code of an agency (organisme), as in `ramq`: `^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])$`.
    AgencyCode, is_name, Form
}

name_type! {
    /// The name of an agent within its agency, of a gateway or of an operator. Same form as [`AgencyCode`].
    AgentName, is_name, Form
}

name_type! {
    /// A SPIFFE trust domain, as in `qc.example`: everything under one root.
    TrustDomain, is_trust_domain, TrustDomain
}

/// What of a refused text goes into an error: enough to recognise it, whatever its length.
fn excerpt(text: &str) -> String {
    text.chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_right_form_are_taken() {
        for text in ["ramq", "r2", "revenu-quebec", "a--b", &"a".repeat(40)] {
            assert_eq!(AgencyCode::try_from(text).map(String::from), Ok(text.to_owned()));
        }
    }

    #[test]
    fn names_of_another_form_are_refused() {
        for text in [
            "",
            "a",
            "-ab",
            "ab-",
            "RAMQ",
            "ra mq",
            "ra/mq",
            "ra%6dq",
            "québec",
            "ra.mq",
            "ra\0q",
            &"a".repeat(41),
        ] {
            assert!(AgencyCode::try_from(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn trust_domains_are_lower_case_without_port_or_user() {
        assert!(TrustDomain::try_from("qc.example").is_ok());
        for text in
            ["", "QC.example", "qc.example:443", "user@qc.example", "qc.example/", "%71c", &"a".repeat(256)]
        {
            assert!(TrustDomain::try_from(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_error_never_carries_an_endless_name() {
        let error = AgencyCode::try_from("x".repeat(1 << 20)).unwrap_err();
        assert!(error.to_string().len() < 300);
    }
}
