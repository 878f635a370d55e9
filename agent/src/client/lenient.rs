//! A connection on which a refusal is still read.
//!
//! An agent that refuses a record does so at once and hangs up, while we may still be writing its body. What it said
//! before it hung up has arrived; but hyper gives up at the first write that fails, before it reads. So from that moment
//! on, what would be written is dropped, and reading decides how the request ends.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The connection.
#[derive(Debug)]
pub(super) struct Lenient<IO> {
    io: IO,
    /// The other side does not listen any more.
    deaf: bool,
}

impl<IO> Lenient<IO> {
    pub(super) fn new(io: IO) -> Self {
        Self { io, deaf: false }
    }

    /// What a write of `length` bytes came to.
    fn written(
        &mut self,
        length: usize,
        written: Poll<Result<usize, io::Error>>,
    ) -> Poll<Result<usize, io::Error>> {
        match written {
            Poll::Ready(Err(error)) if is_gone(&error) => {
                self.deaf = true;
                Poll::Ready(Ok(length))
            }
            written => written,
        }
    }

    /// What a flush or a shutdown came to.
    fn ended(&mut self, ended: Poll<Result<(), io::Error>>) -> Poll<Result<(), io::Error>> {
        self.written(0, ended.map_ok(|()| 0)).map_ok(|_| ())
    }
}

fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected)
}

impl<IO: AsyncRead + Unpin> AsyncRead for Lenient<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<(), io::Error>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Lenient<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, io::Error>> {
        if self.deaf {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = Pin::new(&mut self.io).poll_write(context, bytes);
        self.written(bytes.len(), written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<Result<usize, io::Error>> {
        let length = parts.iter().map(|part| part.len()).sum();
        if self.deaf {
            return Poll::Ready(Ok(length));
        }
        let written = Pin::new(&mut self.io).poll_write_vectored(context, parts);
        self.written(length, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        if self.deaf {
            return Poll::Ready(Ok(()));
        }
        let flushed = Pin::new(&mut self.io).poll_flush(context);
        self.ended(flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        if self.deaf {
            return Poll::Ready(Ok(()));
        }
        let shut = Pin::new(&mut self.io).poll_shutdown(context);
        self.ended(shut)
    }
}
