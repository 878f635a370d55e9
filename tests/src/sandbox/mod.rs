//! The road of records from one agency to another, in one process: what stands today of the network that the sandbox is for.
//!
//! Real parts only: certificates from an issuing authority, signed key bundles, sealed envelopes, the journal, receipts,
//! acknowledgements, the log as C2SP tiles, and its check. Not on the road yet: agreements, the gateway's and agents'
//! processes, and the network between them; so nothing is refused, and the report says so.

mod centre;
mod party;

use crate::generator::{Generator, Kind};
use anyhow::Context;
use centre::Centre;
use party::{Party, Trust};
use passerelle_pki::clock::Clock;
use serde::Serialize;
use std::path::Path;
use std::time::Instant;

/// What happened, as the last line of `--json`.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Records that the sender sealed and the centre accepted.
    pub records_sent: u64,
    /// Records that the recipient opened and acknowledged.
    pub records_delivered: u64,
    /// Plaintext bytes of them.
    pub bytes: u64,
    /// Whether each arrived byte for byte.
    pub byte_identical: bool,
    /// Entries in the log.
    pub audit_entries: u64,
    /// Whether the published log passed every check, with a key given apart from it.
    pub log_verified: bool,
    /// Wall-clock seconds.
    pub seconds: f64,
}

/// Sends `records` generated records from RAMQ to SAAQ, everything kept under `folder`.
///
/// # Errors
/// The first step that failed.
pub fn tour(folder: &Path, records: u32, seed: u64, clock: &dyn Clock) -> anyhow::Result<Report> {
    let started = Instant::now();
    let trust = Trust::create(&folder.join("pki"), clock.now()).context("the authorities")?;
    let sender = Party::enrol(&trust, "ramq/agent-1", clock.now()).context("the sender's keys")?;
    let recipient = Party::enrol(&trust, "saaq/agent-1", clock.now()).context("the recipient's keys")?;
    let mut centre = Centre::create(&folder.join("gateway")).context("the centre")?;

    let (mut generator, mut bytes, mut delivered, mut identical) = (Generator::new(seed), 0, 0, true);
    for number in 0..records {
        let kind = Kind::ALL[number as usize % Kind::ALL.len()];
        let record = generator.record(kind);
        let sealed = sender.seal(&recipient, &record, clock.now())?;
        let receipt = centre.accept(&sender, &sealed, clock.now())?;
        anyhow::ensure!(
            receipt.exchange_id == sealed.exchange_id.to_wire(),
            "a receipt for another exchange"
        );

        let opened = recipient.open(&sender, &sealed.envelope, &sealed.body)?;
        centre.acknowledge(&recipient, &recipient.acknowledge(&opened, clock.now())?, clock.now())?;
        identical &= opened.plaintext == record.body;
        bytes += opened.plaintext.len() as u64;
        delivered += 1;
    }
    let audit_entries = centre.publish()?;
    Ok(Report {
        records_sent: u64::from(records),
        records_delivered: delivered,
        bytes,
        byte_identical: identical,
        audit_entries,
        log_verified: centre.is_verified()?,
        seconds: started.elapsed().as_secs_f64(),
    })
}
