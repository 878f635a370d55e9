//! The steps of an identity's life, each durable as a whole: prepare, install, announce, forget.
//!
//! What a crash between two steps leaves behind: a key file that no manifest names (swept at the next opening), or keys
//! that wait for a certificate (asked for again, with the same keys).

use std::path::Path;
use std::sync::Arc;

use passerelle_pki::certificate::{Chain, TrustAnchor, Usage, VerifiedCertificate};
use passerelle_pki::clock::Timestamp;
use passerelle_pki::key::{Ed25519Key, KeyId, Signer};
use passerelle_pki::name::{AgentId, Identity as Name};
use passerelle_pki::request;
use passerelle_pki::tls::Credential;
use passerelle_proto::tlog::vkey::NoteVerifier;

use super::folder::{Folder, Kind};
use super::manifest::{CertifiedKey, CertifiedKeys, Manifest, PendingKeys};
use super::{Certified, Identity, IdentityError, StorageKey};

/// The certification requests of a pair of keys, PKCS#10, DER.
#[derive(Clone, Debug)]
pub struct Requests {
    /// For the TLS key.
    pub tls: Vec<u8>,
    /// For the signing key.
    pub signing: Vec<u8>,
}

/// The certificates that came back for a pair of keys. Not believed yet.
#[derive(Clone, Debug)]
pub struct Issued {
    /// For the TLS key.
    pub tls: Chain,
    /// For the signing key.
    pub signing: Chain,
}

/// The folder and what its manifest says.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) folder: Folder,
    pub(super) manifest: Manifest,
    anchor: TrustAnchor,
}

/// An identity that waits for its certificates.
#[derive(Debug)]
pub struct Enrolling {
    store: Store,
}

impl Enrolling {
    /// Begins an enrolment, or goes on with one that did not end. `again` replaces the certificates of an agent that is
    /// enrolled already, and keeps its KEM keys and its local data readable.
    ///
    /// # Errors
    /// [`IdentityError::Exists`] when the agent is enrolled and `again` was not said; [`IdentityError::OtherAgent`]
    /// when the folder is another agent's.
    pub fn begin(
        data_dir: &Path,
        anchor: &TrustAnchor,
        agent: &AgentId,
        again: bool,
    ) -> Result<Self, IdentityError> {
        let folder = Folder::create(data_dir)?;
        let fresh = || Manifest::new(agent.clone(), anchor.domain().clone());
        let manifest = match folder.read_manifest()? {
            None => fresh(),
            // Nothing was certified: the attempt was for another name, and its keys are of no use.
            Some(manifest) if manifest.certified.is_none() && manifest.agent != *agent => fresh(),
            Some(manifest) => manifest,
        };
        let store = Store { folder, manifest, anchor: anchor.clone() }.checked()?;
        if store.manifest.agent != *agent {
            return Err(IdentityError::OtherAgent { here: store.manifest.agent, wanted: agent.clone() });
        }
        if store.manifest.certified.is_some() && !again {
            return Err(IdentityError::Exists { path: store.folder.path().to_owned(), agent: agent.clone() });
        }
        Ok(Self { store })
    }

    /// The requests to send; the keys are durable when this returns.
    ///
    /// # Errors
    /// [`IdentityError`] when the keys cannot be made or written.
    pub fn requests(&mut self) -> Result<Requests, IdentityError> {
        self.store.prepare()
    }

    /// Believes the certificates, or not, and gives the identity.
    ///
    /// # Errors
    /// As [`Identity::install`]; the enrolment can go on with another answer.
    pub fn finish(
        mut self,
        issued: &Issued,
        log_key: &NoteVerifier,
        now: Timestamp,
    ) -> Result<Identity, IdentityError> {
        self.store.storage_key()?;
        self.store.install_with(issued, log_key.to_string(), now)?;
        Identity::of(self.store)
    }
}

impl Store {
    pub(super) fn open(data_dir: &Path, anchor: &TrustAnchor) -> Result<Self, IdentityError> {
        Self::read(Folder::open(data_dir)?, anchor)
    }

    /// Without the lock: for a look only.
    pub(super) fn look(data_dir: &Path, anchor: &TrustAnchor) -> Result<Self, IdentityError> {
        Self::read(Folder::look(data_dir)?, anchor)
    }

    fn read(folder: Folder, anchor: &TrustAnchor) -> Result<Self, IdentityError> {
        let manifest = folder.read_manifest()?.filter(|manifest| manifest.certified.is_some());
        let manifest = manifest.ok_or_else(|| IdentityError::NotEnrolled(folder.path().to_owned()))?;
        Self { folder, manifest, anchor: anchor.clone() }.checked()
    }

    fn checked(self) -> Result<Self, IdentityError> {
        if self.manifest.trust_domain == *self.anchor.domain() {
            return Ok(self);
        }
        let given = self.anchor.domain().clone();
        Err(IdentityError::OtherDomain { here: self.manifest.trust_domain, given })
    }

    pub(super) fn agent(&self) -> &AgentId {
        &self.manifest.agent
    }

    pub(super) fn anchor(&self) -> &TrustAnchor {
        &self.anchor
    }

    pub(super) fn storage_key(&self) -> Result<StorageKey, IdentityError> {
        self.folder.storage_key()
    }

    pub(super) fn sweep(&self) -> Result<(), IdentityError> {
        self.folder.sweep(&self.manifest)
    }

    /// Writes the next manifest; only then it is in force here.
    pub(super) fn commit(&mut self, next: Manifest) -> Result<(), IdentityError> {
        self.folder.write_manifest(&next)?;
        self.manifest = next;
        Ok(())
    }

    pub(super) fn prepare(&mut self) -> Result<Requests, IdentityError> {
        let (tls, signing) = match self.manifest.pending {
            Some(pending) => (
                self.folder.load_key(Kind::Tls, pending.tls)?,
                self.folder.load_key(Kind::Signing, pending.signing)?,
            ),
            None => self.make_pair()?,
        };
        let name = Name::from(self.manifest.agent.clone());
        let request = |key: &Ed25519Key| {
            request::create(key, &name, self.anchor.domain()).map_err(IdentityError::Request)
        };
        Ok(Requests { tls: request(&tls)?, signing: request(&signing)? })
    }

    fn make_pair(&mut self) -> Result<(Ed25519Key, Ed25519Key), IdentityError> {
        let (tls, signing) = (self.folder.create_key(Kind::Tls)?, self.folder.create_key(Kind::Signing)?);
        let pending = Some(PendingKeys { tls: tls.key_id(), signing: signing.key_id() });
        self.commit(Manifest { pending, ..self.manifest.clone() })?;
        Ok((tls, signing))
    }

    pub(super) fn install(&mut self, issued: &Issued, now: Timestamp) -> Result<(), IdentityError> {
        let log_vkey = self.manifest.certified.as_ref().map(|certified| certified.log_vkey.clone());
        self.install_with(issued, log_vkey.unwrap_or_default(), now)
    }

    fn install_with(
        &mut self,
        issued: &Issued,
        log_vkey: String,
        now: Timestamp,
    ) -> Result<(), IdentityError> {
        let pending = self.manifest.pending.ok_or(IdentityError::NothingPending)?;
        let tls = self.certified_key(&issued.tls, Usage::Tls, pending.tls, now)?;
        let signing = self.certified_key(&issued.signing, Usage::Signing, pending.signing, now)?;
        let certified = Some(CertifiedKeys { tls, signing, log_vkey });
        self.commit(Manifest { certified, pending: None, ..self.manifest.clone() })?;
        // The former keys have no further use; if they cannot go now, they go at the next opening.
        if let Err(error) = self.sweep() {
            tracing::warn!(%error, "former keys not removed yet");
        }
        Ok(())
    }

    fn certified_key(
        &self,
        chain: &Chain,
        usage: Usage,
        key: KeyId,
        now: Timestamp,
    ) -> Result<CertifiedKey, IdentityError> {
        let certificate = self.verify(chain, usage, key, now)?;
        let not_before_ms = certificate.not_before().as_millis();
        Ok(CertifiedKey { key, chain: chain.to_pem(), not_before_ms })
    }

    /// Our name, our key, our root.
    fn verify(
        &self,
        chain: &Chain,
        usage: Usage,
        key: KeyId,
        at: Timestamp,
    ) -> Result<VerifiedCertificate, IdentityError> {
        let certificate = self
            .anchor
            .verify(chain, usage, at)
            .map_err(|source| IdentityError::Certificate { usage, source })?;
        if certificate.identity().agent() != Some(&self.manifest.agent) {
            return Err(IdentityError::OtherName { usage, found: certificate.identity().clone() });
        }
        if certificate.key_id() != key {
            return Err(IdentityError::OtherKey(usage));
        }
        Ok(certificate)
    }

    /// The keys in force, from their files.
    pub(super) fn certified(&self) -> Result<Certified, IdentityError> {
        let not_enrolled = || IdentityError::NotEnrolled(self.folder.path().to_owned());
        let CertifiedKeys { tls, signing, log_vkey } =
            self.manifest.certified.as_ref().ok_or_else(not_enrolled)?;
        let (tls_chain, tls_certificate) = self.read_certified(tls, Usage::Tls)?;
        let (signing_chain, signing_certificate) = self.read_certified(signing, Usage::Signing)?;
        let tls_key = Arc::new(self.folder.load_key(Kind::Tls, tls.key)?);
        Ok(Certified {
            tls: Credential { chain: tls_chain, key: tls_key },
            tls_certificate,
            signing_key: Arc::new(self.folder.load_key(Kind::Signing, signing.key)?),
            signing_chain,
            signing_certificate,
            log_vkey: log_vkey.clone(),
        })
    }

    fn read_certified(
        &self,
        key: &CertifiedKey,
        usage: Usage,
    ) -> Result<(Chain, VerifiedCertificate), IdentityError> {
        let chain = Chain::from_pem(key.chain.as_bytes())
            .map_err(|source| IdentityError::Certificate { usage, source })?;
        // As of its first moment: an expired certificate is still read, to tell that it is.
        let certificate = self.verify(&chain, usage, key.key, Timestamp::from_millis(key.not_before_ms))?;
        Ok((chain, certificate))
    }
}
