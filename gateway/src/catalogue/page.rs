//! Pages of the list: descriptions may be 48 KiB each, and a message has a limit.

use passerelle_proto::wire::{ListServicesReply, ServiceEntry};
use prost::Message;

/// Bytes of a page, roughly: one entry is always in it.
const PAGE_BYTES: usize = 4 << 20;

/// The next entries after the one named `after`, by name.
pub(super) fn page(entries: impl Iterator<Item = (String, ServiceEntry)>, after: &str) -> ListServicesReply {
    let mut page = ListServicesReply::default();
    let (mut bytes, mut last) = (0, String::new());
    let mut left: Vec<_> = entries.filter(|(name, _)| name.as_str() > after).collect();
    left.sort_by(|(one, _), (other, _)| one.cmp(other));
    for (name, entry) in left {
        bytes += entry.encoded_len();
        if bytes > PAGE_BYTES && !page.services.is_empty() {
            page.next = last;
            break;
        }
        page.services.push(entry);
        last = name;
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_have_every_service_once_and_fit_a_message() {
        let entry = |number: usize| {
            let chain = vec![vec![u8::try_from(number % 256).unwrap(); 48 * 1024].into()];
            (format!("ramq/service-{number:03}"), ServiceEntry { service: None, signing_chain: chain })
        };
        let (mut after, mut found, mut pages) = (String::new(), Vec::new(), 0);
        loop {
            let page = page((0..300).rev().map(entry), &after);
            assert!(page.encoded_len() < PAGE_BYTES + 64 * 1024);
            found.extend(page.services);
            pages += 1;
            after = page.next;
            if after.is_empty() {
                break;
            }
        }
        assert_eq!((found.len(), pages), (300, 4));
        assert!(found.iter().enumerate().all(|(number, found)| *found == entry(number).1));
        let huge = vec![(
            "a".to_owned(),
            ServiceEntry { service: None, signing_chain: vec![vec![0; PAGE_BYTES].into()] },
        )];
        assert_eq!(page(huge.into_iter(), "").services.len(), 1, "one is always in it");
    }
}
