//! Reading a policy, line by line, and the checks of each part.

use std::collections::HashSet;
use std::str::FromStr;

use super::mistake::{PolicyError, PolicyMistake};
use super::{Group, Member, NONE, PART_LIMIT, POLICY_LIMIT, Policy, PolicyLog, PolicyWitness};
use crate::tlog::text::decimal;

const LOG: &str = "log <vkey> [<url>]";
const WITNESS: &str = "witness <name> <vkey> [<url>]";
const GROUP: &str = "group <name> all|any|<k> <member>...";
const QUORUM: &str = "quorum <name>|none";

impl Policy {
    /// Reads a policy, strictly and within its limits.
    ///
    /// # Errors
    /// [`PolicyError`] naming the line and what is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicyError> {
        if bytes.len() > POLICY_LIMIT {
            return Err(PolicyMistake::TooLong.into());
        }
        let text = std::str::from_utf8(bytes).map_err(|_| PolicyMistake::Characters)?;
        let (mut policy, mut has_quorum) = (Self::none(), false);
        for (number, line) in (1..).zip(text.split_inclusive('\n')) {
            policy
                .read_line(line, &mut has_quorum)
                .map_err(|mistake| PolicyError { line: Some(number), mistake })?;
        }
        if has_quorum { Ok(policy) } else { Err(PolicyMistake::NoQuorum.into()) }
    }

    fn read_line(&mut self, line: &str, has_quorum: &mut bool) -> Result<(), PolicyMistake> {
        let line = line.strip_suffix('\n').ok_or(PolicyMistake::NoNewline)?;
        if line.bytes().any(|byte| (byte < 0x20 && byte != b'\t') || byte == 0x7f) {
            return Err(PolicyMistake::Characters);
        }
        // Spaces and tabs only: whatever else Unicode calls a space may be part of a name.
        let words: Vec<&str> = line.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
        let Some((keyword, words)) = words.split_first() else { return Ok(()) };
        match *keyword {
            comment if comment.starts_with('#') => Ok(()),
            "log" => {
                let (vkey, url) = with_url(words, 1).ok_or(PolicyMistake::Words(LOG))?;
                let key = vkey.parse().map_err(PolicyMistake::Key)?;
                self.add_log(PolicyLog { key, url })
            }
            "witness" => {
                let (vkey, url) = with_url(words, 2).ok_or(PolicyMistake::Words(WITNESS))?;
                let name = words.first().ok_or(PolicyMistake::Words(WITNESS))?;
                let key = vkey.parse().map_err(PolicyMistake::Key)?;
                self.add_witness(PolicyWitness { name: (*name).to_owned(), key, url })
            }
            "group" => {
                let [name, need, members @ ..] = words else { return Err(PolicyMistake::Words(GROUP)) };
                if members.is_empty() {
                    return Err(PolicyMistake::Words(GROUP));
                }
                self.add_group(name, threshold(need, members.len())?, members)
            }
            "quorum" => {
                let [name] = words else { return Err(PolicyMistake::Words(QUORUM)) };
                if std::mem::replace(has_quorum, true) {
                    return Err(PolicyMistake::SecondQuorum);
                }
                self.set_quorum(name)
            }
            other => Err(PolicyMistake::Keyword(other.to_owned())),
        }
    }

    /// Adds a log.
    ///
    /// # Errors
    /// [`PolicyMistake::SameKey`] or [`PolicyMistake::TooMany`].
    pub fn add_log(&mut self, log: PolicyLog) -> Result<(), PolicyMistake> {
        if self.logs.iter().any(|known| known.key.key() == log.key.key()) {
            return Err(PolicyMistake::SameKey);
        }
        room(&self.logs)?;
        self.logs.push(log);
        Ok(())
    }

    /// Adds a witness. It does not count before a group or the quorum names it.
    ///
    /// # Errors
    /// [`PolicyMistake`] when its name or its key is there already, or its name is not one.
    pub fn add_witness(&mut self, witness: PolicyWitness) -> Result<(), PolicyMistake> {
        self.check_new(&witness.name)?;
        if self.witnesses.iter().any(|known| known.key.key() == witness.key.key()) {
            return Err(PolicyMistake::SameKey);
        }
        room(&self.witnesses)?;
        self.witnesses.push(witness);
        Ok(())
    }

    /// Adds the group `name`, which has signed when `need` of `members` have.
    ///
    /// # Errors
    /// [`PolicyMistake`] when a member is not known or is in a group already, or `need` is not 1 to their number.
    pub fn add_group(&mut self, name: &str, need: usize, members: &[&str]) -> Result<(), PolicyMistake> {
        self.check_new(name)?;
        let mut placed: HashSet<&str> =
            self.groups.iter().flat_map(|group| &group.members).map(|member| self.name(*member)).collect();
        let mut found = Vec::new();
        for member in members {
            found.push(self.defined(member)?);
            if !placed.insert(member) {
                return Err(PolicyMistake::MemberTwice((*member).to_owned()));
            }
        }
        if !(1..=found.len()).contains(&need) {
            return Err(PolicyMistake::Threshold);
        }
        room(&self.groups)?;
        self.groups.push(Group { name: name.to_owned(), need, members: found });
        Ok(())
    }

    /// Says which witness or group must have signed; `none` for nobody.
    ///
    /// # Errors
    /// [`PolicyMistake::Unknown`] when nothing has that name.
    pub fn set_quorum(&mut self, name: &str) -> Result<(), PolicyMistake> {
        self.quorum = if name == NONE { None } else { Some(self.defined(name)?) };
        Ok(())
    }

    fn defined(&self, name: &str) -> Result<Member, PolicyMistake> {
        if name == NONE {
            return Err(PolicyMistake::Reserved);
        }
        self.member(name).ok_or_else(|| PolicyMistake::Unknown(name.to_owned()))
    }

    fn check_new(&self, name: &str) -> Result<(), PolicyMistake> {
        if name == NONE {
            return Err(PolicyMistake::Reserved);
        }
        if name.is_empty() || name.contains(|c: char| c == ' ' || c.is_ascii_control()) {
            return Err(PolicyMistake::Characters);
        }
        if self.member(name).is_some() {
            return Err(PolicyMistake::NameTaken(name.to_owned()));
        }
        Ok(())
    }
}

impl FromStr for Policy {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        Self::parse(text.as_bytes())
    }
}

/// The word before the URL, which is word number `count`, and the URL if there is one.
fn with_url<'a>(words: &[&'a str], count: usize) -> Option<(&'a str, Option<String>)> {
    let key = words.get(count.checked_sub(1)?)?;
    let url = words.get(count).map(|url| (*url).to_owned());
    (words.len() <= count + 1).then_some((*key, url))
}

fn threshold(need: &str, members: usize) -> Result<usize, PolicyMistake> {
    match need {
        "all" => Ok(members),
        "any" => Ok(1),
        number => {
            decimal(number).and_then(|number| usize::try_from(number).ok()).ok_or(PolicyMistake::Threshold)
        }
    }
}

fn room<T>(parts: &[T]) -> Result<(), PolicyMistake> {
    if parts.len() < PART_LIMIT { Ok(()) } else { Err(PolicyMistake::TooMany) }
}
