//! Load on submit streams: several senders at once, each with many frames under way.

use std::time::{Duration, Instant};

use anyhow::Context;
use futures_util::future::try_join_all;
use passerelle_proto::wire;
use passerelle_proto::wire::exchange_client::ExchangeClient;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

/// Frames that a sender has under way before it waits for an answer.
const WINDOW: usize = 64;

/// One sender: its connection and what it will send.
#[derive(Debug)]
pub struct Sender {
    /// The connection.
    pub exchange: ExchangeClient<Channel>,
    /// The frames, in order.
    pub frames: Vec<wire::SubmitFrame>,
}

/// Sends every frame of every sender and waits for every answer; gives the time from the first frame to the last
/// answer. Each answer is given to `check`.
///
/// # Errors
/// When a stream fails or ends early, or `check` refuses an answer.
pub async fn run(
    senders: Vec<Sender>,
    check: impl Fn(&wire::SubmitReply) -> anyhow::Result<()> + Copy,
) -> anyhow::Result<Duration> {
    let started = Instant::now();
    try_join_all(senders.into_iter().map(|sender| send(sender, check))).await?;
    Ok(started.elapsed())
}

async fn send(
    mut sender: Sender,
    check: impl Fn(&wire::SubmitReply) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let count = sender.frames.len();
    let (queue, frames) = mpsc::channel(WINDOW);
    let mut waiting = sender.frames.into_iter();
    for frame in waiting.by_ref().take(WINDOW) {
        queue.send(frame).await?;
    }
    let mut answers = sender.exchange.submit(ReceiverStream::new(frames)).await?.into_inner();
    for _ in 0..count {
        let answer = answers.message().await?.context("a stream ended before its last answer")?;
        check(&answer)?;
        if let Some(frame) = waiting.next() {
            queue.send(frame).await?;
        }
    }
    Ok(())
}

/// That a submission was accepted.
///
/// # Errors
/// When it was denied, with the gateway's reason.
pub fn accepted(reply: &wire::SubmitReply) -> anyhow::Result<()> {
    match &reply.result {
        Some(wire::submit_reply::Result::Receipt(_)) => Ok(()),
        Some(wire::submit_reply::Result::Denial(denial)) => {
            anyhow::bail!("denied: {:?} {}", denial.reason(), denial.detail)
        }
        None => anyhow::bail!("an answer without a result"),
    }
}
