//! Services as the agency's systems see them.

use std::sync::Arc;

use bytes::Bytes;
use passerelle_pki::name::AgencyCode;
use tonic::transport::Channel;

use super::Agent;
use crate::catalogue::{Catalogue, CatalogueError, Listed, Publication};

impl Agent {
    /// The verified catalogue.
    #[must_use]
    pub fn catalogue(&self) -> &Catalogue {
        &self.0.catalogue
    }

    /// A service.
    ///
    /// # Errors
    /// [`CatalogueError::Unknown`].
    pub fn service(&self, agency: &AgencyCode, service: &str) -> Result<Arc<Listed>, CatalogueError> {
        let unknown = || CatalogueError::Unknown(format!("{agency}/{service}").chars().take(120).collect());
        self.0.catalogue.service(agency, service).ok_or_else(unknown)
    }

    /// The OpenAPI document of a service, its exact bytes.
    ///
    /// # Errors
    /// [`CatalogueError`]; also when it is not here and there is no connection.
    pub async fn service_document(
        &self,
        agency: &AgencyCode,
        service: &str,
    ) -> Result<Bytes, CatalogueError> {
        let listed = self.service(agency, service)?;
        self.0.catalogue.document(&listed, self.0.link.channel()).await
    }

    /// Publishes a service of the agency's own: a new one is turned off.
    ///
    /// # Errors
    /// [`CatalogueError`]; also when there is no connection.
    pub async fn publish_service(&self, publication: Publication) -> Result<Arc<Listed>, CatalogueError> {
        self.0.catalogue.publish(self.connected()?, &self.0.identity, publication).await
    }

    /// Turns a service of the agency's own on or off.
    ///
    /// # Errors
    /// [`CatalogueError`]; also when there is no connection.
    pub async fn turn_service(&self, service: &str, enabled: bool) -> Result<Arc<Listed>, CatalogueError> {
        self.0.catalogue.turn(self.connected()?, &self.0.identity, service, enabled).await
    }

    fn connected(&self) -> Result<Channel, CatalogueError> {
        self.0.link.channel().ok_or_else(CatalogueError::away)
    }
}
