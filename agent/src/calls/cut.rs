//! A reader that can be cut: whoever reads it on a thread of its own stops when nobody waits for what is read any more.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};
use tokio_util::sync::{CancellationToken, DropGuard, WaitForCancellationFutureOwned};

/// The reader.
pub(super) struct Cut<R> {
    reader: R,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl<R> Cut<R> {
    /// The reader, and what cuts it when it is dropped.
    pub(super) fn new(reader: R) -> (Self, DropGuard) {
        let token = CancellationToken::new();
        let cut = Box::pin(token.clone().cancelled_owned());
        (Self { reader, cut }, token.drop_guard())
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Cut<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.cut.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.reader).poll_read(context, buffer)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio_util::io::SyncIoBridge;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_reader_that_waits_stops_when_it_is_cut() {
        let (_open, silent) = tokio::io::duplex(8);
        let (cut, guard) = Cut::new(silent);
        let handle = tokio::runtime::Handle::current();
        let reading = tokio::task::spawn_blocking(move || {
            let mut bridge = SyncIoBridge::new_with_handle(cut, handle);
            io::Read::read(&mut bridge, &mut [0; 8])
        });
        drop(guard);
        assert_eq!(reading.await.unwrap().unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
        let (mut whole, _guard) = Cut::new(&b"abc"[..]);
        let mut read = Vec::new();
        whole.read_to_end(&mut read).await.unwrap();
        assert_eq!(read, b"abc");
    }
}
