//! Connects to a receiver: looks its name up, refuses addresses that the policy refuses, and starts TLS and HTTP. A
//! connection carries one request and is not kept, because one that was idle while the container was frozen would be
//! stale. TLS sessions are resumed instead.

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
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tower::{Service, ServiceExt};

use super::opening::{Seen, Watched};

/// The time limit from the look-up of the name to the end of the TLS handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How many headers of an HTTP/1 answer are read. With more, only the status is known.
const MAX_HEADERS: usize = 1_000;
/// How many bytes of the headers of an HTTP/2 answer are read. With more, the answer cannot be read at all.
const MAX_HTTP2_HEADER_BYTES: u32 = 256 * 1024;
/// How long a connection may take to close, whatever happens to its request.
const LIFETIME: Duration = Duration::from_secs(60);

pub(super) type AnyError = Box<dyn Error + Send + Sync>;
/// Looks a name up.
pub(super) type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

pub(super) struct Connector {
    tcp: HttpConnector<CheckedResolver>,
    tls: TlsConnector,
}

/// No connection was made in time.
#[derive(Debug, thiserror::Error)]
#[error("no connection within {} s", CONNECT_TIMEOUT.as_secs())]
pub(super) struct ConnectTimedOut;

#[derive(Debug, thiserror::Error)]
#[error("resolves to {0}, an address that is never called")]
pub(super) struct BlockedAddress(pub(super) IpAddr);

/// Closes the connection when it is dropped, unless the answer was read to its end: then both sides close it in order.
pub(super) struct Connection {
    task: JoinHandle<()>,
    answered: bool,
}

impl Connection {
    fn new(driver: impl Future<Output = hyper::Result<()>> + Send + 'static) -> Self {
        // The request reports how the connection ends.
        Self { task: tokio::spawn(timeout(LIFETIME, driver).map(drop)), answered: false }
    }

    pub(super) fn answered(&mut self) {
        self.answered = true;
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
    pub(super) fn new(policy: Arc<AddressPolicy>, lookup: Lookup) -> Result<Self, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let mut tls = tls.with_platform_verifier()?.with_no_client_auth();
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let mut tcp = HttpConnector::new_with_resolver(CheckedResolver { policy, lookup });
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        // The time is divided among the addresses of a name.
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        Ok(Self { tcp, tls: TlsConnector::from(Arc::new(tls)) })
    }

    /// Sends a request whose URI is absolute. Reports the beginning of an HTTP/1 answer to `seen`, even if no complete
    /// answer comes.
    pub(super) async fn send(
        &self,
        request: Request<Full<Bytes>>,
        seen: &Seen,
    ) -> Result<(Response<Incoming>, Connection), AnyError> {
        let opened = timeout(CONNECT_TIMEOUT, self.open(request.uri()));
        let (stream, http2) = opened.await.map_err(|_| ConnectTimedOut)??;
        if http2 { over_http2(stream, request).await } else { over_http1(stream, request, seen).await }
    }

    /// A connection to the host of the URI, and whether HTTP/2 was agreed on.
    async fn open(&self, uri: &Uri) -> Result<(Box<dyn Stream>, bool), AnyError> {
        let tcp = self.tcp.clone().oneshot(uri.clone()).await?.into_inner();
        if uri.scheme() != Some(&Scheme::HTTPS) {
            return Ok((Box::new(tcp), false));
        }
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let tls = self.tls.connect(ServerName::try_from(host.to_owned())?, tcp).await?;
        let http2 = tls.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok((Box::new(tls), http2))
    }
}

async fn over_http1(
    stream: Box<dyn Stream>,
    mut request: Request<Full<Bytes>>,
    seen: &Seen,
) -> Result<(Response<Incoming>, Connection), AnyError> {
    let host = match (request.uri().host(), request.uri().port()) {
        (Some(host), Some(port)) => HeaderValue::from_str(&format!("{host}:{port}"))?,
        (host, _) => HeaderValue::from_str(host.unwrap_or_default())?,
    };
    request.headers_mut().insert(HOST, host);
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    *request.uri_mut() = target.parse()?;
    let stream = TokioIo::new(Watched::new(stream, Seen::clone(seen)));
    let begun = http1::Builder::new()
        .max_headers(MAX_HEADERS)
        .ignore_invalid_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .handshake(stream);
    let (mut sender, driver) = begun.await?;
    let connection = Connection::new(driver);
    Ok((sender.send_request(request).await?, connection))
}

async fn over_http2(
    stream: Box<dyn Stream>,
    request: Request<Full<Bytes>>,
) -> Result<(Response<Incoming>, Connection), AnyError> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    let begun = builder.max_header_list_size(MAX_HTTP2_HEADER_BYTES).handshake(TokioIo::new(stream));
    let (mut sender, driver) = begun.await?;
    let connection = Connection::new(driver);
    Ok((sender.send_request(request).await?, connection))
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
