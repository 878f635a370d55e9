//! The append-only indexes: one JSON object a line, synced before anyone relies on it.
//!
//! A crash while appending leaves a last line without its line ending. Nobody acted on it, so readers leave it out
//! and the next append cuts it off. A complete line that cannot be read is damage, and stops everything.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{AuthorityError, Reason};
use crate::certificate::Usage;
use crate::clock::Timestamp;
use crate::key::KeyId;
use crate::name::Identity;

/// A line of `issued.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuedRecord {
    /// Hexadecimal.
    pub serial: String,
    /// Whom the certificate speaks for; absent for an issuing authority.
    pub identity: Option<Identity>,
    /// What its key is for; absent for an issuing authority.
    pub usage: Option<Usage>,
    /// The id of the certified key, hexadecimal.
    pub key_id: String,
    /// Start of validity, milliseconds since the UNIX epoch.
    pub not_before_ms: Timestamp,
    /// End of validity.
    pub not_after_ms: Timestamp,
    /// When it was issued.
    pub issued_ms: Timestamp,
    /// The certificate, DER in hexadecimal.
    pub certificate: String,
}

impl IssuedRecord {
    pub(super) fn certifies(&self, key: KeyId) -> bool {
        self.key_id == key.to_string()
    }
}

/// A line of `revoked.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokedRecord {
    /// Hexadecimal.
    pub serial: String,
    /// Why.
    pub reason: Reason,
    /// When.
    pub revoked_ms: Timestamp,
}

/// Every complete line of an index.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, AuthorityError> {
    let bytes =
        std::fs::read(path).map_err(|source| AuthorityError::File { path: path.to_owned(), source })?;
    let complete = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    bytes[..complete]
        .split_inclusive(|byte| *byte == b'\n')
        .enumerate()
        .map(|(index, line)| {
            serde_json::from_slice(line)
                .map_err(|_| AuthorityError::Index { path: path.to_owned(), line: index + 1 })
        })
        .collect()
}

/// Appends one line and syncs it. When this returns, the line survives a crash. The caller holds the folder's lock.
pub(super) fn append<T: Serialize>(path: &Path, record: &T) -> Result<(), AuthorityError> {
    append_line(path, record).map_err(|source| AuthorityError::File { path: path.to_owned(), source })
}

fn append_line<T: Serialize>(path: &Path, record: &T) -> io::Result<()> {
    let mut line = serde_json::to_vec(record)?;
    line.push(b'\n');
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let end = end_of_complete_lines(&mut file)?;
    file.set_len(end)?;
    file.seek(SeekFrom::Start(end))?;
    file.write_all(&line)?;
    file.sync_all()
}

/// The offset behind the last line ending, looking backwards from the end.
fn end_of_complete_lines(file: &mut File) -> io::Result<u64> {
    const STEP: u64 = 4_096;
    let mut end = file.seek(SeekFrom::End(0))?;
    while end > 0 {
        let start = end.saturating_sub(STEP);
        let mut block = Vec::new();
        file.seek(SeekFrom::Start(start))?;
        Read::by_ref(file).take(end - start).read_to_end(&mut block)?;
        if let Some(last) = block.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + u64::try_from(last).unwrap_or(0) + 1);
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(serial: &str) -> RevokedRecord {
        RevokedRecord {
            serial: serial.to_owned(),
            reason: Reason::KeyCompromise,
            revoked_ms: Timestamp::from_millis(1),
        }
    }

    #[test]
    fn what_is_appended_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index");
        std::fs::write(&path, b"").unwrap();
        for serial in ["01", "02"] {
            append(&path, &record(serial)).unwrap();
        }
        assert_eq!(read::<RevokedRecord>(&path).unwrap(), [record("01"), record("02")]);
    }

    #[test]
    fn a_torn_last_line_is_left_out_and_then_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index");
        std::fs::write(&path, b"").unwrap();
        append(&path, &record("01")).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for length in [1, 10, whole.len() - 1, 10_000] {
            let mut torn = whole.clone();
            torn.extend(whole.iter().copied().cycle().filter(|byte| *byte != b'\n').take(length));
            std::fs::write(&path, &torn).unwrap();
            assert_eq!(read::<RevokedRecord>(&path).unwrap(), [record("01")], "{length}");
            append(&path, &record("02")).unwrap();
            assert_eq!(read::<RevokedRecord>(&path).unwrap(), [record("01"), record("02")], "{length}");
        }
    }

    #[test]
    fn a_damaged_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index");
        std::fs::write(&path, b"").unwrap();
        append(&path, &record("01")).unwrap();
        append(&path, &record("02")).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[3] = b'#';
        std::fs::write(&path, &bytes).unwrap();
        assert!(matches!(read::<RevokedRecord>(&path), Err(AuthorityError::Index { line: 1, .. })));
    }

    #[test]
    fn lines_of_the_first_format_are_read_and_written_as_they_are() {
        let issued = concat!(
            r#"{"serial":"4f01","identity":"ramq/agent-1","usage":"tls","key_id":"aa","not_before_ms":1,"#,
            r#""not_after_ms":2,"issued_ms":3,"certificate":"30"}"#,
        );
        let record: IssuedRecord = serde_json::from_str(issued).unwrap();
        assert_eq!(
            (record.identity.as_ref().unwrap().to_string(), record.usage),
            ("ramq/agent-1".into(), Some(Usage::Tls))
        );
        assert_eq!(serde_json::to_string(&record).unwrap(), issued);
        let revoked = r#"{"serial":"4f01","reason":"cessation-of-operation","revoked_ms":1}"#;
        let record: RevokedRecord = serde_json::from_str(revoked).unwrap();
        assert_eq!(record.reason, Reason::CessationOfOperation);
        assert_eq!(serde_json::to_string(&record).unwrap(), revoked);
        assert!(serde_json::from_str::<RevokedRecord>(&revoked.replace("serial", "number")).is_err());
    }
}
