//! One caller of the local interface, and what it is bound to.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::CallerError;

/// The name of the agency itself: whoever holds `local.token`, or the account that the agent runs under.
pub(super) const LOCAL: &str = "local";

/// What a caller may do, beside looking at what belongs to its agreements.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Send records.
    Send,
    /// List, read and confirm what was received.
    Receive,
    /// Call services of other agencies.
    Call,
    /// Sign agreements for the agency.
    Sign,
    /// Change what the agent does for everybody: services, deliveries.
    Administer,
}

impl Action {
    /// As the configuration writes it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Receive => "receive",
            Self::Call => "call",
            Self::Sign => "sign",
            Self::Administer => "administer",
        }
    }
}

/// Which agreements, or which purposes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All, `"*"`.
    All,
    /// These.
    Only(BTreeSet<String>),
}

impl Scope {
    fn has(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(name),
        }
    }
}

/// What a system is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights {
    /// Numbers of agreements.
    pub agreements: Scope,
    /// Codes of purposes.
    pub purposes: Scope,
    /// What it may do under them.
    pub actions: BTreeSet<Action>,
}

/// Who asks. Clones cost little.
#[derive(Clone, PartialEq, Eq)]
pub struct Caller(Option<Arc<System>>);

#[derive(PartialEq, Eq)]
struct System {
    name: String,
    rights: Rights,
}

impl Caller {
    /// The agency itself, who may do everything: what the agent does of its own accord, and its administrator.
    #[must_use]
    pub fn local() -> Self {
        Self(None)
    }

    /// A system of the agency.
    #[must_use]
    pub fn system(name: impl Into<String>, rights: Rights) -> Self {
        Self(Some(Arc::new(System { name: name.into(), rights })))
    }

    /// The name of the system, for the agent's own messages: the gateway never sees it.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.as_ref().map_or(LOCAL, |system| &system.name)
    }

    /// Whether it is the agency itself.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.0.is_none()
    }

    /// Whether it may do such things at all.
    #[must_use]
    pub fn may(&self, action: Action) -> bool {
        self.0.as_ref().is_none_or(|system| system.rights.actions.contains(&action))
    }

    /// Whether it is bound to this agreement, for some purpose.
    #[must_use]
    pub fn sees(&self, agreement: &str) -> bool {
        self.0.as_ref().is_none_or(|system| system.rights.agreements.has(agreement))
    }

    /// Whether it is bound to this agreement for this purpose: what it may use, and whose records it may see.
    #[must_use]
    pub fn may_use(&self, agreement: &str, purpose: &str) -> bool {
        self.sees(agreement) && self.0.as_ref().is_none_or(|system| system.rights.purposes.has(purpose))
    }

    /// The same as [`Caller::may`], to be refused with what is to be done.
    ///
    /// # Errors
    /// [`CallerError::NotAllowed`].
    pub fn allow(&self, action: Action) -> Result<(), CallerError> {
        match self.may(action) {
            true => Ok(()),
            false => Err(CallerError::NotAllowed { system: self.name().to_owned(), action }),
        }
    }

    /// The same as [`Caller::sees`], or as [`Caller::may_use`] once the purpose is known.
    ///
    /// # Errors
    /// [`CallerError::NotBound`].
    pub fn bound(&self, agreement: &str, purpose: Option<&str>) -> Result<(), CallerError> {
        if purpose.map_or_else(|| self.sees(agreement), |purpose| self.may_use(agreement, purpose)) {
            return Ok(());
        }
        let shown = |text: &str| text.chars().take(60).collect::<String>();
        Err(CallerError::NotBound {
            system: self.name().to_owned(),
            agreement: shown(agreement),
            purpose: purpose.map_or_else(|| "*".to_owned(), shown),
        })
    }
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Caller({})", self.name())
    }
}
