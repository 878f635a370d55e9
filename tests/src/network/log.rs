//! The published log as anybody finds it: a folder of files.

use std::fs;

use anyhow::Context;
use passerelle_proto::tlog::bundle;
use passerelle_proto::tlog::tile::{Level, level_tiles};
use serde_json::Value;

use super::Network;
use crate::roles::Role;

impl Network {
    /// Has `passerelle-verify` check the whole published log, with the key that the gateway's `init` wrote down.
    ///
    /// # Errors
    /// The first bad entry.
    pub fn verify_log(&self) -> anyhow::Result<Value> {
        let arguments = [
            "log".into(),
            self.log_folder().into_os_string(),
            "--vkey-file".into(),
            self.log_key_file().into_os_string(),
            "--json".into(),
        ];
        let printed = self.program().run(Role::Verify, &arguments)?;
        let last = printed.lines().last().context("a verdict")?;
        Ok(serde_json::from_str(last)?)
    }

    /// Entries under the published checkpoint.
    ///
    /// # Errors
    /// When there is none.
    pub fn log_size(&self) -> anyhow::Result<u64> {
        let checkpoint = fs::read_to_string(self.log_folder().join("checkpoint"))?;
        // C2SP tlog-checkpoint: origin, size, root.
        Ok(checkpoint.lines().nth(1).context("a size")?.parse()?)
    }

    /// Every entry under the published checkpoint, in order.
    ///
    /// # Errors
    /// When a bundle is missing or broken.
    pub fn log_entries(&self) -> anyhow::Result<Vec<Vec<u8>>> {
        let mut entries = Vec::new();
        for path in level_tiles(Level::Entries, self.log_size()?) {
            let bytes = fs::read(self.log_folder().join(path.to_string()))?;
            entries.extend(bundle::parse(&bytes, path.width())?.into_iter().map(<[u8]>::to_vec));
        }
        Ok(entries)
    }
}
