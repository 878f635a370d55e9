//! The agent's events as they come: `GET /v1/events`, server-sent events (WHATWG HTML standard).

use eventsource_stream::{EventStreamError, Eventsource};
use futures_util::{Stream, StreamExt};
use http::Method;
use http::header::HeaderValue;
use serde_json::Value;

use super::error::ClientError;
use super::transport::{Outgoing, exchange};
use super::{Content, LocalClient, PATIENCE, accepted};

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentEvent {
    /// `inbox`, `record`, `progress` or `end`; later versions of an agent may know others.
    pub kind: String,
    /// Where to go on after it: its own id, or the last one before it.
    pub id: String,
    /// What it tells.
    pub data: Value,
}

impl LocalClient {
    /// What happens at the agent, as it happens, after the event of that id; without one, first of all that waits.
    ///
    /// # Errors
    /// [`ClientError`], before the stream and in it, where it is the last.
    pub async fn events(
        &self,
        after: Option<&str>,
    ) -> Result<impl Stream<Item = Result<AgentEvent, ClientError>> + use<>, ClientError> {
        let mut request = self.request(Method::GET, "/v1/events", Outgoing::empty())?;
        if let Some(id) = after {
            let id = HeaderValue::from_str(id).map_err(|_| ClientError::Field("after"))?;
            request.headers_mut().insert("last-event-id", id);
        }
        let answer = accepted(exchange(self.endpoint(), request, PATIENCE).await?).await?;
        let events = Content::new(answer.into_body(), None).eventsource();
        Ok(events.map(|event| match event {
            Ok(event) => {
                let unreadable = |source| ClientError::Unreadable { status: 200, source: Some(source) };
                let data = serde_json::from_str(&event.data).map_err(unreadable)?;
                Ok(AgentEvent { kind: event.event, id: event.id, data })
            }
            Err(EventStreamError::Transport(error)) => Err(error),
            Err(_) => Err(ClientError::Unreadable { status: 200, source: None }),
        }))
    }
}
