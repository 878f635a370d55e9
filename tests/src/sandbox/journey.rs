//! Records on their way: sent through the sender's agent, taken and compared at every recipient, followed to their end.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use indicatif::ProgressBar;
use passerelle_agent::client::{InboxQuery, LocalClient, SendOptions};
use passerelle_agent::records::RecordState;
use passerelle_proto::exchange_id::ExchangeId;
use tokio::time::{Instant, timeout_at};

use super::items::{Item, Print, print};

/// Records sent at a time.
const AT_ONCE: usize = 8;
/// How long a request waits for news.
const WAIT: Duration = Duration::from_secs(20);

/// A record that was taken over, and what it must be at the other end.
#[derive(Copy, Clone, Debug)]
pub(super) struct Sent {
    /// Its id.
    pub(super) id: ExchangeId,
    /// What its recipients must find.
    pub(super) print: Print,
}

/// Where records go: number of the agreement, by the sender's code.
pub(super) type Roads<'a> = BTreeMap<&'static str, (&'a LocalClient, &'static str)>;

/// Sends every item.
///
/// # Errors
/// When an agent refuses one.
pub(super) async fn send(items: &[Item], roads: &Roads<'_>, bar: &ProgressBar) -> anyhow::Result<Vec<Sent>> {
    let one = async |(number, item): (usize, &Item)| {
        let (client, agreement) = roads.get(item.sender.code).context("a road")?;
        let mut options = SendOptions::under(*agreement);
        options.data_categories = vec![crate::network::agreements::codes::IDENTITY.to_owned()];
        options.file_name = Some(item.name.clone());
        options.content_type = Some(item.content_type.to_owned());
        options.subjects.extend(item.subject.clone());
        options.case_reference.clone_from(&item.case_reference);
        options.acting_user = Some("agente.exemple".to_owned());
        options.idempotency_key = Some(format!("bac-a-sable-{number}"));
        let (body, length) = item.open().await.with_context(|| item.name.clone())?;
        let accepted = client.send(&options, body, Some(length)).await.with_context(|| item.name.clone())?;
        let print = item.print().await?;
        bar.inc(1);
        anyhow::Ok(Sent { id: accepted.exchange_id, print })
    };
    let numbered: Vec<_> = items.iter().enumerate().collect();
    stream::iter(numbered).map(one).buffered(AT_ONCE).try_collect().await
}

/// Takes `count` records out of an inbox, each confirmed once its content was read to its end.
///
/// # Errors
/// When one does not open, comes twice, or they are not all there in time.
pub(super) async fn take(
    client: &LocalClient,
    count: usize,
    until: Instant,
    bar: &ProgressBar,
) -> anyhow::Result<BTreeMap<ExchangeId, Print>> {
    let mut taken = BTreeMap::new();
    while taken.len() < count {
        let query = InboxQuery { wait: Some(WAIT), ..InboxQuery::default() };
        let page =
            timeout_at(until, client.inbox(&query)).await.context("the records did not all come")??;
        for record in page.records {
            let content = client.content(&record.exchange_id).await?;
            let found = timeout_at(until, print(content)).await.context("a content did not end")??;
            ensure!(found.length == record.length, "{}: another length", record.exchange_id);
            ensure!(taken.insert(record.exchange_id, found).is_none(), "{}: twice", record.exchange_id);
            client.confirm(&record.exchange_id).await?;
            bar.inc(1);
        }
    }
    Ok(taken)
}

/// Follows a record until every recipient has signed that it has it.
///
/// # Errors
/// When it ends otherwise, or not in time.
pub(super) async fn delivered(client: &LocalClient, id: &ExchangeId, until: Instant) -> anyhow::Result<()> {
    loop {
        let record =
            timeout_at(until, client.record(id, Some(WAIT))).await.context("not delivered in time")??;
        match record.state {
            RecordState::Delivered => return Ok(()),
            state if state.is_final() => bail!("{id}: {state:?} {:?}", record.denial),
            _ => {}
        }
    }
}
