//! What AWS calls cost an instance of a function: the latency of the service, and processor time, of which Lambda gives
//! an instance with 256 MB a seventh of a core. The processor time is what `make bench ONLY=calls` measured, in
//! `costs.json`; a call that was not measured costs as much as the most similar one.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use tokio::time::Instant;

/// The part of a core that an instance with 256 MB has.
const SHARE_OF_CORE: f64 = 0.145;

#[derive(Debug, Clone, Copy, Deserialize)]
struct Cost {
    call_us: f64,
    further_item_us: f64,
}

#[derive(Debug, Deserialize)]
struct Table {
    calls: BTreeMap<String, Cost>,
}

/// What one instance has spent.
#[derive(Debug)]
pub struct Meter {
    costs: Table,
    /// Until when the processor has work.
    busy_until: Mutex<Instant>,
}

impl Meter {
    pub fn new() -> Self {
        let costs = serde_json::from_str(include_str!("costs.json")).expect("the table of costs");
        Self { costs, busy_until: Mutex::new(Instant::now()) }
    }

    /// Waits for as long as a call with this many items takes, after the other work that the processor has.
    pub async fn spend(&self, call: &str, items: usize) {
        let (kind, latency_ms) = kind(call);
        let cost = self.costs.calls.get(kind).expect("a measured kind of call");
        let further = items.saturating_sub(1) as f64 * cost.further_item_us;
        let processor = Duration::from_secs_f64((cost.call_us + further) / 1e6 / SHARE_OF_CORE);
        let done = {
            let mut busy_until = self.busy_until.lock().unwrap_or_else(PoisonError::into_inner);
            *busy_until = (*busy_until).max(Instant::now()) + processor;
            *busy_until
        };
        tokio::time::sleep_until(done + Duration::from_millis(latency_ms)).await;
    }
}

/// The measured kind of a call, and the usual latency of the service in milliseconds.
fn kind(call: &str) -> (&str, u64) {
    match call {
        "find_delivery" | "find_event" | "find_destination_anew" => (call, 4),
        "create_delivery" | "replace_delivery" | "seal_event" | "update_health" => (call, 6),
        "due_deliveries" | "list_events" => (call, 8),
        "find_deliveries" | "find_standings_in_ranges" | "find_owed" => (call, 12),
        "send_deliveries" | "postpone" => (call, 12),
        "publish" => (call, 20),
        "parked_deliveries"
        | "watched_destinations"
        | "seal_notes"
        | "due_roll_ups"
        | "pending_jobs_after"
        | "overdue_runs" => ("due_deliveries", 8),
        "list_results" | "list_deliveries" => ("list_events", 8),
        "send_event" => ("postpone", 12),
        "hand_out" => ("publish", 20),
        "audited_until" | "rolled_up_to" => ("find_delivery", 4),
        other if other.starts_with("find_") => ("find_delivery", 4),
        _ => ("replace_delivery", 6),
    }
}
