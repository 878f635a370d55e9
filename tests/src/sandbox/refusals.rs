//! One refusal of each kind, had from the gateway by an agent that does what an honest one would never do.

use std::collections::BTreeMap;

use passerelle_pki::clock::SharedClock;
use passerelle_proto::reason;
use passerelle_proto::wire::Denial;

use crate::network::Network;
use crate::network::agreements::{RAMQ, SAAQ};
use crate::probe::refusals::{Case, Cases};

/// Enrols a second agent at RAMQ and one at SAAQ, concludes what the cases need, and submits each case.
///
/// # Errors
/// When a case is accepted, or refused for another reason than its own.
pub(super) async fn provoke(
    network: &Network,
    clock: &SharedClock,
) -> anyhow::Result<BTreeMap<&'static str, Denial>> {
    let ramq = network.probe(RAMQ.code, clock).await?;
    // Without a key bundle: nothing is ever sealed for this one.
    let saaq = network.silent_probe(SAAQ.code, clock).await?;
    let cases = Cases::conclude(network, &ramq, &saaq).await?;
    let to = ramq.recipients(&[SAAQ.code]).await?;
    let mut all = ramq.refusals(&cases, &to)?;
    all.extend(ramq.refusals_after_acceptance(&cases, &to).await?);
    let mut denials = BTreeMap::new();
    for Case { expected, frame } in all {
        let denial = ramq.denied(frame).await?;
        let (code, wanted) = (reason::code(denial.reason()), reason::code(expected));
        anyhow::ensure!(code == wanted, "{code} instead of {wanted}: {}", denial.detail);
        denials.insert(code, denial);
    }
    Ok(denials)
}
