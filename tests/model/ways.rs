//! How one process sends to a queue, with possible faults at every call.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::delivery::OutgoingDelivery;
use domain::value::{AccountId, TraceParent};
use ports::{DeliveryQueue, EventQueue, PortResult, Postpone};
use testing::MemoryStore;

use crate::chaos::Chaos;
use crate::queue::SimQueue;
use crate::receivers::Receivers;

/// More messages than this are sent in batches.
const MANY: usize = 100;

/// How one process sends to a queue.
pub struct Queue {
    pub chaos: Arc<Chaos>,
    pub queue: Arc<SimQueue>,
    /// Records the state of the table before something is sent, if there is one.
    pub seen: Option<(Arc<Receivers>, Arc<MemoryStore>)>,
}

#[async_trait]
impl DeliveryQueue for Queue {
    async fn send_deliveries(&self, messages: &[OutgoingDelivery<'_>]) -> PortResult<()> {
        if let Some((receivers, store)) = &self.seen {
            receivers.look_at(store);
        }
        // After a failure, some of a few messages are sent: each takes a call. Of many, as many as SQS accepts go
        // together.
        for together in messages.chunks(if messages.len() > MANY { 10 } else { 1 }) {
            let send = async {
                for message in together {
                    let body = serde_json::to_string(message).expect("a message");
                    self.queue.send(body, message.delay, Some(&self.chaos));
                }
                Ok(())
            };
            self.chaos.around(send).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Postpone for Queue {
    async fn postpone(&self, receipt: &str, wait: Duration) -> PortResult<()> {
        self.chaos.around(async { self.queue.postpone(receipt, wait) }).await
    }
}

#[async_trait]
impl EventQueue for Queue {
    async fn send_event(&self, _account: &AccountId, text: &str, _: Option<TraceParent>) -> PortResult<()> {
        let send = async {
            self.queue.send(text.to_owned(), Duration::ZERO, Some(&self.chaos));
            Ok(())
        };
        self.chaos.around(send).await
    }
}
