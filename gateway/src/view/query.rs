//! Querying the log: the most selective index is walked newest first, and every condition is checked against the
//! entry itself, so that a wrong index row can hide an answer but never invent one.

use bytes::Bytes;
use passerelle_proto::wire;
use prost::Message;

use super::index::{self, Field};
use super::keys;
use super::store::{View, ViewError};

/// Entries looked at for one page at most; the page then ends early and says where to go on.
const EXAMINED_LIMIT: usize = 20_000;

/// What is asked. Empty conditions hold for every event; all given ones must hold.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Sender, recipient or subject agency.
    pub agency: Option<String>,
    /// Only what concerns this agency may be seen (beside `agency`).
    pub visible_to: Option<String>,
    /// Agreement number.
    pub agreement: Option<String>,
    /// Purpose code.
    pub purpose: Option<String>,
    /// Events at or after, milliseconds since the UNIX epoch.
    pub from_ms: Option<u64>,
    /// Events before, milliseconds since the UNIX epoch.
    pub to_ms: Option<u64>,
    /// Accepted or denied.
    pub outcome: wire::Outcome,
    /// Exchange id, 16 bytes.
    pub exchange_id: Option<Bytes>,
    /// Events on the page at most.
    pub limit: usize,
    /// Only leaves below this one.
    pub before: Option<u64>,
}

/// Newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Leaf index and exact entry; an empty one is erased.
    pub events: Vec<(u64, Bytes)>,
    /// `before` of the next page, when there may be more.
    pub next_before: Option<u64>,
}

/// Where exact entries are read from: the log.
pub trait EntrySource {
    /// The exact entry at `leaf_index`, or `None` beyond the end.
    fn entry(&self, leaf_index: u64) -> Result<Option<Bytes>, std::io::Error>;
}

/// Why a query gave no page. Ours.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The index.
    #[error("the query index cannot be read")]
    View(#[from] ViewError),
    /// The log.
    #[error("an entry cannot be read from the log")]
    Log(#[from] std::io::Error),
}

impl View {
    /// The events that fit `query`, newest first.
    pub fn query(&self, query: &Query, log: &dyn EntrySource) -> Result<Page, QueryError> {
        let (first, end) = self.leaf_range(query)?;
        let conditions = conditions(query);
        let mut page = Page::default();
        for (examined, leaf) in self.candidates(conditions.first(), first, end).enumerate() {
            let leaf = leaf?;
            if page.events.len() >= query.limit || examined >= EXAMINED_LIMIT {
                page.next_before = Some(leaf + 1);
                break;
            }
            let Some(entry) = log.entry(leaf)? else { continue };
            if entry.is_empty() {
                // Erased: nothing is known any more but that it was there, so it answers a question without conditions.
                if conditions.is_empty() {
                    page.events.push((leaf, entry));
                }
                continue;
            }
            let Ok(event) = wire::Event::decode(entry.clone()) else { continue };
            let in_time = query.from_ms.is_none_or(|from| event.time_ms >= from)
                && query.to_ms.is_none_or(|to| event.time_ms < to);
            if in_time && conditions.iter().all(|(field, value)| index::has(&event, *field, value)) {
                page.events.push((leaf, entry));
            }
        }
        Ok(page)
    }

    /// Leaves in `[first, end)` that may fit, newest first.
    fn candidates<'a>(
        &'a self,
        driver: Option<&(Field, Vec<u8>)>,
        first: u64,
        end: u64,
    ) -> Box<dyn Iterator<Item = Result<u64, ViewError>> + 'a> {
        let Some((field, value)) = driver else { return Box::new((first..end).rev().map(Ok)) };
        let prefix = index::prefix(*field, value);
        let key = |leaf: u64| [prefix.as_slice(), &leaf.to_be_bytes()].concat();
        let rows = self.db().range(key(first)..key(end.max(first)));
        Box::new(
            rows.keys().rev().map(|key| keys::last_number(&key?).ok_or(ViewError::Malformed("index key"))),
        )
    }

    /// Leaves that can be in the time asked for: event times never go down with the leaf.
    fn leaf_range(&self, query: &Query) -> Result<(u64, u64), ViewError> {
        let end = query.before.unwrap_or(u64::MAX).min(self.meta()?.applied);
        let time = |ms| keys::paired(keys::TIME, ms, 0);
        let first = match query.from_ms {
            Some(from) => {
                let earlier = self.db().range([keys::TIME].as_slice()..time(from).as_slice());
                let last = earlier.keys().next_back().transpose()?;
                last.and_then(|key| keys::last_number(&key)).unwrap_or(0)
            }
            None => 0,
        };
        let end = match query.to_ms {
            Some(to) => {
                let later = self.db().range(time(to).as_slice()..[keys::TIME + 1].as_slice());
                let next = later.keys().next().transpose()?;
                next.and_then(|key| keys::last_number(&key)).map_or(end, |leaf| leaf.min(end))
            }
            None => end,
        };
        Ok((first, end))
    }
}

/// The conditions on indexed fields, most selective first.
fn conditions(query: &Query) -> Vec<(Field, Vec<u8>)> {
    let text =
        |field, value: &Option<String>| value.as_ref().map(|value| (field, value.clone().into_bytes()));
    let outcome = match query.outcome {
        wire::Outcome::Unspecified => None,
        wire::Outcome::Accepted => Some((Field::Outcome, index::ACCEPTED.to_vec())),
        wire::Outcome::Denied => Some((Field::Outcome, index::DENIED.to_vec())),
    };
    [
        query.exchange_id.as_ref().map(|id| (Field::Exchange, id.to_vec())),
        text(Field::Agreement, &query.agreement),
        text(Field::Agency, &query.agency),
        text(Field::Agency, &query.visible_to),
        text(Field::Purpose, &query.purpose),
        outcome,
    ]
    .into_iter()
    .flatten()
    .collect()
}
