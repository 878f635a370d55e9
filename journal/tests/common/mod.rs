//! A process that appends and says what was acknowledged, for the tests that end it at a bad moment.

use passerelle_journal::{Journal, Options, Position};
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

/// The writer's folder; its presence makes the test `writer_process` a writer.
const FOLDER: &str = "PASSERELLE_JOURNAL_WRITER";
/// Appends after which a writer that nobody stopped ends by itself.
const APPENDS_MAX: u64 = 2_000_000;

/// Segments small enough that rounds cross many of them.
pub fn options() -> Options {
    Options { segment_bytes: 256 << 10, ..Options::default() }
}

/// The payload with this number: 8 bytes of it, then up to 1,500 that follow from it.
pub fn payload(number: u64) -> Vec<u8> {
    let length = usize::try_from(number.wrapping_mul(2_654_435_761) % 1_500).unwrap_or(0);
    let mut payload = number.to_be_bytes().to_vec();
    payload.extend((0..length).map(|index| number.to_le_bytes()[index % 3] ^ index.to_le_bytes()[0]));
    payload
}

/// How many entries the journal holds; panics unless they are exactly the payloads 0, 1, 2 and so on.
pub fn count_checked(journal: &Journal) -> u64 {
    let mut count = 0;
    for entry in journal.read_from(Position::START).expect("a reader") {
        assert_eq!(entry.expect("an entry").payload, payload(count), "entry {count}");
        count += 1;
    }
    count
}

/// The body of `writer_process`: batches of one to seven entries; how many entries are acknowledged is a line on standard output.
pub fn write_until_stopped() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let folder = Path::new(&folder);
    let journal = match Journal::open(folder, options()) {
        Ok((journal, _)) => journal,
        Err(_) => Journal::create(folder, options()).expect("a new journal"),
    };
    let first = count_checked(&journal);
    let mut out = std::io::stdout().lock();
    let mut number = first;
    while number < first + APPENDS_MAX {
        let batch: Vec<_> = (number..number + 1 + number % 7).map(payload).collect();
        journal.append_batch(&batch).expect("appended");
        number += batch.len() as u64;
        writeln!(out, "acknowledged {number}").and_then(|()| out.flush()).expect("the parent reads");
    }
}

/// A running writer.
pub struct Writer {
    pub child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Writer {
    /// Starts this test program again, as a writer into `folder`.
    pub fn start(folder: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "writer_process", "--nocapture"])
            .env(FOLDER, folder)
            .stdout(Stdio::piped())
            .spawn()
            .expect("a writer");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        Self { child, lines }
    }

    /// Waits for so many acknowledgements; gives how many entries the last one covers.
    pub fn acknowledged_after(&mut self, acknowledgements: u32) -> u64 {
        let mut entries = 0;
        for _ in 0..acknowledgements {
            entries = self.next_acknowledged().expect("the writer goes on until it is stopped");
        }
        entries
    }

    /// How many entries the next acknowledgement covers; none after the writer's end.
    pub fn next_acknowledged(&mut self) -> Option<u64> {
        loop {
            // A last line cut by the kill names a shorter number, which is also covered.
            let line = self.lines.next()?.ok()?;
            if let Some((_, number)) = line.split_once("acknowledged ") {
                return number.parse().ok();
            }
        }
    }
}
