//! The agreements of this agency, as it believes them: every signature verified to the root.
//!
//! The gateway keeps the register; what a term says is settled by the parties' signatures alone. A version counts as an
//! agreement once every party's signature was verified ([`VerifiedAgreement`]); versions that still lack some are shown
//! for signing and permit nothing. Where a version stands (suspended, active, the Commission's dates) is the gateway's
//! word: see `passerelle_proto::agreement::standing` for what a lie there can do.
//!
//! A version that was verified once is never exchanged for other bytes under the same number and version. The last
//! answer is kept on disk and verified again when it is read.

mod stored;
mod sync;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use passerelle_pki::certificate::TrustAnchor;
use passerelle_pki::clock::{SharedClock, Timestamp};
use passerelle_pki::name::AgencyCode;
use passerelle_proto::agreement::{
    AgreementVersion, RecordError, SignatureError, State, VerifiedAgreement, in_force_from, in_force_until,
    sign_document,
};
use passerelle_proto::wire;
use passerelle_proto::wire::agreements_client::AgreementsClient;
use tonic::Status;
use tonic::transport::Channel;

use crate::directory::Directory;
use crate::identity::Identity;
use crate::link;

pub use sync::{SyncError, Synchroniser};

/// Bytes of an answer that are taken.
const ANSWER_LIMIT: usize = 32 * 1024 * 1024;
/// Versions in one answer.
const VERSIONS_LIMIT: usize = 16_384;

/// Why an answer was refused as a whole, or could not be kept, or a version was not signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgreementsError {
    /// The gateway said no, or was not reached.
    #[error("la passerelle / the gateway: {}", .0.message())]
    Refused(Box<Status>),
    /// More versions than an answer can have. The gateway is at fault.
    #[error("{0} versions dans une réponse / versions in one answer")]
    TooMany(usize),
    /// The file cannot be read or written: ours.
    #[error("{}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// No such version here.
    #[error(
        "l'entente {number}, version {version}, n'est pas connue de cet agent (passerelle-agent agreement list) / \
         agreement {number}, version {version}, is not known to this agent (passerelle-agent agreement list)"
    )]
    Unknown {
        /// Number.
        number: String,
        /// Version.
        version: u32,
    },
    /// It does not wait for signatures.
    #[error("cette version ne se signe pas : elle est {0:?} / this version is not for signing: it is {0:?}")]
    NotForSigning(State),
    /// Our agency has signed already.
    #[error("votre organisme a déjà signé cette version / your agency has signed this version already")]
    SignedAlready,
    /// The document is not the one that was shown.
    #[error(
        "le document n'est plus celui qui a été montré ; relisez-le avant de signer / \
         the document is no longer the one that was shown; read it again before signing"
    )]
    OtherDocument,
    /// The signature could not be made.
    #[error("la signature n'a pu être faite / the signature could not be made")]
    Signature(#[source] SignatureError),
}

/// Why one version is not believed. The gateway is at fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VersionError {
    /// The record does not hold.
    #[error("the record is not believed")]
    Record(#[source] RecordError),
    /// Past signing, and yet not signed by every party.
    #[error("said to be {state:?}, and yet not signed by every party")]
    Unsigned {
        /// What the gateway says.
        state: State,
        /// Who is missing.
        #[source]
        source: RecordError,
    },
    /// Our agency is no party to it.
    #[error("our agency is no party to it")]
    NotOurs,
    /// Other bytes than those that were verified before under the same number and version.
    #[error("other bytes than those verified before under this number and version")]
    Changed,
    /// The same version twice.
    #[error("listed twice")]
    Repeated,
}

/// What became of an answer.
#[derive(Debug, Default)]
pub struct Report {
    /// Versions believed.
    pub taken: usize,
    /// What was not believed: number and version where they could be read, and why.
    pub refused: Vec<(String, VersionError)>,
}

type Key = (String, u32);

/// What is in force.
#[derive(Debug, Default)]
struct View {
    versions: BTreeMap<Key, AgreementVersion>,
    verified: BTreeMap<Key, VerifiedAgreement>,
    fetched: Option<Timestamp>,
}

/// The verified agreements. Clones share them.
#[derive(Clone, Debug)]
pub struct Agreements(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    anchor: TrustAnchor,
    agency: AgencyCode,
    directory: Directory,
    clock: SharedClock,
    view: ArcSwap<View>,
    /// Held while an answer is taken.
    taking: Mutex<()>,
}

impl Agreements {
    /// The agreements of `agency` kept in a data folder; none when none are kept. The directory tells which signing
    /// certificates were revoked, and since when: open it first.
    ///
    /// # Errors
    /// [`AgreementsError::File`] when the file is there and cannot be read.
    pub fn open(
        data_dir: &Path,
        anchor: &TrustAnchor,
        agency: &AgencyCode,
        directory: &Directory,
        clock: SharedClock,
    ) -> Result<Self, AgreementsError> {
        let agreements = Self(Arc::new(Inner {
            path: data_dir.join(stored::FILE),
            anchor: anchor.clone(),
            agency: agency.clone(),
            directory: directory.clone(),
            clock,
            view: ArcSwap::default(),
            taking: Mutex::new(()),
        }));
        if let Some((fetched, records)) = stored::read(&agreements.0.path)? {
            let (mut view, report) = agreements.build(&records, agreements.now());
            view.fetched = Some(fetched.min(agreements.now()));
            report_refused(&report);
            agreements.0.view.store(Arc::new(view));
        }
        Ok(agreements)
    }

    /// The version of an agreement to use at `now`: the latest that is in force. When none is, the latest that was
    /// signed by all: asking it for permission gives the exact reason why not. `None` when there is none.
    #[must_use]
    pub fn current(&self, number: &str, now: Timestamp) -> Option<VerifiedAgreement> {
        let view = self.0.view.load();
        let range = (number.to_owned(), 0)..=(number.to_owned(), u32::MAX);
        let mut latest = None;
        for (_, version) in view.verified.range(range).rev() {
            if is_in_force(version, now) {
                return Some(version.clone());
            }
            latest = latest.or(Some(version));
        }
        latest.cloned()
    }

    /// Every version that is in force at `now`, by number.
    #[must_use]
    pub fn in_force(&self, now: Timestamp) -> Vec<VerifiedAgreement> {
        let view = self.0.view.load();
        view.verified.values().filter(|version| is_in_force(version, now)).cloned().collect()
    }

    /// The version that a header names by number and version. The digest is for
    /// [`permits`](passerelle_proto::agreement::permits()) to compare, which gives the reason its name.
    #[must_use]
    pub fn by_ref(&self, reference: &wire::AgreementRef) -> Option<VerifiedAgreement> {
        let key = (reference.number.clone(), reference.version);
        self.0.view.load().verified.get(&key).cloned()
    }

    /// One version, whether or not every party has signed it.
    #[must_use]
    pub fn version(&self, number: &str, version: u32) -> Option<AgreementVersion> {
        self.0.view.load().versions.get(&(number.to_owned(), version)).cloned()
    }

    /// Every version, by number and version.
    #[must_use]
    pub fn list(&self) -> Vec<AgreementVersion> {
        self.0.view.load().versions.values().cloned().collect()
    }

    /// The agencies bound by agreements with ours, ours included: whom the directory is asked about.
    #[must_use]
    pub fn agencies(&self) -> BTreeSet<AgencyCode> {
        let view = self.0.view.load();
        let parties = view.verified.values().flat_map(|version| version.agreement().parties());
        parties.map(|party| party.agency.clone()).chain([self.0.agency.clone()]).collect()
    }

    /// When the gateway last gave an answer; `None` if it never did.
    #[must_use]
    pub fn fetched(&self) -> Option<Timestamp> {
        self.0.view.load().fetched
    }

    /// How old that answer is.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        self.fetched().map(|fetched| self.now().since(fetched))
    }

    /// Asks the gateway.
    ///
    /// # Errors
    /// [`AgreementsError`]; what is at hand stays.
    pub async fn refresh(&self, channel: Channel) -> Result<Report, AgreementsError> {
        let mut client = AgreementsClient::new(channel).max_decoding_message_size(ANSWER_LIMIT);
        let answer = link::call(client.list(wire::ListAgreementsRequest {})).await.map_err(refused)?;
        let agreements = self.clone();
        let taken = tokio::task::spawn_blocking(move || agreements.take(&answer)).await;
        taken.map_err(|_| refused(Status::cancelled("arrêt / stopping")))?
    }

    /// Takes an answer: verifies it, puts it in force and keeps it on disk. Blocking.
    ///
    /// # Errors
    /// [`AgreementsError::TooMany`]; [`AgreementsError::File`] when only the disk is behind.
    pub fn take(&self, answer: &wire::ListAgreementsReply) -> Result<Report, AgreementsError> {
        let _taking = self.0.taking.lock().unwrap_or_else(PoisonError::into_inner);
        if answer.agreements.len() > VERSIONS_LIMIT {
            return Err(AgreementsError::TooMany(answer.agreements.len()));
        }
        let now = self.now();
        let (mut view, report) = self.build(&answer.agreements, now);
        view.fetched = Some(now);
        let records: Vec<_> = view.versions.values().map(AgreementVersion::to_record).collect();
        self.0.view.store(Arc::new(view));
        report_refused(&report);
        stored::write(&self.0.path, now, &records)?;
        Ok(report)
    }

    /// Signs a version for our agency, and tells the gateway. `shown` is the digest of the document that was read
    /// before deciding, so that nothing else is signed.
    ///
    /// # Errors
    /// [`AgreementsError`]; nothing is signed then, or the gateway did not take it.
    pub async fn sign(
        &self,
        channel: Channel,
        identity: &Identity,
        (number, version): (&str, u32),
        shown: Option<[u8; 32]>,
    ) -> Result<wire::AgreementStanding, AgreementsError> {
        let unknown = || AgreementsError::Unknown { number: number.to_owned(), version };
        let found = self.version(number, version).ok_or_else(unknown)?;
        if found.standing().state != State::Proposed {
            return Err(AgreementsError::NotForSigning(found.standing().state));
        }
        if found.signed().any(|signed| signed.agent.agency == self.0.agency) {
            return Err(AgreementsError::SignedAlready);
        }
        if shown.is_some_and(|shown| shown != found.document().digest()) {
            return Err(AgreementsError::OtherDocument);
        }
        let (chain, key) = identity.signing();
        let (document, agency) = (found.document().clone(), self.0.agency.clone());
        // A token signs in its own time.
        let signed =
            tokio::task::spawn_blocking(move || sign_document(&document, key.as_ref(), &chain, &agency));
        let cut = |_| refused(Status::cancelled("arrêt / stopping"));
        let signature = signed.await.map_err(cut)?.map_err(AgreementsError::Signature)?;
        let request =
            wire::SignAgreementRequest { number: number.to_owned(), version, signature: Some(signature) };
        let mut client = AgreementsClient::new(channel.clone());
        let answer = link::call(client.sign(request)).await.map_err(refused)?;
        // The signature is made and taken; if the list cannot be read now, the next change brings it.
        if let Err(error) = self.refresh(channel).await {
            tracing::warn!(error = %link::chain(&error), "agreements not read again after signing");
        }
        Ok(answer.standing.unwrap_or_default())
    }

    fn build(&self, records: &[wire::AgreementRecord], now: Timestamp) -> (View, Report) {
        let known = self.0.view.load();
        let (mut view, mut report) = (View::default(), Report::default());
        for record in records {
            let version = match self.verify(record, now) {
                Ok(version) => version,
                Err((name, error)) => {
                    report.refused.push((name, error));
                    continue;
                }
            };
            let key = (version.agreement().number.clone(), version.agreement().version);
            let name = format!("{} v{}", key.0, key.1);
            let verified = version.clone().into_verified().ok();
            let other = |known: &VerifiedAgreement| known.document().digest() != version.document().digest();
            if view.versions.contains_key(&key) {
                report.refused.push((name, VersionError::Repeated));
                continue;
            }
            let known_version = known.versions.get(&key).cloned();
            if let Some(known) = known.verified.get(&key).filter(|known| other(known)) {
                report.refused.push((name, VersionError::Changed));
                // What was verified before stays.
                view.versions.extend(known_version.map(|version| (key.clone(), version)));
                view.verified.insert(key, known.clone());
                continue;
            }
            report.taken += 1;
            view.verified.extend(verified.map(|verified| (key.clone(), verified)));
            view.versions.insert(key, version);
        }
        (view, report)
    }

    /// One record, as far as it must hold in the state that it is said to be in.
    fn verify(
        &self,
        record: &wire::AgreementRecord,
        now: Timestamp,
    ) -> Result<AgreementVersion, (String, VersionError)> {
        let revoked = |serial: &[u8]| self.0.directory.revoked_since(serial);
        let version = AgreementVersion::from_record(record, &self.0.anchor, &revoked, now)
            .map_err(|error| ("?".to_owned(), VersionError::Record(error)))?;
        let name = format!("{} v{}", version.agreement().number, version.agreement().version);
        if !version.agreement().is_party(self.0.agency.as_str()) {
            return Err((name, VersionError::NotOurs));
        }
        let state = version.standing().state;
        if matches!(state, State::Proposed | State::Rejected) {
            return Ok(version);
        }
        match version.clone().into_verified() {
            Ok(_) => Ok(version),
            Err(source) => Err((name, VersionError::Unsigned { state, source })),
        }
    }

    fn now(&self) -> Timestamp {
        self.0.clock.now()
    }
}

fn is_in_force(version: &VerifiedAgreement, now: Timestamp) -> bool {
    let (agreement, standing) = (version.agreement(), version.standing());
    standing.state == State::Active
        && in_force_from(agreement, standing).is_some_and(|from| from <= now)
        && now < in_force_until(agreement)
}

fn report_refused(report: &Report) {
    for (version, error) in &report.refused {
        tracing::warn!(%version, error = %link::chain(error), "agreement refused");
    }
}

fn refused(status: Status) -> AgreementsError {
    AgreementsError::Refused(Box::new(status))
}
