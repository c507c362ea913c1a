//! A lean HTTP/1.1 server: it keeps connections, and knows bodies of a stated length and in chunks. What it does not know
//! ends the connection, so that nothing is measured that was not understood.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::Result;

#[derive(Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// A header by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()).unwrap_or_default()
    }
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn of(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    /// The same, after which the connection is closed.
    pub(crate) fn closing(mut self) -> Self {
        self.headers.push(("connection", "close".to_owned()));
        self
    }

    fn closes(&self) -> bool {
        self.headers.iter().any(|(name, _)| *name == "connection")
    }
}

/// Listens on a free port of this machine, which it returns, and counts connections.
pub(crate) async fn listen<H, F>(handler: H) -> Result<(u16, Arc<AtomicU64>)>
where
    H: Fn(Request) -> F + Clone + Send + 'static,
    F: Future<Output = Response> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (port, connections) = (listener.local_addr()?.port(), Arc::new(AtomicU64::new(0)));
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            let handler = handler.clone();
            tokio::spawn(async move {
                drop(stream.set_nodelay(true));
                serve(stream, handler).await
            });
        }
    });
    Ok((port, connections))
}

/// Answers the requests of a connection until it ends.
pub(crate) async fn serve<S, H, F>(mut stream: S, handler: H) -> Option<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
    H: Fn(Request) -> F,
    F: Future<Output = Response>,
{
    let mut read = Vec::with_capacity(16 * 1024);
    loop {
        let head = until_head(&mut stream, &mut read).await?;
        let mut request = parse_head(std::str::from_utf8(read.get(..head)?).ok()?)?;
        read.drain(..head);
        if request.header("transfer-encoding") == "chunked" {
            request.body = chunks(&mut stream, &mut read).await?;
        } else {
            let length = request.header("content-length");
            let length: usize = if length.is_empty() { 0 } else { length.parse().ok()? };
            fill(&mut stream, &mut read, length).await?;
            request.body = read.drain(..length).collect();
        }
        let answer = handler(request).await;
        let mut text = format!("HTTP/1.1 {} x\r\ncontent-length: {}\r\n", answer.status, answer.body.len());
        for (name, value) in &answer.headers {
            text += &format!("{name}: {value}\r\n");
        }
        text += "\r\n";
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&answer.body);
        stream.write_all(&bytes).await.ok()?;
        stream.flush().await.ok()?;
        if answer.closes() {
            return stream.shutdown().await.ok();
        }
    }
}

async fn more(stream: &mut (impl AsyncRead + Unpin), read: &mut Vec<u8>) -> Option<()> {
    (stream.read_buf(read).await.ok()? > 0).then_some(())
}

async fn fill(stream: &mut (impl AsyncRead + Unpin), read: &mut Vec<u8>, length: usize) -> Option<()> {
    while read.len() < length {
        more(stream, read).await?;
    }
    Some(())
}

/// Where the head ends that is next.
async fn until_head(stream: &mut (impl AsyncRead + Unpin), read: &mut Vec<u8>) -> Option<usize> {
    loop {
        if let Some(at) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            return Some(at + 4);
        }
        more(stream, read).await?;
    }
}

async fn chunks(stream: &mut (impl AsyncRead + Unpin), read: &mut Vec<u8>) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = loop {
            if let Some(at) = read.windows(2).position(|window| window == b"\r\n") {
                break at;
            }
            more(stream, read).await?;
        };
        let size = usize::from_str_radix(std::str::from_utf8(read.get(..end)?).ok()?.trim(), 16).ok()?;
        fill(stream, read, end + 2 + size + 2).await?;
        body.extend_from_slice(read.get(end + 2..end + 2 + size)?);
        read.drain(..end + 2 + size + 2);
        if size == 0 {
            return Some(body);
        }
    }
}

fn parse_head(head: &str) -> Option<Request> {
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
    Some(Request { method, path, headers, body: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn two_requests_of_a_connection_are_read_apart_in_either_form() {
        let (mut ours, theirs) = tokio::io::duplex(1_000);
        tokio::spawn(serve(theirs, |request: Request| async move {
            Response::of(200, [request.path.as_bytes(), b" ", &request.body].concat())
        }));
        let stated = "POST /a HTTP/1.1\r\nContent-Length: 5\r\n\r\nfirst";
        let chunked = "POST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nsec\r\n3\r\nond\r\n0\r\n\r\n";
        ours.write_all(format!("{stated}{chunked}").as_bytes()).await.expect("sent");
        let mut answer = String::new();
        while !answer.ends_with("second") {
            let mut part = [0; 100];
            let read = ours.read(&mut part).await.expect("an answer");
            answer += std::str::from_utf8(&part[..read]).expect("text");
        }
        assert!(answer.contains("content-length: 8\r\n\r\n/a firstHTTP/1.1 200"), "{answer}");
    }

    #[tokio::test]
    async fn a_connection_is_closed_after_an_answer_that_says_so() {
        let (mut ours, theirs) = tokio::io::duplex(1_000);
        tokio::spawn(serve(theirs, |_| async { Response::of(200, "").closing() }));
        ours.write_all(b"GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n").await.expect("sent");
        let mut answer = String::new();
        ours.read_to_string(&mut answer).await.expect("an answer and its end");
        assert_eq!(answer, "HTTP/1.1 200 x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    }
}
