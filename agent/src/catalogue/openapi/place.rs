//! Where something stands in a document's text. The parser gives a place to what it cannot read only, so the lines of what
//! it read are looked for: the first line that has the key.

/// White space before a colon that is looked through.
const SPACES: usize = 16;

/// The lines of a document.
pub(super) struct Places<'a>(Vec<&'a str>);

impl<'a> Places<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self(text.lines().collect())
    }

    /// The line of a key, from 1.
    pub(super) fn key(&self, key: &str) -> Option<usize> {
        self.after(0, key)
    }

    /// The line of a key below another.
    pub(super) fn within(&self, parent: &str, key: &str) -> Option<usize> {
        let parent = self.key(parent)?;
        self.after(parent - 1, key)
    }

    /// The first line that has the key, from line `from` (from 0) on.
    fn after(&self, from: usize, key: &str) -> Option<usize> {
        let has = |line: &str| {
            line.match_indices(key).any(|(at, _)| {
                let (before, behind) = (line.get(..at).unwrap_or_default(), line.get(at + key.len()..));
                let before = before.strip_suffix(['"', '\'']).unwrap_or(before);
                let behind = behind.unwrap_or_default();
                let behind = behind.strip_prefix(['"', '\'']).unwrap_or(behind);
                let begins = before.is_empty() || before.ends_with([' ', '{', ',', '\t']);
                // A few characters at each place: a line may be nothing but places.
                begins && behind.chars().take(SPACES).find(|letter| !letter.is_whitespace()) == Some(':')
            })
        };
        self.0.iter().skip(from).position(|line| has(line)).map(|at| from + at + 1)
    }
}
