//! Well-formed values that tests start from.

use std::time::Duration;

use domain::attempt::{Attempt, Outcome, SealedSecret};
use domain::delivery::{Delivery, DeliveryRecord, DeliveryState, End, Exhaustion, Held};
use domain::destination::{Destination, DestinationSecret, Health};
use domain::event::{Event, envelope};
use domain::routing::Subscription;
use domain::value::{AccountId, DestinationId, SubscriptionId, Timestamp};
use ports::{SealedEvent, UnmatchedReason};
use serde_json::json;

const NOW_MS: u64 = 1_795_426_200_000;

#[expect(clippy::expect_used, reason = "a sample that cannot be made is a broken test")]
fn must<T, E: std::fmt::Debug>(result: Result<T, E>) -> T {
    result.expect("a well-formed sample")
}

pub fn account(id: &str) -> AccountId {
    must(id.parse())
}

/// Destination number `n` of `account`, with a secret as [`super::PlainVault`] seals it.
pub fn destination(account: &AccountId, n: u8, url: &str) -> Destination {
    let id = DestinationId::from_entropy([n; 10]);
    let sealed = [format!("{account}/{id}/").as_bytes(), &[n; 32]].concat();
    Destination {
        id,
        account: account.clone(),
        settings: must(serde_json::from_value(json!({ "name": format!("Destination {n}"), "url": url }))),
        secrets: vec![DestinationSecret {
            sealed: SealedSecret { key_id: "plain".into(), sealed },
            fingerprint: format!("{n:016x}"),
            created_at: Timestamp::from_unix_ms(NOW_MS),
            expires_at: None,
        }],
        created_at: Timestamp::from_unix_ms(NOW_MS),
        updated_at: Timestamp::from_unix_ms(NOW_MS),
        version: 1,
        health: Health::default(),
    }
}

/// Subscription number `n` to `destination`.
pub fn subscription(
    destination: &Destination,
    n: u8,
    event_types: &[&str],
    scope: &str,
    path: Option<&str>,
) -> Subscription {
    Subscription {
        id: SubscriptionId::from_entropy([n; 10]),
        account: destination.account.clone(),
        settings: must(serde_json::from_value(json!({
            "name": format!("Subscription {n}"), "destination_id": destination.id, "event_types": event_types,
            "scope": scope, "path": path
        }))),
        created_at: Timestamp::from_unix_ms(NOW_MS),
        updated_at: Timestamp::from_unix_ms(NOW_MS),
        version: 1,
    }
}

/// The text of a valid event about the table `invoices` of the connection `xero`, a minute before the test clock's start.
pub fn event_text(account: &AccountId, id: &str) -> String {
    json!({
        "id": id, "type": "sync_run.completed", "account": account,
        "scope": "connection/xero/endpoint/invoices", "occurred_at": "2026-11-23T09:29:00Z",
        "data": {
            "run_id": "run_1", "connection": {"id": "xero", "name": "Xero", "service": "xero"},
            "endpoint": {"id": "invoices", "name": "Invoices", "table": "xero_invoices"},
            "status": "succeeded", "trigger": "schedule",
            "started_at": "2026-11-23T09:28:00Z", "completed_at": "2026-11-23T09:29:00Z", "duration_ms": 60000,
            "records": {"read": 9, "inserted": 4, "updated": 5, "deleted": 0}, "error": null,
            "next_run_at": "2026-11-23T10:28:00Z"
        }
    })
    .to_string()
}

/// The record of a delivery of event `id` after `attempts` refused attempts, in `state`.
pub fn record(destination: &Destination, id: &str, attempts: u32, state: DeliveryState) -> DeliveryRecord {
    let now = Timestamp::from_unix_ms(NOW_MS);
    let event = Event::parse(&event_text(&destination.account, id), now).map_err(|r| r.detail);
    let attempt = |number| Attempt {
        number,
        at: Timestamp::from_unix_ms(NOW_MS + u64::from(number)),
        took: std::time::Duration::from_millis(12),
        outcome: Outcome::from_answer(500, None, "no".into()),
        probe: false,
    };
    let attempts: Vec<_> = (1..=attempts).map(attempt).collect();
    let delivery = Delivery::of_event(&must(event), destination.id.clone(), None);
    let first = DeliveryRecord::first(delivery, held(state), Timestamp::from_unix_ms(NOW_MS + 86_400_000));
    DeliveryRecord { attempts: attempts.into(), ..first }
}

/// A holder for this state: a retrying delivery waits in the table, and one that has ended needs no report.
pub fn held(state: DeliveryState) -> Held {
    held_until(state, if let DeliveryState::Retrying { due_at } = state { Some(due_at) } else { None })
}

/// A holder for this state with this look-at time: if that is later than the due time, the delivery waits in the queue.
pub fn held_until(state: DeliveryState, look_at: Option<Timestamp>) -> Held {
    let how = match state {
        DeliveryState::Retrying { due_at } => {
            let lost_after = look_at.filter(|look_at| *look_at > due_at);
            let by_queue = |lost_after| Held::ByQueue { due_at, lost_after, in_line: false };
            return lost_after.map_or(Held::ByTable { due_at, in_line: false }, by_queue);
        }
        DeliveryState::Parked => return Held::ByDestination,
        DeliveryState::Delivered => End::Delivered,
        DeliveryState::Exhausted => End::Exhausted(Exhaustion::Schedule),
        DeliveryState::Cancelled => End::Cancelled,
    };
    Held::Ended { how, tell_at: look_at }
}

/// The event as it is sealed with what it owes, to be kept for 30 days.
pub fn sealed(event: &Event, owed: Vec<Delivery>, sealed_at: Timestamp) -> SealedEvent {
    let body = must(envelope::build(event)).get().to_owned();
    SealedEvent {
        account: event.account.clone(),
        id: event.id.clone(),
        event_type: event.event_type,
        scope: event.scope.clone(),
        occurred_at: event.occurred_at,
        sealed_at,
        digest: envelope::content_digest(&body),
        body,
        traceparent: event.traceparent,
        unmatched: owed.is_empty().then_some(UnmatchedReason::NoSubscription),
        owed,
        expires_at: sealed_at.plus(Duration::from_secs(30 * 86_400)),
    }
}
