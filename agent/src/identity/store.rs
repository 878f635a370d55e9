//! The steps of an identity's life, each durable as a whole: prepare, install, announce, forget.
//!
//! What a crash between two steps leaves behind: a key file that no manifest names (swept at the next opening), or keys
//! that wait for a certificate (asked for again, with the same keys).

use std::path::Path;
use std::sync::Arc;

use passerelle_pki::certificate::{Chain, TrustAnchor, Usage, VerifiedCertificate};
use passerelle_pki::clock::Timestamp;
use passerelle_pki::key::{KeyId, Signer};
use passerelle_pki::name::{AgentId, Identity as Name};
use passerelle_pki::request;
use passerelle_proto::tlog::vkey::NoteVerifier;

use super::folder::{Folder, Kind};
use super::manifest::{CertifiedKey, CertifiedKeys, Manifest, PendingKeys};
use super::{Certificates, Certified, Identity, IdentityError, KeyStore, StorageKey};

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

/// A TLS key and a signing key.
type Pair = (Arc<dyn Signer>, Arc<dyn Signer>);

/// The folder and what its manifest says.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) folder: Folder,
    pub(super) manifest: Manifest,
    anchor: TrustAnchor,
    /// Where the next signing key is made, when not in a file.
    token: Option<Arc<dyn KeyStore>>,
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
        Self::begin_with(data_dir, anchor, agent, again, None)
    }

    /// The same, with the token in which the signing key is to be made.
    ///
    /// # Errors
    /// As [`Enrolling::begin`].
    pub fn begin_with(
        data_dir: &Path,
        anchor: &TrustAnchor,
        agent: &AgentId,
        again: bool,
        token: Option<Arc<dyn KeyStore>>,
    ) -> Result<Self, IdentityError> {
        let folder = Folder::create(data_dir)?;
        let fresh = |in_token| {
            let manifest = Manifest::new(agent.clone(), anchor.domain().clone());
            Manifest { in_token, ..manifest }
        };
        let manifest = match folder.read_manifest()? {
            None => fresh(Vec::new()),
            // Nothing was certified: the attempt was for another name, and its keys are of no use.
            Some(manifest) if manifest.certified.is_none() && manifest.agent != *agent => {
                fresh(manifest.in_token)
            }
            Some(manifest) => manifest,
        };
        let store = Store { folder, manifest, anchor: anchor.clone(), token }.checked()?;
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
    pub(super) fn open(
        data_dir: &Path,
        anchor: &TrustAnchor,
        token: Option<Arc<dyn KeyStore>>,
    ) -> Result<Self, IdentityError> {
        Self::read(Folder::open(data_dir)?, anchor, token)
    }

    /// Without the lock: for a look only.
    pub(super) fn look(data_dir: &Path, anchor: &TrustAnchor) -> Result<Self, IdentityError> {
        Self::read(Folder::look(data_dir)?, anchor, None)
    }

    fn read(
        folder: Folder,
        anchor: &TrustAnchor,
        token: Option<Arc<dyn KeyStore>>,
    ) -> Result<Self, IdentityError> {
        let manifest = folder.read_manifest()?.filter(|manifest| manifest.certified.is_some());
        let manifest = manifest.ok_or_else(|| IdentityError::NotEnrolled(folder.path().to_owned()))?;
        Self { folder, manifest, anchor: anchor.clone(), token }.checked()
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

    pub(super) fn sweep(&mut self) -> Result<(), IdentityError> {
        self.folder.sweep(&self.manifest)?;
        self.sweep_token()
    }

    /// Destroys former keys in the token. Without it they wait; their ids stay in the manifest until they are gone.
    fn sweep_token(&mut self) -> Result<(), IdentityError> {
        let Some(token) = self.token.clone() else { return Ok(()) };
        let useful = self.manifest.signing_keys();
        let (kept, former): (Vec<KeyId>, Vec<KeyId>) =
            self.manifest.in_token.iter().partition(|key| useful.contains(&Some(**key)));
        if former.is_empty() {
            return Ok(());
        }
        for key in former {
            token.destroy(key).map_err(IdentityError::Token)?;
        }
        self.commit(Manifest { in_token: kept, ..self.manifest.clone() })
    }

    /// Writes the next manifest; only then it is in force here.
    pub(super) fn commit(&mut self, next: Manifest) -> Result<(), IdentityError> {
        self.folder.write_manifest(&next)?;
        self.manifest = next;
        Ok(())
    }

    pub(super) fn prepare(&mut self) -> Result<Requests, IdentityError> {
        let pending = self.manifest.pending.filter(|pending| self.is_where_wanted(pending.signing));
        let (tls, signing) = match pending {
            Some(pending) => {
                let tls: Arc<dyn Signer> = Arc::new(self.folder.load_key(Kind::Tls, pending.tls)?);
                (tls, self.signing_key(pending.signing)?)
            }
            None => self.make_pair()?,
        };
        let name = Name::from(self.manifest.agent.clone());
        let request = |key: &dyn Signer| {
            request::create(key, &name, self.anchor.domain()).map_err(IdentityError::Request)
        };
        Ok(Requests { tls: request(tls.as_ref())?, signing: request(signing.as_ref())? })
    }

    /// Whether a key that waits for its certificate is where the configuration now says.
    fn is_where_wanted(&self, key: KeyId) -> bool {
        self.manifest.is_in_token(key) == self.token.is_some()
    }

    fn make_pair(&mut self) -> Result<Pair, IdentityError> {
        let tls: Arc<dyn Signer> = Arc::new(self.folder.create_key(Kind::Tls)?);
        let mut in_token = self.manifest.in_token.clone();
        let signing: Arc<dyn Signer> = match &self.token {
            None => Arc::new(self.folder.create_key(Kind::Signing)?),
            Some(token) => {
                let key = token.generate().map_err(IdentityError::Token)?;
                in_token.push(key.key_id());
                key
            }
        };
        let pending = Some(PendingKeys { tls: tls.key_id(), signing: signing.key_id() });
        self.commit(Manifest { pending, in_token, ..self.manifest.clone() })?;
        Ok((tls, signing))
    }

    /// A signing key from where it is.
    fn signing_key(&self, key: KeyId) -> Result<Arc<dyn Signer>, IdentityError> {
        if !self.manifest.is_in_token(key) {
            return Ok(Arc::new(self.folder.load_key(Kind::Signing, key)?));
        }
        let token = self.token.as_ref().ok_or(IdentityError::TokenNotConfigured)?;
        token.find(key).map_err(IdentityError::Token)
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

    /// The keys in force.
    pub(super) fn certified(&self) -> Result<Certified, IdentityError> {
        let certificates = self.certificates()?;
        Ok(Certified {
            tls_key: Arc::new(self.folder.load_key(Kind::Tls, certificates.tls.key_id())?),
            signing_key: self.signing_key(certificates.signing.key_id())?,
            certificates,
        })
    }

    /// What certifies the keys in force.
    pub(super) fn certificates(&self) -> Result<Certificates, IdentityError> {
        let not_enrolled = || IdentityError::NotEnrolled(self.folder.path().to_owned());
        let CertifiedKeys { tls, signing, log_vkey } =
            self.manifest.certified.as_ref().ok_or_else(not_enrolled)?;
        let (tls_chain, tls) = self.read_certified(tls, Usage::Tls)?;
        let (signing_chain, signing) = self.read_certified(signing, Usage::Signing)?;
        Ok(Certificates { tls_chain, tls, signing_chain, signing, log_vkey: log_vkey.clone() })
    }

    /// Reads every key file that is in force; a key in a token is not asked for.
    pub(super) fn look_at_files(&self) -> Result<(), IdentityError> {
        let Certificates { tls, signing, .. } = self.certificates()?;
        self.folder.load_key(Kind::Tls, tls.key_id())?;
        if !self.manifest.is_in_token(signing.key_id()) {
            self.folder.load_key(Kind::Signing, signing.key_id())?;
        }
        Ok(())
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
