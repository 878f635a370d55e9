//! The judge's policy on logs and witnesses (C2SP tlog-policy), and cosignatures held against it (C2SP tlog-cosignature).

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use passerelle_pki::clock::Timestamp;
use passerelle_pki::key::PublicKey;
use ring::digest;

use crate::tlog::NoteVerifier;
use crate::tlog::note::Note;
use crate::tlog::vkey::{KeyName, NoteKeyId};

/// Most lines with a meaning.
const LINES_LIMIT: usize = 1_024;
/// Signature type of a timestamped Ed25519 cosignature.
const COSIGNATURE_TYPE: u8 = 0x04;

/// Which logs are believed, and which witnesses must have seen them.
#[derive(Clone, Debug)]
pub struct LogPolicy {
    logs: Vec<NoteVerifier>,
    witnesses: BTreeMap<String, WitnessKey>,
    groups: BTreeMap<String, (usize, Vec<String>)>,
    quorum: Option<String>,
}

#[derive(Clone, Debug)]
struct WitnessKey {
    name: KeyName,
    id: NoteKeyId,
    key: PublicKey,
}

/// A policy that cannot be read. Its author is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the policy: {why}")]
pub struct LogPolicyError {
    line: usize,
    why: &'static str,
}

/// What witnesses say of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cosigned {
    /// Those whose cosignature holds, each with its time.
    pub(super) by: BTreeMap<String, Timestamp>,
    /// A witness's line that does not verify.
    pub(super) forged: bool,
    pub(super) quorum: bool,
}

impl LogPolicy {
    /// The logs that are believed.
    #[must_use]
    pub fn logs(&self) -> &[NoteVerifier] {
        &self.logs
    }

    /// How many witnesses it names.
    pub(super) fn witnesses(&self) -> usize {
        if self.quorum.is_some() { self.witnesses.len() } else { 0 }
    }

    /// Which witnesses cosigned a note, and whether they are enough.
    pub(super) fn cosigned(&self, note: &Note) -> Cosigned {
        let (mut by, mut forged) = (BTreeMap::new(), false);
        for (label, witness) in &self.witnesses {
            let lines =
                note.signatures().iter().filter(|line| line.name == witness.name && line.id == witness.id);
            for line in lines {
                match cosignature(note.text(), &line.signature, &witness.key) {
                    Some(at) => drop(by.insert(label.clone(), at)),
                    None => forged = true,
                }
            }
        }
        let seen: BTreeSet<&str> = by.keys().map(String::as_str).collect();
        let quorum = self.quorum.as_ref().is_some_and(|name| self.holds(name, &seen, 0));
        Cosigned { by, forged, quorum }
    }

    fn holds(&self, name: &str, seen: &BTreeSet<&str>, depth: usize) -> bool {
        match self.groups.get(name) {
            // Names are defined before they are used: no group is in itself, and depth is bounded by their number.
            Some((k, members)) if depth <= self.groups.len() => {
                members.iter().filter(|member| self.holds(member, seen, depth + 1)).count() >= *k
            }
            Some(_) => false,
            None => seen.contains(name),
        }
    }

    fn knows(&self, name: &str) -> bool {
        self.witnesses.contains_key(name) || self.groups.contains_key(name)
    }

    fn take(&mut self, words: &[&str], done: &mut bool) -> Result<(), &'static str> {
        match words {
            ["log", vkey] | ["log", vkey, _] => {
                let log: NoteVerifier = vkey.parse().map_err(|_| "not the verifier key of a log")?;
                if self.logs.contains(&log) {
                    return Err("this log stands twice");
                }
                self.logs.push(log);
            }
            ["witness", name, vkey] | ["witness", name, vkey, _] => {
                let witness =
                    WitnessKey::parse(vkey).ok_or("not the verifier key of a witness (type 0x04)")?;
                let repeated = self.witnesses.values().any(|other| other.key == witness.key);
                if *name == "none" || self.knows(name) || repeated {
                    return Err("this name or key stands twice");
                }
                self.witnesses.insert((*name).to_owned(), witness);
            }
            ["group", name, threshold, members @ ..] => {
                let distinct: BTreeSet<&&str> = members.iter().collect();
                if *name == "none" || self.knows(name) || distinct.len() != members.len() {
                    return Err("this name, or a member, stands twice");
                }
                if members.is_empty() || !members.iter().all(|member| self.knows(member)) {
                    return Err("a group has members that were defined before");
                }
                let k = match *threshold {
                    "any" => Some(1),
                    "all" => Some(members.len()),
                    number => number.parse().ok().filter(|k| (1..=members.len()).contains(k)),
                };
                let k = k.ok_or("the threshold is any, all, or 1 to the number of members")?;
                let members = members.iter().map(|member| (*member).to_owned()).collect();
                self.groups.insert((*name).to_owned(), (k, members));
            }
            ["quorum", name] if !*done => {
                *done = true;
                if *name != "none" && !self.knows(name) {
                    return Err("the quorum is a witness or group that was defined before, or none");
                }
                self.quorum = (*name != "none").then(|| (*name).to_owned());
            }
            _ => return Err("not log, witness, group or one quorum"),
        }
        Ok(())
    }
}

impl FromStr for LogPolicy {
    type Err = LogPolicyError;

    fn from_str(text: &str) -> Result<Self, LogPolicyError> {
        let mut policy =
            Self { logs: Vec::new(), witnesses: BTreeMap::new(), groups: BTreeMap::new(), quorum: None };
        let (mut done, mut last) = (false, 0);
        for (line, content) in (1..).zip(text.lines()) {
            let content = content.split('#').next().unwrap_or_default();
            let words: Vec<&str> = content.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
            last = line;
            if words.is_empty() {
                continue;
            }
            if line > LINES_LIMIT {
                return Err(LogPolicyError { line, why: "too long" });
            }
            policy.take(&words, &mut done).map_err(|why| LogPolicyError { line, why })?;
        }
        match (policy.logs.is_empty(), done) {
            (true, _) => Err(LogPolicyError { line: last, why: "no log is named" }),
            (_, false) => Err(LogPolicyError { line: last, why: "no quorum is named" }),
            _ => Ok(policy),
        }
    }
}

impl WitnessKey {
    /// `name+hex(id)+base64(0x04 || key)`.
    fn parse(vkey: &str) -> Option<Self> {
        let mut parts = vkey.splitn(3, '+');
        let (name, id, typed) = (parts.next()?, parts.next()?, parts.next()?);
        let typed = STANDARD.decode(typed).ok()?;
        let raw: [u8; 32] = typed.strip_prefix(&[COSIGNATURE_TYPE])?.try_into().ok()?;
        let name: KeyName = name.parse().ok()?;
        let hash = [name.as_str().as_bytes(), b"\n", &typed].concat();
        let expected: NoteKeyId = *digest::digest(&digest::SHA256, &hash).as_ref().first_chunk()?;
        (hex::encode(expected) == id).then(|| Self { name, id: expected, key: PublicKey::from_raw32(raw) })
    }
}

/// The time of a cosignature that holds over the whole text.
fn cosignature(text: &str, signature: &[u8], key: &PublicKey) -> Option<Timestamp> {
    let (seconds, signature) = signature.split_first_chunk::<8>()?;
    let seconds = u64::from_be_bytes(*seconds);
    if seconds == 0 || i64::try_from(seconds).is_err() {
        return None;
    }
    let message = format!("cosignature/v1\ntime {seconds}\n{text}");
    key.verify(message.as_bytes(), signature).ok()?;
    Some(Timestamp::from_seconds(seconds))
}
