//! A bar for people who wait; nothing for programs.

use std::io::IsTerminal;

use bytes::Bytes;
use indicatif::{ProgressBar, ProgressStyle};

const TEMPLATE: &str = "{msg:30!} {bar:30} {bytes}/{total_bytes} {binary_bytes_per_sec} {eta}";
const TEMPLATE_OPEN: &str = "{msg:30!} {spinner} {bytes} {binary_bytes_per_sec}";

/// Counts the bytes of one file.
#[derive(Clone, Debug)]
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// Shown on the standard error when that is a terminal, unless `hidden`.
    pub(super) fn new(what: &str, length: Option<u64>, hidden: bool) -> Self {
        if hidden || !std::io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let (bar, template) = match length {
            Some(length) => (ProgressBar::new(length), TEMPLATE),
            None => (ProgressBar::new_spinner(), TEMPLATE_OPEN),
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let shown: String = what.chars().filter(|letter| !letter.is_control()).collect();
        Self(bar.with_style(style).with_message(shown))
    }

    pub(super) fn moved(&self, bytes: &Bytes) {
        self.0.inc(bytes.len() as u64);
    }

    /// So many bytes in all.
    pub(super) fn reached(&self, bytes: u64) {
        self.0.set_position(bytes);
    }

    /// Whether anybody sees it.
    pub(super) fn is_shown(&self) -> bool {
        !self.0.is_hidden()
    }

    /// Takes the bar away.
    pub(super) fn end(&self) {
        self.0.finish_and_clear();
    }
}
