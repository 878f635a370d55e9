//! `GET /v1/events`: server-sent events, as the WHATWG HTML standard has them.
//!
//! Nothing is kept for a reader: each event is looked up when the last one was read, by how far the reader has come in the
//! inbox and among the sent records. So a slow reader costs nothing, and one that comes back with the id of its last event
//! misses nothing, also after the agent was stopped.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::HeaderMap;
use passerelle_proto::exchange_id::ExchangeId;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::problem::Fault;
use super::routes::Shared;
use crate::records::{EventCursor, Progress};
use crate::systems::Desk;

/// How long nothing may happen before a comment says that the connection lives.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How often a body on its way is told of, at most.
const LOOK: Duration = Duration::from_secs(1);
/// Events looked up at once.
const PAGE: usize = 64;

/// A record that waits in the inbox.
#[derive(Serialize)]
struct Waiting {
    exchange_id: ExchangeId,
    agreement: String,
    purpose: String,
    state: &'static str,
}

/// How far a large body has come. It has no id of its own: who missed it misses nothing that lasts.
#[derive(Serialize)]
struct OnItsWay {
    exchange_id: ExchangeId,
    direction: &'static str,
    agreement: String,
    #[serde(flatten)]
    progress: Progress,
}

/// The last event of a stream.
#[derive(Serialize)]
struct End {
    reason: &'static str,
}

/// How far one reader has come.
struct Reader {
    desk: Desk,
    stop: CancellationToken,
    changed: watch::Receiver<u64>,
    cursor: EventCursor,
    ready: VecDeque<Event>,
    /// Bytes last told of each body on its way.
    told: BTreeMap<ExchangeId, u64>,
    next_look: Instant,
    heartbeat: Instant,
    ended: bool,
}

pub(super) async fn events(
    desk: Desk,
    State(shared): State<Shared>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let cursor = match headers.get("last-event-id").map(|id| id.to_str().ok().and_then(|id| id.parse().ok()))
    {
        None => EventCursor::default(),
        Some(Some(cursor)) => cursor,
        Some(None) => {
            return Err(Fault::invalid(&[(
                "Last-Event-ID : reprendre l'id d'un événement, ou ne rien donner".to_owned(),
                "Last-Event-ID: take the id of an event, or give none".to_owned(),
            )]));
        }
    };
    let cursor = shared.agent.known_cursor(cursor);
    let changed = shared.agent.changed();
    let now = Instant::now();
    let reader = Reader {
        desk,
        stop: shared.stop,
        changed,
        cursor,
        ready: VecDeque::new(),
        told: BTreeMap::new(),
        next_look: now,
        heartbeat: now + HEARTBEAT,
        ended: false,
    };
    let events = stream::unfold(reader, |mut reader| async move {
        let event = reader.next().await?;
        Some((Ok::<_, Infallible>(event), reader))
    });
    Ok(Sse::new(events).into_response())
}

impl Reader {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                self.heartbeat = Instant::now() + HEARTBEAT;
                return Some(event);
            }
            if self.ended {
                return None;
            }
            // Marked before looking, so that what comes while we look is seen by the next wait.
            self.changed.mark_unchanged();
            self.look_up();
            // The first word of a body comes at once, the others at their pace.
            if self.told.is_empty() || Instant::now() >= self.next_look {
                self.next_look = Instant::now() + LOOK;
                self.look_at_bodies();
            }
            if !self.ready.is_empty() {
                continue;
            }
            tokio::select! {
                () = self.stop.cancelled() => self.end("stopping"),
                told = self.changed.changed() => if told.is_err() { self.end("stopping") },
                () = sleep_until(self.next_look) => {}
                () = sleep_until(self.heartbeat) => {
                    self.heartbeat = Instant::now() + HEARTBEAT;
                    return Some(Event::default().comment(""));
                }
            }
        }
    }

    fn look_up(&mut self) {
        for (cursor, waiting) in self.desk.inbox_after(self.cursor, PAGE) {
            self.cursor = cursor;
            if let Some((exchange_id, agreement, purpose)) = waiting {
                self.tell("inbox", &Waiting { exchange_id, agreement, purpose, state: "waiting" });
            }
        }
        for (cursor, view) in self.desk.records_after(self.cursor, PAGE) {
            self.cursor = cursor;
            if let Some(view) = view {
                self.tell("record", &view);
            }
        }
    }

    /// Tells of each body on its way that has come further. A record that has arrived has an event of its own.
    fn look_at_bodies(&mut self) {
        let out = self.desk.uploading().into_iter().filter_map(|view| {
            let (exchange_id, agreement) = (view.exchange_id, view.agreement.number);
            view.progress.map(|progress| OnItsWay { exchange_id, direction: "out", agreement, progress })
        });
        let come = self.desk.incoming().into_iter().map(|view| OnItsWay {
            exchange_id: view.exchange_id,
            direction: "in",
            agreement: view.agreement.number,
            progress: view.progress,
        });
        let bodies: Vec<OnItsWay> = out.chain(come).collect();
        let before = std::mem::take(&mut self.told);
        for body in bodies {
            let bytes = body.progress.bytes;
            if before.get(&body.exchange_id) != Some(&bytes) {
                match Event::default().event("progress").json_data(&body) {
                    Ok(event) => self.ready.push_back(event),
                    Err(error) => tracing::error!(%error, "an event could not be written"),
                }
            }
            self.told.insert(body.exchange_id, bytes);
        }
    }

    fn tell(&mut self, kind: &str, data: &impl Serialize) {
        let event = Event::default().event(kind).id(self.cursor.to_string()).json_data(data);
        match event {
            Ok(event) => self.ready.push_back(event),
            Err(error) => tracing::error!(%error, "an event could not be written"),
        }
    }

    fn end(&mut self, reason: &'static str) {
        self.ended = true;
        self.tell("end", &End { reason });
    }
}
