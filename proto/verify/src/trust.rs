//! What the operator of the check trusts, from a folder of its own:
//!
//! - `log.policy`: the log's key, its witnesses and their quorum (C2SP tlog-policy);
//! - `roots.pem`: root certificates of the agencies' trust domain, one or more;
//! - `tsa.pem`: root certificates of time-stamp authorities; may be left out.

use std::io;
use std::path::Path;

use passerelle_pki::certificate::TrustAnchor;
use passerelle_proto::evidence::Trust;
use passerelle_proto::timestamp::Authorities;
use passerelle_proto::tlog::Policy;

use crate::cli::{SMALL_FILE, read};
use crate::source::SourceError;

const LOG: &str = "log.policy";
const ROOTS: &str = "roots.pem";
const AUTHORITIES: &str = "tsa.pem";

/// Reads the folder.
pub(crate) fn load(folder: &Path) -> Result<Trust, SourceError> {
    let wrong = |name: &str, why: &str| SourceError::Usage(format!("{}: {why}", folder.join(name).display()));
    let file = |name: &str| read(&folder.join(name), SMALL_FILE);
    let log = Policy::parse(&file(LOG)?).map_err(|error| wrong(LOG, &error.to_string()))?;
    if log.logs().is_empty() {
        return Err(wrong(LOG, "aucun journal / no log"));
    }
    let roots = TrustAnchor::all_from_pem(&file(ROOTS)?).map_err(|error| wrong(ROOTS, &error.to_string()))?;
    if roots.is_empty() {
        return Err(wrong(ROOTS, "aucun certificat / no certificate"));
    }
    let authorities = match file(AUTHORITIES) {
        Ok(pem) => Authorities::from_pem(&pem).map_err(|error| wrong(AUTHORITIES, &error.to_string()))?,
        Err(SourceError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
            Authorities::default()
        }
        Err(error) => return Err(error),
    };
    Ok(Trust { log, roots, authorities })
}
