//! What a request to an operation must have, as its document says: asked before anything is sealed, so that a mistake is told
//! where it was made.

use std::collections::BTreeSet;

use passerelle_proto::call::path::TEXT_LIMIT;
use percent_encoding::percent_decode_str;

use super::operations::essence;

/// What a request must have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demands {
    /// Names of query parameters that must be given.
    pub query: BTreeSet<String>,
    /// Whether there must be a content.
    pub body: bool,
    /// Media types that the content may have; any when the document does not say.
    pub content_types: Option<BTreeSet<String>>,
}

/// What a request lacks. The caller is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallMistake {
    /// Query parameters that the operation demands.
    #[error(
        "il manque à la requête : {} (paramètres de la requête) / the query lacks: {}",
        .0.join(", "),
        .0.join(", ")
    )]
    Query(Vec<String>),
    /// The operation demands a content.
    #[error("l'opération demande un corps; le joindre / the operation demands a body; send it")]
    Body,
    /// The content is of a type that the operation does not take.
    #[error(
        "type de contenu non pris par l'opération; l'un de : {} / a content type that the operation does not take; one of: {}",
        .0.join(", "),
        .0.join(", ")
    )]
    ContentType(Vec<String>),
}

impl Demands {
    /// Whether a request meets them: its query as it was asked (without `?`), the media type of its content, and whether
    /// it has one.
    ///
    /// # Errors
    /// The first that it does not meet.
    pub fn check(&self, query: &str, content_type: Option<&str>, has_body: bool) -> Result<(), CallMistake> {
        let given: BTreeSet<String> = query
            .get(..query.len().min(TEXT_LIMIT))
            .unwrap_or_default()
            .split('&')
            .map(|pair| pair.split('=').next().unwrap_or_default().replace('+', " "))
            .map(|name| percent_decode_str(&name).decode_utf8_lossy().into_owned())
            .collect();
        let missing: Vec<String> = self.query.difference(&given).cloned().collect();
        if !missing.is_empty() {
            return Err(CallMistake::Query(missing));
        }
        if !has_body {
            return if self.body { Err(CallMistake::Body) } else { Ok(()) };
        }
        match &self.content_types {
            Some(types) if !types.is_empty() && !types.iter().any(|kind| takes(kind, content_type)) => {
                Err(CallMistake::ContentType(types.iter().cloned().collect()))
            }
            _ => Ok(()),
        }
    }
}

/// Whether a media range (`application/json`, `text/*`, `*/*`) takes a media type.
fn takes(range: &str, content_type: Option<&str>) -> bool {
    let given = content_type.map(essence).unwrap_or_default();
    match range.split_once('/') {
        Some(("*", "*")) => true,
        Some((kind, "*")) => given.split_once('/').is_some_and(|(given, _)| given == kind),
        _ => range == given,
    }
}
