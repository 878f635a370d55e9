//! `[govstack]`: the compatibility route, when it is wanted.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::mistake::Mistake;
use crate::govstack::{GovstackSettings, is_identifier};

/// The section as it is written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct GovstackSection {
    /// Address on loopback; empty for none.
    listen: String,
    /// The instance that agencies are shown under.
    instance: String,
    /// The class that they are shown under.
    class: String,
}

impl Default for GovstackSection {
    fn default() -> Self {
        Self { listen: String::new(), instance: "QC".to_owned(), class: "GOV".to_owned() }
    }
}

/// What the section makes; `None` when the route is off.
pub(super) fn settings(section: GovstackSection, mistakes: &mut Vec<Mistake>) -> Option<GovstackSettings> {
    for (key, value) in [("govstack.instance", &section.instance), ("govstack.class", &section.class)] {
        if !is_identifier(value) {
            mistakes.push(Mistake::new(
                key,
                format!("« {value} » ne convient pas; prendre une lettre, puis lettres et chiffres"),
                format!("\"{value}\" does not serve; take a letter, then letters and digits"),
            ));
        }
    }
    if section.listen.is_empty() {
        return None;
    }
    match section.listen.parse::<SocketAddr>() {
        Ok(listen) if listen.ip().is_loopback() => {
            Some(GovstackSettings { listen, instance: section.instance, class: section.class })
        }
        _ => {
            mistakes.push(Mistake::new(
                "govstack.listen",
                format!(
                    "« {} » n'est pas une adresse de cette machine; écrire 127.0.0.1:3366, ou rien",
                    section.listen
                ),
                format!(
                    "\"{}\" is no address of this machine; write 127.0.0.1:3366, or nothing",
                    section.listen
                ),
            ));
            None
        }
    }
}
