//! `root create` and `issuing create`.

use super::arguments::{CreateIssuing, CreateRoot};
use super::passphrase::{self, ROOT_VARIABLE};
use super::report::Failure;
use super::{print, show};
use crate::authority::Authority;
use crate::clock::Timestamp;

pub(super) fn root(options: &CreateRoot, now: Timestamp) -> Result<(), Failure> {
    let passphrase = passphrase::new(options.passphrase.passphrase_file.as_deref(), "racine / root")?;
    let authority = Authority::create_root(&options.dir, &options.trust_domain, &passphrase, now)?;
    print(&format!(
        "Racine créée / Root created: {}\n{}",
        options.dir.display(),
        show::describe(authority.certificate_der())?
    ))
}

pub(super) fn issuing(options: &CreateIssuing, now: Timestamp) -> Result<(), Failure> {
    let root_passphrase =
        passphrase::existing(options.root_passphrase_file.as_deref(), ROOT_VARIABLE, "racine / root")?;
    let root = Authority::open(&options.root, &root_passphrase)?;
    let passphrase = passphrase::new(
        options.passphrase.passphrase_file.as_deref(),
        "autorité d'émission / issuing authority",
    )?;
    let authority = Authority::create_issuing(&options.dir, &root, &passphrase, now)?;
    print(&format!(
        "Autorité d'émission créée / Issuing authority created: {}\n{}",
        options.dir.display(),
        show::describe(authority.certificate_der())?
    ))
}
