//! `redrive` over ports in memory, as every test of it starts.

use std::sync::Arc;
use std::time::Duration;

use domain::delivery::MessageLease;
use domain::value::Horizon;
use redrive::{Alerted, Audited, Deps};
use testing::{MemoryAlerts, MemoryHandOut, MemoryQueue, MemoryStore, TestClock, TestEntropy};

/// Both queues are the same one; the content of a message shows which it is for.
pub fn deps(
    store: &Arc<MemoryStore>,
    queue: &Arc<MemoryQueue>,
    alerts: &Arc<MemoryAlerts>,
    clock: &Arc<TestClock>,
) -> Deps {
    Deps {
        waiting: store.clone(),
        destinations: store.clone(),
        destination_list: store.clone(),
        deliveries: store.clone(),
        delivery_list: store.clone(),
        events: store.clone(),
        event_list: store.clone(),
        paces: store.clone(),
        awaited_runs: store.clone(),
        subscriptions: store.clone(),
        transitions: store.clone(),
        audit: store.clone(),
        reckoning: store.clone(),
        roll_ups: store.clone(),
        queue: queue.clone(),
        event_queue: queue.clone(),
        alerts: alerts.clone(),
        alerted: Alerted::default(),
        audited: Audited::default(),
        jobs: store.clone(),
        accounts: store.clone(),
        purge: store.clone(),
        clock: clock.clone(),
        entropy: Arc::new(TestEntropy::default()),
        hand_out: Arc::new(MemoryHandOut::default()),
        // One instance does everything.
        units: 0,
        horizon: Horizon::default(),
        lease: MessageLease::default(),
        retention: Duration::from_secs(30 * 86_400),
        metrics: Arc::default(),
    }
}
