//! Watches how each HTTP/1 answer of a connection begins: the bytes up to its final status, 13 of them. Nothing after
//! the status matters here. The HTTP library refuses an answer as a whole when one of its headers cannot be read, and the
//! status is lost with it; what is seen here is not.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::SetOnce;

/// `HTTP/1.1 200 `: a status is complete when the character after it has come.
const STATUS_BYTES: usize = 13;
/// How many bytes are kept of an answer that is not HTTP.
const FOREIGN_BYTES: usize = 64;

/// How an answer begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// With the status line of a final answer.
    Status(u16),
    /// With something that is not a status line of HTTP/1: its first bytes.
    Foreign(Vec<u8>),
}

/// Receives the beginning of an answer when it has come.
pub(super) type Seen = Arc<SetOnce<Opening>>;

/// A connection whose answers are watched.
pub(super) struct Watched<S> {
    inner: S,
    watch: Watch,
}

/// The watch over a connection, for whoever sends requests on it.
#[derive(Clone, Default)]
pub(super) struct Watch(Arc<Mutex<Watcher>>);

/// What has been seen of the answer that is awaited.
#[derive(Default)]
struct Watcher {
    state: State,
    seen: Seen,
}

#[derive(Default)]
enum State {
    /// A status line has begun, or is expected.
    Begun(Vec<u8>),
    /// Within an interim answer (1xx); another answer follows its empty line.
    Interim { line_is_empty: bool },
    /// The status is known, or no answer is awaited.
    #[default]
    Known,
}

impl Watch {
    /// Begins to watch for the answer to the next request.
    pub(super) fn next(&self, seen: Seen) {
        *self.lock() = Watcher { state: State::Begun(Vec::with_capacity(STATUS_BYTES)), seen };
    }

    fn lock(&self) -> MutexGuard<'_, Watcher> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> Watched<S> {
    pub(super) fn new(inner: S, watch: Watch) -> Self {
        Self { inner, watch }
    }
}

impl Watcher {
    fn watch(&mut self, bytes: &[u8]) {
        for (index, byte) in bytes.iter().enumerate() {
            match &mut self.state {
                State::Known => return,
                State::Interim { line_is_empty } => match byte {
                    b'\n' if *line_is_empty => self.state = State::Begun(Vec::with_capacity(STATUS_BYTES)),
                    b'\n' => *line_is_empty = true,
                    b'\r' => {}
                    _ => *line_is_empty = false,
                },
                // Empty lines before a status line are skipped.
                State::Begun(start) if start.is_empty() && matches!(byte, b'\r' | b'\n') => {}
                State::Begun(start) => {
                    start.push(*byte);
                    if !begins_status_line(start) {
                        let rest = bytes.get(index + 1..).unwrap_or_default();
                        start.extend(rest.iter().take(FOREIGN_BYTES - start.len()));
                        let foreign = Opening::Foreign(std::mem::take(start));
                        self.tell(foreign);
                    } else if start.len() == STATUS_BYTES {
                        match status(start) {
                            100 | 102..200 => self.state = State::Interim { line_is_empty: *byte == b'\n' },
                            status => self.tell(Opening::Status(status)),
                        }
                    }
                }
            }
        }
    }

    fn tell(&mut self, opening: Opening) {
        self.state = State::Known;
        // It is reported once: after that the state is `Known`.
        let _ = self.seen.set(opening);
    }
}

/// Whether a status line of HTTP/1 may begin like this.
fn begins_status_line(start: &[u8]) -> bool {
    start.iter().enumerate().all(|(index, byte)| match index {
        0..7 => b"HTTP/1.".get(index) == Some(byte),
        7 => matches!(byte, b'0' | b'1'),
        8 => *byte == b' ',
        9 => matches!(byte, b'1'..=b'9'),
        10 | 11 => byte.is_ascii_digit(),
        _ => matches!(byte, b' ' | b'\r' | b'\n'),
    })
}

fn status(start: &[u8]) -> u16 {
    start[9..12].iter().fold(0, |number, digit| number * 10 + u16::from(digit - b'0'))
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buffer))?;
        self.watch.lock().watch(buffer.filled().get(before..).unwrap_or_default());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The result is the same however the bytes are cut into pieces.
    #[track_caller]
    fn check(bytes: &[u8], expected: Option<&Opening>) {
        for piece in [1, 2, 7, 13, 1_000] {
            let (watch, seen) = (Watch::default(), Seen::default());
            // What comes before a request is sent is no answer to it.
            watch.lock().watch(b"HTTP/1.1 500 ");
            watch.next(Arc::clone(&seen));
            bytes.chunks(piece).for_each(|piece| watch.lock().watch(piece));
            match (seen.get(), expected) {
                // Of what is not HTTP, what came with the piece that showed it is kept.
                (Some(Opening::Foreign(kept)), Some(Opening::Foreign(whole))) => {
                    assert!(!kept.is_empty() && whole.starts_with(kept), "{kept:?}");
                    assert!(piece < whole.len() || kept == whole, "{kept:?}");
                }
                (seen, expected) => assert_eq!(seen, expected, "{} by {piece}", bytes.escape_ascii()),
            }
        }
    }

    fn foreign(bytes: &[u8]) -> Option<Opening> {
        Some(Opening::Foreign(bytes.to_vec()))
    }

    #[test]
    fn a_status_is_known_with_its_third_digit_and_what_ends_it() {
        for (bytes, status) in [
            (&b"HTTP/1.1 200 OK\r\n\r\n"[..], 200),
            (b"HTTP/1.0 204\n", 204),
            (b"HTTP/1.1 503\r", 503),
            (b"\r\n\nHTTP/1.1 299 \x01\x02 no line end", 299),
            (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", 101),
            (b"HTTP/1.1 999 ", 999),
            (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\n", 201),
            (b"HTTP/1.1 103\r\nlink: x\r\n\r\nHTTP/1.1 100\n\nHTTP/1.1 410 Gone", 410),
        ] {
            check(bytes, Some(&Opening::Status(status)));
        }
        let unfinished: [&[u8]; 5] =
            [b"", b"\r\n", b"HTTP", b"HTTP/1.1 200", b"HTTP/1.1 100 Continue\r\nx: HTTP/1.1 200 OK\r\n"];
        unfinished.into_iter().for_each(|bytes| check(bytes, None));
    }

    #[test]
    fn anything_else_is_foreign_and_its_beginning_is_kept() {
        for bytes in [
            &b"SSH-2.0-OpenSSH\r\n"[..],
            b"<html>",
            b"HTTP/2 200 OK\r\n",
            b"http/1.1 200 OK\r\n",
            b"HTTP/1.2 200 OK\r\n",
            b"HTTP/1.1 020 OK\r\n",
            b"HTTP/1.1 2000 OK\r\n",
            b"HTTP/1.1  200 OK\r\n",
            b"\x15\x03\x01\x00\x02\x02\x46",
        ] {
            check(bytes, foreign(bytes).as_ref());
        }
        check(&[b'x'; 1_000], foreign(&[b'x'; 64]).as_ref());
    }
}
