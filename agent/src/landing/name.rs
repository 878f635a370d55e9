//! Under which name a received file is written: the sender's, as far as it is harmless.
//!
//! The name was chosen by somebody in another agency. It may name another folder, hide itself, look like an option to the
//! next command, or turn its letters around on the screen. What is left of it here is one visible name of one file, of
//! at most [`NAME_LIMIT`] bytes, which is what Linux file systems take.

use std::path::Path;

use passerelle_proto::exchange_id::ExchangeId;

/// Bytes of a file name.
pub(crate) const NAME_LIMIT: usize = 255;
/// Bytes of an extension that is kept when a name is shortened.
const EXTENSION_LIMIT: usize = 16;

/// The name for a record: the sender's made harmless, or the exchange id when nothing is left of it.
pub(crate) fn safe_name(given: Option<&str>, content_type: &str, id: &ExchangeId) -> String {
    let kept: String = given.unwrap_or_default().chars().map(harmless).collect();
    let kept = kept.trim_start_matches(|letter: char| letter == '.' || letter.is_whitespace());
    let kept = kept.trim_end_matches(|letter: char| letter == '.' || letter.is_whitespace());
    if kept.chars().all(|letter| letter == '_') {
        return format!("{id}{}", extension_of(content_type));
    }
    // A name that begins with a hyphen is an option to the next command.
    let kept = match kept.strip_prefix('-') {
        Some(rest) => format!("_{rest}"),
        None => kept.to_owned(),
    };
    fitted(&kept, "")
}

/// The `count`-th choice of a name: itself, then `name (2).ext`, `name (3).ext`.
pub(crate) fn numbered(name: &str, count: u32) -> String {
    numbered_within(name, count, NAME_LIMIT)
}

/// The same, in fewer bytes, where something is to be put after the name.
pub(crate) fn numbered_within(name: &str, count: u32, limit: usize) -> String {
    let mark = if count <= 1 { String::new() } else { format!(" ({count})") };
    fitted_within(name, &mark, limit)
}

fn fitted(name: &str, mark: &str) -> String {
    fitted_within(name, mark, NAME_LIMIT)
}

/// Name, mark and extension in so many bytes; the stem gives way.
fn fitted_within(name: &str, mark: &str, limit: usize) -> String {
    let (stem, extension) = match name.rfind('.') {
        Some(at) if at > 0 && name.len() - at <= EXTENSION_LIMIT => name.split_at(at),
        _ => (name, ""),
    };
    let room = limit.saturating_sub(mark.len() + extension.len());
    let mut end = stem.len().min(room);
    while !stem.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{mark}{extension}", &stem[..end])
}

/// The letter, or `_` for one that separates folders, commands the terminal, is not seen, or turns the text around.
fn harmless(letter: char) -> char {
    let is_unseen = matches!(letter,
        '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}');
    if matches!(letter, '/' | '\\') || letter.is_control() || is_unseen { '_' } else { letter }
}

/// The media type, by the extension; bytes when it says nothing.
pub(crate) fn media_type(path: &Path) -> &'static str {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    match extension.to_ascii_lowercase().as_str() {
        "csv" => "text/csv",
        "htm" | "html" => "text/html",
        "jpg" | "jpeg" => "image/jpeg",
        "json" => "application/json",
        "pdf" => "application/pdf",
        "png" => "image/png",
        "tif" | "tiff" => "image/tiff",
        "txt" => "text/plain",
        "xml" => "application/xml",
        "zip" => "application/zip",
        _ => "application/octet-stream",
    }
}

/// For a record without a name.
fn extension_of(content_type: &str) -> &'static str {
    match content_type.split(';').next().unwrap_or_default().trim() {
        "application/json" => ".json",
        "application/pdf" => ".pdf",
        "application/xml" | "text/xml" => ".xml",
        "application/zip" => ".zip",
        "text/csv" => ".csv",
        "text/plain" => ".txt",
        _ => ".bin",
    }
}

#[cfg(test)]
mod tests {
    use std::path::Component;

    use super::*;

    const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    fn named(given: &str) -> String {
        safe_name(Some(given), "application/json", &ID.parse().unwrap())
    }

    #[test]
    fn harmless_names_stay_as_they_are() {
        for name in ["Dossier 12.pdf", "Relevé d'emploi – été 2026.csv", "a", "archive.tar.gz", "çà et là"]
        {
            assert_eq!(named(name), name);
        }
    }

    #[test]
    fn a_name_never_leads_out_of_the_folder() {
        let attacks = [
            "../../etc/passwd",
            "/etc/passwd",
            "..",
            ".",
            "",
            "...",
            "../",
            "a/../../b",
            "..\\..\\windows\\system.ini",
            "\0",
            "a\0/../b",
            "\u{2024}\u{2024}/x",
            "// //",
            " .. ",
            "\n../x",
        ];
        for attack in attacks {
            let name = named(attack);
            let parts: Vec<_> = Path::new(&name).components().collect();
            assert!(
                matches!(parts[..], [Component::Normal(part)] if part == name.as_str()),
                "{attack:?} -> {name:?}"
            );
            assert!(
                !name.starts_with('.') && !name.contains(['/', '\\', '\0', '\n']),
                "{attack:?} -> {name:?}"
            );
        }
    }

    #[test]
    fn a_name_does_not_hide_itself_nor_command() {
        assert_eq!(named(".bashrc"), "bashrc");
        assert_eq!(named("-rf"), "_rf");
        assert_eq!(named(".-rf"), "_rf");
        assert_eq!(named("a\u{1b}[2Jb"), "a_[2Jb");
        // Shown as « factureexe.pdf » by a terminal that obeys.
        assert_eq!(named("facture\u{202e}fdp.exe"), "facture_fdp.exe");
    }

    #[test]
    fn nothing_left_gives_the_exchange_id() {
        for empty in ["", ".", "..", "   ", "///", "\u{200b}"] {
            assert_eq!(named(empty), format!("{ID}.json"), "{empty:?}");
        }
        assert_eq!(safe_name(None, "image/x-unknown", &ID.parse().unwrap()), format!("{ID}.bin"));
        assert_eq!(safe_name(None, "text/plain; charset=utf-8", &ID.parse().unwrap()), format!("{ID}.txt"));
    }

    #[test]
    fn a_long_name_is_cut_between_letters_and_keeps_its_extension() {
        let name = named(&format!("{}.pdf", "é".repeat(300)));
        assert!(name.len() <= NAME_LIMIT && name.ends_with("é.pdf"), "{} bytes", name.len());
        let second = numbered(&name, 2);
        assert!(second.len() <= NAME_LIMIT && second.ends_with("é (2).pdf"), "{second}");
        let all_extension = named(&format!("a.{}", "x".repeat(400)));
        assert_eq!(all_extension.len(), NAME_LIMIT);
    }

    #[test]
    fn numbers_stand_before_the_extension() {
        assert_eq!(numbered("a.pdf", 1), "a.pdf");
        assert_eq!(numbered("a.pdf", 2), "a (2).pdf");
        assert_eq!(numbered("lettre", 12), "lettre (12)");
        assert_eq!(numbered("v1.2 du rapport annuel", 2), "v1.2 du rapport annuel (2)");
    }
}
