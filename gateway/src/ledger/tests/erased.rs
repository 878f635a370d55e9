//! A log whose entries are erased: it is read again without them, and not when they were removed without an event.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use passerelle_journal::Options;
use passerelle_pki::authority::Authority;
use passerelle_pki::clock::{ManualClock, SharedClock, Timestamp};
use passerelle_pki::key::Ed25519Key;
use passerelle_pki::keyfile::Passphrase;
use passerelle_proto::tlog::bundle;
use passerelle_proto::wire::{self, EventKind, LeafRange, event::Detail};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::ledger::tidy::gateway_actor;
use crate::ledger::{Ledger, NewEvent, OpenError, Origin, Settings};
use crate::state::State;
use crate::view::{Query, View, ViewBatch};

const DAY: Duration = Duration::from_secs(24 * 3_600);
/// Entries that the event names.
const NAMED: (u64, u64) = (10, 200);

/// A gateway's folders, its settings and its clock.
struct Place {
    folder: TempDir,
    settings: Settings,
    clock: Arc<ManualClock>,
    runtime: Runtime,
}

/// What only the entry at about `n` says.
fn unique(n: u64) -> String {
    format!("échange-{n:05}-dossier")
}

impl Place {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_772_452_800_000)));
        let (passphrase, now) = (Passphrase::new("phrase de passe d'essai".to_owned()), clock_now(&clock));
        let domain = "essai.example".parse().unwrap();
        let root = Authority::create_root(&folder.path().join("root"), &domain, &passphrase, now).unwrap();
        let issuing =
            Authority::create_issuing(&folder.path().join("issuing"), &root, &passphrase, now).unwrap();
        let shared: SharedClock = Arc::<ManualClock>::clone(&clock);
        let settings = Settings {
            journal: folder.path().join("data-journal"),
            log: folder.path().join("data-log"),
            view: folder.path().join("data-view"),
            origin: Origin { origin: "essai.example/log".to_owned(), gateway: "essai".to_owned() },
            receipt_key: Arc::new(Ed25519Key::generate().unwrap()),
            log_key: Arc::new(Ed25519Key::generate().unwrap()),
            clock: shared,
            state: State::new(root.trust_anchor().clone(), issuing.issuer().clone()),
            publish_interval: Duration::from_millis(50),
            segments: Options { segment_bytes: 16 << 10, ..Options::default() },
            finished: None,
            version: "essai".to_owned(),
            configuration_digest: [0; 32],
        };
        Self { folder, settings, clock, runtime: Runtime::new().unwrap() }
    }

    fn log(&self, ledger: &Ledger, kind: EventKind, detail: Detail) -> u64 {
        let event = NewEvent { kind, actor: gateway_actor("essai"), detail };
        self.runtime.block_on(ledger.decide(move |_state, _now| Ok(event))).unwrap().leaf_index
    }

    fn readings(&self, ledger: &Ledger, numbers: std::ops::Range<u64>) {
        for n in numbers {
            let access = wire::AccessDetail { query: unique(n), ..wire::AccessDetail::default() };
            self.log(ledger, EventKind::LogRead, Detail::Access(access));
        }
    }

    /// An agency, readings, an erasure of some of them, more readings; published, and no longer in the journal.
    fn fill(&self) {
        let ledger = Ledger::open(&self.settings).unwrap();
        let agency = wire::AgencyDetail { agency: "saaq".to_owned(), ..wire::AgencyDetail::default() };
        self.log(&ledger, EventKind::AgencyRegistered, Detail::Agency(agency));
        self.readings(&ledger, 2..300);
        let before_ms = clock_now(&self.clock).as_millis() + 1;
        self.clock.advance(3 * DAY);
        let erasure = wire::ErasureDetail {
            ranges: vec![LeafRange { first: NAMED.0, end: NAMED.1 }],
            agreement: String::new(),
            period_ms: u64::try_from(DAY.as_millis()).unwrap(),
            before_ms,
        };
        self.log(&ledger, EventKind::ContentsErased, Detail::Erasure(erasure));
        self.readings(&ledger, 301..600);
        self.runtime.block_on(ledger.publish()).unwrap();
        let dropped = self.runtime.block_on(ledger.tidy()).unwrap().dropped;
        assert!(dropped > 1, "{dropped} segments dropped");
        self.runtime.block_on(ledger.stop()).unwrap();
    }

    /// Empties entries of the first bundle, and removes the view that has them too.
    fn empty(&self, entries: std::ops::Range<usize>) {
        let path = self.settings.log.join("tile/entries/000");
        let bytes = fs::read(&path).unwrap();
        let mut emptied = Vec::new();
        for (place, entry) in bundle::parse(&bytes, 256).unwrap().into_iter().enumerate() {
            bundle::push(&mut emptied, if entries.contains(&place) { b"" } else { entry }).unwrap();
        }
        fs::write(path, emptied).unwrap();
        fs::remove_dir_all(&self.settings.view).unwrap();
    }

    /// Files of the gateway that have `text` somewhere.
    fn files_with(&self, text: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        search(self.folder.path(), text.as_bytes(), &mut found);
        found
    }
}

fn clock_now(clock: &ManualClock) -> Timestamp {
    passerelle_pki::clock::Clock::now(clock)
}

fn search(folder: &Path, text: &[u8], found: &mut Vec<PathBuf>) {
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            search(&path, text, found);
        } else if fs::read(&path).unwrap().windows(text.len()).any(|window| window == text) {
            found.push(path);
        }
    }
}

#[test]
fn a_log_with_erased_contents_is_read_again_without_them() {
    let place = Place::new();
    place.fill();
    assert!(!place.files_with(&unique(20)).is_empty(), "the search finds what is there");
    place.empty(10..200);

    for start in ["the view is made again", "the view is there"] {
        let ledger = Ledger::open(&place.settings).unwrap();
        assert!(ledger.state().agency("saaq").is_some(), "{start}");
        assert_eq!(ledger.view().meta().unwrap().applied, ledger.entries().size(), "{start}");
        let query = Query { limit: 4, before: Some(202), ..Query::default() };
        let page = place.runtime.block_on(ledger.query(query)).unwrap();
        let shown: Vec<_> = page.events.iter().map(|(leaf, entry)| (*leaf, entry.is_empty())).collect();
        assert_eq!(shown, [(201, false), (200, false), (199, true), (198, true)], "{start}");
        place.runtime.block_on(ledger.publish()).unwrap();
        place.runtime.block_on(ledger.stop()).unwrap();
        drop(ledger);
        for n in [10, 20, 199] {
            assert_eq!(place.files_with(&unique(n)), [] as [PathBuf; 0], "{start}: {n}");
        }
    }
}

#[test]
fn contents_that_no_event_names_keep_the_gateway_from_starting() {
    let place = Place::new();
    place.fill();
    let path = place.settings.log.join("tile/entries/000");
    let whole = fs::read(&path).unwrap();
    // The agency's registration: what a start must not forget.
    place.empty(1..2);
    for _ in 0..2 {
        let opened = Ledger::open(&place.settings);
        assert!(matches!(opened, Err(OpenError::Emptied(1))), "{:?}", opened.err());
    }
    fs::write(&path, whole).unwrap();
    let ledger = Ledger::open(&place.settings).unwrap();
    assert!(ledger.state().agency("saaq").is_some(), "with its contents back it starts");
}

#[test]
fn a_view_that_passed_over_an_entry_before_it_was_known_to_be_named_is_made_again() {
    let place = Place::new();
    place.fill();
    // As a kill leaves it between two writes of the recovery: the first entry passed over, and no event seen yet.
    fs::remove_dir_all(&place.settings.view).unwrap();
    let tile = fs::read(place.settings.log.join("tile/0/000")).unwrap();
    let origin = &place.settings.origin.origin;
    let view = View::open(&place.settings.view, origin).unwrap();
    let mut batch = ViewBatch::new(&view, origin).unwrap();
    batch.pass_erased(tile[..32].try_into().unwrap());
    view.write(batch).unwrap();
    view.flush().unwrap();
    drop(view);

    let ledger = Ledger::open(&place.settings).unwrap();
    let first = ledger.view().governance().next().unwrap().unwrap();
    assert_eq!(first.0, 0, "the first entry was read after all");
}
