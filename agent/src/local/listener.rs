//! Where callers come in: loopback TCP, TLS or a Unix socket. Each connection is given out with who is at its other end.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};

use ring::digest::{SHA256, digest};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::LocalError;
use crate::systems::Peer;

/// A place to come in.
pub(super) enum Listener {
    /// Loopback.
    Tcp(TcpListener),
    /// Any address.
    Tls(TcpListener, TlsAcceptor),
    /// A socket of the file system.
    Unix(UnixListener, PathBuf),
}

/// Any stream.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection that was taken and not begun yet: its handshake keeps nobody else waiting.
pub(super) enum Taken {
    Tcp(TcpStream),
    Tls(TcpStream, TlsAcceptor),
    Unix(UnixStream),
}

impl Listener {
    /// The next connection.
    pub(super) async fn accept(&self) -> io::Result<Taken> {
        Ok(match self {
            Self::Tcp(listener) => Taken::Tcp(listener.accept().await?.0),
            Self::Tls(listener, acceptor) => Taken::Tls(listener.accept().await?.0, acceptor.clone()),
            Self::Unix(listener, _) => Taken::Unix(listener.accept().await?.0),
        })
    }

    /// Removes what is left on the disk.
    pub(super) fn close(self) {
        if let Self::Unix(_, path) = self {
            // The next start removes it otherwise.
            fs::remove_file(path).ok();
        }
    }
}

impl Taken {
    /// The stream, and who is at its other end.
    pub(super) async fn begin(self) -> io::Result<(Box<dyn Stream>, Peer)> {
        match self {
            Self::Tcp(stream) => {
                stream.set_nodelay(true)?;
                Ok((Box::new(stream), Peer::Tcp))
            }
            Self::Tls(stream, acceptor) => {
                stream.set_nodelay(true)?;
                let handshake = acceptor.accept(stream);
                let stream = timeout(passerelle_pki::tls::HANDSHAKE_LIMIT, handshake).await??;
                let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
                let thumbprint = shown.map(|certificate| {
                    let mut thumbprint = [0; 32];
                    thumbprint.copy_from_slice(digest(&SHA256, certificate).as_ref());
                    thumbprint
                });
                Ok((Box::new(stream), Peer::Tls(thumbprint)))
            }
            Self::Unix(stream) => {
                let user = stream.peer_cred()?.uid();
                Ok((Box::new(stream), Peer::Unix(user)))
            }
        }
    }
}

/// A socket of this mode. One that a dead agent left is replaced.
pub(super) fn bind_socket(path: &Path, mode: u32) -> Result<Listener, LocalError> {
    let fault = |source| LocalError::Listen { address: path.display().to_string(), source };
    if let Ok(metadata) = fs::symlink_metadata(path) {
        if !metadata.file_type().is_socket() {
            return Err(fault(io::ErrorKind::AlreadyExists.into()));
        }
        if StdUnixStream::connect(path).is_ok() {
            return Err(LocalError::Taken(path.to_owned()));
        }
        fs::remove_file(path).map_err(fault)?;
    }
    // Nobody else may connect even for a moment: the mask holds while the socket is made.
    let before = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o177));
    let listener = UnixListener::bind(path);
    rustix::process::umask(before);
    let listener = listener.map_err(fault)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(fault)?;
    Ok(Listener::Unix(listener, path.to_owned()))
}
