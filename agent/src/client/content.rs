//! The content of a received record, as it comes.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream;
use http_body::Body;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep};

use super::error::ClientError;
use super::transport::STALLED;

/// A stream of plaintext. What came is whole, and what was signed, only when it ends without an error.
#[derive(Debug)]
pub struct Content {
    body: Incoming,
    length: Option<u64>,
    stalled: Pin<Box<Sleep>>,
}

impl Content {
    pub(super) fn new(body: Incoming, length: Option<u64>) -> Self {
        Self { body, length, stalled: Box::pin(sleep(STALLED)) }
    }

    /// Bytes in all, as the agent announced them.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        self.length
    }
}

impl Stream for Content {
    type Item = Result<Bytes, ClientError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
                ready!(self.stalled.as_mut().poll(context));
                return Poll::Ready(Some(Err(ClientError::Stalled)));
            };
            let Some(frame) = frame else { return Poll::Ready(None) };
            self.stalled.as_mut().reset(Instant::now() + STALLED);
            match frame.map(hyper::body::Frame::into_data) {
                Ok(Ok(bytes)) => return Poll::Ready(Some(Ok(bytes))),
                // Trailers say nothing here.
                Ok(Err(_)) => {}
                Err(error) => return Poll::Ready(Some(Err(ClientError::Broken(error)))),
            }
        }
    }
}
