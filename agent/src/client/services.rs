//! The catalogue: what agencies offer to be called, and what ours does.

use bytes::Bytes;
use http::Method;
use passerelle_pki::name::AgencyCode;

use super::error::ClientError;
use super::options::{encoded, query};
use super::transport::{Outgoing, exchange};
use super::{LocalClient, PATIENCE, accepted, read, whole};
use crate::local::model::{Service, ServiceDetail, Services};

/// What is said of a service beside its OpenAPI document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceOptions {
    /// Codes of the data categories.
    pub categories: Vec<String>,
    /// The agency's code of classification.
    pub classification: String,
    /// Title in English; the document's own when not given.
    pub title_en: Option<String>,
}

impl LocalClient {
    /// Every service that the agent lists.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn services(&self) -> Result<Vec<Service>, ClientError> {
        Ok(self.ask::<Services>("/v1/services", None).await?.services)
    }

    /// One service, with its operations.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn service(&self, agency: &AgencyCode, service: &str) -> Result<ServiceDetail, ClientError> {
        self.ask(&path(agency, service), None).await
    }

    /// Its OpenAPI document, its exact bytes.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn service_document(&self, agency: &AgencyCode, service: &str) -> Result<Bytes, ClientError> {
        let path = format!("{}/openapi", path(agency, service));
        let request = self.request(Method::GET, &path, Outgoing::empty())?;
        whole(accepted(exchange(&self.endpoint, request, PATIENCE).await?).await?).await
    }

    /// Publishes a service of the agency's own: a new one is turned off.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn publish_service(
        &self,
        (agency, service): (&AgencyCode, &str),
        options: &ServiceOptions,
        openapi: Vec<u8>,
    ) -> Result<ServiceDetail, ClientError> {
        let said = [
            ("categories", Some(options.categories.join(","))),
            ("classification", Some(options.classification.clone())),
            ("title_en", options.title_en.clone()),
        ];
        let path = query(&path(agency, service), &said);
        let request = self.request(Method::PUT, &path, Outgoing::whole(openapi))?;
        read(exchange(&self.endpoint, request, PATIENCE).await?).await
    }

    /// Turns a service of the agency's own on or off.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn turn_service(
        &self,
        (agency, service): (&AgencyCode, &str),
        enabled: bool,
    ) -> Result<ServiceDetail, ClientError> {
        let path = format!("{}/{}", path(agency, service), if enabled { "enable" } else { "disable" });
        let request = self.request(Method::POST, &path, Outgoing::empty())?;
        read(exchange(&self.endpoint, request, PATIENCE).await?).await
    }
}

fn path(agency: &AgencyCode, service: &str) -> String {
    format!("/v1/services/{agency}/{}", encoded(service))
}
