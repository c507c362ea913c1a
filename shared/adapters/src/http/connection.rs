//! A connection to a receiver, over HTTP/1 or HTTP/2. It carries one request at a time. Who makes it and where it leads is
//! known to [`super::connector`].

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use http::header::HOST;
use http::uri::Scheme;
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::opening::{Seen, Watch, Watched};

/// How many headers of an HTTP/1 answer are read. With more, only the status is known.
const MAX_HEADERS: usize = 1_000;
/// How many bytes of the headers of an HTTP/2 answer are read. With more, the answer cannot be read at all.
const MAX_HTTP2_HEADER_BYTES: u32 = 256 * 1024;
/// How long a connection lasts at most, whatever happens to its requests. An attempt takes 30 s at most and its answer 4 s
/// more, so no request is sent on a connection that is older than 20 s.
const LIFETIME: Duration = Duration::from_secs(60);

pub(super) type AnyError = Box<dyn Error + Send + Sync>;

pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// The scheme, host and port of a connection. Requests of all accounts share it, because they go to the same server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    https: bool,
    host: String,
    port: Option<u16>,
}

impl Origin {
    pub(super) fn of(uri: &Uri) -> Self {
        let host = uri.host().unwrap_or_default().to_ascii_lowercase();
        Self { https: uri.scheme() == Some(&Scheme::HTTPS), host, port: uri.port_u16() }
    }
}

/// A connection to a receiver. It ends at once when it is dropped, unless its last answer was read to its end: then both
/// sides close it in order.
pub(super) struct Connection {
    pub(super) origin: Origin,
    pub(super) opened: Instant,
    requests: Requests,
    watch: Watch,
    task: JoinHandle<()>,
    answered: bool,
}

/// Where the requests of a connection go in.
enum Requests {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Connection {
    /// Sends a request whose URI is absolute. Reports the beginning of an HTTP/1 answer to `seen`, even if no complete
    /// answer comes.
    pub(super) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
        seen: &Seen,
    ) -> Result<Response<Incoming>, AnyError> {
        self.answered = false;
        match &mut self.requests {
            Requests::Http1(requests) => {
                self.watch.next(Arc::clone(seen));
                Ok(requests.send_request(in_origin_form(request)?).await?)
            }
            Requests::Http2(requests) => Ok(requests.send_request(request).await?),
        }
    }

    /// The answer to the last request was read to its end.
    pub(super) fn answered(&mut self) {
        self.answered = true;
    }

    /// Whether another request can be sent on it.
    pub(super) fn is_ready(&self) -> bool {
        match &self.requests {
            Requests::Http1(requests) => self.answered && requests.is_ready(),
            Requests::Http2(requests) => self.answered && requests.is_ready(),
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        match &self.requests {
            Requests::Http1(requests) => requests.is_closed(),
            Requests::Http2(requests) => requests.is_closed(),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if !self.answered {
            self.task.abort();
        }
    }
}

/// The request as it is written to an HTTP/1 connection: its URI is a path, and the host is a header.
fn in_origin_form(mut request: Request<Full<Bytes>>) -> Result<Request<Full<Bytes>>, AnyError> {
    let host = match (request.uri().host(), request.uri().port()) {
        (Some(host), Some(port)) => HeaderValue::from_str(&format!("{host}:{port}"))?,
        (host, _) => HeaderValue::from_str(host.unwrap_or_default())?,
    };
    request.headers_mut().insert(HOST, host);
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    *request.uri_mut() = target.parse()?;
    Ok(request)
}

pub(super) async fn over_http1(stream: Box<dyn Stream>, origin: Origin) -> Result<Connection, AnyError> {
    let watch = Watch::default();
    let begun = http1::Builder::new()
        .max_headers(MAX_HEADERS)
        .ignore_invalid_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .handshake(TokioIo::new(Watched::new(stream, watch.clone())));
    let (requests, driver) = begun.await?;
    Ok(begun_connection(origin, Requests::Http1(requests), watch, driver))
}

pub(super) async fn over_http2(stream: Box<dyn Stream>, origin: Origin) -> Result<Connection, AnyError> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    let begun = builder.max_header_list_size(MAX_HTTP2_HEADER_BYTES).handshake(TokioIo::new(stream));
    let (requests, driver) = begun.await?;
    Ok(begun_connection(origin, Requests::Http2(requests), Watch::default(), driver))
}

fn begun_connection(
    origin: Origin,
    requests: Requests,
    watch: Watch,
    driver: impl Future<Output = hyper::Result<()>> + Send + 'static,
) -> Connection {
    // How it ends is told to the request.
    let task = tokio::spawn(timeout(LIFETIME, driver).map(drop));
    Connection { origin, opened: Instant::now(), requests, watch, task, answered: false }
}
