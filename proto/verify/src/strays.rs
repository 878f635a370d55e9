//! Files of a log folder that no tree of the checkpoint's size has. They are reported, and are no fault: the publisher
//! writes tiles before the checkpoint that covers them.

use passerelle_proto::tlog::TilePath;

/// How many stray files are named.
const NAMED: usize = 20;

/// Files that the checkpoint does not call for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Strays {
    /// How many there are.
    pub count: u64,
    /// The first few by path.
    pub named: Vec<String>,
}

impl Strays {
    /// Looks at one file of a log of `size` entries.
    pub(crate) fn look(&mut self, path: &str, size: u64) {
        if is_expected(path, size) {
            return;
        }
        self.count += 1;
        if self.named.len() < NAMED {
            self.named.push(path.to_owned());
        }
    }
}

/// Whether a log of `size` entries has, or once had, this file.
fn is_expected(path: &str, size: u64) -> bool {
    if path == "checkpoint" {
        return true;
    }
    let Ok(tile) = path.parse::<TilePath>() else { return false };
    TilePath::in_tree(tile.level(), tile.index(), size).is_some_and(|now| tile.width() <= now.width())
}
