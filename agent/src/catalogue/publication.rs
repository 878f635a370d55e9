//! Publishing a service of this agency's own, turning it on and off, and keeping its signature alive.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use passerelle_proto::catalogue;
use passerelle_proto::wire;
use passerelle_proto::wire::catalogue_client::CatalogueClient;
use tonic::transport::Channel;

use super::{Catalogue, CatalogueError, Listed, openapi, refused};
use crate::identity::Identity;
use crate::link;

/// What an agency says of a service beside its OpenAPI document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Publication {
    /// Its name, as agreements name it.
    pub service: String,
    /// Codes of the data categories.
    pub data_categories: BTreeSet<String>,
    /// The agency's code of classification.
    pub classification: String,
    /// The title in English; the document's own when not given.
    pub title_en: Option<String>,
    /// The document's exact bytes.
    pub openapi: Bytes,
}

impl Catalogue {
    /// Publishes a service: a new one turned off, one that is there as it is, on or off.
    ///
    /// # Errors
    /// [`CatalogueError::OpenApi`] with every mistake of the document; [`CatalogueError`] otherwise. Nothing is published
    /// then.
    pub async fn publish(
        &self,
        channel: Channel,
        identity: &Identity,
        publication: Publication,
    ) -> Result<Arc<Listed>, CatalogueError> {
        let _publishing = self.0.publishing.lock().await;
        let interface = openapi::read(&publication.openapi).map_err(CatalogueError::OpenApi)?;
        let (openapi_digest, openapi_length) = catalogue::document_of(&publication.openapi);
        let operations = interface.operations.into_iter().map(|operation| wire::ServiceOperation {
            name: operation.name,
            method: operation.method,
            path: operation.path.as_str().to_owned(),
        });
        let description = wire::ServiceDescription {
            service: publication.service.clone(),
            title_en: publication.title_en.unwrap_or_else(|| interface.title.clone()),
            title_fr: interface.title,
            version: interface.version,
            data_categories: publication.data_categories.into_iter().collect(),
            classification: publication.classification,
            operations: operations.collect(),
            openapi_digest,
            openapi_length,
            enabled: self.own(&publication.service).is_some_and(|known| known.enabled()),
            ..wire::ServiceDescription::default()
        };
        self.send(channel, identity, description, publication.openapi).await
    }

    /// Turns a service on or off.
    ///
    /// # Errors
    /// [`CatalogueError`]; nothing has changed then.
    pub async fn turn(
        &self,
        channel: Channel,
        identity: &Identity,
        service: &str,
        enabled: bool,
    ) -> Result<Arc<Listed>, CatalogueError> {
        let _publishing = self.0.publishing.lock().await;
        let unknown = || CatalogueError::Unknown(service.chars().take(64).collect());
        let known = self.own(service).ok_or_else(unknown)?;
        if known.enabled() == enabled {
            return Ok(known);
        }
        let description = wire::ServiceDescription { enabled, ..known.service().description().clone() };
        self.send(channel, identity, description, Bytes::new()).await
    }

    /// Signs anew what this agent has signed with a key that was renewed since: a description is believed as long as the
    /// certificate of its signature is. What another agent of the agency signed is left to that one.
    ///
    /// # Errors
    /// [`CatalogueError`]; it is tried again.
    pub async fn keep_signed(&self, channel: &Channel, identity: &Identity) -> Result<(), CatalogueError> {
        let present = identity.signing_certificate().key_id();
        let is_behind = |listed: &Arc<Listed>| {
            listed.service().agent() == identity.agent() && listed.service().signing_key_id() != present
        };
        for behind in self.list().into_iter().filter(is_behind) {
            let _publishing = self.0.publishing.lock().await;
            // It may have been turned off, or published anew, while the lock was waited for.
            let Some(listed) = self.own(behind.service().service()).filter(is_behind) else { continue };
            let description = listed.service().description().clone();
            self.send(channel.clone(), identity, description, Bytes::new()).await?;
        }
        Ok(())
    }

    /// Signs a description as of now and publishes it.
    async fn send(
        &self,
        channel: Channel,
        identity: &Identity,
        mut description: wire::ServiceDescription,
        openapi: Bytes,
    ) -> Result<Arc<Listed>, CatalogueError> {
        let service = description.service.clone();
        let known = self.own(&service);
        let before = known.as_ref().map(|known| known.service().created().as_millis()).unwrap_or_default();
        // Later than the one at hand, whatever the clock was when that was made.
        description.created_ms = self.now().as_millis().max(before + 1);
        let same = known.filter(|known| known.service().description().version == description.version);
        description.version_since_ms =
            same.map_or(description.created_ms, |known| known.service().version_since().as_millis());
        let (_, key) = identity.signing();
        let agent = identity.agent().clone();
        // A token signs in its own time.
        let signed = tokio::task::spawn_blocking(move || catalogue::sign(&agent, description, key.as_ref()));
        let cut = |_| refused(tonic::Status::cancelled("arrêt / stopping"));
        let signed = signed.await.map_err(cut)?.map_err(CatalogueError::Description)?;
        let request = wire::PublishServiceRequest { service: Some(signed), openapi };
        let mut client = CatalogueClient::new(channel.clone());
        link::call(client.publish(request)).await.map_err(refused)?;
        self.refresh(channel).await?;
        self.own(&service).ok_or(CatalogueError::Unknown(service))
    }
}
