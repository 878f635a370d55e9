//! The directory as this agent believes it: whose signature counts, and which key to seal to.
//!
//! The gateway only carries it. Every certificate is verified to the root and held against the revocation list, which
//! is signed by the issuing authority; every bundle is verified with a key of that very agent. What does not hold is
//! left out and reported; a list older than the one at hand refuses the whole answer. Time is looked at again at each
//! use: what has expired since is not given out.
//!
//! What the gateway can still do by lying: leave an agent out, so that nothing is sealed to it. It cannot put a key
//! there, bring back a revoked certificate while a newer list is known, or bring back an older bundle.
//!
//! The last answer is kept on disk, so that records can be sealed while the gateway is away, for as long as the
//! revocation list holds (7 days). It is verified again whole when it is read.

mod entry;
mod stored;
mod view;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use passerelle_pki::certificate::{Chain, TrustAnchor, VerifiedCertificate};
use passerelle_pki::clock::{SharedClock, Timestamp};
use passerelle_pki::key::{KeyId, PublicKey};
use passerelle_pki::name::{AgencyCode, AgentId};
use passerelle_pki::revocation::{RevocationError, Revocations};
use passerelle_proto::envelope::RecipientPublicKey;
use passerelle_proto::wire;
use passerelle_proto::wire::directory_client::DirectoryClient;
use tonic::Status;
use tonic::transport::Channel;

use crate::link;

pub use entry::EntryError;
pub use view::Listed;

use entry::Judge;
use stored::Stored;
use view::{Context, View};

/// Bytes of an answer that are taken: a full revocation list and some thousands of agents.
const ANSWER_LIMIT: usize = 24 * 1024 * 1024;

/// Why an answer was refused as a whole, or could not be kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DirectoryError {
    /// The gateway said no, or was not reached.
    #[error("la passerelle / the gateway: {}", .0.message())]
    Refused(Box<Status>),
    /// More agents than an answer can have. The gateway is at fault.
    #[error("{0} agents dans une réponse / agents in one answer")]
    TooMany(usize),
    /// The revocation list is not believed, or older than the one at hand. The gateway is at fault.
    #[error("la liste de révocation reçue / the revocation list received")]
    RevocationList(#[source] RevocationError),
    /// No authority that leads to our root signed the revocation list. The gateway is at fault.
    #[error(
        "la liste de révocation n'est d'aucune autorité connue / the revocation list is of no authority known"
    )]
    NoIssuer,
    /// The file cannot be read or written: ours.
    #[error("{}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// What became of an answer.
#[derive(Debug, Default)]
pub struct Report {
    /// Agents believed.
    pub taken: usize,
    /// What was not believed: which agent (as the answer names it), and why.
    pub refused: Vec<(String, EntryError)>,
}

/// The verified directory. Clones share it.
#[derive(Clone, Debug)]
pub struct Directory(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    anchor: TrustAnchor,
    clock: SharedClock,
    revocations: Revocations,
    view: ArcSwap<View>,
    /// Held while an answer is taken, so that two do not overtake one another.
    taking: Mutex<()>,
}

impl Directory {
    /// The directory kept in a data folder; an empty one when none is kept. What was kept and does not verify any more
    /// is dropped.
    ///
    /// # Errors
    /// [`DirectoryError::File`] when the file is there and cannot be read.
    pub fn open(data_dir: &Path, anchor: &TrustAnchor, clock: SharedClock) -> Result<Self, DirectoryError> {
        let directory = Self(Arc::new(Inner {
            path: data_dir.join(stored::FILE),
            anchor: anchor.clone(),
            clock,
            revocations: Revocations::new(),
            view: ArcSwap::default(),
            taking: Mutex::new(()),
        }));
        if let Some(stored) = Stored::read(&directory.0.path)? {
            directory.restore(&stored);
        }
        Ok(directory)
    }

    /// The lists in force, for whoever verifies certificates.
    #[must_use]
    pub fn revocations(&self) -> &Revocations {
        &self.0.revocations
    }

    /// The keys to seal a record for an agency to: one for each of its agents whose bundle holds now.
    #[must_use]
    pub fn recipients(&self, agency: &AgencyCode) -> Vec<RecipientPublicKey> {
        let now = self.now();
        let view = self.0.view.load();
        view.of_agency(agency)
            .filter(|(_, listed)| self.is_active(listed, now))
            .filter_map(|(_, listed)| listed.bundle(now))
            .map(|bundle| bundle.recipient_key().clone())
            .collect()
    }

    /// The other agents of an agent's agency that may be sealed to, by name.
    #[must_use]
    pub fn others_of(&self, agent: &AgentId) -> Vec<AgentId> {
        let (view, now) = (self.0.view.load(), self.now());
        let others = view.of_agency(&agent.agency).filter(|(id, listed)| {
            *id != agent && self.is_active(listed, now) && listed.bundle(now).is_some()
        });
        others.map(|(id, _)| id.clone()).collect()
    }

    /// The keys that an agent's signature is believed by now: of its signing certificate and of earlier ones that are
    /// still valid and not revoked.
    #[must_use]
    pub fn signing_keys(&self, agent: &AgentId) -> Vec<PublicKey> {
        let now = self.now();
        let view = self.0.view.load();
        let listed = view.agent(agent).into_iter();
        listed
            .flat_map(|listed| listed.certificates())
            .filter(|certificate| self.is_believed(certificate, now))
            .map(|certificate| certificate.public_key().clone())
            .collect()
    }

    /// The one of [`Directory::signing_keys`] with this id.
    #[must_use]
    pub fn signing_key(&self, agent: &AgentId, key: &KeyId) -> Option<PublicKey> {
        self.signing_keys(agent).into_iter().find(|found| found.key_id() == *key)
    }

    /// The gateway's key with this id, that receipts are believed by now.
    #[must_use]
    pub fn gateway_key(&self, key: &KeyId) -> Option<PublicKey> {
        let now = self.now();
        let view = self.0.view.load();
        let found = view.gateway.iter().find(|certificate| certificate.key_id() == *key);
        found.filter(|certificate| self.is_believed(certificate, now)).map(|found| found.public_key().clone())
    }

    /// Since when the certificate with a serial number is revoked, by the list at hand.
    #[must_use]
    pub fn revoked_since(&self, serial: &[u8]) -> Option<Timestamp> {
        self.0.view.load().list.as_ref()?.revoked_since(serial)
    }

    /// Everything listed, by agent.
    #[must_use]
    pub fn agents(&self) -> Vec<(AgentId, Listed)> {
        self.0.view.load().agents().map(|(id, listed)| (id.clone(), listed.clone())).collect()
    }

    /// When the gateway last gave an answer that was believed; `None` if it never did.
    #[must_use]
    pub fn fetched(&self) -> Option<Timestamp> {
        self.0.view.load().fetched
    }

    /// How old that answer is.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        self.fetched().map(|fetched| self.now().since(fetched))
    }

    /// Asks the gateway for these agencies, which become the whole directory.
    ///
    /// # Errors
    /// [`DirectoryError`]; the directory at hand stays.
    pub async fn refresh(
        &self,
        channel: Channel,
        agencies: &BTreeSet<AgencyCode>,
    ) -> Result<Report, DirectoryError> {
        let request = wire::LookupRequest { agencies: agencies.iter().map(ToString::to_string).collect() };
        let mut client = DirectoryClient::new(channel).max_decoding_message_size(ANSWER_LIMIT);
        let answer = link::call(client.lookup(request))
            .await
            .map_err(|status| DirectoryError::Refused(Box::new(status)))?;
        let (directory, agencies) = (self.clone(), agencies.clone());
        let taken = tokio::task::spawn_blocking(move || directory.take(&answer, &agencies)).await;
        taken.map_err(|_| DirectoryError::Refused(Box::new(Status::cancelled("arrêt / stopping"))))?
    }

    /// Takes an answer to a question about these agencies: verifies it, puts it in force and keeps it on disk.
    /// Blocking.
    ///
    /// # Errors
    /// [`DirectoryError`]; the directory at hand stays, except that on [`DirectoryError::File`] only the disk is behind.
    pub fn take(
        &self,
        answer: &wire::LookupReply,
        asked: &BTreeSet<AgencyCode>,
    ) -> Result<Report, DirectoryError> {
        let _taking = self.0.taking.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.now();
        let (view, report) = self.build(answer, asked, now)?;
        let stored = Stored::of(answer, asked, &view);
        self.0.view.store(Arc::new(view));
        for (agent, error) in &report.refused {
            tracing::warn!(%agent, error = %link::chain(error), "directory entry refused");
        }
        stored.write(&self.0.path)?;
        Ok(report)
    }

    fn build(
        &self,
        answer: &wire::LookupReply,
        asked: &BTreeSet<AgencyCode>,
        now: Timestamp,
    ) -> Result<(View, Report), DirectoryError> {
        let Inner { anchor, revocations, view, .. } = &*self.0;
        Context { anchor, revocations, known: &view.load(), asked, now }.read(answer)
    }

    /// Puts in force what was kept, as far as it still holds.
    fn restore(&self, stored: &Stored) {
        let known = View { newest: stored.newest.clone(), ..View::default() };
        self.0.view.store(Arc::new(known));
        let Some((answer, asked)) = stored.answer() else {
            tracing::warn!(file = %self.0.path.display(), "the directory kept cannot be read; it will be fetched");
            return;
        };
        match self.build(&answer, &asked, self.now()) {
            Ok((view, _)) => {
                let fetched = Some(Timestamp::from_millis(stored.fetched_ms).min(self.now()));
                self.0.view.store(Arc::new(View { fetched, ..view }));
            }
            Err(error) => {
                tracing::warn!(error = %link::chain(&error), "the directory kept is not believed; it will be fetched");
            }
        }
    }

    /// The agent may be sealed to: its present signing certificate is believed.
    fn is_active(&self, listed: &Listed, now: Timestamp) -> bool {
        listed.certificates().next().is_some_and(|certificate| self.is_believed(certificate, now))
    }

    /// A signing certificate that leads to our root, valid now and not revoked: whoever it is of.
    ///
    /// # Errors
    /// [`EntryError`] when it is not believed.
    pub fn signer(&self, chain: &Chain) -> Result<VerifiedCertificate, EntryError> {
        let Inner { anchor, revocations, .. } = &*self.0;
        Judge { anchor, revocations, now: self.now() }.believed(chain)
    }

    /// Whether a certificate that was verified before still is valid and not revoked.
    pub(crate) fn is_believed(&self, certificate: &VerifiedCertificate, now: Timestamp) -> bool {
        entry::is_believed(certificate, &self.0.revocations, &self.0.anchor, now).is_ok()
    }

    fn now(&self) -> Timestamp {
        self.0.clock.now()
    }
}
