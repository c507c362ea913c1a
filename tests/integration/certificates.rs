//! Real HTTPS: a receiver whose certificate the system trusts gets its deliveries; any other never sees a request.

#![expect(clippy::expect_used, reason = "helpers of tests may fail them")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use harness::unique::unique;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// What a receiver speaks, once it has shown its certificate.
#[derive(Clone)]
enum Speaks {
    /// HTTP/1, and answers with these bytes.
    Http1(&'static [u8]),
    /// HTTP/2, and answers a request with these frames.
    Http2(Vec<u8>),
}

const NO_CONTENT: Speaks = Speaks::Http1(b"HTTP/1.1 204 No Content\r\n\r\n");

async fn receiver(name: &str) -> (u16, PathBuf) {
    receiver_of(vec![name.to_owned()], NO_CONTENT).await
}

/// A receiver for `names`, certified by an authority of its own, whose certificate is written to the returned file.
async fn receiver_of(names: Vec<String>, speaks: Speaks) -> (u16, PathBuf) {
    let mut authority = CertificateParams::new(Vec::new()).expect("parameters");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("a key")).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let certificate = CertificateParams::new(names).expect("parameters");
    let certificate = certificate.signed_by(&key, &authority).expect("a certificate");
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.pem", unique("authority")));
    std::fs::write(&root, authority.pem()).expect("written");

    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.expect("versions").with_no_client_auth();
    let mut config = config.with_single_cert(vec![certificate.der().clone()], key).expect("a configuration");
    if let Speaks::Http2(_) = speaks {
        config.alpn_protocols = vec![b"h2".to_vec()];
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        loop {
            let (connection, _) = listener.accept().await.expect("a connection");
            // A caller that trusts no such certificate ends the handshake.
            let Ok(connection) = acceptor.accept(connection).await else { continue };
            match speaks.clone() {
                Speaks::Http1(answer) => answer_http1(connection, answer).await,
                Speaks::Http2(frames) => answer_http2(connection, &frames).await,
            }
        }
    });
    (port, root)
}

async fn answer_http1(mut connection: TlsStream<TcpStream>, answer: &[u8]) {
    let read = connection.read(&mut [0; 8192]).await.expect("a request");
    assert!(read > 0);
    connection.write_all(answer).await.expect("an answer");
}

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a length").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

async fn answer_http2(mut connection: TlsStream<TcpStream>, frames: &[u8]) {
    let (settings, acknowledged) = (frame(4, 0, 0, b""), frame(4, 1, 0, b""));
    connection.write_all(&[settings, acknowledged].concat()).await.expect("settings");
    connection.read_exact(&mut [0; 24]).await.expect("a preface");
    loop {
        let mut head = [0; 9];
        connection.read_exact(&mut head).await.expect("a frame");
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        connection.read_exact(&mut vec![0; usize::try_from(length).expect("a length")]).await.expect("a payload");
        // The headers of the request: its stream is open.
        if head[3] == 1 {
            break;
        }
    }
    connection.write_all(frames).await.expect("an answer");
    // The caller ends the connection.
    while connection.read(&mut [0; 8192]).await.is_ok_and(|read| read > 0) {}
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

#[tokio::test]
async fn what_a_certificate_says_is_bounded() {
    let names = (0..1_000).map(|n| format!("name-{n}.with-a-rather-long-label.elsewhere.example")).collect();
    let (port, root) = receiver_of(names, NO_CONTENT).await;
    let refused = send(&format!("https://localhost:{port}/"), &root).await;
    assert!(refused.starts_with("Unreachable") && refused.contains("not valid for name"), "{refused}");
    assert!(refused.len() < 800 && refused.contains("… (cut)"), "{} bytes: {refused}", refused.len());
}

#[tokio::test]
async fn the_status_decides_over_http_2_as_well() {
    // `:status` is 204 and 500: entries 9 and 14 of HPACK's static table. A header is a literal with a new name.
    let header = |n: usize| [&[0, 6][..], format!("x-{n:04}").as_bytes(), &[20], &[b'y'; 20]].concat();
    let many: Vec<u8> = (0..500).flat_map(header).collect();
    let (ends, goes_on) = (0x05, 0x04);
    for (status, shown) in [(0x89, "Delivered { status: 204 }"), (0x8e, "Refused { status: 500")] {
        let head = [&[status], many.as_slice()].concat();
        for frames in [
            frame(1, ends, 1, &head),
            // The stream is reset within the body.
            [frame(1, goes_on, 1, &head), frame(0, 0, 1, b"only this"), frame(3, 0, 1, &[0, 0, 0, 2])].concat(),
            // The body never ends.
            [frame(1, goes_on, 1, &head), frame(0, 0, 1, b"only this")].concat(),
        ] {
            let (port, root) = receiver_of(vec!["localhost".to_owned()], Speaks::Http2(frames)).await;
            let outcome = send(&format!("https://localhost:{port}/"), &root).await;
            assert!(outcome.starts_with(shown), "{outcome}");
        }
    }
}
