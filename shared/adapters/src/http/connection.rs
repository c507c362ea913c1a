//! Connects to a receiver: looks its name up, refuses addresses that the policy refuses, and starts TLS and HTTP. A
//! connection carries one request at a time, and is kept for the next one for a moment ([`super::kept`]). TLS sessions are
//! resumed.

use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use domain::destination::AddressPolicy;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::header::HOST;
use http::uri::Scheme;
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::{TokioExecutor, TokioIo};
use ports::Clock;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tower::{Service, ServiceExt};

use super::kept::{Kept, Origin};
use super::opening::{Seen, Watch, Watched};

/// The time limit from the look-up of the name to the end of the TLS handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How many headers of an HTTP/1 answer are read. With more, only the status is known.
const MAX_HEADERS: usize = 1_000;
/// How many bytes of the headers of an HTTP/2 answer are read. With more, the answer cannot be read at all.
const MAX_HTTP2_HEADER_BYTES: u32 = 256 * 1024;
/// How long a connection lasts at most, whatever happens to its requests. An attempt takes 30 s at most and its answer 4 s
/// more, so no request is sent on a connection that is older than [`super::kept::LONGEST_USE`].
const LIFETIME: Duration = Duration::from_secs(60);

pub(super) type AnyError = Box<dyn Error + Send + Sync>;
/// Looks a name up.
pub(super) type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

pub(super) struct Connector {
    tcp: HttpConnector<CheckedResolver>,
    tls: TlsConnector,
    kept: Kept,
}

/// No connection was made in time.
#[derive(Debug, thiserror::Error)]
#[error("no connection within {} s", CONNECT_TIMEOUT.as_secs())]
pub(super) struct ConnectTimedOut;

#[derive(Debug, thiserror::Error)]
#[error("resolves to {0}, an address that is never called")]
pub(super) struct BlockedAddress(pub(super) IpAddr);

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
    async fn send(&mut self, request: Request<Full<Bytes>>, seen: &Seen) -> Result<Response<Incoming>, AnyError> {
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

impl Connector {
    pub(super) fn new(
        policy: Arc<AddressPolicy>,
        lookup: Lookup,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let mut tls = tls.with_platform_verifier()?.with_no_client_auth();
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let mut tcp = HttpConnector::new_with_resolver(CheckedResolver { policy, lookup });
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        // The time is divided among the addresses of a name.
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        Ok(Self { tcp, tls: TlsConnector::from(Arc::new(tls)), kept: Kept::new(clock) })
    }

    /// Sends a request whose URI is absolute, on a connection that was kept or on a new one. Reports the beginning of an
    /// HTTP/1 answer to `seen`, even if no complete answer comes.
    ///
    /// A kept connection may have been closed by the receiver in the meantime. That is no failure of the receiver, so if
    /// nothing is answered on it, the request is sent again on a new one.
    pub(super) async fn send(
        &self,
        request: Request<Full<Bytes>>,
        seen: &Seen,
    ) -> Result<(Response<Incoming>, Connection), AnyError> {
        let origin = Origin::of(request.uri());
        if let Some(mut kept) = self.kept.take(&origin) {
            match kept.send(request.clone(), seen).await {
                Ok(response) => return Ok((response, kept)),
                Err(error) if seen.get().is_some() => return Err(error),
                Err(_) => {}
            }
        }
        let opened = timeout(CONNECT_TIMEOUT, self.open(request.uri(), origin));
        let mut connection = opened.await.map_err(|_| ConnectTimedOut)??;
        let response = connection.send(request, seen).await?;
        Ok((response, connection))
    }

    /// Keeps a connection for the next request to the same place.
    pub(super) fn keep(&self, connection: Connection) {
        self.kept.put(connection);
    }

    async fn open(&self, uri: &Uri, origin: Origin) -> Result<Connection, AnyError> {
        let tcp = self.tcp.clone().oneshot(uri.clone()).await?.into_inner();
        if uri.scheme() != Some(&Scheme::HTTPS) {
            return over_http1(Box::new(tcp), origin).await;
        }
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let tls = self.tls.connect(ServerName::try_from(host.to_owned())?, tcp).await?;
        match tls.get_ref().1.alpn_protocol() {
            Some(b"h2") => over_http2(Box::new(tls), origin).await,
            _ => over_http1(Box::new(tls), origin).await,
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

async fn over_http1(stream: Box<dyn Stream>, origin: Origin) -> Result<Connection, AnyError> {
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

async fn over_http2(stream: Box<dyn Stream>, origin: Origin) -> Result<Connection, AnyError> {
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

/// Looks names up as the system does.
pub(super) fn system_lookup() -> Lookup {
    Arc::new(|name| async move { Ok(tokio::net::lookup_host((name, 0)).await?.collect()) }.boxed())
}

/// Resolves names, and refuses those with an address that must not be called.
#[derive(Clone)]
struct CheckedResolver {
    policy: Arc<AddressPolicy>,
    lookup: Lookup,
}

impl Service<Name> for CheckedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = AnyError;
    type Future = BoxFuture<'static, Result<Self::Response, AnyError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), AnyError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let (policy, found) = (Arc::clone(&self.policy), (self.lookup)(name.as_str().to_owned()));
        async move {
            let found = found.await?;
            match found.iter().find(|address| !policy.permits(address.ip())) {
                Some(blocked) => Err(BlockedAddress(blocked.ip()).into()),
                None => Ok(found.into_iter()),
            }
        }
        .boxed()
    }
}
