//! What is read of the exchanges: deliveries, notices, states. Off the I/O threads, and never by the sequencer.

use std::sync::Arc;

use bytes::Bytes;
use passerelle_pki::name::AgentId;
use passerelle_proto::{receipt, wire};
use prost::Message;

use super::handle::{Shared, blocking};
use super::{Commit, Ledger, LedgerError, StoredRecord};
use crate::view::{ExchangeRow, RecipientStatus, ViewError};

/// Most bytes of bodies that are read at once; one record is always read.
const BYTES_AT_ONCE: usize = 8 << 20;
/// Mailbox rows looked at for one answer.
const EXAMINED_LIMIT: usize = 4_096;

/// A record that waits for an agency.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Leaf of its acceptance.
    pub leaf_index: u64,
    /// Exchange id, 16 bytes.
    pub exchange_id: Bytes,
    /// The envelope as it was submitted.
    pub envelope: wire::Envelope,
    /// The sealed body; empty when it lies in the spool.
    pub body: Bytes,
    /// The agency's agent that has the earlier records of its stream; empty when there is none.
    pub keeper: String,
    /// The gateway's receipt, as the sender has it but for the batch that it was signed with.
    pub receipt: wire::Receipt,
}

/// A part of what waits for an agency.
#[derive(Clone, Debug)]
pub struct Deliveries {
    /// Oldest first.
    pub records: Vec<Waiting>,
    /// The first leaf that was not looked at.
    pub next_leaf: u64,
    /// There may be more from there on.
    pub more: bool,
}

/// What became of an exchange.
#[derive(Clone, Debug)]
pub struct ExchangeState {
    /// Who sent it.
    pub sender_agency: String,
    /// The gateway's receipt.
    pub receipt: wire::Receipt,
    /// Every recipient, in the header's order.
    pub recipients: Vec<RecipientOutcome>,
}

/// Where one recipient stands.
#[derive(Clone, Debug)]
pub struct RecipientOutcome {
    /// Agency code.
    pub agency: String,
    /// Its agent's signed statement, once it acknowledged.
    pub acknowledgement: Option<wire::Statement>,
    /// The record expired before it was collected.
    pub expired: bool,
}

impl Ledger {
    /// Records that wait for `agency` at leaf `from_leaf` or after, oldest first, at most `most`; what is at a leaf that
    /// `passed_over` names is not read.
    ///
    /// # Errors
    /// [`LedgerError::Internal`] when the view cannot be read or the receipts cannot be signed.
    pub async fn next_deliveries(
        &self,
        agency: &str,
        from_leaf: u64,
        most: usize,
        passed_over: impl Fn(u64) -> bool + Send + 'static,
    ) -> Result<Deliveries, LedgerError> {
        let (shared, agency) = (Arc::clone(&self.shared), agency.to_owned());
        blocking(move || shared.deliveries(&agency, from_leaf, most, &passed_over)).await
    }

    /// Takes the oldest acknowledgements that `agent`, as sender, was not told of: leaf and signed statement, at most
    /// `most`. Each is given once; one that is lost on the way is found again with [`Ledger::exchange_state`].
    ///
    /// # Errors
    /// [`LedgerError::Internal`] when the view or the log cannot be read.
    pub async fn take_notices(
        &self,
        agent: &AgentId,
        most: usize,
    ) -> Result<Vec<(u64, wire::Statement)>, LedgerError> {
        let (shared, agent) = (Arc::clone(&self.shared), agent.to_string());
        blocking(move || {
            let mut taken = Vec::new();
            for leaf in shared.view.notices(&agent, most).map_err(|error| view_failed(&error))? {
                let statement = shared.acknowledgement(leaf)?;
                if shared.view.take_notice(&agent, leaf).map_err(|error| view_failed(&error))? {
                    taken.push((leaf, statement));
                }
            }
            Ok(taken)
        })
        .await
    }

    /// The record of an exchange, while it waits for `agency`.
    ///
    /// # Errors
    /// [`LedgerError::Internal`] when the view or the journal cannot be read.
    pub async fn waiting_record(
        &self,
        agency: &str,
        exchange_id: &[u8],
    ) -> Result<Option<StoredRecord>, LedgerError> {
        let (shared, agency, id) = (Arc::clone(&self.shared), agency.to_owned(), exchange_id.to_owned());
        blocking(move || match shared.view.exchange(&id).map_err(|error| view_failed(&error))? {
            Some(row) if waits(&row, &agency) => shared.record(&row).map(Some),
            _ => Ok(None),
        })
        .await
    }

    /// What became of an exchange; `None` when none was accepted with this id. Who may know is the caller's to check.
    ///
    /// # Errors
    /// [`LedgerError::Internal`] when the view or the log cannot be read, or the receipt cannot be signed.
    pub async fn exchange_state(&self, exchange_id: &[u8]) -> Result<Option<ExchangeState>, LedgerError> {
        let (shared, id) = (Arc::clone(&self.shared), exchange_id.to_owned());
        blocking(move || {
            let Some(row) = shared.view.exchange(&id).map_err(|error| view_failed(&error))? else {
                return Ok(None);
            };
            let recipients = row.recipients.iter().map(|recipient| {
                let acknowledged = recipient.status() == RecipientStatus::Acknowledged;
                Ok(RecipientOutcome {
                    agency: recipient.agency.clone(),
                    acknowledgement: match acknowledged {
                        true => Some(shared.acknowledgement(recipient.leaf_index)?),
                        false => None,
                    },
                    expired: recipient.status() == RecipientStatus::Expired,
                })
            });
            let recipients = recipients.collect::<Result<_, LedgerError>>()?;
            let body = row.receipt_body(&id, &shared.origin.origin);
            let receipt = shared.receipts(&[body])?.pop();
            let receipt = receipt.ok_or_else(|| LedgerError::Internal("no receipt was signed".to_owned()))?;
            Ok(Some(ExchangeState { sender_agency: row.sender_agency, receipt, recipients }))
        })
        .await
    }

    /// Whether some recipient still waits for this exchange: its body in the spool is then needed. Reads the view;
    /// to be called off the I/O threads.
    ///
    /// # Errors
    /// [`LedgerError::Internal`] when the view cannot be read.
    pub fn waits_for(&self, exchange_id: &[u8]) -> Result<bool, LedgerError> {
        let row = self.shared.view.exchange(exchange_id).map_err(|error| view_failed(&error))?;
        Ok(row.is_some_and(|row| row.waiting()))
    }
}

impl Shared {
    fn deliveries(
        &self,
        agency: &str,
        from_leaf: u64,
        most: usize,
        passed_over: &dyn Fn(u64) -> bool,
    ) -> Result<Deliveries, LedgerError> {
        let (mut found, mut bodies, mut bytes) = (Vec::new(), Vec::new(), 0);
        let (mut from, mut more) = (from_leaf, true);
        for _ in 0..EXAMINED_LIMIT {
            if found.len() >= most || bytes >= BYTES_AT_ONCE {
                break;
            }
            let Some((leaf, id)) = self.view.next_mail(agency, from).map_err(|error| view_failed(&error))?
            else {
                more = false;
                break;
            };
            from = leaf + 1;
            if passed_over(leaf) {
                continue;
            }
            let row = self.view.exchange(&id).map_err(|error| view_failed(&error))?;
            let Some(row) = row.filter(|row| waits(row, agency)) else { continue };
            // One damaged record must not hold up all that come after it.
            let (envelope, record) = match self.envelope(&row) {
                Ok(read) => read,
                Err(error) => {
                    tracing::error!(leaf, agency, %error, "a waiting record cannot be read");
                    continue;
                }
            };
            bytes += record.body.len() + record.envelope.len();
            bodies.push(row.receipt_body(&id, &self.origin.origin));
            found.push((leaf, id, envelope, record.body, self.keeper(&row, agency)?));
        }
        let receipts = self.receipts(&bodies)?;
        let waiting = |((leaf_index, exchange_id, envelope, body, keeper), receipt)| Waiting {
            leaf_index,
            exchange_id,
            envelope,
            body,
            keeper,
            receipt,
        };
        let records = found.into_iter().zip(receipts).map(waiting).collect();
        Ok(Deliveries { records, next_leaf: from, more })
    }

    fn keeper(&self, row: &ExchangeRow, agency: &str) -> Result<String, LedgerError> {
        let Some(place) = row.place() else { return Ok(String::new()) };
        let stream = self.view.stream(&place).map_err(|error| view_failed(&error))?;
        Ok(stream.keeper(agency).unwrap_or_default().to_owned())
    }

    fn receipts(&self, bodies: &[wire::ReceiptBody]) -> Result<Vec<wire::Receipt>, LedgerError> {
        receipt::sign_batch(bodies, self.receipt_key.as_ref())
            .map_err(|error| LedgerError::Internal(format!("receipts: {error}")))
    }

    fn envelope(&self, row: &ExchangeRow) -> Result<(wire::Envelope, StoredRecord), LedgerError> {
        let record = self.record(row)?;
        let envelope = wire::Envelope::decode(record.envelope.clone())
            .map_err(|error| LedgerError::Internal(format!("stored envelope: {error}")))?;
        Ok((envelope, record))
    }

    fn record(&self, row: &ExchangeRow) -> Result<StoredRecord, LedgerError> {
        let lost = |why: String| LedgerError::Internal(format!("record of leaf {}: {why}", row.leaf_index));
        let position = row.journal_position().ok_or_else(|| lost("not kept any more".to_owned()))?;
        let entry = self.journal.entry(position).map_err(|error| lost(error.to_string()))?;
        let commit = Commit::from_entry(entry).map_err(|error| lost(error.to_string()))?;
        // The view is not trusted: it may point at another record.
        if commit.first_leaf != row.leaf_index {
            return Err(lost(format!("the journal has leaf {} there", commit.first_leaf)));
        }
        commit.record.ok_or_else(|| lost("the journal has none there".to_owned()))
    }
}

fn waits(row: &ExchangeRow, agency: &str) -> bool {
    row.recipient(agency).is_some_and(|recipient| recipient.status() == RecipientStatus::Waiting)
}

fn view_failed(error: &ViewError) -> LedgerError {
    LedgerError::Internal(error.to_string())
}
