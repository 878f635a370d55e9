//! Four witnesses of the tests, and policies that name them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use passerelle_pki::clock::Timestamp;
use passerelle_pki::key::{Ed25519Key, Signer as _};
use passerelle_proto::tlog::note::Note;
use passerelle_proto::tlog::{Checkpoint, NoteSigner, Policy};
use ring::digest::{SHA256, digest};

pub(crate) struct Witnesses([(String, Ed25519Key); 4]);

impl Witnesses {
    pub(crate) fn build() -> Self {
        let names = ["ramq", "saaq", "revenu-quebec", "cnesst"];
        Self(names.map(|name| (format!("temoin.qc.example/{name}"), Ed25519Key::generate().unwrap())))
    }

    /// Type, key: what follows the id.
    fn typed(key: &Ed25519Key) -> Vec<u8> {
        [&[4][..], &key.public_raw()].concat()
    }

    fn id(name: &str, key: &Ed25519Key) -> [u8; 4] {
        let hash = digest(&SHA256, &[name.as_bytes(), b"\n", &Self::typed(key)].concat());
        *hash.as_ref().first_chunk().unwrap()
    }

    /// The note with the cosignatures of the first `count`.
    pub(crate) fn cosign(&self, note: &str, at: Timestamp, count: usize) -> String {
        let parsed = Note::parse(note.as_bytes()).unwrap();
        let seconds = at.as_seconds();
        let message = format!("cosignature/v1\ntime {seconds}\n{}", parsed.text());
        let lines = self.0.iter().take(count).map(|(name, key)| {
            let signature = key.sign(message.as_bytes()).unwrap();
            let bytes = [&Self::id(name, key)[..], &seconds.to_be_bytes(), &signature].concat();
            format!("\u{2014} {name} {}\n", STANDARD.encode(bytes))
        });
        note.to_owned() + &lines.collect::<String>()
    }

    /// `quorum` of the four for this log; none when it is 0.
    pub(crate) fn policy_text(&self, log: &NoteSigner, quorum: usize) -> String {
        let mut text = format!("# essai\nlog {}\n", log.verifier());
        for (number, (name, key)) in self.0.iter().enumerate() {
            let (id, typed) = (hex::encode(Self::id(name, key)), STANDARD.encode(Self::typed(key)));
            text.push_str(&format!("witness w{number} {name}+{id}+{typed}\n"));
        }
        match quorum {
            0 => text + "quorum none\n",
            k => text + &format!("group membres {k} w0 w1 w2 w3\nquorum membres\n"),
        }
    }

    pub(crate) fn policy(&self, log: &NoteSigner, quorum: usize) -> Policy {
        self.policy_text(log, quorum).parse().unwrap()
    }
}

/// The checkpoint as the log alone signs it.
pub(crate) fn without_signatures(note: &[u8], log: &NoteSigner) -> String {
    let note = Note::parse(note).unwrap();
    Checkpoint::parse(note.text()).unwrap().sign(log).unwrap().note().to_owned()
}
