//! Erased contents in the published log (`docs/formats/log.md` section 7): every entry without contents must be named by
//! an event of erasure after it. Otherwise somebody emptied it on the disk, and what it said, a revocation perhaps,
//! would silently be forgotten.

use passerelle_proto::wire::ErasureDetail;

/// Leaves from the first to the second, which is excluded.
type Run = (u64, u64);

/// What was met while the log was read in its order. Grows with the number of ranges, not of entries.
#[derive(Debug, Default)]
pub(super) struct ErasedEntries {
    marked: Vec<Run>,
    named: Vec<Run>,
}

impl ErasedEntries {
    /// The entry at `leaf` has no contents.
    pub(super) fn mark(&mut self, leaf: u64) {
        match self.marked.last_mut() {
            Some((_first, end)) if *end == leaf => *end = leaf + 1,
            _ => self.marked.push((leaf, leaf + 1)),
        }
    }

    /// The event at `leaf` names erased entries: only what came before it counts.
    pub(super) fn name(&mut self, leaf: u64, detail: &ErasureDetail) {
        self.named.extend(
            detail.ranges.iter().map(|range| (range.first, range.end)).filter(|(_first, end)| *end <= leaf),
        );
    }

    /// The first entry without contents that no event names.
    pub(super) fn unnamed(mut self) -> Option<u64> {
        self.named.sort_unstable();
        let mut named = self.named.into_iter().peekable();
        for (first, end) in self.marked {
            let mut leaf = first;
            while leaf < end {
                while named.next_if(|(_first, named_end)| *named_end <= leaf).is_some() {}
                match named.peek() {
                    Some((named_first, named_end)) if *named_first <= leaf => leaf = *named_end,
                    _ => return Some(leaf),
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use passerelle_proto::wire::LeafRange;

    fn unnamed(marked: &[Run], named: &[(u64, Run)]) -> Option<u64> {
        let mut entries = ErasedEntries::default();
        marked.iter().flat_map(|(first, end)| *first..*end).for_each(|leaf| entries.mark(leaf));
        for (leaf, (first, end)) in named {
            let range = LeafRange { first: *first, end: *end };
            entries.name(*leaf, &ErasureDetail { ranges: vec![range], ..ErasureDetail::default() });
        }
        entries.unnamed()
    }

    #[test]
    fn every_entry_without_contents_is_named() {
        assert_eq!(unnamed(&[], &[]), None);
        assert_eq!(unnamed(&[(3, 9)], &[(20, (3, 9))]), None);
        assert_eq!(unnamed(&[(3, 9), (12, 13)], &[(20, (10, 15)), (21, (0, 5)), (22, (5, 10))]), None);
        assert_eq!(unnamed(&[(3, 9)], &[(20, (3, 8))]), Some(8));
        assert_eq!(unnamed(&[(3, 9)], &[(20, (4, 9))]), Some(3));
        assert_eq!(unnamed(&[(3, 4), (7, 8)], &[(20, (0, 6))]), Some(7));
    }

    #[test]
    fn an_event_does_not_name_what_comes_after_it() {
        assert_eq!(unnamed(&[(3, 9)], &[(8, (3, 9))]), Some(3));
    }
}
