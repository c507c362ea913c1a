//! The past runs that are remembered at a place.

use domain::routing::Run;
use domain::value::AccountId;
use ports::{Remembered, Transitions};

use super::now;

pub async fn transitions(store: &dyn Transitions, account: &AccountId, other: &AccountId) {
    let event_type = "sync_run.completed".parse().expect("a type");
    let place = "connection/xero/endpoint/invoices".parse().expect("a scope");
    let run = |id: &str, failed| Run { event: id.parse().expect("an id"), completed_at: now(), failed };
    let empty = store.find_runs(account, event_type, &place).await.expect("an answer");
    assert_eq!(empty, Remembered::default());
    let one = empty.history.with(run("evt-1", false));
    assert!(store.store_runs(account, event_type, &place, &empty, &one, now()).await.expect("an answer"));
    assert!(!store.store_runs(account, event_type, &place, &empty, &one, now()).await.expect("an answer"));
    let stored = store.find_runs(account, event_type, &place).await.expect("an answer");
    assert_eq!(stored.history, one);
    let two = one.with(run("evt-2", true));
    assert!(store.store_runs(account, event_type, &place, &stored, &two, now()).await.expect("an answer"));
    assert!(!store.store_runs(account, event_type, &place, &stored, &two, now()).await.expect("an answer"));
    assert_eq!(store.find_runs(account, event_type, &place).await.expect("an answer").history, two);
    assert_eq!(store.find_runs(other, event_type, &place).await.expect("an answer"), Remembered::default());
}
