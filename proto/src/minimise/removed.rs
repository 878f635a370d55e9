//! What was removed, in shapes: pointers without places in lists, and never a value.

use std::collections::BTreeSet;
use std::fmt;

use super::pointer::escape;

/// Shapes that are told; beyond, only their number is.
pub const SHAPES_LIMIT: usize = 64;
/// Characters of a shape's segment.
const SEGMENT_LIMIT: usize = 64;

/// Fields that were removed, or would have to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    count: u64,
    shapes: BTreeSet<String>,
}

impl Removed {
    /// How many fields and elements, each with all that it holds.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Their pointers, sorted, each once, at most [`SHAPES_LIMIT`]. Elements of lists, and keys that a `*` stands for, are
    /// written `*`. For the agency's own systems only: a key can itself be somebody's number.
    #[must_use]
    pub fn shapes(&self) -> Vec<String> {
        self.shapes.iter().cloned().collect()
    }

    pub(super) fn add(&mut self, path: &Path, last: Step<'_>) {
        self.count += 1;
        if self.shapes.len() < SHAPES_LIMIT {
            self.shapes.insert(path.shape(Some(last)));
        }
    }

    pub(super) fn whole() -> Self {
        Self { count: 1, shapes: BTreeSet::from([String::new()]) }
    }
}

/// How many.
impl fmt::Display for Removed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.count)
    }
}

/// One step of a path.
#[derive(Copy, Clone)]
pub(super) enum Step<'a> {
    Key(&'a str),
    /// An element, or a key that only `*` covers.
    Any,
}

/// From the root to a place; `None` as [`Step::Any`].
#[derive(Default)]
pub(super) struct Path(Vec<Option<String>>);

impl Path {
    pub(super) fn push(&mut self, step: Step<'_>) {
        self.0.push(match step {
            Step::Key(key) => Some(key.to_owned()),
            Step::Any => None,
        });
    }

    pub(super) fn pop(&mut self) {
        self.0.pop();
    }

    pub(super) fn shape(&self, last: Option<Step<'_>>) -> String {
        let steps = self.0.iter().map(|key| key.as_deref().map_or(Step::Any, Step::Key));
        steps.chain(last).map(|step| format!("/{}", step.shape())).collect()
    }
}

impl Step<'_> {
    fn shape(self) -> String {
        match self {
            Self::Any => "*".to_owned(),
            Self::Key(key) => {
                let whole = escape(key);
                let mut cut: String =
                    whole.chars().filter(|letter| !letter.is_control()).take(SEGMENT_LIMIT).collect();
                if cut.len() < whole.len() {
                    cut.push('…');
                }
                cut
            }
        }
    }
}
