//! Services as a probe publishes them.

use anyhow::Context;
use bytes::Bytes;
use passerelle_proto::catalogue;
use passerelle_proto::wire::catalogue_client::CatalogueClient;
use passerelle_proto::wire::{PublishServiceRequest, ServiceDescription, ServiceOperation};

use super::Probe;

impl Probe {
    /// Publishes a service of the probe's agency with these operations (name, method, path), on or off.
    ///
    /// # Errors
    /// What the gateway refuses.
    pub async fn publish_service(
        &self,
        service: &str,
        operations: &[(&str, &str, &str)],
        data_categories: &[&str],
        enabled: bool,
    ) -> anyhow::Result<()> {
        let openapi = openapi(service, operations);
        let (openapi_digest, openapi_length) = catalogue::document_of(&openapi);
        let mut sorted: Vec<_> = operations.to_vec();
        sorted.sort_by_key(|(_, method, path)| (*path, *method));
        let operation = |(name, method, path): &(&str, &str, &str)| ServiceOperation {
            name: (*name).to_owned(),
            method: (*method).to_owned(),
            path: (*path).to_owned(),
        };
        let now = self.now().as_millis();
        let description = ServiceDescription {
            service: service.to_owned(),
            created_ms: now,
            version_since_ms: now,
            enabled,
            title_fr: service.to_owned(),
            title_en: service.to_owned(),
            version: "1".to_owned(),
            data_categories: data_categories.iter().map(ToString::to_string).collect(),
            classification: "protege-b".to_owned(),
            operations: sorted.iter().map(operation).collect(),
            openapi_digest,
            openapi_length,
            ..ServiceDescription::default()
        };
        let signed = catalogue::sign(&self.id, description, self.signing.as_ref())?;
        let request = PublishServiceRequest { service: Some(signed), openapi };
        let mut client = CatalogueClient::new(self.channel.clone());
        client.publish(request).await.with_context(|| service.to_owned())?;
        Ok(())
    }
}

/// An OpenAPI document with these operations.
#[must_use]
pub fn openapi(title: &str, operations: &[(&str, &str, &str)]) -> Bytes {
    let mut paths = serde_json::Map::new();
    for (name, method, path) in operations {
        let answers = serde_json::json!({ "200": { "description": "OK" } });
        let operation = serde_json::json!({ "operationId": name, "responses": answers });
        let item = paths.entry(*path).or_insert_with(|| serde_json::json!({}));
        if let Some(item) = item.as_object_mut() {
            item.insert(method.to_ascii_lowercase(), operation);
        }
    }
    let info = serde_json::json!({ "title": title, "version": "1" });
    serde_json::json!({ "openapi": "3.1.0", "info": info, "paths": paths }).to_string().into()
}
