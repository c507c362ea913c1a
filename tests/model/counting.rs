//! Queues that only count what an instance sends, and how late that is; and the topic of the units of work that
//! instances hand out.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use domain::delivery::{OutgoingDelivery, Purpose};
use domain::value::{AccountId, DestinationId, Timestamp, TraceParent};
use ports::{DeliveryQueue, EventQueue, HandOut, PortResult, Postpone};
use serde_json::json;
use tokio::sync::Notify;

use crate::chaos::{Chaos, SimClock};

/// What was sent of a lane.
#[derive(Debug, Default, Clone, Copy)]
pub struct Lane {
    pub count: u64,
    pub most_late: Duration,
}

impl Lane {
    fn add(&mut self, late: Duration) {
        self.count += 1;
        self.most_late = self.most_late.max(late);
    }
}

#[derive(Debug, Default, Clone, Copy)]
pub struct Sent {
    pub due: Lane,
    pub probes: Lane,
    pub missed: Lane,
}

#[derive(Default)]
pub struct Counts {
    pub sent: Sent,
    /// When a delivery is due, or its destination's probe.
    pub due_at: HashMap<DestinationId, Timestamp>,
    /// The units of work that were handed out but not begun.
    pub units: VecDeque<serde_json::Value>,
}

/// Counts what an instance sends, and makes it wait for as long as the calls take.
pub struct Counting {
    pub counts: Arc<Mutex<Counts>>,
    pub chaos: Arc<Chaos>,
    pub clock: Arc<SimClock>,
    pub due_from: Arc<Mutex<Timestamp>>,
    /// When all missed runs have to be reported.
    pub missed_from: Arc<Mutex<Timestamp>>,
    /// Told of each unit of work.
    pub units_came: Arc<Notify>,
}

#[async_trait]
impl HandOut for Counting {
    async fn hand_out(&self, units: &[String]) -> PortResult<()> {
        for batch in units.chunks(10) {
            if let Some(meter) = &self.chaos.meter {
                meter.spend("hand_out", batch.len()).await;
            }
            let events = batch.iter().map(|unit| json!({"Records": [{"Sns": {"Message": unit}}]}));
            lock(&self.counts).units.extend(events);
            self.units_came.notify_one();
        }
        Ok(())
    }
}

#[async_trait]
impl DeliveryQueue for Counting {
    async fn send_deliveries(&self, messages: &[OutgoingDelivery<'_>]) -> PortResult<()> {
        for batch in messages.chunks(10) {
            if let Some(meter) = &self.chaos.meter {
                meter.spend("send_deliveries", batch.len()).await;
            }
            let now = self.clock.real();
            let due_from = *lock(&self.due_from);
            let mut counts = lock(&self.counts);
            for message in batch {
                // It arrives when its delay has passed.
                let comes = now.plus(message.delay);
                match message.purpose {
                    Purpose::Probe => {
                        // For further probes of the same destination, the right time is not known here.
                        if let Some(due) = counts.due_at.remove(&message.delivery.destination) {
                            counts.sent.probes.add(comes.since(due));
                        }
                    }
                    _ => counts.sent.due.add(comes.since(due_from)),
                }
            }
        }
        Ok(())
    }
}

#[async_trait]
impl EventQueue for Counting {
    /// In a load, an instance sends only events about missed runs.
    async fn send_event(&self, _account: &AccountId, _text: &str, _: Option<TraceParent>) -> PortResult<()> {
        if let Some(meter) = &self.chaos.meter {
            meter.spend("send_event", 1).await;
        }
        let late = self.clock.real().since(*lock(&self.missed_from));
        lock(&self.counts).sent.missed.add(late);
        Ok(())
    }
}

#[async_trait]
impl Postpone for Counting {
    async fn postpone(&self, _receipt: &str, _wait: Duration) -> PortResult<()> {
        Ok(())
    }
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
