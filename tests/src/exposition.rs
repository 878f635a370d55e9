//! The text format of Prometheus, version 0.0.4, read strictly: what a scraper forgives is an error here.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail, ensure};

/// One scrape: the value of every series, under its name and labels as they stand.
#[derive(Clone, Debug, Default)]
pub struct Scrape(BTreeMap<String, f64>);

impl Scrape {
    /// Reads a whole text.
    ///
    /// # Errors
    /// The first line that is not of the format: a sample without HELP and TYPE before it, a family in two places, a name
    /// or label that is none, a series twice, a value that is no number, a counter not named `_total`.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        ensure!(text.is_empty() || text.ends_with('\n'), "the last line does not end");
        let (mut series, mut ended) = (BTreeMap::new(), BTreeSet::new());
        let (mut helped, mut family): (Option<String>, Option<(String, String)>) = (None, None);
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, _) = rest.split_once(' ').with_context(|| format!("no help: {line}"))?;
                if let Some((before, _)) = family.take() {
                    ended.insert(before);
                }
                ensure!(is_name(name) && !ended.contains(name), "a family twice, or no name: {line}");
                helped = Some(name.to_owned());
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').with_context(|| format!("no type: {line}"))?;
                ensure!(helped.take().as_deref() == Some(name), "TYPE does not follow its HELP: {line}");
                ensure!(["counter", "gauge"].contains(&kind), "an unexpected type: {line}");
                ensure!((kind == "counter") == name.ends_with("_total"), "a name against its type: {line}");
                family = Some((name.to_owned(), kind.to_owned()));
            } else {
                let (key, value) = sample(line).with_context(|| format!("not a sample: {line}"))?;
                let name = key.split('{').next().unwrap_or_default();
                let Some((current, kind)) = &family else { bail!("a sample without its TYPE: {line}") };
                ensure!(current == name, "a sample of another family: {line}");
                ensure!(value.is_finite() && (kind == "gauge" || value >= 0.0), "not a value: {line}");
                ensure!(series.insert(key.to_owned(), value).is_none(), "a series twice: {line}");
            }
        }
        Ok(Self(series))
    }

    /// The value of a series, written as in the text: `name` or `name{label="value"}`.
    ///
    /// # Errors
    /// When it is not there.
    pub fn value(&self, series: &str) -> anyhow::Result<f64> {
        self.0.get(series).copied().with_context(|| format!("no series {series} in {:#?}", self.0.keys()))
    }

    /// Every series.
    pub fn series(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// Name with labels, and value.
fn sample(line: &str) -> Option<(&str, f64)> {
    let (key, value) = line.rsplit_once(' ')?;
    let (name, labels) = match key.split_once('{') {
        None => (key, None),
        Some((name, rest)) => (name, Some(rest.strip_suffix('}')?)),
    };
    let sound = is_name(name) && labels.is_none_or(are_labels);
    sound.then_some((key, value.parse().ok()?))
}

fn are_labels(mut text: &str) -> bool {
    let mut names = BTreeSet::new();
    loop {
        let Some((name, rest)) = text.split_once("=\"") else { return false };
        if !is_name(name) || name.contains(':') || !names.insert(name) {
            return false;
        }
        let Some(length) = quoted(rest) else { return false };
        match rest.get(length + 1..) {
            Some("") => return true,
            Some(more) if more.starts_with(',') => text = &more[1..],
            _ => return false,
        }
    }
}

/// Where the closing quote stands.
fn quoted(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (place, letter) in text.char_indices() {
        match letter {
            '\\' | '"' | 'n' if escaped => escaped = false,
            _ if escaped => return None,
            '\\' => escaped = true,
            '"' => return Some(place),
            _ => {}
        }
    }
    None
}

fn is_name(text: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ':';
    text.starts_with(letter) && text.chars().all(|c| letter(c) || c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_well_formed_is_read() {
        let text = "# HELP a_total Things.\n# TYPE a_total counter\na_total{reason=\"x \\\"y\\\"\",b=\"2\"} 3\na_total{reason=\"z\"} 1\n\
                    # HELP b Others.\n# TYPE b gauge\nb -1.5\n";
        let scrape = Scrape::parse(text).unwrap();
        assert_eq!(scrape.value("b").unwrap(), -1.5);
        assert_eq!(scrape.value("a_total{reason=\"z\"}").unwrap(), 1.0);
    }

    #[test]
    fn what_is_not_is_refused() {
        let head = "# HELP b B.\n# TYPE b gauge\n";
        for text in [
            "b 1\n",
            "# TYPE b gauge\nb 1\n",
            &format!("{head}b 1"),
            &format!("{head}b 1\nb 2\n"),
            &format!("{head}c 1\n"),
            &format!("{head}b one\n"),
            &format!("{head}b{{x=\"1\" 1\n"),
            &format!("{head}b{{x=1}} 1\n"),
            &format!("{head}b{{x=\"1\",x=\"2\"}} 1\n"),
            &format!("{head}b{{x=\"\\q\"}} 1\n"),
            &format!("{head}b 1\n{head}b{{x=\"1\"}} 1\n"),
            &format!("{head}b 1\n\n"),
            "# HELP b B.\n# TYPE b counter\nb 1\n",
            "# HELP b B.\n# TYPE b summary\nb 1\n",
        ] {
            assert!(Scrape::parse(text).is_err(), "{text}");
        }
    }
}
