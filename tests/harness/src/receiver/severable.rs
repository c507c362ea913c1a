//! Connections that a receiver can cut while it answers a request, as a crashing server would.
//!
//! A request handler cannot do that itself, because it can only return a response. The bytes are not changed.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A handle on the connection of a request.
#[derive(Debug, Clone)]
pub struct Connection {
    severed: Arc<AtomicBool>,
    down: Down,
}

/// Cuts all connections of a receiver that has gone down, including idle ones that are kept alive.
#[derive(Debug, Clone, Default)]
pub struct Down(Arc<AtomicBool>);

impl Down {
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Connection {
    /// Stops reading and writing; the server closes the connection the next time it tries to read or write.
    pub fn sever(&self) {
        self.severed.store(true, Ordering::Relaxed);
    }

    fn check(&self) -> io::Result<()> {
        if self.severed.load(Ordering::Relaxed) || self.down.0.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }
}

impl Connected<IncomingStream<'_, SeverableListener>> for Connection {
    fn connect_info(stream: IncomingStream<'_, SeverableListener>) -> Self {
        stream.io().connection.clone()
    }
}

/// Serves until the task is aborted. A handler finds the [`Connection`] of its request as connection information.
pub fn serve(listener: TcpListener, router: Router) -> (JoinHandle<()>, Down) {
    let down = Down::default();
    let listener = SeverableListener { listener, down: down.clone() };
    let service = router.into_make_service_with_connect_info::<Connection>();
    let server = tokio::spawn(async move {
        // It ends only with the task.
        let _ = axum::serve(listener, service).await;
    });
    (server, down)
}

struct SeverableListener {
    listener: TcpListener,
    down: Down,
}

impl Listener for SeverableListener {
    type Io = SeverableStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, address) = Listener::accept(&mut self.listener).await;
        let connection = Connection { severed: Arc::default(), down: self.down.clone() };
        (SeverableStream { stream, connection }, address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

pub struct SeverableStream {
    stream: TcpStream,
    connection: Connection,
}

impl AsyncRead for SeverableStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.connection.check()?;
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for SeverableStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.connection.check()?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
