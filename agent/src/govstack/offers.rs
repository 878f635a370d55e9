//! What can be called, as far as this agent knows: services of the catalogue, and what agreements in force release by
//! calls.

use std::collections::BTreeSet;

use passerelle_pki::name::AgencyCode;
use passerelle_proto::agreement::{Agreement, Method};

use crate::agent::Agent;
use crate::catalogue::Listed;

/// A service of an agency: under one agreement, or as its agency published it.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    pub(super) provider: AgencyCode,
    pub(super) service: String,
    /// Who may call it; nobody by the publication alone.
    pub(super) consumers: BTreeSet<AgencyCode>,
    /// Methods and path templates that may be used.
    pub(super) endpoints: BTreeSet<(String, String)>,
}

/// Every offer. A service that is turned off is none.
pub(super) fn offers(agent: &Agent) -> Vec<Offer> {
    let in_force = agent.agreements_in_force();
    let calls = in_force.iter().map(|version| version.agreement());
    let calls = calls.filter(|terms| terms.methods.contains(&Method::Call));
    let agreed =
        calls.flat_map(|terms| terms.services.iter().filter_map(|service| agreed(agent, terms, service)));
    let published = agent.catalogue().list();
    let published = published.iter().filter(|listed| listed.enabled()).map(|listed| Offer {
        provider: listed.agency().clone(),
        service: listed.service().service().to_owned(),
        consumers: BTreeSet::new(),
        endpoints: operations(listed, &[]),
    });
    agreed.chain(published).collect()
}

/// What an agreement releases of a service: the paths that it names, else the operations of the catalogue.
fn agreed(agent: &Agent, terms: &Agreement, service: &str) -> Option<Offer> {
    let provider = &terms.provider.agency;
    let listed = agent.catalogue().service(provider, service);
    if listed.as_ref().is_some_and(|listed| !listed.enabled()) {
        return None;
    }
    let scope = terms.operations.iter().find(|scope| scope.service == service);
    let paths = scope.map(|scope| &scope.paths[..]).unwrap_or_default();
    let names = scope.map(|scope| &scope.operations[..]).unwrap_or_default();
    let endpoints = match paths {
        [] => listed.map(|listed| operations(&listed, names)).unwrap_or_default(),
        paths => paths.iter().map(|path| (path.method.clone(), path.path.to_string())).collect(),
    };
    let consumers = terms.consumers.iter().map(|party| party.agency.clone()).collect();
    Some(Offer { provider: provider.clone(), service: service.to_owned(), consumers, endpoints })
}

/// Operations of these names; all when none is named.
fn operations(listed: &Listed, names: &[String]) -> BTreeSet<(String, String)> {
    let named = listed.service().operations().iter();
    let named = named.filter(|operation| names.is_empty() || names.contains(&operation.name));
    named.map(|operation| (operation.method.clone(), operation.path.to_string())).collect()
}
