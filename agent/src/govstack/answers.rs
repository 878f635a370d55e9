//! How answers are said: the JSON of GovStack's directory interface, and nothing beside it.

use std::collections::{BTreeMap, BTreeSet};

use passerelle_pki::name::AgencyCode;
use serde::Serialize;

use super::GovstackSettings;
use super::names::APPLICATION;
use super::offers::Offer;

/// `{"member": […]}`.
#[derive(Debug, Serialize)]
pub(super) struct Listing<T> {
    member: Vec<T>,
}

impl<T> Listing<T> {
    /// Of nothing: what is asked for is well-formed and not here.
    pub(super) fn empty() -> Self {
        Self { member: Vec::new() }
    }
}

/// A member, its application, or a service.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    object_type: ObjectType,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_type: Option<&'static str>,
    #[serde(rename = "GovStackInstance")]
    instance: String,
    member_class: String,
    member_code: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    application_code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint_list: Option<Listing<Endpoint>>,
}

#[derive(Debug, Serialize)]
struct ObjectType {
    object_type: &'static str,
}

#[derive(Debug, Serialize)]
struct Endpoint {
    method: String,
    path: String,
}

fn member(settings: &GovstackSettings, agency: &AgencyCode) -> Entry {
    Entry {
        object_type: ObjectType { object_type: "MEMBER" },
        service_type: None,
        instance: settings.instance.clone(),
        member_class: settings.class.clone(),
        member_code: agency.to_string(),
        application_code: None,
        service_code: None,
        endpoint_list: None,
    }
}

/// Each agency, and its application.
pub(super) fn clients(settings: &GovstackSettings, agencies: &BTreeSet<AgencyCode>) -> Listing<Entry> {
    let both = |agency: &AgencyCode| {
        let application = Entry {
            object_type: ObjectType { object_type: "SUBSYSTEM" },
            application_code: Some(APPLICATION),
            ..member(settings, agency)
        };
        [member(settings, agency), application]
    };
    Listing { member: agencies.iter().flat_map(both).collect() }
}

/// Services, each once, with what any of the offers lets be called.
pub(super) fn services<'a>(
    settings: &GovstackSettings,
    offers: impl Iterator<Item = &'a Offer>,
) -> Listing<Entry> {
    let mut services: BTreeMap<(&AgencyCode, &str), BTreeSet<&(String, String)>> = BTreeMap::new();
    for offer in offers {
        services.entry((&offer.provider, &offer.service)).or_default().extend(&offer.endpoints);
    }
    let entry = |((provider, service), endpoints): ((&AgencyCode, &str), BTreeSet<&(String, String)>)| {
        let endpoint =
            |(method, path): &(String, String)| Endpoint { method: method.clone(), path: path.clone() };
        Entry {
            object_type: ObjectType { object_type: "SERVICE" },
            service_type: Some("OPENAPI"),
            application_code: Some(APPLICATION),
            service_code: Some(service.to_owned()),
            endpoint_list: Some(Listing { member: endpoints.into_iter().map(endpoint).collect() }),
            ..member(settings, provider)
        }
    };
    Listing { member: services.into_iter().map(entry).collect() }
}
