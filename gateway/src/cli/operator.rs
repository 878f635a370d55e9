//! `operator token`.

use std::time::Duration;

use passerelle_pki::clock::Timestamp;
use passerelle_pki::keyfile;

use super::arguments::OperatorAction;
use super::failure::Failure;
use crate::operators::token::{self, Grant};

/// Prints a token of the local issuer.
pub(super) fn run(action: &OperatorAction, now: Timestamp) -> Result<(), Failure> {
    let OperatorAction::Token(options) = action;
    let config = options.config.load()?;
    let Some(issuer) = &config.operators.local_issuer else {
        return Err(Failure::new(
            "operators.local vaut false : les jetons viennent du fournisseur d'identité.",
            "operators.local is false: tokens come from the identity provider.",
        ));
    };
    let path = &config.keys.operator_key;
    let key = keyfile::load(path, None).map_err(|error| Failure::file(path, &error))?;
    let grant = Grant {
        subject: options.subject.clone(),
        roles: options.roles.iter().copied().collect(),
        agency: options.agency.clone(),
        lifetime: Duration::from_secs(options.lifetime).min(config.operators.lifetime_max),
    };
    let token = token::issue(&key, (issuer, &config.operators.audience), &grant, now)
        .map_err(|error| Failure::of(&error))?;
    println!("{token}");
    Ok(())
}
