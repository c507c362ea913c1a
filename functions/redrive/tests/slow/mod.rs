//! A queue in memory whose calls take time, so that a run cannot finish everything.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::delivery::OutgoingDelivery;
use domain::value::{AccountId, TraceParent};
use ports::{DeliveryQueue, EventQueue, PortResult, Postpone};
use testing::{MemoryQueue, TestClock};

/// A queue whose every call takes a while.
pub struct Slow {
    pub queue: Arc<MemoryQueue>,
    pub clock: Arc<TestClock>,
    pub takes: Duration,
}

#[async_trait]
impl DeliveryQueue for Slow {
    async fn send_deliveries(&self, messages: &[OutgoingDelivery<'_>]) -> PortResult<()> {
        self.clock.advance(self.takes);
        self.queue.send_deliveries(messages).await
    }
}

#[async_trait]
impl Postpone for Slow {
    async fn postpone(&self, receipt: &str, wait: Duration) -> PortResult<()> {
        self.queue.postpone(receipt, wait).await
    }
}

#[async_trait]
impl EventQueue for Slow {
    async fn send_event(&self, account: &AccountId, text: &str, trace: Option<TraceParent>) -> PortResult<()> {
        self.clock.advance(self.takes);
        self.queue.send_event(account, text, trace).await
    }
}
