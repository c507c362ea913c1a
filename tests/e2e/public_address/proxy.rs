//! A proxy like CloudFront: it has a name and a certificate of its own, and passes requests on to an API under the API's
//! name. So the `Host` that the API sees is never the one that the browser asked for.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::serve::Listener;
use harness::Result;
use harness::failure::OrFailure;
use harness::signed_http::loopback_client;
use http::{StatusCode, header};
use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// The longest body that is passed on.
const LONGEST: usize = 10 << 20;

/// A proxy that does not listen to requests yet: its port is known before the API that it stands in front of.
pub struct Reserved {
    listener: Tls,
    certificate: String,
    name: &'static str,
}

/// A running proxy.
pub struct Proxy {
    url: String,
    client: reqwest::Client,
    server: JoinHandle<()>,
}

#[derive(Clone)]
struct Origin {
    url: String,
    client: reqwest::Client,
}

struct Tls {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Reserved {
    /// A proxy for this name, with a certificate that nobody else trusts.
    pub async fn new(name: &'static str) -> Result<Self> {
        let key = KeyPair::generate().or_failure(|| "no key")?;
        let parameters = CertificateParams::new(vec![name.to_owned()]).or_failure(|| "no parameters")?;
        let certificate = parameters.self_signed(&key).or_failure(|| "no certificate")?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.or_failure(|| "no version of TLS")?.with_no_client_auth();
        let config = config.with_single_cert(vec![certificate.der().clone()], key).or_failure(|| "no TLS")?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.or_failure(|| "no port")?;
        let listener = Tls { listener, acceptor: TlsAcceptor::from(Arc::new(config)) };
        Ok(Self { listener, certificate: certificate.pem(), name })
    }

    /// The address that the world knows.
    pub fn url(&self) -> Result<String> {
        let address = Listener::local_addr(&self.listener).or_failure(|| "no address")?;
        Ok(format!("https://{}:{}", self.name, address.port()))
    }

    /// Begins to pass requests on to `api`, an `http` address whose host is on this machine.
    pub fn serve(self, api: &str) -> Result<Proxy> {
        let url = self.url()?;
        let host = url::Url::parse(api).or_failure(|| "no address")?;
        let origin = Origin { url: api.to_owned(), client: client(&host)?.build().or_failure(|| "no client")? };
        let router = Router::new().fallback(pass_on).with_state(origin);
        let certificate =
            reqwest::Certificate::from_pem(self.certificate.as_bytes()).or_failure(|| "no certificate")?;
        let here = url::Url::parse(&url).or_failure(|| "no address")?;
        let client = client(&here)?.tls_certs_only([certificate]).build().or_failure(|| "no client")?;
        let server = tokio::spawn(async move {
            // It ends only with the task.
            let _ = axum::serve(self.listener, router).await;
        });
        Ok(Proxy { url, client, server })
    }
}

impl Proxy {
    /// The address that the world knows.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A client that trusts the proxy. It follows no redirect and keeps no cookies.
    pub fn client(&self) -> &reqwest::Client {
        &self.client
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A client that finds the host of `url` on this machine.
fn client(url: &url::Url) -> Result<reqwest::ClientBuilder> {
    let (host, port) = (url.host_str().or_failure(|| "no host")?, url.port().or_failure(|| "no port")?);
    Ok(loopback_client().resolve(host, SocketAddr::from((Ipv4Addr::LOCALHOST, port))))
}

/// Everything of a request but its `Host` reaches the API, and everything of the answer comes back.
async fn pass_on(State(origin): State<Origin>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let Ok(body) = to_bytes(body, LONGEST).await else { return StatusCode::PAYLOAD_TOO_LARGE.into_response() };
    let mut headers = parts.headers;
    headers.remove(header::HOST);
    let request = origin.client.request(parts.method, format!("{}{path}", origin.url)).headers(headers).body(body);
    let Ok(answer) = request.send().await else { return StatusCode::BAD_GATEWAY.into_response() };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = answer.status();
    answer.headers().clone_into(response.headers_mut());
    // The whole body is sent at once.
    response.headers_mut().remove(header::TRANSFER_ENCODING);
    match answer.bytes().await {
        Ok(bytes) => *response.body_mut() = Body::from(bytes),
        Err(_) => *response.status_mut() = StatusCode::BAD_GATEWAY,
    }
    response
}

impl Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = Listener::accept(&mut self.listener).await;
            // Who ends the handshake gets no answer.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}
