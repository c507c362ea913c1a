//! Connects to a receiver: looks its name up, refuses addresses that the policy refuses, and starts TLS and HTTP. TLS
//! sessions are resumed. Connections are kept for the next request for a moment ([`super::kept`]).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use domain::destination::AddressPolicy;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::uri::Scheme;
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use ports::Clock;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tower::{Service, ServiceExt};

use super::connection::{AnyError, Connection, Origin, over_http1, over_http2};
use super::kept::Kept;
use super::opening::Seen;

/// The time limit from the look-up of the name to the end of the TLS handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Looks a name up.
pub(super) type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

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
