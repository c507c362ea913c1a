//! Queues, receivers, alerts, other instances, secrets, host names, time and random bytes.

use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use domain::attempt::{Exchange, Outcome, SealedSecret, SigningSecret};
use domain::delivery::{OutgoingDelivery, SignedRequest};
use domain::operational::Alert;
use domain::value::{AccountId, DestinationId, Timestamp, TraceParent};

use super::PortResult;

/// A queue from which messages are received.
#[async_trait]
pub trait Postpone: Send + Sync {
    /// Hides a received message for `wait` from now. The caller must also report it as failed; otherwise it is deleted.
    async fn postpone(&self, receipt: &str, wait: Duration) -> PortResult<()>;
}

/// The queue of deliveries.
#[async_trait]
pub trait DeliveryQueue: Postpone {
    /// Returns `Ok` only if the queue has accepted every message; after an error some may have been accepted.
    async fn send_deliveries(&self, messages: &[OutgoingDelivery<'_>]) -> PortResult<()>;
}

/// The queue of events.
#[async_trait]
pub trait EventQueue: Send + Sync {
    /// Sends the text of an event of `account`, as producers do, with its place in a trace beside it. If an account has many
    /// events, they delay each other rather than those of other accounts.
    async fn send_event(&self, account: &AccountId, text: &str, traceparent: Option<TraceParent>) -> PortResult<()>;
}

/// Alerts to people who may have to act.
#[async_trait]
pub trait Alerts: Send + Sync {
    async fn publish(&self, alert: &Alert) -> PortResult<()>;
}

/// Other instances of a function.
#[async_trait]
pub trait HandOut: Send + Sync {
    /// Hands each of these units, which are texts, to another instance. `Ok` means that all were accepted. Even then,
    /// some units may get lost, and some may be worked on twice.
    async fn hand_out(&self, units: &[String]) -> PortResult<()>;
}

/// The receivers.
#[async_trait]
pub trait HttpSender: Send + Sync {
    /// Makes one attempt. Whatever the receiver does is an `Outcome`; an error means that *we* could not try.
    async fn send(&self, request: &SignedRequest) -> PortResult<Outcome> {
        Ok(self.exchange(request).await?.outcome)
    }
    /// The same, and also returns the part of the answer that was read.
    async fn exchange(&self, request: &SignedRequest) -> PortResult<Exchange>;
}

/// Seals and opens signing secrets. A sealed secret opens only for the account and destination it was sealed for.
#[async_trait]
pub trait Vault: Send + Sync {
    async fn seal(
        &self,
        account: &AccountId,
        destination: &DestinationId,
        secret: &SigningSecret,
    ) -> PortResult<SealedSecret>;
    async fn open(
        &self,
        account: &AccountId,
        destination: &DestinationId,
        sealed: &SealedSecret,
    ) -> PortResult<SigningSecret>;
}

/// Looks up the addresses of hosts.
#[async_trait]
pub trait HostLookup: Send + Sync {
    /// The addresses of a host; empty if it has none or the look-up failed.
    async fn addresses(&self, host: &str, port: u16) -> Vec<IpAddr>;
}

pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
}

pub trait Entropy: Send + Sync {
    fn fill(&self, bytes: &mut [u8]) -> PortResult<()>;
}

/// Arrays of random bytes from an [`Entropy`].
pub trait EntropyExt: Entropy {
    fn bytes<const N: usize>(&self) -> PortResult<[u8; N]> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }
}

impl<T: Entropy + ?Sized> EntropyExt for T {}
