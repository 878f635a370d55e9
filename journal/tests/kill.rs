//! SIGKILL at random moments: what was acknowledged is there, in order, and nothing else has changed.

#![expect(
    clippy::expect_used,
    unreachable_pub,
    reason = "a test says what went wrong by panicking; a shared module"
)]

mod common;

use common::{Writer, count_checked, options};
use passerelle_journal::Journal;
use rand::{Rng, SeedableRng};

#[test]
fn writer_process() {
    common::write_until_stopped();
}

#[test]
fn nothing_acknowledged_is_lost_when_the_writer_is_killed() {
    const ROUNDS: u32 = 50;
    let folder = tempfile::tempdir().expect("a folder");
    let mut random = rand_chacha::ChaCha20Rng::seed_from_u64(50);
    let mut before = 0;
    for round in 0..ROUNDS {
        let mut writer = Writer::start(folder.path());
        let seen = writer.acknowledged_after(random.random_range(1..60));
        writer.child.kill().expect("SIGKILL");
        writer.child.wait().expect("its end");
        let acknowledged = std::iter::from_fn(|| writer.next_acknowledged()).fold(seen, u64::max);
        let (journal, _) = Journal::open(folder.path(), options()).expect("opened after the kill");
        let found = count_checked(&journal);
        assert!(found >= acknowledged, "round {round}: {acknowledged} acknowledged, {found} found");
        assert!(acknowledged > before, "round {round} wrote nothing");
        before = found;
    }
}
