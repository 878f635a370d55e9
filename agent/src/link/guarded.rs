//! A connection that can be cut from outside, and that tells when it is gone and when the peer first speaks.
//!
//! An HTTP/2 connection lives in a task of its own that ends when the last call on it does: only its bytes can tell us
//! that it ended, and only refusing its bytes can end it for certain.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;
use tokio_util::sync::{CancellationToken, DropGuard, WaitForCancellationFutureOwned};

/// The connection, guarded.
pub(super) struct Guarded<IO> {
    io: IO,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    heard: Option<oneshot::Sender<()>>,
    _gone: DropGuard,
}

/// What its keeper holds.
#[derive(Debug)]
pub(super) struct Guard {
    /// Cancel to cut the connection.
    pub(super) cut: CancellationToken,
    /// Cancelled when the connection is gone.
    pub(super) gone: CancellationToken,
    /// Told once the peer has sent something.
    pub(super) heard: oneshot::Receiver<()>,
}

impl<IO> Guarded<IO> {
    pub(super) fn new(io: IO) -> (Self, Guard) {
        let (cut, gone) = (CancellationToken::new(), CancellationToken::new());
        let (tell, heard) = oneshot::channel();
        let guarded = Self {
            io,
            cut: Box::pin(cut.clone().cancelled_owned()),
            heard: Some(tell),
            _gone: gone.clone().drop_guard(),
        };
        (guarded, Guard { cut, gone, heard })
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Guarded<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.cut.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.io).poll_read(context, buffer);
        if buffer.filled().len() > before
            && let Some(heard) = self.heard.take()
        {
            // Nobody listening any more is no mistake.
            heard.send(()).ok();
        }
        read
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Guarded<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
