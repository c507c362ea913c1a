//! Time, random bytes and host names from the operating system.
//!
//! Invariant: only this file asks the system for the time (checked by `clippy.toml`).

use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use domain::value::Timestamp;
use ports::{Clock, Entropy, HostLookup, PortError, PortResult};
use tokio::time::timeout;

/// The time limit of the look-up of a name. A name that is not resolved by then counts as having no address.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this is the clock the others ask")]
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_unix_ms(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

#[derive(Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) -> PortResult<()> {
        getrandom::fill(bytes).map_err(|error| PortError::transient("drawing random bytes", error))
    }
}

#[derive(Debug, Default)]
pub struct SystemHosts;

#[async_trait]
impl HostLookup for SystemHosts {
    async fn addresses(&self, host: &str, port: u16) -> Vec<IpAddr> {
        match timeout(LOOKUP_TIMEOUT, tokio::net::lookup_host((host, port))).await {
            Ok(Ok(addresses)) => addresses.map(|address| address.ip()).collect(),
            Ok(Err(error)) => {
                tracing::debug!(host, %error, "a host was not resolved");
                Vec::new()
            }
            Err(_) => {
                tracing::debug!(host, "a host was not resolved in time");
                Vec::new()
            }
        }
    }
}
