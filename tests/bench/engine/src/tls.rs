//! Receivers over TLS. Each has a host of its own, as receivers elsewhere do, because clients keep connections and sessions by
//! host. The hosts are addresses of this machine.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::NoServerSessionStorage;
use rustls::{HandshakeKind, ServerConfig};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::Result;
use crate::server::{Request, Response, serve};

/// As many as a batch has records.
const HOSTS: usize = 10;

fn host(number: usize) -> String {
    format!("127.0.0.{}", 1 + number % HOSTS)
}

/// The ports of all hosts, in order.
pub(crate) struct Hosts(Vec<u16>);

impl Hosts {
    /// Host and port of the destination with this number.
    pub(crate) fn authority(&self, number: usize) -> String {
        format!("{}:{}", host(number), self.0[number % HOSTS])
    }

    /// The port at 127.0.0.1.
    pub(crate) fn first(&self) -> u16 {
        self.0[0]
    }
}

#[derive(Debug, Default)]
pub(crate) struct Handshakes {
    pub(crate) all: AtomicU64,
    /// Those that resumed no session.
    pub(crate) full: AtomicU64,
}

/// What a server of all hosts needs, certified by an authority of its own.
pub(crate) struct Certified {
    config: ServerConfig,
    /// The certificate of the authority, as text and in binary.
    pub(crate) authority: String,
    pub(crate) root: CertificateDer<'static>,
}

impl Certified {
    pub(crate) fn new() -> Result<Self> {
        let mut authority = CertificateParams::new(Vec::new())?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let hosts = (0..HOSTS).map(host).collect::<Vec<_>>();
        let certificate = CertificateParams::new(hosts)?.signed_by(&key, &authority)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let config = config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key)?;
        Ok(Self { config, authority: authority.pem(), root: authority.der().clone() })
    }

    /// Its sessions can be resumed.
    pub(crate) fn resuming(&self) -> ServerConfig {
        self.config.clone()
    }

    /// It remembers no session, and hands out no ticket.
    pub(crate) fn forgetting(&self) -> ServerConfig {
        let mut config = self.config.clone();
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config
    }
}

/// Listens at all hosts, with sessions in common.
pub(crate) async fn listen<H, F>(config: ServerConfig, handler: H, counted: &Arc<Handshakes>) -> Result<Hosts>
where
    H: Fn(Request) -> F + Clone + Send + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let mut ports = Vec::with_capacity(HOSTS);
    for number in 0..HOSTS {
        let listener = TcpListener::bind((host(number), 0)).await?;
        ports.push(listener.local_addr()?.port());
        tokio::spawn(accept(listener, acceptor.clone(), handler.clone(), Arc::clone(counted)));
    }
    Ok(Hosts(ports))
}

async fn accept<H, F>(listener: TcpListener, acceptor: TlsAcceptor, handler: H, counted: Arc<Handshakes>)
where
    H: Fn(Request) -> F + Clone + Send + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, handler, counted) = (acceptor.clone(), handler.clone(), Arc::clone(&counted));
        tokio::spawn(async move {
            drop(stream.set_nodelay(true));
            let Ok(stream) = acceptor.accept(stream).await else { return None };
            counted.all.fetch_add(1, Ordering::Relaxed);
            if stream.get_ref().1.handshake_kind() != Some(HandshakeKind::Resumed) {
                counted.full.fetch_add(1, Ordering::Relaxed);
            }
            serve(stream, handler).await
        });
    }
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, RootCertStore};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio_rustls::TlsConnector;

    use super::*;

    /// How many full handshakes two connections to the second host take, one after the other.
    async fn full_handshakes(certified: &Certified, config: ServerConfig) -> Result<u64> {
        let counted = Arc::default();
        let hosts = listen(config, |_| async { Response::of(200, "").closing() }, &counted).await?;
        let mut roots = RootCertStore::empty();
        roots.add(certified.root.clone())?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let client = TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth()));
        for _ in 0..2 {
            let stream = TcpStream::connect(hosts.authority(1)).await?;
            let mut stream = client.connect(ServerName::try_from("127.0.0.2")?, stream).await?;
            stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await?;
            stream.read_to_end(&mut Vec::new()).await?;
        }
        assert_eq!(counted.all.load(Ordering::Relaxed), 2);
        Ok(counted.full.load(Ordering::Relaxed))
    }

    #[tokio::test]
    async fn a_session_is_resumed_only_where_it_is_remembered() {
        let certified = Certified::new().expect("a certificate");
        assert_eq!(full_handshakes(&certified, certified.resuming()).await.expect("answers"), 1);
        assert_eq!(full_handshakes(&certified, certified.forgetting()).await.expect("answers"), 2);
    }
}
