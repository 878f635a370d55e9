//! The guide for agencies, followed to the letter: from the token to the first exchange, in both languages, with the commands
//! that stand there, against a real network. Only paths, ports and ids are put in.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use passerelle_agent::client::{InboxQuery, LocalClient};
use passerelle_agent::config::Config;
use passerelle_pki::clock::SystemClock;
use passerelle_tests::network::Network;
use passerelle_tests::network::agent::AgentProcess;
use passerelle_tests::network::agreements::{RAMQ, SAAQ, draft, today};
use passerelle_tests::network::operators::Operator;
use passerelle_tests::network::process::{Program, Running};
use passerelle_tests::roles::Role;

const GUIDES: [(&str, &str); 2] = [
    ("fr", include_str!("../../docs/agency/GUIDE.fr.md")),
    ("en", include_str!("../../docs/agency/GUIDE.en.md")),
];
/// The same file, or the same word, in both languages.
const WORDS: [(&str, &str); 9] = [
    ("jeton.txt", "token.txt"),
    ("entente.json", "agreement.json"),
    ("avis.pdf", "notice.pdf"),
    ("releve.pdf", "statement.pdf"),
    ("lot-17", "batch-17"),
    ("/srv/recus", "/srv/received"),
    ("recu.bin", "received.bin"),
    ("relev%C3%A9.pdf", "statement.pdf"),
    ("passerelle.exemple", "passerelle.example"),
];
/// From the token to the first exchange.
const LIMIT: Duration = Duration::from_secs(120);

/// The blocks of a section that are in this language of code.
fn blocks(guide: &str, section: &str, code: &str) -> Vec<String> {
    let begins = format!("\n## {section}. ");
    let text = guide.split(begins.as_str()).nth(1).unwrap().split("\n## ").next().unwrap();
    let fence = format!("```{code}\n");
    text.split(fence.as_str()).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// The commands of a section, continued lines joined, comments left out.
fn commands(guide: &str, section: &str) -> Vec<String> {
    let text = blocks(guide, section, "sh").concat().replace("\\\n", " ");
    let lines = text.lines().map(|line| line.split("  #").next().unwrap().trim());
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

#[test]
fn both_languages_give_the_same_commands() {
    for section in ["2", "3", "4", "5", "6", "7", "10", "11"] {
        let french = commands(GUIDES[0].1, section).into_iter().map(|line| {
            let line = WORDS.iter().fold(line, |line, (fr, en)| line.replace(fr, en));
            line.split_whitespace().collect::<Vec<_>>().join(" ")
        });
        let english = commands(GUIDES[1].1, section).into_iter().map(|line| {
            let line = line.replace("relev%C3%A9.pdf", "statement.pdf");
            line.split_whitespace().collect::<Vec<_>>().join(" ")
        });
        assert_eq!(french.collect::<Vec<_>>(), english.collect::<Vec<_>>(), "section {section}");
    }
}

/// A reader with a machine of their own: `/etc`, `/var/lib` and `/srv` are folders of the test.
struct Reader {
    root: PathBuf,
    guide: &'static str,
    /// What was exported or assigned so far.
    before: Vec<String>,
    program: Program,
    agent: Option<Running>,
}

impl Reader {
    fn new(network: &Network, guide: &'static str, root: PathBuf, program: Program) -> Self {
        for folder in ["bin", "etc/passerelle", "var/lib", "srv", "work"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        let wrapper = root.join("bin/passerelle-agent");
        fs::write(&wrapper, format!("#!/bin/sh\nexec {:?} as agent \"$@\"\n", env!("CARGO_BIN_EXE_sandbox")))
            .unwrap();
        fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).unwrap();
        fs::copy(network.root_certificate(), root.join("etc/passerelle/root.cert.pem")).unwrap();
        let reader = Self { root, guide, before: Vec::new(), program, agent: None };
        let (gateway, local) = (network.addresses(), free_port());
        let config = reader
            .placed(&blocks(guide, "2", "toml")[0])
            .replace("https://passerelle.exemple:", "https://passerelle.example:")
            .replace(
                "https://passerelle.example:7443",
                &format!("https://localhost:{}", gateway.agents.port()),
            )
            .replace(
                "https://passerelle.example:7444",
                &format!("https://localhost:{}", gateway.public.port()),
            )
            .replace("127.0.0.1:7450", &format!("127.0.0.1:{local}"));
        fs::write(reader.root.join("etc/passerelle/agent.toml"), config).unwrap();
        reader
    }

    /// A text of the guide with the places of this machine.
    fn placed(&self, text: &str) -> String {
        let place = |folder: &str| self.root.join(folder).to_str().unwrap().to_owned();
        text.replace("/etc/passerelle", &place("etc/passerelle"))
            .replace("/var/lib/passerelle-agent", &place("var/lib/passerelle-agent"))
            .replace("/srv/", &format!("{}/", place("srv")))
    }

    fn bash(&self, line: &str) -> Output {
        let script = format!("{}\n{line}", self.before.join("\n"));
        let path = format!("{}:{}", self.root.join("bin").display(), std::env::var("PATH").unwrap());
        let mut command = Command::new("bash");
        command
            .args(["-euo", "pipefail", "-c", &script])
            .env("PATH", path)
            .current_dir(self.root.join("work"));
        command.output().unwrap()
    }

    /// One command as it stands, which must succeed; gives what it printed.
    fn run(&mut self, line: &str) -> String {
        let line = self.placed(line);
        let done = self.bash(&line);
        let (said, told) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        assert!(done.status.success(), "{line}\n{said}{told}");
        if line.starts_with("export ") || line.starts_with("TOKEN=") {
            self.before.push(line);
        }
        said.into_owned()
    }

    fn section(&mut self, section: &str) {
        for line in commands(self.guide, section) {
            self.run(&line);
        }
    }

    /// As the unit of section 4 starts it.
    fn start(&mut self) {
        let unit = blocks(self.guide, "4", "ini").concat();
        let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
        let words = self.placed(start);
        let arguments: Vec<&str> = words.split_whitespace().skip(1).collect();
        let log = self.root.join("agent.log");
        self.agent = Some(self.program.start(Role::Agent, &arguments, &log).unwrap());
    }

    /// What the doctor finds wrong, once it is no more than `expected`.
    fn doctor(&self, expected: &[&str]) {
        let end = Instant::now() + LIMIT;
        loop {
            let said = self.bash("passerelle-agent doctor --json");
            let report: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
            let checks = report["checks"].as_array().unwrap();
            let wrong: Vec<_> = checks.iter().filter(|check| check["outcome"] != "ok").collect();
            let names: Vec<&str> = wrong.iter().map(|check| check["name"].as_str().unwrap()).collect();
            if names == expected {
                assert_eq!(said.status.success(), expected.is_empty());
                return;
            }
            assert!(Instant::now() < end, "{wrong:#?}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn client(&self) -> LocalClient {
        LocalClient::from_config(&Config::load(&self.root.join("etc/passerelle/agent.toml")).unwrap())
            .unwrap()
    }
}

fn free_port() -> u16 {
    passerelle_tests::network::free_address().unwrap().port()
}

/// Every document that the commands send.
fn write_documents(folder: &Path, guide: &str) {
    for line in commands(guide, "6") {
        for word in line.split([' ', '@']).filter(|word| word.ends_with(".pdf") && !word.contains('%')) {
            fs::write(folder.join(word), format!("%PDF {word}")).unwrap();
        }
    }
}

async fn follow(folder: &Path, (language, guide): (&'static str, &'static str)) -> Duration {
    let program = Program::new(env!("CARGO_BIN_EXE_sandbox").into());
    let network = Network::create(&folder.join("reseau"), program.clone()).unwrap();
    for body in [RAMQ, SAAQ] {
        network.register(body).unwrap();
    }
    let saaq = network.agent(SAAQ).unwrap();
    let mut reader = Reader::new(&network, guide, folder.join("machine"), program);
    let token = commands(guide, "3")[0].rsplit(' ').next().unwrap().to_owned();
    fs::write(reader.root.join("work").join(token), network.enrolment_token(RAMQ.code, "agent-1").unwrap())
        .unwrap();

    let begun = Instant::now();
    reader.section("2");
    reader.section("3");
    reader.start();
    for line in commands(guide, "4").iter().filter(|line| !line.starts_with("systemctl")) {
        match line.ends_with("doctor") {
            // As the guide says: no agreement yet.
            true => reader.doctor(&["agreements"]),
            false => drop(reader.run(line)),
        }
    }
    sign(&mut reader, &network, &saaq).await;
    send(&mut reader).await;
    let took = begun.elapsed();
    println!("{language}: from the token to the first exchanges delivered in {:.1} s", took.as_secs_f64());
    receive(&mut reader, &saaq).await;
    reader.doctor(&[]);
    took
}

async fn sign(reader: &mut Reader, network: &Network, saaq: &AgentProcess) {
    let mut form = draft("ENT-2026-001", RAMQ, &[SAAQ], today(SystemClock::shared().now()));
    // What there is one of need not be said, as the guide tells.
    form.data_categories.truncate(1);
    network.propose(&form).unwrap();
    saaq.knows(&form, "PROPOSED").await.unwrap();
    let known = "timeout 60 bash -c 'until passerelle-agent agreement list | grep -q ENT-2026-001; do sleep 0.1; done'";
    reader.run(known);
    for line in commands(reader.guide, "5") {
        // There is no terminal here; the guide says what to give then.
        let line = if line.contains("agreement sign") { format!("{line} --yes") } else { line };
        reader.run(&line);
    }
    saaq.command(&["agreement", "sign", "ENT-2026-001", "1", "--yes"]).unwrap();
    network.step(Operator::SigningAuthority, "activate", &form).unwrap();
    saaq.knows(&form, "ACTIVE").await.unwrap();
}

async fn send(reader: &mut Reader) {
    write_documents(&reader.root.join("work"), reader.guide);
    let mut left_out = 0;
    for line in commands(reader.guide, "6") {
        let known =
            reader.client().records(&passerelle_agent::client::RecordsQuery::default()).await.unwrap();
        let last = known.records.first().map(|record| record.exchange_id.to_string()).unwrap_or_default();
        if line.contains("--unix-socket") {
            left_out += 1;
            continue;
        }
        let local = reader.client().endpoint().to_string();
        let line = line
            .replace("01890a5d-ac96-774b-bcce-b302099a8057", &last)
            .replace("<ID>", &last)
            .replace("http://127.0.0.1:7450", &local);
        reader.run(&line);
    }
    assert_eq!(left_out, 1, "the socket is the other choice of section 2");
}

/// Section 7, at the other agency.
async fn receive(reader: &mut Reader, saaq: &AgentProcess) {
    reader.before = vec![format!("export PASSERELLE_AGENT_CONFIG={}", saaq.config().display())];
    let token = fs::read_to_string(saaq.config().with_file_name("donnees").join("local.token")).unwrap();
    reader.before.push(format!("TOKEN={token}; API={}", saaq.client.endpoint()));
    let mut taken = false;
    for line in commands(reader.guide, "7") {
        let waiting = saaq.client.inbox(&InboxQuery::default()).await.unwrap().records;
        let first = waiting.first().map(|record| record.exchange_id.to_string()).unwrap_or_default();
        let line = line.replace("?wait=60", "?wait=1").replace("<ID>", &first);
        if taken && line.contains("/content") {
            continue;
        }
        // The content is fetched and confirmed before everything is taken at once.
        if line.contains(" take ") {
            for other in commands(reader.guide, "7").iter().filter(|line| line.contains("<ID>")) {
                reader.run(&other.replace("<ID>", &first));
            }
            taken = true;
        }
        if !(taken && line.contains("/confirm")) {
            reader.run(&line);
        }
    }
    assert!(saaq.client.inbox(&InboxQuery::default()).await.unwrap().records.is_empty());
    let received = reader.root.join("srv").read_dir().unwrap().next().unwrap().unwrap().path();
    assert!(fs::read_dir(received).unwrap().count() >= 2, "the documents are there");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guide_leads_to_the_first_exchange_in_under_two_minutes() {
    if Command::new("curl").arg("--version").output().is_err() {
        println!("NOT RUN: needs curl");
        return;
    }
    for (number, guide) in GUIDES.into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let took = follow(folder.path(), guide).await;
        assert!(took < LIMIT, "{number}: {took:?}");
    }
}
