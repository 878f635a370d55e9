//! Who signed, as of a moment: chains to the judge's roots, and revocation lists of their issuers.

use passerelle_pki::certificate::{Chain, TrustAnchor, Usage, VerifiedCertificate};
use passerelle_pki::clock::Timestamp;
use passerelle_pki::key::KeyId;
use passerelle_pki::revocation::RevocationList;

use super::claim::{Answer, absent, fail};
use super::trust::Trust;
use crate::wire::Evidence;

/// The certificates of a file.
pub(super) struct Signers<'a> {
    chains: Vec<Chain>,
    lists: &'a [bytes::Bytes],
    roots: &'a [TrustAnchor],
}

/// Why nobody can be named for a key.
pub(super) enum Doubt {
    /// No chain in the file is of this key.
    NoChain,
    /// Its chain leads to none of the judge's roots, or was not valid then.
    NotBelieved,
    /// Revoked by then.
    Revoked(Timestamp),
    /// No list of its issuer that speaks for that moment.
    NoList,
}

impl<'a> Signers<'a> {
    pub(super) fn new(evidence: &'a Evidence, trust: &'a Trust) -> Self {
        let chains = evidence.chains.iter();
        Self {
            chains: chains.filter_map(|chain| Chain::from_ders(&chain.certificates).ok()).collect(),
            lists: &evidence.revocation_lists,
            roots: &trust.roots,
        }
    }

    /// The certificate of the key, valid and not revoked at a moment.
    pub(super) fn find(&self, key: KeyId, at: Timestamp) -> Result<VerifiedCertificate, Doubt> {
        let mut doubt = Doubt::NoChain;
        for chain in self.chains.iter().filter(|chain| chain.key_hint() == Some(key)) {
            match self.judge(chain, at) {
                Ok(certificate) => return Ok(certificate),
                Err(other) => doubt = other,
            }
        }
        Err(doubt)
    }

    /// The certificate of a chain, valid and not revoked at a moment.
    pub(super) fn judge(&self, chain: &Chain, at: Timestamp) -> Result<VerifiedCertificate, Doubt> {
        let judged = |root: &'a TrustAnchor| Some((root, root.verify(chain, Usage::Signing, at).ok()?));
        let (root, certificate) = self.roots.iter().find_map(judged).ok_or(Doubt::NotBelieved)?;
        let lists = self.lists_of(certificate.issuer(), at);
        let on_root = self.lists_of(root.issuer(), at);
        let issuer_revoked =
            on_root.iter().filter_map(|list| list.revoked_since(certificate.issuer().serial()));
        let revoked = lists.iter().filter_map(|list| list.revoked_since(certificate.serial()));
        match revoked.chain(issuer_revoked).filter(|since| *since <= at).min() {
            Some(since) => Err(Doubt::Revoked(since)),
            None if lists.is_empty() => Err(Doubt::NoList),
            None => Ok(certificate),
        }
    }

    /// The issuer's own lists that were still good at that moment. A later one says since when a certificate is revoked,
    /// so that it speaks for earlier moments too.
    fn lists_of(
        &self,
        issuer: &passerelle_pki::certificate::IssuerCertificate,
        at: Timestamp,
    ) -> Vec<RevocationList> {
        let verified = self.lists.iter().filter_map(|der| RevocationList::verify(der, issuer).ok());
        verified.filter(|list| list.next_update() >= at).collect()
    }
}

impl Doubt {
    /// The answer when `whose` (French, English) certificate is in doubt.
    pub(super) fn answer(&self, whose: (&str, &str)) -> Answer {
        let (fr, en) = whose;
        match self {
            Self::NoChain => absent(
                format!("le certificat de {fr} n'est pas dans le fichier"),
                format!("the certificate of {en} is not in the file"),
            ),
            Self::NoList => absent(
                format!("aucune liste de révocation ne vaut pour le certificat de {fr} à ce moment"),
                format!("no revocation list speaks for the certificate of {en} at that time"),
            ),
            Self::NotBelieved => fail(
                format!(
                    "le certificat de {fr} ne mène à aucune de vos racines, ou n'était pas valide à ce moment"
                ),
                format!("the certificate of {en} leads to none of your roots, or was not valid at that time"),
            ),
            Self::Revoked(since) => fail(
                format!("le certificat de {fr} était révoqué depuis {since}"),
                format!("the certificate of {en} was revoked since {since}"),
            ),
        }
    }
}
