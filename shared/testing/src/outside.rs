//! Queues, alerts, secrets, host names, time and random bytes in memory.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use domain::attempt::{SealedSecret, SigningSecret};
use domain::delivery::{DeliveryMessage, OutgoingDelivery};
use domain::operational::Alert;
use domain::value::{AccountId, DestinationId, Timestamp, TraceParent};
use ports::{
    Alerts, Clock, DeliveryQueue, Entropy, EventQueue, HandOut, HostLookup, PortError, PortResult, Postpone, Vault,
};

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Both queues as a function sees them: what it sent and postponed.
#[derive(Default)]
pub struct MemoryQueue {
    sent: Mutex<Vec<(DeliveryMessage, Duration)>>,
    events: Mutex<Vec<(String, Option<TraceParent>)>>,
    postponed: Mutex<Vec<(String, Duration)>>,
    /// How many of the next sends fail after half of their messages were accepted.
    breaking: AtomicU64,
    /// How many of the next postponements fail.
    stuck: AtomicU64,
    /// How long the queue takes for each message.
    slow_ms: AtomicU64,
}

impl MemoryQueue {
    pub fn break_postponements(&self, times: u64) {
        self.stuck.store(times, Ordering::SeqCst);
    }

    /// From now on, the queue takes this long for each message that is sent to it.
    pub fn slow_down(&self, by: Duration) {
        self.slow_ms.store(whole_ms(by), Ordering::SeqCst);
    }

    pub fn break_sends(&self, times: u64) {
        self.breaking.store(times, Ordering::SeqCst);
    }

    pub fn take_sent(&self) -> Vec<DeliveryMessage> {
        self.take_delayed().into_iter().map(|(message, _)| message).collect()
    }

    /// What was sent, and how long the queue delays it.
    pub fn take_delayed(&self) -> Vec<(DeliveryMessage, Duration)> {
        std::mem::take(&mut lock(&self.sent))
    }

    pub fn take_events(&self) -> Vec<String> {
        self.take_traced_events().into_iter().map(|(text, _)| text).collect()
    }

    /// The events that were sent, each with what it has for a `traceparent`.
    pub fn take_traced_events(&self) -> Vec<(String, Option<TraceParent>)> {
        std::mem::take(&mut lock(&self.events))
    }

    pub fn take_postponed(&self) -> Vec<(String, Duration)> {
        std::mem::take(&mut lock(&self.postponed))
    }
}

#[async_trait]
impl DeliveryQueue for MemoryQueue {
    async fn send_deliveries(&self, messages: &[OutgoingDelivery<'_>]) -> PortResult<()> {
        let message = |outgoing: &OutgoingDelivery<'_>| DeliveryMessage {
            delivery: outgoing.delivery.clone(),
            purpose: outgoing.purpose,
            body: outgoing.body.to_owned(),
        };
        let messages: Vec<_> = messages.iter().map(|outgoing| (message(outgoing), outgoing.delay)).collect();
        let slow = self.slow_ms.load(Ordering::SeqCst) * messages.len() as u64;
        if slow > 0 {
            tokio::time::sleep(Duration::from_millis(slow)).await;
        }
        let mut sent = lock(&self.sent);
        if self.breaking.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok() {
            sent.extend_from_slice(&messages[..messages.len() / 2]);
            return Err(PortError::transient("sending deliveries", "a failure was asked for"));
        }
        sent.extend(messages);
        Ok(())
    }
}

#[async_trait]
impl Postpone for MemoryQueue {
    async fn postpone(&self, receipt: &str, wait: Duration) -> PortResult<()> {
        lock(&self.postponed).push((receipt.to_owned(), wait));
        if self.stuck.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok() {
            return Err(PortError::transient("postponing a message", "a failure was asked for"));
        }
        Ok(())
    }
}

#[async_trait]
impl EventQueue for MemoryQueue {
    async fn send_event(&self, _account: &AccountId, text: &str, traceparent: Option<TraceParent>) -> PortResult<()> {
        if self.breaking.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok() {
            return Err(PortError::transient("sending an event", "a failure was asked for"));
        }
        lock(&self.events).push((text.to_owned(), traceparent));
        Ok(())
    }
}

/// Other instances of a function: records which units were handed out.
#[derive(Default)]
pub struct MemoryHandOut {
    units: Mutex<Vec<String>>,
    failing: AtomicU64,
}

impl MemoryHandOut {
    /// Lets the next `times` calls fail.
    pub fn fail(&self, times: u64) {
        self.failing.store(times, Ordering::SeqCst);
    }

    pub fn take_units(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.units))
    }
}

#[async_trait]
impl HandOut for MemoryHandOut {
    async fn hand_out(&self, units: &[String]) -> PortResult<()> {
        if self.failing.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok() {
            return Err(PortError::transient("handing out work", "a failure was asked for"));
        }
        lock(&self.units).extend_from_slice(units);
        Ok(())
    }
}

/// The topic as a function sees it: what it published.
#[derive(Default)]
pub struct MemoryAlerts {
    published: Mutex<Vec<Alert>>,
    failing: AtomicU64,
}

impl MemoryAlerts {
    /// Lets the next `times` alerts fail.
    pub fn fail(&self, times: u64) {
        self.failing.store(times, Ordering::SeqCst);
    }

    pub fn take(&self) -> Vec<Alert> {
        std::mem::take(&mut lock(&self.published))
    }
}

#[async_trait]
impl Alerts for MemoryAlerts {
    async fn publish(&self, alert: &Alert) -> PortResult<()> {
        if self.failing.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok() {
            return Err(PortError::transient("publishing an alert", "a failure was asked for"));
        }
        lock(&self.published).push(alert.clone());
        Ok(())
    }
}

/// Seals a secret by writing account and destination in front of it. It does not encrypt, but refuses the same as the
/// real vault.
#[derive(Default)]
pub struct PlainVault;

fn label(account: &AccountId, destination: &DestinationId) -> Vec<u8> {
    format!("{account}/{destination}/").into_bytes()
}

#[async_trait]
impl Vault for PlainVault {
    async fn seal(
        &self,
        account: &AccountId,
        destination: &DestinationId,
        secret: &SigningSecret,
    ) -> PortResult<SealedSecret> {
        let sealed = [label(account, destination).as_slice(), secret.key()].concat();
        Ok(SealedSecret { key_id: "plain".into(), sealed })
    }

    async fn open(
        &self,
        account: &AccountId,
        destination: &DestinationId,
        sealed: &SealedSecret,
    ) -> PortResult<SigningSecret> {
        let key = sealed.sealed.strip_prefix(label(account, destination).as_slice());
        let secret = key.and_then(|key| SigningSecret::from_bytes(key).ok());
        secret.ok_or_else(|| PortError::permanent("opening a secret", "it was sealed for another destination"))
    }
}

/// A clock that stands still until it is advanced, or advances each time it is read.
pub struct TestClock {
    unix_ms: AtomicU64,
    step_ms: AtomicU64,
}

fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl TestClock {
    /// Starts at 2026-11-23T09:30:00Z, the time of the samples.
    pub fn new() -> Self {
        Self { unix_ms: AtomicU64::new(1_795_426_200_000), step_ms: AtomicU64::new(0) }
    }

    pub fn advance(&self, by: Duration) {
        self.unix_ms.fetch_add(whole_ms(by), Ordering::SeqCst);
    }

    /// From now on, each reading advances it by `by`.
    pub fn advance_with_each_look(&self, by: Duration) {
        self.step_ms.store(whole_ms(by), Ordering::SeqCst);
    }
}

impl Default for TestClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let step = self.step_ms.load(Ordering::SeqCst);
        Timestamp::from_unix_ms(self.unix_ms.fetch_add(step, Ordering::SeqCst))
    }
}

/// Counts upwards: different bytes each time, but the same in every run.
#[derive(Default)]
pub struct TestEntropy(AtomicU64);

impl Entropy for TestEntropy {
    fn fill(&self, bytes: &mut [u8]) -> PortResult<()> {
        let count = self.0.fetch_add(1, Ordering::SeqCst).to_be_bytes();
        // The last bytes of the count are the ones that differ.
        let count = &count[count.len().saturating_sub(bytes.len())..];
        for (byte, value) in bytes.iter_mut().zip(count.iter().cycle()) {
            *byte = *value;
        }
        Ok(())
    }
}

/// Hosts with fixed addresses; any other has none.
#[derive(Default)]
pub struct FixedHosts(pub BTreeMap<String, Vec<IpAddr>>);

#[async_trait]
impl HostLookup for FixedHosts {
    async fn addresses(&self, host: &str, _port: u16) -> Vec<IpAddr> {
        self.0.get(host).cloned().unwrap_or_default()
    }
}
