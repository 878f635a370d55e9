//! Folders: each file arrives exactly once with its sidecar, whoever is killed when; and what cannot be sent is put aside.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use passerelle_agent::client::{InboxQuery, SendOptions};
use passerelle_pki::clock::SystemClock;
use passerelle_proto::event;
use passerelle_proto::wire::{EventKind, event::Detail};
use passerelle_tests::network::Network;
use passerelle_tests::network::agent::AgentProcess;
use passerelle_tests::network::agreements::{RAMQ, REVENU, SAAQ, codes, draft, today};
use passerelle_tests::network::folders::{Exchange, Found, names};
use passerelle_tests::network::process::Program;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

const NUMBER: &str = "ENT-2026-001";
const SEED: u64 = 0x0f01_de55;
const LOOK: Duration = Duration::from_millis(50);

struct World {
    network: Network,
    ramq: AgentProcess,
    out: Exchange,
    saaq: AgentProcess,
    inn: Exchange,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        Self::with("").await
    }

    /// With more lines for the sender's folder.
    async fn with(lines: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = Program::new(env!("CARGO_BIN_EXE_sandbox").into());
        let network = Network::create(folder.path(), program).unwrap();
        for body in [RAMQ, SAAQ, REVENU] {
            network.register(body).unwrap();
        }
        let (ramq, out) = network
            .agent_with_folder(RAMQ, ("avis", NUMBER), &format!("direction = \"outbox\"\n{lines}"))
            .unwrap();
        let (saaq, inn) =
            network.agent_with_folder(SAAQ, ("recus", NUMBER), "direction = \"inbox\"\n").unwrap();
        let form = draft(NUMBER, RAMQ, &[SAAQ], today(SystemClock::shared().now()));
        network.conclude_by_agents(&form, &[&ramq, &saaq]).await.unwrap();
        // Both have made their folders before anything is dropped.
        until(Duration::from_secs(30), || {
            out.part("outbox/quarantine").is_dir() && inn.part("inbox/.passerelle").is_dir()
        })
        .await;
        Self { network, ramq, out, saaq, inn, _folder: folder }
    }
}

async fn until(patience: Duration, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + patience;
    while !holds() {
        assert!(Instant::now() < end, "it did not come about in {} s", patience.as_secs());
        sleep(LOOK).await;
    }
}

/// The content says which file it is; each hundredth goes in chunks.
fn content(number: usize) -> Vec<u8> {
    let repeated = if number.is_multiple_of(100) { 90_000 } else { number % 90 + 1 };
    format!("dossier {number:06};").repeat(repeated).into_bytes()
}

fn number_of(content: &[u8]) -> usize {
    let text = std::str::from_utf8(&content[8..14]).unwrap();
    text.parse().unwrap()
}

fn sidecar(number: usize) -> Option<Value> {
    number
        .is_multiple_of(3)
        .then(|| json!({ "case_reference": format!("D-{number}"), "purpose": codes::PURPOSE }))
}

/// Takes one file in: whole, the one that was sent, with its own sidecar, and never twice.
fn check(found: &Found, arrived: &mut BTreeSet<usize>) {
    let number = number_of(&found.content);
    assert!(found.content == content(number), "{} is not what was dropped", found.name);
    assert!(arrived.insert(number), "{number} arrived twice");
    assert_eq!(found.sidecar["from"], "ramq");
    assert_eq!(found.sidecar["file"], found.name.as_str());
    assert_eq!(found.sidecar["file_name"], format!("dossier-{number}.txt"));
    let case = sidecar(number).map_or(Value::Null, |sidecar| sidecar["case_reference"].clone());
    assert_eq!(found.sidecar["case_reference"], case, "the sidecar is the file's own");
    let digest = ring::digest::digest(&ring::digest::SHA256, &found.content);
    assert_eq!(found.sidecar["sha256"], hex::encode(digest));
}

/// Drops `files`, kills `kills` times at random, and expects each file once.
async fn each_arrives_once(files: usize, kills: usize, gap_ms: std::ops::Range<u64>, patience: Duration) {
    let mut world = World::new().await;
    let (out, done) = (world.out.clone(), Arc::new(AtomicBool::new(false)));
    // Slow enough that files are dropped until the last kill.
    let pause =
        Duration::from_millis(gap_ms.end) * u32::try_from(kills).unwrap() / u32::try_from(files).unwrap();
    let dropped = Arc::clone(&done);
    let dropping = thread::spawn(move || {
        for number in 0..files {
            out.drop_file(&format!("dossier-{number}.txt"), &content(number), sidecar(number).as_ref())
                .unwrap();
            thread::sleep(pause);
        }
        dropped.store(true, Ordering::SeqCst);
    });
    let (mut random, mut arrived) = (ChaCha20Rng::seed_from_u64(SEED), BTreeSet::new());
    let begun = Instant::now();
    for _ in 0..kills {
        sleep(Duration::from_millis(random.random_range(gap_ms.clone()))).await;
        match random.random_range(0..3) {
            0 => {
                world.ramq.process.kill().unwrap();
                world.ramq.restart().unwrap();
            }
            1 => {
                world.saaq.process.kill().unwrap();
                // Whatever lies there is whole, also between two lives of the agent.
                world.inn.collect().unwrap().iter().for_each(|found| check(found, &mut arrived));
                world.saaq.restart().unwrap();
            }
            _ => {
                world.network.gateway().unwrap().kill().unwrap();
                world.network.start_gateway().unwrap();
            }
        }
        world.inn.collect().unwrap().iter().for_each(|found| check(found, &mut arrived));
    }
    let under_kills = arrived.len();
    until(patience, || {
        world.inn.collect().unwrap().iter().for_each(|found| check(found, &mut arrived));
        done.load(Ordering::SeqCst) && arrived.len() == files
    })
    .await;
    dropping.join().unwrap();
    println!(
        "{files} files, {kills} kills: each arrived once, in {:.1} s, {under_kills} of them between the kills",
        begun.elapsed().as_secs_f64()
    );
    settled(&mut world, files).await;
}

/// Every file has its receipt, nothing is left anywhere, and the log has as many exchanges as there were files.
async fn settled(world: &mut World, files: usize) {
    // The sender asks what became of its records when it connects.
    assert!(world.ramq.process.stop().unwrap().success());
    world.ramq.restart().unwrap();
    let mut receipts = BTreeMap::new();
    until(Duration::from_secs(120), || {
        receipts = world.out.receipts().unwrap();
        receipts.len() == files && receipts.values().all(|receipt| receipt["state"] == "delivered")
    })
    .await;
    let ids: BTreeSet<_> = receipts.values().map(|receipt| receipt["exchange_id"].to_string()).collect();
    assert_eq!(ids.len(), files, "each file has an exchange of its own");
    assert_eq!(world.out.quarantine().unwrap(), BTreeMap::new());
    let left: Vec<_> = names(&world.out.part("outbox")).unwrap();
    assert_eq!(left.iter().filter(|name| *name != "sent" && *name != "quarantine").count(), 0, "{left:?}");
    until(Duration::from_secs(20), || {
        fs::read_dir(world.out.part("outbox/.passerelle")).unwrap().count() == 1
    })
    .await;
    assert!(world.saaq.client.inbox(&InboxQuery::default()).await.unwrap().records.is_empty());
    for agent in [&mut world.ramq, &mut world.saaq] {
        assert!(agent.process.stop().unwrap().success());
    }
    assert!(world.inn.collect().unwrap().is_empty(), "nothing comes a second time");
    assert!(world.network.gateway().unwrap().stop().unwrap().success());
    let accepted = world.network.log_entries().unwrap().into_iter().filter(|entry| {
        let event = event::decode(entry).unwrap();
        event.kind == i32::from(EventKind::ExchangeAccepted)
            && matches!(event.detail, Some(Detail::Exchange(_)))
    });
    assert_eq!(accepted.count(), files, "no file was sent twice");
    world.network.verify_log().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_file_arrives_once_whoever_is_killed() {
    each_arrives_once(300, 8, 150..900, Duration::from_secs(60)).await;
}

#[ignore = "takes minutes: ./tests/run heavy"]
#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_files_arrive_once_whoever_is_killed() {
    each_arrives_once(10_000, 30, 1_000..4_000, Duration::from_secs(400)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_waits_for_its_sidecar_where_one_is_required() {
    let world = World::with("sidecar = \"required\"\n").await;
    let (out, mut arrived) = (&world.out, BTreeSet::new());
    out.drop_file("dossier-1.txt", &content(1), None).unwrap();
    out.drop_file("dossier-3.txt", &content(3), sidecar(3).as_ref()).unwrap();
    let mut collected = |wanted| {
        world.inn.collect().unwrap().iter().for_each(|found| check(found, &mut arrived));
        arrived.iter().copied().eq(wanted)
    };
    // The later one has gone its whole way; the earlier one is untouched.
    until(Duration::from_secs(20), || collected(vec![3])).await;
    let waiting = out.part("outbox").join("dossier-1.txt");
    assert!(waiting.is_file() && out.quarantine().unwrap().is_empty());
    let beside = out.part("outbox").join("dossier-1.txt.meta.json");
    let unfinished = out.part("outbox").join("dossier-1.txt.meta.json.part");
    fs::write(&unfinished, json!({ "purpose": codes::PURPOSE }).to_string()).unwrap();
    fs::rename(&unfinished, &beside).unwrap();
    until(Duration::from_secs(20), || collected(vec![1, 3])).await;
    assert!(!waiting.exists());
}

/// Waits until `name` is in quarantine; gives the code of its reason.
async fn code_of(out: &Exchange, name: &str) -> String {
    let mut reason = None;
    until(Duration::from_secs(20), || {
        reason = out.quarantine().unwrap().remove(name);
        reason.is_some()
    })
    .await;
    let reason = reason.unwrap();
    let lines: Vec<&str> = reason.lines().filter(|line| !line.is_empty()).collect();
    assert!(lines.len() >= 4, "French and English: {reason}");
    lines[0].strip_prefix("Code : ").unwrap().to_owned()
}

/// Everything that must not leave, and what must not be touched.
fn drop_attacks(out: &Exchange, secret: &Path) {
    let outbox = out.part("outbox");
    for (name, sidecar) in [
        ("autre-organisme.txt", json!({ "to": ["revenu-quebec"] })),
        ("autre-entente.txt", json!({ "agreement": "ENT-2026-999" })),
        ("chemin.txt", json!({ "file_name": "../../../etc/passwd" })),
        ("champ.txt", json!({ "expediteur": "saaq" })),
        ("finalite.txt", json!({ "purpose": codes::OTHER_PURPOSE })),
    ] {
        out.drop_file(name, b"x", Some(&sidecar)).unwrap();
    }
    symlink(secret, outbox.join("lien.txt")).unwrap();
    fs::write(outbox.join("fiche-lien.txt"), "x").unwrap();
    symlink(secret, outbox.join("fiche-lien.txt.meta.json")).unwrap();
    fs::hard_link(secret, outbox.join("lien-physique.txt")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        outbox.join("tube"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    fs::write(outbox.join(OsStr::from_bytes(b"octets-\xff.txt")), "x").unwrap();
    fs::write(outbox.join("deux\nlignes.txt"), "x").unwrap();
    fs::write(outbox.join("é".repeat(120)), "x").unwrap();
    fs::create_dir(outbox.join("dossier")).unwrap();
    fs::write(outbox.join("en-cours.part"), "x").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_sent_is_put_aside_and_says_why() {
    let world = World::new().await;
    let (out, outbox) = (&world.out, world.out.part("outbox"));
    let secret = world.network.folder().join("secret.txt");
    fs::write(&secret, "ne doit pas sortir").unwrap();
    drop_attacks(out, &secret);
    for (name, code) in [
        ("autre-organisme.txt", "DIRECTION_NOT_COVERED"),
        ("autre-entente.txt", "SIDECAR_CONTRADICTS_FOLDER"),
        ("chemin.txt", "FILE_NAME_NOT_PLAIN"),
        ("champ.txt", "SIDECAR_INVALID"),
        ("finalite.txt", "PURPOSE_NOT_COVERED"),
        ("lien.txt", "FILE_KIND"),
        ("fiche-lien.txt", "SIDECAR_INVALID"),
        ("lien-physique.txt", "FILE_LINKED"),
        ("tube", "FILE_KIND"),
        ("octets-\u{fffd}.txt", "FILE_NAME_UNUSABLE"),
        ("deux_lignes.txt", "FILE_NAME_UNUSABLE"),
        (&"é".repeat(100), "FILE_NAME_UNUSABLE"),
    ] {
        assert_eq!(code_of(out, name).await, code, "{name}");
        assert!(fs::symlink_metadata(out.part("outbox/quarantine").join(name)).is_ok(), "{name} itself");
    }
    assert_eq!(fs::read_to_string(&secret).unwrap(), "ne doit pas sortir");
    assert!(outbox.join("dossier").is_dir() && outbox.join("en-cours.part").exists(), "not touched");
    let mut counted = 0;
    for _ in 0..100 {
        let status = world.ramq.client.status().await.unwrap().folders.remove(0);
        assert_eq!((status.name.as_str(), status.trouble), ("avis", None));
        counted = status.quarantined;
        if counted == 12 {
            break;
        }
        sleep(LOOK).await;
    }
    assert_eq!(counted, 12);
    corrected(&world).await;
    hostile_names(&world).await;
}

/// Corrected and dropped again, a file goes; so do two of one name, and one that is written slowly under its name.
async fn corrected(world: &World) {
    let (out, outbox) = (&world.out, world.out.part("outbox"));
    fs::remove_file(out.part("outbox/quarantine/chemin.txt.meta.json")).unwrap();
    fs::rename(out.part("outbox/quarantine/chemin.txt"), outbox.join("chemin.txt")).unwrap();
    out.drop_file("double.txt", b"un", None).unwrap();
    until(Duration::from_secs(20), || !outbox.join("double.txt").exists()).await;
    out.drop_file("double.txt", b"deux", None).unwrap();
    let mut slow = fs::File::create(outbox.join("lent.txt")).unwrap();
    for piece in ["a", "b", "c", "d"] {
        std::io::Write::write_all(&mut slow, piece.as_bytes()).unwrap();
        sleep(Duration::from_millis(400)).await;
    }
    let mut found = BTreeMap::new();
    until(Duration::from_secs(20), || {
        found.extend(world.inn.collect().unwrap().into_iter().map(|found| (found.content, found.sidecar)));
        found.len() == 4
    })
    .await;
    let contents: Vec<&[u8]> = found.keys().map(Vec::as_slice).collect();
    assert_eq!(contents, [&b"abcd"[..], b"deux", b"un", b"x"]);
    let sent = names(&out.part("outbox/sent")).unwrap();
    assert!(
        sent.contains(&"double.txt".to_owned()) && sent.contains(&"double (2).txt".to_owned()),
        "{sent:?}"
    );
}

/// What another agency calls a file leads nowhere else than into the inbox, and is no sidecar of another.
async fn hostile_names(world: &World) {
    let attacks =
        ["../../hors.txt", "/etc/cron.d/x", "victime.txt.meta.json", ".cache", "a\nb", "inachevé.part"];
    for name in attacks {
        let mut options = SendOptions::under(NUMBER);
        options.data_categories = vec![codes::IDENTITY.to_owned()];
        options.file_name = Some(name.to_owned());
        let body = stream::iter([Ok(Bytes::copy_from_slice(name.as_bytes()))]);
        world.ramq.client.send(&options, body, None).await.unwrap();
    }
    let mut landed = BTreeMap::new();
    until(Duration::from_secs(20), || {
        let found = world.inn.collect().unwrap();
        landed.extend(found.into_iter().map(|found| (String::from_utf8(found.content).unwrap(), found.name)));
        landed.len() == attacks.len()
    })
    .await;
    let names: Vec<&str> = attacks.iter().map(|attack| landed[*attack].as_str()).collect();
    let expected =
        ["_.._hors.txt", "_etc_cron.d_x", "victime.txt.meta.json_", "cache", "a_b", "inachevé.part_"];
    assert_eq!(names, expected);
    assert!(!world.network.folder().join("saaq/hors.txt").exists());
}
