//! What can be wrong with an identity, and what to do about it.

use std::io;
use std::path::PathBuf;

use passerelle_pki::certificate::{CertificateError, Usage};
use passerelle_pki::key::KeyError;
use passerelle_pki::keyfile::KeyFileError;
use passerelle_pki::name::{AgentId, Identity, TrustDomain};
use passerelle_pki::request::RequestError;
use passerelle_proto::bundle::BundleError;
use passerelle_proto::envelope::KemError;

use super::StorageError;
use crate::pkcs11::Pkcs11Error;

/// Why an identity cannot be opened, made or changed. People read these: French first, English beside it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// There is no identity in the folder.
    #[error(
        "{} : cet agent n'est pas inscrit ; demandez un jeton et lancez `passerelle-agent enrol` / \
         this agent is not enrolled; ask for a token and run `passerelle-agent enrol`", .0.display()
    )]
    NotEnrolled(PathBuf),
    /// There is an identity already.
    #[error(
        "{} : déjà inscrit comme {agent} ; pour remplacer ses certificats, ajoutez --again / \
         already enrolled as {agent}; to replace its certificates, add --again", .path.display()
    )]
    Exists {
        /// The folder.
        path: PathBuf,
        /// Who is enrolled there.
        agent: AgentId,
    },
    /// Another process holds the folder.
    #[error(
        "{} : un autre processus s'en sert ; arrêtez l'agent d'abord / another process uses it; stop the agent first",
        .0.display()
    )]
    InUse(PathBuf),
    /// The file system refused.
    #[error("{}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file is not what was written there.
    #[error(
        "{} : endommagé ({what}) ; rétablissez la sauvegarde ou inscrivez l'agent de nouveau / \
         damaged ({what}); restore the backup or enrol the agent again", .path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The folder was written by a later version.
    #[error(
        "{} : format {found}, plus récent que ce programme ; mettez-le à jour / \
         format {found}, newer than this program; update it", .path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The format that was found.
        found: u32,
    },
    /// The folder belongs to another agent than the configuration says.
    #[error(
        "le dossier est celui de {here}, pas de {wanted} ; corrigez la configuration / \
         the folder is of {here}, not of {wanted}; correct the configuration"
    )]
    OtherAgent {
        /// Whose folder it is.
        here: AgentId,
        /// Who was wanted.
        wanted: AgentId,
    },
    /// The folder was made under another root.
    #[error(
        "l'agent est inscrit sous {here}, mais la racine donnée est celle de {given} / \
         the agent is enrolled under {here}, but the root given is of {given}"
    )]
    OtherDomain {
        /// Trust domain of the folder.
        here: TrustDomain,
        /// Trust domain of the root.
        given: TrustDomain,
    },
    /// A private key cannot be read or written.
    #[error("une clé privée ne peut être lue ou écrite / a private key cannot be read or written")]
    KeyFile(#[source] KeyFileError),
    /// A key cannot be made or used.
    #[error("une clé ne peut servir / a key cannot be used")]
    Key(#[source] KeyError),
    /// The token that keeps the signing key.
    #[error("la clé de signature / the signing key")]
    Token(#[source] Pkcs11Error),
    /// The signing key is in a token, and the configuration names none.
    #[error(
        "la clé de signature est dans un jeton PKCS#11 ; rétablissez la section [signing] de la configuration / \
         the signing key is in a PKCS#11 token; put the section [signing] of the configuration back"
    )]
    TokenNotConfigured,
    /// A KEM key cannot be made or read.
    #[error("une clé de chiffrement ne peut servir / an encryption key cannot be used")]
    Kem(#[source] KemError),
    /// A certification request cannot be made.
    #[error("la demande de certificat n'a pu être faite / the certification request could not be made")]
    Request(#[source] RequestError),
    /// A key bundle cannot be made.
    #[error("l'annonce de clé n'a pu être signée / the key bundle could not be signed")]
    Bundle(#[source] BundleError),
    /// The storage key cannot be made.
    #[error("la clé du stockage local n'a pu être faite / the local storage key could not be made")]
    Storage(#[source] StorageError),
    /// The certificate given does not lead to our root, or not for this usage, or not now. The gateway is at fault.
    #[error(
        "le certificat ({usage}) reçu n'est pas digne de foi / the certificate ({usage}) received is not believed"
    )]
    Certificate {
        /// What it should have been for.
        usage: Usage,
        /// Why.
        #[source]
        source: CertificateError,
    },
    /// The certificate given is for another key. The gateway is at fault.
    #[error(
        "le certificat ({0}) reçu est celui d'une autre clé / the certificate ({0}) received is for another key"
    )]
    OtherKey(Usage),
    /// The certificate given is for somebody else. The gateway is at fault.
    #[error(
        "le certificat ({usage}) reçu est celui de {found} / the certificate ({usage}) received is of {found}"
    )]
    OtherName {
        /// What it is for.
        usage: Usage,
        /// Whose it is.
        found: Identity,
    },
    /// No keys wait for a certificate. Our own misuse.
    #[error("aucune demande en attente / no request is pending")]
    NothingPending,
}
