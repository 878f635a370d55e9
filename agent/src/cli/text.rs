//! Tables and lines for people.

use std::fmt::Write as _;
use std::time::Duration;

/// Characters of a column at most.
const WIDTH: usize = 44;

/// A table with a heading; columns as wide as they need.
pub(super) fn table(heading: &[&str], rows: &[Vec<String>]) -> String {
    let cells: Vec<Vec<String>> = std::iter::once(heading.iter().map(ToString::to_string).collect())
        .chain(rows.iter().map(|row| row.iter().map(|cell| shown(cell)).collect()))
        .collect();
    let width = |column: usize| {
        cells.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heading.len()).map(width).collect();
    let mut text = String::new();
    for row in &cells {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            // Writing to a string does not fail.
            write!(line, "{cell:<width$}  ", width = *width).ok();
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// What others wrote, harmless on a terminal and not too long.
fn shown(text: &str) -> String {
    let clean = harmless(text);
    if clean.chars().count() <= WIDTH {
        return clean;
    }
    clean.chars().take(WIDTH - 1).chain(['…']).collect()
}

/// What others wrote, with nothing that commands a terminal or turns the text around (UAX #9, section 2).
pub(super) fn harmless(text: &str) -> String {
    let turns = |letter| matches!(letter, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    let shown = |letter: char| if letter.is_control() || turns(letter) { '\u{FFFD}' } else { letter };
    text.chars().map(shown).collect()
}

/// Bytes, as people say them.
pub(super) fn size(bytes: u64) -> String {
    let (shift, unit) = match bytes {
        0..1_024 => return format!("{bytes} o"),
        1_024..1_048_576 => (10, "Kio"),
        1_048_576..1_073_741_824 => (20, "Mio"),
        _ => (30, "Gio"),
    };
    let tenths = (u128::from(bytes) * 10) >> shift;
    format!("{},{} {unit}", tenths / 10, tenths % 10)
}

/// How long something has lasted, in its two largest units.
pub(super) fn age(lasted: Duration) -> String {
    let seconds = lasted.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} j {} h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_others_words_command_nothing() {
        let rows = vec![
            vec!["été".to_owned(), "1".to_owned()],
            vec!["a\u{1b}[2\u{202e}J".to_owned(), "x".repeat(100)],
        ];
        let text = table(&["nom / name", "n"], &rows);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "nom / name  n");
        assert_eq!(lines[1], "été         1");
        assert!(!text.contains(['\u{1b}', '\u{202e}']));
        assert_eq!(lines[2].chars().count(), 12 + WIDTH);
    }

    #[test]
    fn ages_are_said_in_two_units() {
        let said = |seconds| age(Duration::from_secs(seconds));
        assert_eq!(
            [0, 59, 61, 3_661, 90_000].map(said),
            ["0 s", "59 s", "1 min 1 s", "1 h 1 min", "1 j 1 h"]
        );
    }

    #[test]
    fn sizes_are_said_in_binary_units() {
        assert_eq!(
            [size(0), size(1_023), size(2_048), size(2_000_000)].join(" "),
            "0 o 1023 o 2,0 Kio 1,9 Mio"
        );
    }
}
