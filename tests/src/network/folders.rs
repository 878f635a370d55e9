//! Folders of agents, as a system that only knows files uses them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use serde_json::Value;

use super::Network;
use super::agent::AgentProcess;
use super::agreements::{Body, codes};

/// Ending of a sidecar.
const SIDECAR: &str = ".meta.json";

/// One folder of an agent's configuration.
#[derive(Clone, Debug)]
pub struct Exchange {
    path: PathBuf,
}

/// A file that lay in an inbox, with its sidecar.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its name there.
    pub name: String,
    /// Its content.
    pub content: Vec<u8>,
    /// Its sidecar.
    pub sidecar: Value,
}

impl Network {
    /// Sets an agent up with one folder, `echanges/NAME`, and more lines for it.
    ///
    /// # Errors
    /// The first command that failed.
    pub fn agent_with_folder(
        &self,
        body: Body,
        (name, agreement): (&str, &str),
        lines: &str,
    ) -> anyhow::Result<(AgentProcess, Exchange)> {
        let root = self.folder().join(body.code).join("echanges");
        fs::create_dir_all(&root)?;
        let settings = format!(
            "[folders]\nroot = \"echanges\"\nsettle_s = 1\n[folders.{name}]\nagreement = \"{agreement}\"\n\
             data_categories = [\"{}\"]\n{lines}",
            codes::IDENTITY
        );
        Ok((self.agent_with_settings(body, &settings)?, Exchange { path: root.join(name) }))
    }
}

impl Exchange {
    /// A part of it: `outbox`, `outbox/sent`, `outbox/quarantine`, `inbox`.
    #[must_use]
    pub fn part(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Drops a file as a careful system does: the sidecar first, the file renamed into place.
    ///
    /// # Errors
    /// What the system says.
    pub fn drop_file(&self, name: &str, content: &[u8], sidecar: Option<&Value>) -> io::Result<()> {
        let outbox = self.part("outbox");
        for (name, bytes) in [
            (format!("{name}{SIDECAR}"), sidecar.map(|sidecar| sidecar.to_string().into_bytes())),
            (name.to_owned(), Some(content.to_vec())),
        ] {
            let Some(bytes) = bytes else { continue };
            let unfinished = outbox.join(format!("{name}.part"));
            fs::write(&unfinished, bytes)?;
            fs::rename(&unfinished, outbox.join(name))?;
        }
        Ok(())
    }

    /// Takes every file that lies in the inbox away. A file without its sidecar is an error.
    ///
    /// # Errors
    /// When that fails, or a sidecar is missing.
    pub fn collect(&self) -> anyhow::Result<Vec<Found>> {
        let inbox = self.part("inbox");
        let mut found = Vec::new();
        for name in names(&inbox)? {
            if name.ends_with(SIDECAR) {
                continue;
            }
            let (file, beside) = (inbox.join(&name), inbox.join(format!("{name}{SIDECAR}")));
            let sidecar = fs::read(&beside).with_context(|| format!("{name} without its sidecar"))?;
            let (content, sidecar) = (fs::read(&file)?, serde_json::from_slice(&sidecar)?);
            fs::remove_file(file)?;
            fs::remove_file(beside)?;
            found.push(Found { name, content, sidecar });
        }
        Ok(found)
    }

    /// The receipts in `outbox/sent`, by the name of their file.
    ///
    /// # Errors
    /// When one cannot be read, or has no file.
    pub fn receipts(&self) -> anyhow::Result<BTreeMap<String, Value>> {
        let sent = self.part("outbox/sent");
        let mut receipts = BTreeMap::new();
        for name in names(&sent)? {
            let Some(file) = name.strip_suffix(".receipt.json") else { continue };
            ensure!(sent.join(file).exists(), "{name} without its file");
            receipts.insert(file.to_owned(), serde_json::from_slice(&fs::read(sent.join(&name))?)?);
        }
        Ok(receipts)
    }

    /// Why each file in quarantine is there, by its name.
    ///
    /// # Errors
    /// When a reason cannot be read.
    pub fn quarantine(&self) -> anyhow::Result<BTreeMap<String, String>> {
        let quarantine = self.part("outbox/quarantine");
        let mut reasons = BTreeMap::new();
        for name in names(&quarantine)? {
            let Some(file) = name.strip_suffix(".reason.txt") else { continue };
            reasons.insert(file.to_owned(), fs::read_to_string(quarantine.join(&name))?);
        }
        Ok(reasons)
    }
}

/// Names in a folder that are not hidden; none when the folder is not there yet.
///
/// # Errors
/// What the system says.
pub fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            names.push(name);
        }
    }
    Ok(names)
}
