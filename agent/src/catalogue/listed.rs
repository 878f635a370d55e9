//! One service of the catalogue, verified.

use std::collections::BTreeMap;

use passerelle_pki::certificate::VerifiedCertificate;
use passerelle_pki::name::AgencyCode;
use passerelle_proto::call::path::{PathTemplate, RequestPath};
use passerelle_proto::catalogue::VerifiedService;
use passerelle_proto::wire;

use super::error::OperationError;
use super::openapi::{Demands, Interface};

/// A service.
#[derive(Debug)]
pub struct Listed {
    entry: wire::ServiceEntry,
    signer: VerifiedCertificate,
    service: VerifiedService,
    /// By the operation's name; `None` when the document is not here, or is none.
    demands: Option<BTreeMap<String, Demands>>,
    has_document: bool,
}

/// An operation that a request is.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Its `operationId`: what headers call it.
    pub name: String,
    /// Its path.
    pub template: PathTemplate,
    /// Codes of the service's data categories, sorted.
    pub data_categories: Vec<String>,
    demands: Option<Demands>,
}

impl Operation {
    /// Whether a request meets what the service's document demands of it: its query as it was asked (without `?`), the
    /// media type of its content, and whether it has one.
    ///
    /// # Errors
    /// [`OperationError::Demands`].
    pub fn check(
        &self,
        query: &str,
        content_type: Option<&str>,
        has_body: bool,
    ) -> Result<(), OperationError> {
        match &self.demands {
            Some(demands) => demands.check(query, content_type, has_body).map_err(OperationError::Demands),
            None => Ok(()),
        }
    }
}

impl Listed {
    pub(super) fn new(
        entry: wire::ServiceEntry,
        (signer, service): (VerifiedCertificate, VerifiedService),
        has_document: bool,
        interface: Option<Interface>,
    ) -> Self {
        let demands = interface.map(|interface| {
            interface.operations.into_iter().map(|operation| (operation.name, operation.demands)).collect()
        });
        Self { entry, signer, service, demands, has_document }
    }

    /// Who offers it.
    #[must_use]
    pub fn agency(&self) -> &AgencyCode {
        &self.service.agent().agency
    }

    /// `agency/service`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}", self.agency(), self.service.service())
    }

    /// What its agency signed.
    #[must_use]
    pub fn service(&self) -> &VerifiedService {
        &self.service
    }

    /// Whether it may be called.
    #[must_use]
    pub fn enabled(&self) -> bool {
        self.service.enabled()
    }

    /// The certificate of whoever signed it.
    pub(super) fn signer(&self) -> &VerifiedCertificate {
        &self.signer
    }

    /// As the gateway gave it.
    pub(super) fn entry(&self) -> &wire::ServiceEntry {
        &self.entry
    }

    pub(super) fn has_document(&self) -> bool {
        self.has_document
    }

    /// The operation that a method on a path is. For the agent that provides: as for callers, a service that is turned off
    /// has none.
    ///
    /// # Errors
    /// [`OperationError`].
    pub fn operation(&self, method: &str, path: &RequestPath) -> Result<Operation, OperationError> {
        if !self.enabled() {
            return Err(OperationError::ServiceDisabled);
        }
        let Some(found) = self.service.operation(method, path) else {
            let covering = self.service.operations().iter().filter(|operation| operation.path.matches(path));
            let methods: Vec<String> = covering.map(|operation| operation.method.clone()).collect();
            return Err(match methods.is_empty() {
                true => OperationError::PathUnknown,
                false => OperationError::MethodUnknown(methods),
            });
        };
        Ok(Operation {
            name: found.name.clone(),
            template: found.path.clone(),
            data_categories: self.service.description().data_categories.clone(),
            demands: self.demands.as_ref().and_then(|demands| demands.get(&found.name).cloned()),
        })
    }
}
