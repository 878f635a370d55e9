//! The services that this agency offers, and those of others that an agreement lets it see.
//!
//! The gateway keeps and lists them; what a service is, its own agency's signature says. Each description is verified here
//! with a certificate that leads to the root, is valid now and is not revoked; each OpenAPI document is compared with the
//! digest in it. An older description never replaces a newer one.
//!
//! What the gateway can do by lying: leave a service out, so that it cannot be called. It can turn none on, and change no
//! operation.
//!
//! The last answer is kept on disk, the documents beside it, and verified again when read.

mod documents;
mod error;
mod listed;
pub mod openapi;
mod publication;
mod stored;
#[cfg(test)]
mod tests;
mod view;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use bytes::Bytes;
use passerelle_pki::clock::{SharedClock, Timestamp};
use passerelle_pki::name::AgencyCode;
use passerelle_proto::call::path::RequestPath;
use passerelle_proto::wire;
use passerelle_proto::wire::catalogue_client::CatalogueClient;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::directory::Directory;
use crate::link;

pub use error::{CatalogueError, OperationError, ServiceEntryError};
pub use listed::{Listed, Operation};
pub use publication::Publication;

use documents::Documents;
use view::View;

/// Bytes of an answer that are taken.
const ANSWER_LIMIT: usize = 32 * 1024 * 1024;
/// Services in one answer.
const SERVICES_LIMIT: usize = 4_096;

/// What became of an answer.
#[derive(Debug, Default)]
pub struct Report {
    /// Services believed.
    pub taken: usize,
    /// What was not believed: which service (as the answer names it), and why.
    pub refused: Vec<(String, ServiceEntryError)>,
}

/// The verified catalogue. Clones share it.
#[derive(Clone, Debug)]
pub struct Catalogue(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    documents: Documents,
    agency: AgencyCode,
    directory: Directory,
    clock: SharedClock,
    view: ArcSwap<View>,
    /// Held while an answer is taken.
    taking: Mutex<()>,
    /// Held while a service is published: two descriptions must not be made from one.
    publishing: tokio::sync::Mutex<()>,
}

impl Catalogue {
    /// The catalogue of `agency` kept in a data folder; an empty one when none is kept. The directory tells which signing
    /// certificates were revoked: open it first.
    ///
    /// # Errors
    /// [`CatalogueError::File`] when the files are there and cannot be read.
    pub fn open(
        data_dir: &Path,
        agency: &AgencyCode,
        directory: &Directory,
        clock: SharedClock,
    ) -> Result<Self, CatalogueError> {
        let catalogue = Self(Arc::new(Inner {
            path: data_dir.join(stored::FILE),
            documents: Documents::open(&data_dir.join(documents::FOLDER))?,
            agency: agency.clone(),
            directory: directory.clone(),
            clock,
            view: ArcSwap::default(),
            taking: Mutex::new(()),
            publishing: tokio::sync::Mutex::new(()),
        }));
        if let Some(stored) = stored::read(&catalogue.0.path)? {
            let known = View { newest: stored.newest, ..View::default() };
            let now = catalogue.now();
            let (mut view, report) = catalogue.build(&known, &stored.entries, now);
            view.fetched = Some(stored.fetched.min(now));
            report_refused(&report);
            catalogue.0.view.store(Arc::new(view));
        }
        Ok(catalogue)
    }

    /// Every service whose signature is believed now, by agency and name.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<Listed>> {
        self.0
            .view
            .load()
            .services
            .values()
            .filter(|listed| self.is_believed(listed))
            .map(Arc::clone)
            .collect()
    }

    /// A service.
    #[must_use]
    pub fn service(&self, agency: &AgencyCode, service: &str) -> Option<Arc<Listed>> {
        let key = (agency.clone(), service.to_owned());
        let found = self.0.view.load().services.get(&key).map(Arc::clone);
        found.filter(|listed| self.is_believed(listed))
    }

    /// A service of this agency's own.
    #[must_use]
    pub fn own(&self, service: &str) -> Option<Arc<Listed>> {
        self.service(&self.0.agency, service)
    }

    /// The operation that a method on a path of a service is. For the agent that calls.
    ///
    /// # Errors
    /// [`OperationError`], which has a reason and a fact.
    pub fn operation(
        &self,
        agency: &AgencyCode,
        service: &str,
        method: &str,
        path: &RequestPath,
    ) -> Result<Operation, OperationError> {
        let listed = self.service(agency, service).ok_or(OperationError::ServiceUnknown)?;
        listed.operation(method, path)
    }

    /// When the gateway last gave an answer; `None` if it never did.
    #[must_use]
    pub fn fetched(&self) -> Option<Timestamp> {
        self.0.view.load().fetched
    }

    /// Asks the gateway, and fetches documents that are not here. A gateway that has no catalogue has no services.
    ///
    /// # Errors
    /// [`CatalogueError`]; what is at hand stays. A document that cannot be had is no error: its service is listed, and
    /// calls to it are checked less.
    pub async fn refresh(&self, channel: Channel) -> Result<Report, CatalogueError> {
        let client = CatalogueClient::new(channel.clone()).max_decoding_message_size(ANSWER_LIMIT);
        let answer = Arc::new(listed_whole(client).await?);
        let report = self.taken(Arc::clone(&answer)).await?;
        if self.fetch_documents(channel).await {
            self.taken(answer).await?;
        }
        Ok(report)
    }

    async fn taken(&self, answer: Arc<wire::ListServicesReply>) -> Result<Report, CatalogueError> {
        let catalogue = self.clone();
        let taken = tokio::task::spawn_blocking(move || catalogue.take(&answer)).await;
        taken.map_err(|_| refused(Status::cancelled("arrêt / stopping")))?
    }

    /// Takes an answer: verifies it, puts it in force and keeps it on disk. Blocking.
    ///
    /// # Errors
    /// [`CatalogueError::TooMany`]; [`CatalogueError::File`] when only the disk is behind.
    pub fn take(&self, answer: &wire::ListServicesReply) -> Result<Report, CatalogueError> {
        let _taking = self.0.taking.lock().unwrap_or_else(PoisonError::into_inner);
        if answer.services.len() > SERVICES_LIMIT {
            return Err(CatalogueError::TooMany(answer.services.len()));
        }
        let now = self.now();
        let (mut view, report) = self.build(&self.0.view.load(), &answer.services, now);
        view.fetched = Some(now);
        let view = Arc::new(view);
        self.0.view.store(Arc::clone(&view));
        report_refused(&report);
        stored::write(&self.0.path, &view)?;
        self.0.documents.keep_only(&view.digests())?;
        Ok(report)
    }

    /// The OpenAPI document of a service, its exact bytes; asked of the gateway when it is not here.
    ///
    /// # Errors
    /// [`CatalogueError`].
    pub async fn document(
        &self,
        listed: &Arc<Listed>,
        channel: Option<Channel>,
    ) -> Result<Bytes, CatalogueError> {
        let (documents, wanted) = (self.0.documents.clone(), Arc::clone(listed));
        let kept = tokio::task::spawn_blocking(move || documents.read(wanted.service())).await;
        let kept = kept.map_err(|_| refused(Status::cancelled("arrêt / stopping")))?;
        match (kept, channel) {
            (Some(document), _) => Ok(document),
            (None, Some(channel)) => self.fetch(listed, channel).await,
            (None, None) => Err(CatalogueError::away()),
        }
    }

    /// Fetches what is missing; whether anything came.
    async fn fetch_documents(&self, channel: Channel) -> bool {
        let mut came = false;
        for listed in self.list().into_iter().filter(|listed| !listed.has_document()) {
            match self.fetch(&listed, channel.clone()).await {
                Ok(_) => came = true,
                Err(error) => {
                    tracing::warn!(service = %listed.name(), error = %link::chain(&error), "no OpenAPI document");
                }
            }
        }
        came
    }

    async fn fetch(&self, listed: &Arc<Listed>, channel: Channel) -> Result<Bytes, CatalogueError> {
        let request = wire::ServiceDocumentRequest {
            agency: listed.agency().to_string(),
            service: listed.service().service().to_owned(),
            openapi_digest: Bytes::copy_from_slice(&listed.service().openapi_digest()),
        };
        let mut client = CatalogueClient::new(channel);
        let document = link::call(client.document(request)).await.map_err(refused)?.openapi;
        if !listed.service().is_document(&document) {
            return Err(CatalogueError::OtherDocument(listed.name()));
        }
        let (catalogue, kept) = (self.clone(), document.clone());
        let written = tokio::task::spawn_blocking(move || {
            // Not while what is not needed any more is removed.
            let _taking = catalogue.0.taking.lock().unwrap_or_else(PoisonError::into_inner);
            catalogue.0.documents.write(&kept)
        })
        .await;
        written.map_err(|_| refused(Status::cancelled("arrêt / stopping")))??;
        Ok(document)
    }

    fn build(&self, known: &View, entries: &[wire::ServiceEntry], now: Timestamp) -> (View, Report) {
        let Inner { directory, documents, .. } = &*self.0;
        view::Context { directory, documents, known, now }.read(entries)
    }

    fn is_believed(&self, listed: &Listed) -> bool {
        self.0.directory.is_believed(listed.signer(), self.now())
    }

    fn now(&self) -> Timestamp {
        self.0.clock.now()
    }
}

fn report_refused(report: &Report) {
    for (service, error) in &report.refused {
        tracing::warn!(%service, error = %link::chain(error), "service refused");
    }
}

/// All pages of the list.
async fn listed_whole(
    mut client: CatalogueClient<Channel>,
) -> Result<wire::ListServicesReply, CatalogueError> {
    let mut whole = wire::ListServicesReply::default();
    let mut after = String::new();
    loop {
        let page = match link::call(client.list(wire::ListServicesRequest { after: after.clone() })).await {
            Ok(page) => page,
            Err(status) if status.code() == Code::Unimplemented => return Ok(whole),
            Err(status) => return Err(refused(status)),
        };
        // A page brings something, and names grow: this ends.
        let goes_on = page.next > after && !page.services.is_empty();
        whole.services.extend(page.services);
        if whole.services.len() > SERVICES_LIMIT {
            return Err(CatalogueError::TooMany(whole.services.len()));
        }
        match page.next {
            next if next.is_empty() => return Ok(whole),
            next if goes_on => after = next,
            _ => return Err(refused(Status::internal("catalogue: page"))),
        }
    }
}

fn refused(status: Status) -> CatalogueError {
    CatalogueError::Refused(Box::new(status))
}
