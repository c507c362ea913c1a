//! Awaited runs.

use domain::event::EventType;
use domain::routing::{AwaitedRun, Grace};
use domain::value::{AccountId, Timestamp};
use ports::{AwaitedPlace, AwaitedRuns, SHARDS};
use serde_json::json;

use super::after;

/// The places of the account that have to be looked at by `until`, over all shards.
async fn overdue(store: &dyn AwaitedRuns, account: &AccountId, until: u64) -> Vec<(Timestamp, AwaitedPlace)> {
    let mut all = Vec::new();
    for shard in 0..SHARDS {
        let overdue = store.overdue_runs(shard, after(until), None, 10_000).await.expect("a list");
        assert!(overdue.is_sorted_by_key(|(look_at, _)| *look_at));
        assert_eq!(store.overdue_runs(shard, after(until), None, 1).await.expect("a list").len(), overdue.len().min(1));
        for one in &overdue {
            let further = store.overdue_runs(shard, after(until), Some(one), 10_000).await.expect("a list");
            assert!(!further.contains(one) && further.iter().all(|(look_at, _)| *look_at >= one.0));
        }
        all.extend(overdue.into_iter().filter(|(_, at)| at.account == *account));
    }
    all.sort();
    all
}

pub async fn awaited_runs(store: &dyn AwaitedRuns, account: &AccountId, other: &AccountId) {
    let event_type: EventType = "sync_run.completed".parse().expect("a type");
    let run = |completed: u64, look_at: Option<u64>| AwaitedRun {
        account: account.clone(),
        event_type,
        place: "connection/xero/endpoint/invoices".parse().expect("a scope"),
        last_completed_at: after(completed),
        noted_at: after(completed),
        next_run_at: look_at.map(after),
        known: json!({"last_run": {"run_id": completed.to_string()}}).to_string(),
        told: None,
        look_at: look_at.map(after),
    };
    let first = run(10, Some(100));
    let at = AwaitedPlace::of(&first);
    assert_eq!(store.find_awaited_run(&at).await.expect("an answer"), None);
    store.await_run(&first).await.expect("stored");
    assert_eq!(store.find_awaited_run(&at).await.expect("an answer"), Some(first.clone()));
    assert_eq!(overdue(store, account, 99).await, []);
    assert_eq!(overdue(store, account, 100).await, [(after(100), at.clone())]);
    assert_eq!(overdue(store, other, 100).await, []);

    // An earlier run does not change anything, and neither does the same one again.
    for known in [run(9, Some(50)), run(10, None)] {
        store.await_run(&known).await.expect("an answer");
        assert_eq!(store.find_awaited_run(&at).await.expect("an answer"), Some(first.clone()));
    }

    // Only a caller that knows the current state can change it.
    let told = AwaitedRun { told: Some(Grace::default()), look_at: Some(after(200)), ..first.clone() };
    assert!(store.update_awaited_run(&first, &told).await.expect("an answer"));
    assert!(!store.update_awaited_run(&first, &told).await.expect("an answer"));
    assert_eq!(overdue(store, account, 150).await, []);
    let over = AwaitedRun { look_at: None, ..told.clone() };
    assert!(store.update_awaited_run(&told, &over).await.expect("an answer"));
    assert_eq!(store.find_awaited_run(&at).await.expect("an answer"), Some(over.clone()));
    assert_eq!(overdue(store, account, 999).await, []);

    // A later run starts over, and a change of the earlier one does not overwrite it.
    let next = run(11, Some(300));
    store.await_run(&next).await.expect("stored");
    assert!(!store.update_awaited_run(&over, &told).await.expect("an answer"));
    assert_eq!(overdue(store, account, 999).await, [(after(300), at)]);
}
