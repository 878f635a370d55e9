//! What narrows an agreement below its services: the operations that may be called, and the fields that may leave.

use crate::call::path::{PathTemplate, RequestPath};
use crate::minimise::FieldPointer;

use super::basis::Otherwise;
use super::terms::Agreement;

/// The operations of one service. Each list that is given narrows: a call must satisfy both.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OperationScope {
    /// One of the agreement's services.
    pub service: String,
    /// Names of operations, unique; any when there are none.
    pub operations: Vec<String>,
    /// Methods and paths, unique; any when there are none.
    pub paths: Vec<OperationPath>,
}

/// A method with the paths that it may be used on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationPath {
    /// Upper-case, such as `GET`.
    pub method: String,
    /// Such as `/dossiers/{numero}`.
    pub path: PathTemplate,
}

impl OperationPath {
    fn key(&self) -> (&str, &str) {
        (&self.method, self.path.as_str())
    }
}

impl PartialOrd for OperationPath {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for OperationPath {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

/// Which fields of JSON content may leave, for some services. [`crate::minimise`] applies them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FieldRules {
    /// Services of the agreement, unique; every one when there are none.
    pub services: Vec<String>,
    /// At least one, unique.
    pub allow: Vec<FieldPointer>,
    /// What becomes of the others.
    pub otherwise: Otherwise,
}

impl Agreement {
    /// Whether an operation of a service may be called, by its name. For both agents and the gateway; whether the service
    /// is covered at all is another question.
    #[must_use]
    pub fn allows_operation(&self, service: &str, operation: &str) -> bool {
        self.scope(service).is_none_or(|scope| {
            scope.operations.is_empty() || scope.operations.iter().any(|name| name == operation)
        })
    }

    /// Whether a method may be used on a path of a service. For the provider's agent, once the request is open.
    #[must_use]
    pub fn allows_path(&self, service: &str, method: &str, path: &RequestPath) -> bool {
        self.scope(service).is_none_or(|scope| {
            scope.paths.is_empty()
                || scope.paths.iter().any(|allowed| allowed.method == method && allowed.path.matches(path))
        })
    }

    /// Which fields of a service's records and answers may leave; `None` when the agreement does not say.
    #[must_use]
    pub fn field_rules(&self, service: &str) -> Option<&FieldRules> {
        self.fields
            .iter()
            .find(|rules| rules.services.is_empty() || rules.services.iter().any(|name| name == service))
    }

    fn scope(&self, service: &str) -> Option<&OperationScope> {
        self.operations.iter().find(|scope| scope.service == service)
    }
}
