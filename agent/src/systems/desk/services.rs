//! The catalogue, for one caller: the agency's own services, and those that an agreement that the caller is bound to names.

use std::sync::Arc;

use bytes::Bytes;
use passerelle_pki::name::AgencyCode;

use super::Desk;
use crate::catalogue::{CatalogueError, Listed, Publication};
use crate::systems::{Action, CallerError};

/// Why a service of the agency's own was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ServiceChangeError {
    /// The caller may not.
    #[error(transparent)]
    Caller(CallerError),
    /// It is another agency's.
    #[error(
        "ce service est de {0} ; seul cet organisme le publie / this service is of {0}; only that agency publishes it"
    )]
    NotOurs(AgencyCode),
    /// The catalogue.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
}

impl Desk {
    /// Every service that the caller may see, by agency and name.
    #[must_use]
    pub fn services(&self) -> Vec<Arc<Listed>> {
        let mut services = self.agent.catalogue().list();
        services.retain(|listed| self.sees_service(listed));
        services
    }

    /// One of them.
    ///
    /// # Errors
    /// [`CatalogueError::Unknown`].
    pub fn service(&self, agency: &AgencyCode, service: &str) -> Result<Arc<Listed>, CatalogueError> {
        let listed = self.agent.service(agency, service)?;
        if self.sees_service(&listed) { Ok(listed) } else { Err(CatalogueError::Unknown(listed.name())) }
    }

    /// Its OpenAPI document, its exact bytes.
    ///
    /// # Errors
    /// [`CatalogueError`].
    pub async fn service_document(
        &self,
        agency: &AgencyCode,
        service: &str,
    ) -> Result<Bytes, CatalogueError> {
        self.service(agency, service)?;
        self.agent.service_document(agency, service).await
    }

    /// [`Agent::publish_service`](crate::agent::Agent::publish_service), of a service of `agency`, which must be our own.
    ///
    /// # Errors
    /// [`ServiceChangeError`].
    pub async fn publish_service(
        &self,
        agency: &AgencyCode,
        publication: Publication,
    ) -> Result<Arc<Listed>, ServiceChangeError> {
        self.may_change(agency)?;
        Ok(self.agent.publish_service(publication).await?)
    }

    /// [`Agent::turn_service`](crate::agent::Agent::turn_service), of a service of `agency`, which must be our own.
    ///
    /// # Errors
    /// [`ServiceChangeError`].
    pub async fn turn_service(
        &self,
        agency: &AgencyCode,
        service: &str,
        enabled: bool,
    ) -> Result<Arc<Listed>, ServiceChangeError> {
        self.may_change(agency)?;
        Ok(self.agent.turn_service(service, enabled).await?)
    }

    fn may_change(&self, agency: &AgencyCode) -> Result<(), ServiceChangeError> {
        self.allow(Action::Administer).map_err(ServiceChangeError::Caller)?;
        if *agency == self.agent.id().agency {
            Ok(())
        } else {
            Err(ServiceChangeError::NotOurs(agency.clone()))
        }
    }

    fn sees_service(&self, listed: &Listed) -> bool {
        self.caller.is_local()
            || *listed.agency() == self.agent.id().agency
            || self.agreements().iter().any(|agreement| {
                agreement.provider == *listed.agency()
                    && agreement.services.iter().any(|name| name == listed.service().service())
            })
    }
}
