//! What an answer means for a record.

use passerelle_proto::exchange_id::ExchangeId;
use passerelle_proto::reason::is_temporary;
use passerelle_proto::wire::exchange_client::ExchangeClient;
use passerelle_proto::wire::{self, Denial, Reason};
use tonic::Code;
use tonic::transport::Channel;

use super::Sender;
use crate::inclusion::Side;
use crate::link;
use crate::records::StoreError;

/// Details of a denied quota that time alone mends.
const PASSING_QUOTAS: [&str; 2] = ["per_second", "spool_bytes"];

/// An answer of the gateway.
#[derive(Debug)]
pub(super) enum Answer {
    /// It has the record.
    Receipt(wire::Receipt),
    /// It has not.
    Denial(Denial),
}

/// What is to be done with the record.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// Nothing: the answer is durable.
    Settled,
    /// The same again, later.
    Later,
    /// The body again.
    Upload,
}

impl Sender {
    /// Makes an answer durable, or has the record sent again.
    pub(super) async fn settle(
        &self,
        channel: Channel,
        id: ExchangeId,
        header_digest: [u8; 32],
        answer: Answer,
    ) {
        let next = match answer {
            Answer::Receipt(receipt) => self.receipt(id, header_digest, &receipt).await,
            Answer::Denial(denial) => self.denial(channel, id, header_digest, denial).await,
        };
        match next {
            Ok(Next::Settled) => {}
            Ok(Next::Later) => self.put_off(id),
            Ok(Next::Upload) => {
                self.outbox.uploaded(id, false);
                self.put_off(id);
            }
            Err(error) => {
                tracing::error!(%id, error = %link::chain(&error), "an answer could not be kept");
                self.put_off(id);
            }
        }
    }

    async fn receipt(
        &self,
        id: ExchangeId,
        header_digest: [u8; 32],
        receipt: &wire::Receipt,
    ) -> Result<Next, StoreError> {
        match self.verify_receipt(receipt, (id, header_digest)).await {
            Ok(body) => {
                // First: a receipt that was settled is not shown again.
                self.receipts.note(Side::Sent, receipt, &body).await?;
                self.outbox.accepted(id, body).await?;
                Ok(Next::Settled)
            }
            Err(doubt) => {
                tracing::error!(%id, error = %link::chain(&doubt), "a receipt is not believed");
                Ok(Next::Later)
            }
        }
    }

    async fn denial(
        &self,
        channel: Channel,
        id: ExchangeId,
        header_digest: [u8; 32],
        denial: Denial,
    ) -> Result<Next, StoreError> {
        let reason = denial.reason();
        if reason == Reason::HeaderExpired {
            // It may have been accepted while it was valid, and the receipt lost.
            match self.look_up(channel, id).await {
                Ok(Some(receipt)) => return self.receipt(id, header_digest, &receipt).await,
                Ok(None) => {}
                Err(_) => return Ok(Next::Later),
            }
        }
        if reason == Reason::BodyMismatch && denial.detail.contains("upload=incomplete") {
            return Ok(Next::Upload);
        }
        if is_passing(&denial) {
            return Ok(Next::Later);
        }
        tracing::warn!(%id, reason = reason.as_str_name(), detail = %denial.detail, "denied by the gateway");
        self.outbox.denied(id, (reason, denial.detail), denial.leaf_index).await?;
        Ok(Next::Settled)
    }

    /// The receipt of an exchange that the gateway has; `None` when it has it not.
    pub(super) async fn look_up(
        &self,
        channel: Channel,
        id: ExchangeId,
    ) -> Result<Option<wire::Receipt>, tonic::Status> {
        let request = wire::StateRequest { exchange_id: id.to_wire() };
        match link::call(ExchangeClient::new(channel).state(request)).await {
            Ok(reply) => Ok(reply.receipt),
            Err(status) if status.code() == Code::NotFound => Ok(None),
            Err(status) => Err(status),
        }
    }
}

/// Whether the same record may be accepted later, unchanged.
fn is_passing(denial: &Denial) -> bool {
    match denial.reason() {
        Reason::QuotaExceeded => PASSING_QUOTAS.iter().any(|quota| denial.detail.contains(quota)),
        reason => is_temporary(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denial(reason: Reason, detail: &str) -> Denial {
        passerelle_proto::reason::denial(reason, detail, bytes::Bytes::new())
    }

    #[test]
    fn what_time_mends_is_sent_again_and_nothing_else() {
        assert!(is_passing(&denial(Reason::Busy, "")));
        assert!(is_passing(&denial(Reason::LogUnavailable, "")));
        assert!(is_passing(&denial(Reason::QuotaExceeded, "limit=per_second; allowed=5")));
        assert!(is_passing(&denial(Reason::QuotaExceeded, "spool_bytes=1024")));
        assert!(!is_passing(&denial(Reason::QuotaExceeded, "limit=per_day; allowed=5")));
        assert!(!is_passing(&denial(Reason::PurposeNotCovered, "purpose=QC-G")));
    }
}
