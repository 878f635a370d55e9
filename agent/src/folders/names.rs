//! What the name of a file says: whether it is finished, a sidecar, or ours.

use std::ffi::OsStr;

/// Ending of a sidecar.
pub(super) const SIDECAR: &str = ".meta.json";
/// Ending of what became of a file.
pub(super) const RECEIPT: &str = ".receipt.json";
/// Ending of why a file was put aside.
pub(super) const REASON: &str = ".reason.txt";
/// Our working folder, inside `outbox` and `inbox`.
pub(super) const WORK: &str = ".passerelle";
/// The lock in it.
pub(super) const LOCK: &str = "lock";
/// Bytes of a name that leave room for every ending.
pub(super) const NAME_LIMIT: usize = 200;

/// Endings that programs give to what they still write.
const UNFINISHED: [&str; 4] = [".part", ".tmp", ".filepart", "~"];

/// What a name in `outbox` stands for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Named<'a> {
    /// Not ours to touch: hidden, or being written.
    Unfinished,
    /// A sidecar of the file of this name.
    SidecarOf(&'a str),
    /// A file to be sent.
    File(&'a str),
    /// No name that can be sent, or that a receipt could stand beside.
    Unusable,
}

/// Reads a name.
pub(super) fn read(name: &OsStr) -> Named<'_> {
    let lossy = name.to_string_lossy();
    let lower = lossy.to_ascii_lowercase();
    if lower.starts_with('.') || UNFINISHED.iter().any(|ending| lower.ends_with(ending)) {
        return Named::Unfinished;
    }
    let Some(name) = name.to_str() else { return Named::Unusable };
    if let Some(file) = name.strip_suffix(SIDECAR).filter(|file| !file.is_empty()) {
        return Named::SidecarOf(file);
    }
    if name.len() > NAME_LIMIT || name.contains(|letter: char| letter.is_control() || letter == '\\') {
        return Named::Unusable;
    }
    Named::File(name)
}

/// Under which name a received file may stand: never one that looks like a sidecar of another, or as if it were still
/// being written.
pub(super) fn received(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let reserved = UNFINISHED.iter().chain([&SIDECAR, &RECEIPT]).any(|ending| lower.ends_with(ending));
    if reserved { format!("{name}_") } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn a_name_says_whether_its_file_is_finished() {
        for (name, expected) in [
            ("avis.pdf", Named::File("avis.pdf")),
            ("avis.pdf.meta.json", Named::SidecarOf("avis.pdf")),
            (".avis.pdf", Named::Unfinished),
            (".meta.json", Named::Unfinished),
            ("avis.pdf.part", Named::Unfinished),
            ("AVIS.TMP", Named::Unfinished),
            ("avis.pdf.filepart", Named::Unfinished),
            ("avis~", Named::Unfinished),
            ("deux\nlignes", Named::Unusable),
            ("a\\b", Named::Unusable),
            ("tmp", Named::File("tmp")),
        ] {
            assert_eq!(read(OsStr::new(name)), expected, "{name:?}");
        }
        assert_eq!(read(OsStr::from_bytes(b"\xff.pdf")), Named::Unusable);
        assert_eq!(read(OsStr::new(&"é".repeat(101))), Named::Unusable);
        assert!(matches!(read(OsStr::new(&"é".repeat(100))), Named::File(_)));
    }

    #[test]
    fn a_received_file_never_passes_for_a_sidecar() {
        assert_eq!(received("avis.pdf"), "avis.pdf");
        assert_eq!(received("avis.pdf.META.json"), "avis.pdf.META.json_");
        assert_eq!(received("avis.part"), "avis.part_");
    }
}
