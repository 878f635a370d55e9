//! Why a webhook cannot be used. The agent's administrator is at fault.

use std::io;
use std::path::{Path, PathBuf};

/// Why webhooks do not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// A file or folder.
    #[error("{}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The secret is none.
    #[error(
        "{} : un secret est attendu, whsec_ suivi de 24 à 64 octets en base64; supprimer le fichier, l'agent en fera un / \
         a secret is expected, whsec_ and 24 to 64 bytes in base64; delete the file, the agent will make one",
        .0.display()
    )]
    Secret(PathBuf),
    /// Everybody on the machine can read it.
    #[error("{path} est lisible par tous; faire chmod 600 {path} / everybody can read {path}; run chmod 600 {path}", path = .0.display())]
    Readable(PathBuf),
    /// No authority to believe a server by.
    #[error("webhooks.{name}.ca_file : aucune autorité ne peut servir / no authority can serve")]
    Authority {
        /// The webhook.
        name: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No randomness.
    #[error("pas de hasard / no randomness")]
    Random,
}

impl WebhookError {
    pub(super) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}
