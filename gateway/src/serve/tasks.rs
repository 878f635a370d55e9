//! What the gateway does by itself, beside answering: watches revocations, ends connections, expires records, frees
//! room.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use passerelle_pki::authority::Authority;
use passerelle_pki::clock::SharedClock;
use passerelle_pki::revocation::{RevocationList, RevocationWatch, Revocations};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Parts;
use crate::bodies::{Bodies, BodyName};
use crate::ledger::Ledger;
use crate::rpc::connections::Connections;
use crate::view::Finished;

/// How often undelivered records that are due expire, and journal segments that nothing needs are dropped.
const TIDY: Duration = Duration::from_secs(5);
/// How often abandoned uploads are looked for.
const SWEEP: Duration = Duration::from_secs(3_600);
/// How often the revocation list is signed anew: well inside the seven days for which it may be relied on.
const REFRESH: Duration = Duration::from_secs(24 * 3_600);
/// File of the issuing authority's revocation list.
const LIST: &str = "crl.der";

/// Starts them all; each ends when the gateway stops.
pub(super) fn spawn(tasks: &TaskTracker, parts: Parts, connections: Connections) {
    let Parts { config, clock, authority, revocations, ledger, bodies, finished, stop, .. } = parts;
    let list = config.pki.issuing_authority.join(LIST);
    let watch = RevocationWatch::new(&list, authority.issuer().clone(), revocations.clone());
    let poll = config.revocation_poll_interval;
    let until = |work| ended_by(stop.clone(), work);
    tasks.spawn(until(Box::pin(async move {
        let never = watch.run(poll).await;
        match never {}
    })));
    tasks.spawn(until(Box::pin(connections.watch())));
    tasks.spawn(until(Box::pin(refresh(authority, revocations, SharedClock::clone(&clock)))));
    tasks.spawn(until(Box::pin(tidy(ledger.clone()))));
    tasks.spawn(until(Box::pin(remove(finished, bodies.clone()))));
    tasks.spawn(until(Box::pin(sweep(ledger, bodies, clock))));
}

type Work = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

async fn ended_by(stop: CancellationToken, work: Work) {
    tokio::select! {
        () = work => {}
        () = stop.cancelled() => {}
    }
}

async fn refresh(authority: Arc<Authority>, revocations: Revocations, clock: SharedClock) {
    let mut ticks = interval(REFRESH);
    // The first tick is now, and the list was signed at the start.
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let (signer, now) = (Arc::clone(&authority), clock.now());
        let signed = tokio::task::spawn_blocking(move || signer.revocation_list(now)).await;
        let taken = match signed {
            Ok(Ok(list)) => RevocationList::verify(&list, authority.issuer())
                .and_then(|list| revocations.replace(list))
                .map(drop)
                .map_err(|error| error.to_string()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = taken {
            tracing::error!(error, "the revocation list could not be signed anew");
        }
    }
}

async fn tidy(ledger: Ledger) {
    let mut ticks = interval(TIDY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        while tidied(&ledger).await {}
    }
}

/// One round; true when there is more to do.
async fn tidied(ledger: &Ledger) -> bool {
    match ledger.tidy().await {
        Ok(done) => {
            if done.expired + done.dropped > 0 {
                tracing::info!(expired = done.expired, dropped = done.dropped, "tidied");
            }
            done.more
        }
        Err(error) => {
            tracing::error!(%error, "tidying failed");
            false
        }
    }
}

/// Removes the spooled body of every exchange that nobody waits for any more.
async fn remove(mut finished: UnboundedReceiver<Finished>, bodies: Bodies) {
    while let Some(done) = finished.recv().await {
        let digest = <[u8; 32]>::try_from(done.header_digest.as_ref());
        let (Ok(agency), Ok(header_digest)) = (done.sender_agency.parse(), digest) else { continue };
        let (bodies, body) = (bodies.clone(), BodyName { agency, header_digest });
        let removed = tokio::task::spawn_blocking(move || bodies.remove(&body)).await;
        if let Ok(Err(error)) = removed {
            tracing::warn!(%error, "a delivered body could not be removed");
        }
    }
}

/// Removes what an upload or a crash left behind and nobody waits for.
async fn sweep(ledger: Ledger, bodies: Bodies, clock: SharedClock) {
    let mut ticks = interval(SWEEP);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let (ledger, bodies, now) = (ledger.clone(), bodies.clone(), clock.now());
        let swept = tokio::task::spawn_blocking(move || {
            let waiting = ledger.view().waiting().map(|row| row.map(|(_, row)| row.header_digest));
            let waiting: HashSet<Bytes> = waiting.collect::<Result<_, _>>().map_err(std::io::Error::other)?;
            bodies.sweep(now, |body| waiting.contains(body.header_digest.as_slice()))
        });
        match swept.await {
            Ok(Ok(0)) => {}
            Ok(Ok(removed)) => tracing::info!(removed, "abandoned bodies removed"),
            Ok(Err(error)) => tracing::warn!(%error, "the spool could not be swept"),
            Err(error) => tracing::warn!(%error, "the spool could not be swept"),
        }
    }
}
