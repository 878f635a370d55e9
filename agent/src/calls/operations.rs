//! What the catalogue says of a call: which operation its method and path are.

use std::collections::{BTreeMap, BTreeSet};

use passerelle_pki::name::AgencyCode;
use passerelle_proto::call::path::RequestPath;
use passerelle_proto::wire::Reason;

/// An operation of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Operation {
    /// Its name in the service's description.
    pub(crate) name: String,
    /// The categories of what it releases.
    pub(crate) data_categories: BTreeSet<String>,
}

/// The catalogue, as calls ask it. It is empty: no service is published yet, so that none is called.
#[derive(Debug, Default)]
pub(crate) struct Operations(BTreeMap<(AgencyCode, String), Vec<Operation>>);

impl Operations {
    /// The operation of another agency's service.
    pub(crate) fn of(
        &self,
        agency: &AgencyCode,
        service: &str,
        _method: &str,
        _path: &RequestPath,
    ) -> Result<Operation, (Reason, String)> {
        let found =
            self.0.get(&(agency.clone(), service.to_owned())).and_then(|operations| operations.first());
        found.cloned().ok_or((Reason::ServiceUnknown, "catalogue=empty".to_owned()))
    }
}
