//! A power cut: a file system of its own on a loop device, the writer stopped, the device's bytes copied as the disk would be
//! found, mounted elsewhere, the journal opened there. A control that never syncs shows that the test can fail.
//!
//! Needs root, loop devices, `mkfs.ext4` and `mount`; says so and passes without them.

#![expect(
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    reason = "a test says what went wrong by panicking"
)]

mod common;

use common::{Writer, count_checked, options, payload};
use passerelle_journal::Journal;
use rand::{Rng, SeedableRng};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const ROUNDS: u32 = 10;
const IMAGE_BYTES: u64 = 96 << 20;

#[test]
fn writer_process() {
    common::write_until_stopped();
}

fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let output =
        Command::new(program).args(arguments).output().map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim()))
    }
}

/// A mounted image; unmounted when dropped.
struct Mounted(PathBuf);

impl Mounted {
    fn new(image: &Path, at: &Path) -> Result<Self, String> {
        fs::create_dir_all(at).map_err(|error| error.to_string())?;
        run("mount", &["-o", "loop", &image.to_string_lossy(), &at.to_string_lossy()])?;
        Ok(Self(at.to_path_buf()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Err(error) = run("umount", &[&self.0.to_string_lossy()]) {
            eprintln!("left mounted: {error}");
        }
    }
}

fn file_system(image: &Path) -> Result<(), String> {
    let file = File::create(image).map_err(|error| error.to_string())?;
    file.set_len(IMAGE_BYTES).map_err(|error| error.to_string())?;
    run("mkfs.ext4", &["-q", "-F", &image.to_string_lossy()])
}

/// Copies the device's bytes as they are now and mounts the copy.
fn cut(base: &Path) -> Mounted {
    let found = base.join("found.img");
    fs::copy(base.join("disk.img"), &found).expect("the disk's bytes");
    Mounted::new(&found, &base.join("found")).expect("the found disk mounts")
}

fn signal(writer: &Writer, signal: Signal) {
    let pid = i32::try_from(writer.child.id()).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(pid, signal).expect("the writer runs");
}

#[test]
fn nothing_acknowledged_is_lost_when_the_power_goes() {
    let base = tempfile::tempdir().expect("a folder");
    let image = base.path().join("disk.img");
    let mounted = file_system(&image).and_then(|()| Mounted::new(&image, &base.path().join("disk")));
    let disk = match mounted {
        Ok(disk) => disk,
        Err(reason) => {
            eprintln!("SKIPPED: the power-cut test needs root, a loop device and mkfs.ext4 ({reason})");
            return;
        }
    };
    assert_an_unsynced_write_is_lost(base.path(), &disk.0);

    let folder = disk.0.join("journal");
    let mut random = rand_chacha::ChaCha20Rng::seed_from_u64(10);
    for round in 0..ROUNDS {
        let mut writer = Writer::start(&folder);
        let seen = writer.acknowledged_after(random.random_range(20..400));
        signal(&writer, Signal::STOP);
        {
            let found = cut(base.path());
            let (journal, _) =
                Journal::open(&found.0.join("journal"), options()).expect("opened after the cut");
            let kept = count_checked(&journal);
            assert!(kept >= seen, "round {round}: {seen} acknowledged, {kept} found");
        }
        signal(&writer, Signal::KILL);
        writer.child.wait().expect("its end");
        fs::remove_dir_all(&folder).expect("room for the next round");
    }
}

/// A writer that was killed between its write and its sync leaves a batch in the page cache alone. Whoever opens the journal next
/// is shown that batch, so it must then outlive a cut.
#[test]
fn what_opening_shows_is_there_after_the_power_goes() {
    let base = tempfile::tempdir().expect("a folder");
    let image = base.path().join("disk.img");
    let mounted = file_system(&image).and_then(|()| Mounted::new(&image, &base.path().join("disk")));
    let disk = match mounted {
        Ok(disk) => disk,
        Err(reason) => {
            eprintln!("SKIPPED: the power-cut test needs root, a loop device and mkfs.ext4 ({reason})");
            return;
        }
    };
    let folder = disk.0.join("journal");
    let journal = Journal::create(&folder, options()).expect("created");
    journal.append_batch(&[payload(0)]).expect("appended");
    let begin = journal.end().offset;
    journal.append_batch(&[payload(1)]).expect("appended");
    drop(journal);
    // Takes the second batch back from the disk, durably, and leaves it as the kill would: written, not synced.
    let path = folder.join("0000000000000001.segment");
    let bytes = fs::read(&path).expect("the segment");
    let batch = &bytes[usize::try_from(begin).expect("an offset")..];
    let file = File::options().write(true).open(&path).expect("the segment");
    file.write_all_at(&vec![0; batch.len()], begin).and_then(|()| file.sync_all()).expect("taken back");
    file.write_all_at(batch, begin).expect("written, not synced");

    let (journal, _) = Journal::open(&folder, options()).expect("opened after the kill");
    let shown = count_checked(&journal);
    let found = cut(base.path());
    let (after, _) = Journal::open(&found.0.join("journal"), options()).expect("opened after the cut");
    assert_eq!((shown, count_checked(&after)), (2, 2));
}

fn assert_an_unsynced_write_is_lost(base: &Path, disk: &Path) {
    let mut control = File::create(disk.join("control")).expect("a file");
    control.write_all(&[1; 8_192]).expect("written, not synced");
    let found = cut(base);
    let kept = fs::read(found.0.join("control")).unwrap_or_default();
    if kept == [1; 8_192] {
        panic!("an unsynced write survived the cut: this test could not fail");
    }
}
