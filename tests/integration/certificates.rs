//! Real HTTPS: a receiver whose certificate the system trusts gets its deliveries; any other never sees a request.

#![expect(clippy::expect_used, reason = "helpers of tests may fail them")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use harness::unique::unique;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio_rustls::TlsAcceptor;

/// Starts a receiver for `name` with an authority of its own, whose certificate is in the returned file.
async fn receiver(name: &str) -> (u16, PathBuf) {
    let mut authority = CertificateParams::new(Vec::new()).expect("parameters");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("a key")).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let certificate = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
    let certificate = certificate.signed_by(&key, &authority).expect("a certificate");
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.pem", unique("authority")));
    std::fs::write(&root, authority.pem()).expect("written");

    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.expect("versions").with_no_client_auth();
    let config = config.with_single_cert(vec![certificate.der().clone()], key).expect("a configuration");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        loop {
            let (connection, _) = listener.accept().await.expect("a connection");
            // A caller that does not trust the certificate ends the handshake.
            let Ok(mut connection) = acceptor.accept(connection).await else { continue };
            let read = connection.read(&mut [0; 8192]).await.expect("a request");
            assert!(read > 0);
            connection.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.expect("an answer");
        }
    });
    (port, root)
}

/// How a delivery to `url` ends for a process that trusts the authorities in `roots`.
async fn send(url: &str, roots: &Path) -> String {
    // Cargo builds examples next to the tests.
    let test = std::env::current_exe().expect("a path");
    let profile = test.parent().and_then(Path::parent).expect("a profile's directory");
    let mut command = Command::new(profile.join("examples/send_once"));
    let output = command.arg(url).env("SSL_CERT_FILE", roots).env_remove("SSL_CERT_DIR").output().await.expect("sent");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

#[tokio::test]
async fn only_a_certificate_the_system_trusts_is_delivered_to() {
    let (port, root) = receiver("localhost").await;
    let (_, other_root) = receiver("localhost").await;
    let url = format!("https://localhost:{port}/");
    assert_eq!(send(&url, &root).await, "Delivered { status: 204 }");
    let refused = send(&url, &other_root).await;
    assert!(refused.starts_with("Unreachable") && refused.contains("invalid peer certificate"), "{refused}");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let (port, root) = receiver("elsewhere.example").await;
    let refused = send(&format!("https://localhost:{port}/"), &root).await;
    assert!(refused.starts_with("Unreachable") && refused.contains("not valid for name"), "{refused}");
}
