//! The floor: what it takes at least to sign the same bytes and post them, by a minimal loop over hyper. Ten requests go out
//! side by side, as the records of a batch do.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde::Serialize;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::Result;
use crate::account::Over;
use crate::receiver::{FLOOR, Receivers, sign};
use crate::stats::median;

const AT_ONCE: usize = 10;
const SAMPLES: usize = 5;
/// Batches of a sample, on kept connections and with a connection each.
const KEPT_BATCHES: usize = 300;
const NEW_BATCHES: usize = 20;

/// Milliseconds of a processor for a request.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Floor {
    pub(crate) kept: f64,
    pub(crate) new: f64,
    pub(crate) tls_kept: f64,
    pub(crate) tls_resumed: f64,
    pub(crate) tls_full: f64,
}

impl Floor {
    /// That of how destinations are reached.
    pub(crate) fn of(&self, over: Over) -> f64 {
        match over {
            Over::Http => self.kept,
            Over::Https => self.tls_kept,
            Over::HttpsResumed => self.tls_resumed,
            Over::HttpsNew => self.tls_full,
        }
    }
}

struct Target {
    port: u16,
    tls: Option<TlsConnector>,
    body: Bytes,
}

/// Measured in a thread of its own, whose time is its own.
pub(crate) async fn measure(receivers: &Receivers, body: Vec<u8>) -> Result<Floor> {
    let ((http, https), root) = (receivers.ports(), receivers.root.clone());
    let measured = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let body = Bytes::from(body);
        let tls = |resumption| -> Result<Target> {
            let mut roots = RootCertStore::empty();
            roots.add(root.clone())?;
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
            let mut config = config.with_root_certificates(roots).with_no_client_auth();
            config.resumption = resumption;
            Ok(Target { port: https, tls: Some(TlsConnector::from(Arc::new(config))), body: body.clone() })
        };
        let plain = Target { port: http, tls: None, body: body.clone() };
        runtime.block_on(async {
            Ok(Floor {
                kept: kept(&plain).await?,
                new: new(&plain).await?,
                tls_kept: kept(&tls(Resumption::default())?).await?,
                // More tickets than go out at once.
                tls_resumed: new(&tls(Resumption::in_memory_sessions(1_024))?).await?,
                tls_full: new(&tls(Resumption::disabled())?).await?,
            })
        })
    });
    measured.await?
}

async fn kept(target: &Target) -> Result<f64> {
    let mut connections = try_join_all((0..AT_ONCE).map(|_| target.connect())).await?;
    let mut samples = Vec::new();
    for _ in 0..=SAMPLES {
        let before = processor_time()?;
        for _ in 0..KEPT_BATCHES {
            try_join_all(connections.iter_mut().map(|connection| target.post(connection))).await?;
        }
        samples.push(per_request(processor_time()? - before, KEPT_BATCHES));
    }
    // The first one was for practice.
    Ok(median(&samples[1..]))
}

async fn new(target: &Target) -> Result<f64> {
    let mut samples = Vec::new();
    for _ in 0..=SAMPLES {
        let before = processor_time()?;
        for _ in 0..NEW_BATCHES {
            let each = (0..AT_ONCE).map(|_| async { target.post(&mut target.connect().await?).await });
            try_join_all(each).await?;
        }
        samples.push(per_request(processor_time()? - before, NEW_BATCHES));
    }
    Ok(median(&samples[1..]))
}

fn per_request(time: Duration, batches: usize) -> f64 {
    time.as_secs_f64() * 1_000.0 / (batches * AT_ONCE) as f64
}

/// The time of a processor that this thread has taken.
fn processor_time() -> Result<Duration> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = stat.split(' ').next().ok_or("no time")?.parse()?;
    Ok(Duration::from_nanos(nanoseconds))
}

impl Target {
    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        stream.set_nodelay(true)?;
        match &self.tls {
            None => opened(stream).await,
            Some(tls) => opened(tls.connect(ServerName::try_from("127.0.0.1")?, stream).await?).await,
        }
    }

    async fn post(&self, connection: &mut SendRequest<Full<Bytes>>) -> Result<()> {
        let at = (crate::world::now_ms() / 1_000).to_string();
        let signature = sign(&[7; 32], "dlv_floor", &at, &self.body);
        let request = Request::post(FLOOR).header("host", "localhost").header("content-type", "application/json");
        let request = request.header("webhook-id", "dlv_floor").header("webhook-timestamp", &at);
        let request = request.header("webhook-signature", signature).body(Full::new(self.body.clone()))?;
        let answer = connection.send_request(request).await?;
        if !answer.status().is_success() {
            return Err(format!("the receiver answered {}", answer.status()).into());
        }
        answer.into_body().collect().await?;
        Ok(())
    }
}

async fn opened<S>(stream: S) -> Result<SendRequest<Full<Bytes>>>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let (sender, driver) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(driver);
    Ok(sender)
}
