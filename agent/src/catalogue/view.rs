//! An answer read: which services are believed, and which description was the newest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use passerelle_pki::certificate::Chain;
use passerelle_pki::clock::Timestamp;
use passerelle_pki::name::AgencyCode;
use passerelle_proto::catalogue;
use passerelle_proto::wire;
use prost::Message;

use super::documents::Documents;
use super::error::ServiceEntryError;
use super::listed::Listed;
use super::{Report, openapi};
use crate::directory::Directory;

/// Who offers a service, and its name.
pub(super) type Key = (AgencyCode, String);

/// What is in force.
#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) services: BTreeMap<Key, Arc<Listed>>,
    /// When the newest description was made that was believed, of services that are not listed any more too.
    pub(super) newest: BTreeMap<Key, Timestamp>,
    pub(super) fetched: Option<Timestamp>,
}

impl View {
    /// The documents that are named.
    pub(super) fn digests(&self) -> BTreeSet<[u8; 32]> {
        self.services.values().map(|listed| listed.service().openapi_digest()).collect()
    }
}

/// What entries are held against.
pub(super) struct Context<'a> {
    pub(super) directory: &'a Directory,
    pub(super) documents: &'a Documents,
    pub(super) known: &'a View,
    pub(super) now: Timestamp,
}

impl Context<'_> {
    pub(super) fn read(&self, entries: &[wire::ServiceEntry]) -> (View, Report) {
        let mut view = View { newest: self.known.newest.clone(), ..View::default() };
        let mut report = Report::default();
        for entry in entries {
            match self.entry(entry, &view) {
                Ok(listed) => {
                    let key = (listed.agency().clone(), listed.service().service().to_owned());
                    view.newest.insert(key.clone(), listed.service().created());
                    view.services.insert(key, listed);
                    report.taken += 1;
                }
                Err(error) => report.refused.push((named(entry), error)),
            }
        }
        (view, report)
    }

    fn entry(&self, entry: &wire::ServiceEntry, view: &View) -> Result<Arc<Listed>, ServiceEntryError> {
        let statement = entry.service.as_ref().ok_or(ServiceEntryError::Empty)?;
        let chain = Chain::from_ders(&entry.signing_chain).map_err(ServiceEntryError::Certificate)?;
        let signer = self.directory.signer(&chain).map_err(ServiceEntryError::Signer)?;
        let Some(agent) = signer.identity().agent().cloned() else {
            return Err(ServiceEntryError::NotAnAgent(signer.identity().clone()));
        };
        let service = catalogue::verify(statement, signer.public_key(), &agent, self.now)
            .map_err(ServiceEntryError::Statement)?;
        let key = (agent.agency, service.service().to_owned());
        if view.services.contains_key(&key) {
            return Err(ServiceEntryError::Repeated);
        }
        let newest = self.known.newest.get(&key).copied();
        if let Some(known) = newest.filter(|known| *known > service.created()) {
            return Err(ServiceEntryError::Older { known, offered: service.created() });
        }
        // What was read before is read again only when something has changed.
        let known =
            self.known.services.get(&key).filter(|known| known.entry() == entry && known.has_document());
        if let Some(known) = known {
            return Ok(Arc::clone(known));
        }
        let document = self.documents.read(&service);
        let interface = document.as_ref().and_then(|document| openapi::read(document).ok());
        Ok(Arc::new(Listed::new(entry.clone(), (signer, service), document.is_some(), interface)))
    }
}

/// What an entry says that it is; nothing of it is believed.
fn named(entry: &wire::ServiceEntry) -> String {
    let payload = entry.service.as_ref().map(|statement| &statement.payload[..]).unwrap_or_default();
    let said = wire::ServiceDescription::decode(payload).unwrap_or_default();
    format!("{}/{}", said.agency, said.service).escape_debug().take(120).collect()
}
