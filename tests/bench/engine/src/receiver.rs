//! Receivers, over HTTP and HTTPS: they keep connections or close each, count what they get, and verify the signature of every
//! 16th request as the Standard Webhooks specification says.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use rustls::pki_types::CertificateDer;
use sha2::Sha256;

use crate::Result;
use crate::account::Over;
use crate::server::{Request, Response, listen};
use crate::tls::{self, Certified, Handshakes, Hosts};

const SAMPLE: u64 = 16;
/// Longer than any attempt may last.
const HANGING: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(crate) struct Counters {
    requests: AtomicU64,
    verified: AtomicU64,
    wrong: AtomicU64,
    /// Each destination refuses one of so many requests; none if this is 0.
    refused_of: AtomicU64,
    refused: AtomicU64,
    /// The number of the destination that never answers.
    hangs: Mutex<Option<usize>>,
    /// By the number in the path: how many requests came since some are refused.
    came: Mutex<BTreeMap<usize, u64>>,
    /// By the id of a delivery: when its first request came. None while nobody wants to know.
    arrivals: Mutex<Option<HashMap<String, Instant>>>,
    /// The signing keys by the number in the path.
    keys: Mutex<Vec<Vec<u8>>>,
}

impl Counters {
    /// The secret of the destination at `/<number>` and below, in order.
    pub(crate) fn expect_secret(&self, secret: &str) -> Result<()> {
        let key = BASE64.decode(secret.strip_prefix("whsec_").ok_or("a secret in another form")?.as_bytes())?;
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).push(key);
        Ok(())
    }

    /// An error if a signature was wrong, or none was looked at.
    pub(crate) fn check(&self) -> Result<u64> {
        let (wrong, verified) = (self.wrong.load(Ordering::SeqCst), self.verified.load(Ordering::SeqCst));
        if wrong > 0 || verified == 0 {
            return Err(format!("{wrong} signatures were wrong, {verified} right").into());
        }
        Ok(verified)
    }

    fn answer(&self, request: &Request) -> Response {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        if number.is_multiple_of(SAMPLE) && request.path != FLOOR {
            let right = self.is_signed(request);
            (if right { &self.verified } else { &self.wrong }).fetch_add(1, Ordering::Relaxed);
        }
        if let Some(arrivals) = &mut *self.arrivals() {
            arrivals.entry(request.header("webhook-id").to_owned()).or_insert_with(Instant::now);
        }
        Response::of(if self.is_refused(request) { 500 } else { 200 }, "")
    }

    fn arrivals(&self) -> MutexGuard<'_, Option<HashMap<String, Instant>>> {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on, it is noted when each delivery arrives.
    pub(crate) fn note_arrivals(&self) {
        *self.arrivals() = Some(HashMap::new());
    }

    /// When the delivery first arrived, since this is noted.
    pub(crate) fn arrival(&self, delivery: &str) -> Option<Instant> {
        self.arrivals().as_ref()?.get(delivery).copied()
    }

    /// So that no destination fails often in a row, each counts for itself.
    fn is_refused(&self, request: &Request) -> bool {
        let refused_of = self.refused_of.load(Ordering::Relaxed);
        let Some(number) = number(request).filter(|_| refused_of > 0) else { return false };
        let mut came = self.came.lock().unwrap_or_else(PoisonError::into_inner);
        let count = came.entry(number).or_default();
        *count += 1;
        let is_refused = count.is_multiple_of(refused_of);
        self.refused.fetch_add(u64::from(is_refused), Ordering::SeqCst);
        is_refused
    }

    /// Each destination refuses one of so many requests from now on, or none.
    pub(crate) fn refuse_one_of(&self, refused_of: u64) {
        self.refused_of.store(refused_of, Ordering::SeqCst);
    }

    /// This destination does not answer from now on.
    pub(crate) fn hang(&self, number: usize) {
        *self.hangs.lock().unwrap_or_else(PoisonError::into_inner) = Some(number);
    }

    fn hangs(&self, request: &Request) -> bool {
        let hangs = *self.hangs.lock().unwrap_or_else(PoisonError::into_inner);
        hangs.is_some() && hangs == number(request)
    }

    pub(crate) fn refused(&self) -> f64 {
        self.refused.load(Ordering::SeqCst) as f64
    }

    fn is_signed(&self, request: &Request) -> bool {
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(key) = number(request).and_then(|number| keys.get(number)) else { return false };
        let (id, at) = (request.header("webhook-id"), request.header("webhook-timestamp"));
        request.header("webhook-signature").split(' ').any(|given| given == sign(key, id, at, &request.body))
    }
}

/// The number of the destination.
fn number(request: &Request) -> Option<usize> {
    request.path.split('/').nth(1).and_then(|number| number.parse().ok())
}

/// The path that the floor posts to, where nothing is verified.
pub(crate) const FLOOR: &str = "/floor";

/// A signature of the first version.
pub(crate) fn sign(key: &[u8], id: &str, at: &str, body: &[u8]) -> String {
    // A key may have any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return String::new() };
    for part in [id.as_bytes(), b".", at.as_bytes(), b".", body] {
        mac.update(part);
    }
    format!("v1,{}", BASE64.encode(&mac.finalize().into_bytes()))
}

pub(crate) struct Receivers {
    http: u16,
    https: Hosts,
    /// Those that close each connection after its answer, and of these, those that remember no session.
    closing: Hosts,
    forgetting: Hosts,
    http_connections: Arc<AtomicU64>,
    handshakes: Arc<Handshakes>,
    /// The certificate of the authority, as text and in binary.
    pub(crate) authority: String,
    pub(crate) root: CertificateDer<'static>,
    pub(crate) counters: Arc<Counters>,
}

impl Receivers {
    pub(crate) async fn start() -> Result<Self> {
        let counters = Arc::new(Counters::default());
        let answering = Arc::clone(&counters);
        let answer = move |request: Request| {
            let (response, hangs) = (answering.answer(&request), answering.hangs(&request));
            async move {
                if hangs {
                    tokio::time::sleep(HANGING).await;
                }
                response
            }
        };
        let (http, http_connections) = listen(answer.clone()).await?;
        let kept = answer.clone();
        let close = move |request: Request| {
            let response = answer(request);
            async move { response.await.closing() }
        };
        let (certified, handshakes) = (Certified::new()?, Arc::default());
        Ok(Self {
            http,
            https: tls::listen(certified.resuming(), kept, &handshakes).await?,
            closing: tls::listen(certified.resuming(), close.clone(), &handshakes).await?,
            forgetting: tls::listen(certified.forgetting(), close, &handshakes).await?,
            http_connections,
            handshakes,
            authority: certified.authority,
            root: certified.root,
            counters,
        })
    }

    /// The address of the destination with this number.
    pub(crate) fn url(&self, over: Over, number: usize) -> String {
        let hosts = match over {
            Over::Http => return format!("http://127.0.0.1:{}/{number}", self.http),
            Over::Https => &self.https,
            Over::HttpsResumed => &self.closing,
            Over::HttpsNew => &self.forgetting,
        };
        format!("https://{}/{number}", hosts.authority(number))
    }

    /// The ports at 127.0.0.1 that keep connections, of HTTP and of HTTPS.
    pub(crate) fn ports(&self) -> (u16, u16) {
        (self.http, self.https.first())
    }

    pub(crate) fn requests(&self) -> f64 {
        self.counters.requests.load(Ordering::SeqCst) as f64
    }

    /// How many handshakes of TLS resumed no session.
    pub(crate) fn full_handshakes(&self) -> f64 {
        self.handshakes.full.load(Ordering::SeqCst) as f64
    }

    /// How many connections there have been.
    pub(crate) fn connections(&self) -> f64 {
        let each = [&self.http_connections, &self.handshakes.all];
        each.iter().map(|count| count.load(Ordering::SeqCst) as f64).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Standard Webhooks specification.
    #[test]
    fn a_signature_is_that_of_the_specification() {
        let key = BASE64.decode(b"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a key");
        let body = br#"{"test": 2432232314}"#;
        let signed = sign(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_wrong_signature_is_told_and_so_is_that_nothing_was_verified() {
        let counters = Counters::default();
        assert!(counters.check().is_err());
        counters.expect_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a secret");
        counters.answer(&Request { path: "/0".to_owned(), ..Request::default() });
        assert!(counters.check().is_err());
    }
}
