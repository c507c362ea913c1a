//! What waits for its time, how destinations do, what the audit goes by, and turns.

use std::time::Duration;

use domain::delivery::{DeliveryRecord, DeliveryState};
use domain::destination::{Failure, Health, Pace};
use domain::value::{AccountId, Slot, Timestamp};
use ports::{
    Accounts, Audit, Deliveries, DestinationHealth, Destinations, Due, EventPlace, Paces, Recorded, SHARDS, SealNote,
    SealNotes, UpdatedDestination, Waiting,
};

use super::super::samples::{destination, record};
use super::now;

/// What a store of deliveries is that can be asked what waits.
pub trait WaitingStore: Waiting + Deliveries {}

impl<S: Waiting + Deliveries> WaitingStore for S {}

fn after(seconds: u64) -> Timestamp {
    now().plus(Duration::from_secs(seconds))
}

/// The account's deliveries that are to be looked at until then.
async fn due(store: &dyn WaitingStore, account: &AccountId, until: Timestamp) -> Vec<Due> {
    let mut all = Vec::new();
    for shard in 0..SHARDS {
        let due = store.due_deliveries(shard, until, 10_000).await.expect("a list");
        assert!(due.is_sorted_by_key(|due| due.look_at));
        assert_eq!(store.due_deliveries(shard, until, 1).await.expect("a list").len(), due.len().min(1));
        all.extend(due.into_iter().filter(|due| due.account == *account));
    }
    all.sort();
    all
}

pub async fn waiting(store: &dyn WaitingStore, account: &AccountId, other: &AccountId) {
    let target = destination(account, 1, "https://example.com/");
    let waits = |id: &str, seconds| {
        let retrying = DeliveryState::Retrying { due_at: after(seconds) };
        DeliveryRecord { look_at: Some(after(seconds)), ..record(&target, id, 1, retrying) }
    };
    let (first, second) = (waits("first", 10), waits("second", 20));
    let parked = record(&target, "parked", 1, DeliveryState::Parked);
    let told = DeliveryRecord { look_at: Some(after(5)), ..record(&target, "told", 3, DeliveryState::Exhausted) };
    let done = record(&target, "done", 1, DeliveryState::Delivered);
    for record in [&first, &second, &parked, &told, &done] {
        assert_eq!(store.record_delivery(record).await.expect("an answer"), Recorded::Recorded);
    }
    let as_due = |record: &DeliveryRecord| {
        let look_at = record.look_at.expect("when it is looked at");
        Due { look_at, account: account.clone(), id: record.delivery.id.clone() }
    };
    assert_eq!(due(store, account, after(4)).await, []);
    assert_eq!(due(store, account, after(10)).await, [as_due(&told), as_due(&first)]);
    assert_eq!(due(store, account, after(99)).await, [as_due(&told), as_due(&first), as_due(&second)]);
    assert_eq!(due(store, other, after(99)).await, []);

    // Pushed forward, it is due later; and only who knows it as it is pushes it.
    let leased = first.leased(after(50));
    assert!(store.replace_delivery(&first, &leased).await.expect("an answer"));
    assert!(!store.replace_delivery(&first, &first.leased(after(60))).await.expect("an answer"));
    let more = DeliveryRecord { attempts: second.attempts.clone(), ..record(&target, "first", 2, leased.state) };
    assert!(!store.replace_delivery(&more, &first).await.expect("an answer"), "another state or count of attempts");
    assert_eq!(due(store, account, after(30)).await, [as_due(&told), as_due(&second)]);
    assert_eq!(store.find_delivery(account, &first.delivery.id).await.expect("an answer"), Some(leased.clone()));

    // What was told is not looked at again, and what ends is not either.
    let quiet = DeliveryRecord { look_at: None, ..told.clone() };
    assert!(store.replace_delivery(&told, &quiet).await.expect("an answer"));
    assert!(store.replace_delivery(&quiet, &quiet).await.expect("an answer"));
    let ended = record(&target, "second", 2, DeliveryState::Delivered);
    assert_eq!(store.record_delivery(&ended).await.expect("an answer"), Recorded::Recorded);
    assert_eq!(due(store, account, after(99)).await, [as_due(&leased)]);

    let id = &target.id;
    let listed = |limit| store.parked_deliveries(account, id, limit);
    assert_eq!(listed(9).await.expect("a list"), std::slice::from_ref(&parked.delivery.id));
    let again = record(&target, "first", 2, DeliveryState::Parked);
    assert_eq!(store.record_delivery(&again).await.expect("an answer"), Recorded::Recorded);
    let mut both = [parked.delivery.id.clone(), again.delivery.id.clone()];
    both.sort();
    assert_eq!(listed(9).await.expect("a list"), both);
    assert_eq!(listed(1).await.expect("a list"), both[..1]);
    assert_eq!(store.parked_deliveries(other, id, 9).await.expect("a list"), []);
    let back = parked.queued(after(7), after(8));
    assert!(store.replace_delivery(&parked, &back).await.expect("an answer"));
    assert_eq!(listed(9).await.expect("a list"), [again.delivery.id]);
    assert_eq!(due(store, account, after(99)).await, [as_due(&back)]);
}

/// What a store of destinations is that knows how they do.
pub trait HealthStore: DestinationHealth + Destinations + Accounts + Waiting {}

impl<S: DestinationHealth + Destinations + Accounts + Waiting> HealthStore for S {}

pub async fn health(store: &dyn HealthStore, account: &AccountId) {
    store.create_account(account, now()).await.expect("created");
    let created = destination(account, 1, "https://example.com/");
    store.create_destination(&created, 10).await.expect("created");
    let find = async || {
        let found = store.find_destination_anew(account, &created.id).await.expect("an answer");
        found.expect("the destination")
    };
    let watched = async |seconds| {
        let all = store.watched_destinations(after(seconds), 10_000).await.expect("a list");
        all.contains(&(account.clone(), created.id.clone()))
    };
    assert_eq!((find().await.health, watched(9_999).await), (Health::default(), false));

    let gone = Failure {
        at: after(1),
        gone: true,
        probe: false,
        retry_after: Duration::ZERO,
        seen_in_a_row: 1,
        operational: false,
    };
    let disabled = created.health.failed(gone).expect("a change");
    assert!(store.update_health(&created, &disabled).await.expect("an answer"));
    assert!(!store.update_health(&created, &disabled).await.expect("an answer"), "it is not as it was known");
    let stored = find().await;
    assert_eq!(stored, created.with_health(disabled.clone()));
    assert_eq!((watched(0).await, watched(1).await), (false, true), "until somebody has told it");

    // The owner's changes and those of health do not overwrite each other.
    let renamed = stored.changed(stored.settings.clone(), after(2));
    assert!(store.update_health(&stored, &disabled.told(1)).await.expect("an answer"));
    let changed = store.update_destination(&stored, &renamed).await.expect("an answer");
    assert_eq!(changed, UpdatedDestination::Changed);
    assert!(!watched(9_999).await);
    let stored = find().await;
    let mut resumed = stored.changed(stored.settings.clone(), after(3));
    resumed.health = stored.health.resumed(after(3));
    assert_eq!(store.update_destination(&stored, &resumed).await.expect("an answer"), UpdatedDestination::Updated);
    assert_eq!((find().await, watched(3).await), (resumed.clone(), true));
    assert!(!store.update_health(&stored, &disabled).await.expect("an answer"));
}

/// What a store of notes of seals is.
pub trait AuditStore: Audit + SealNotes {}

impl<S: Audit + SealNotes> AuditStore for S {}

pub async fn audit(store: &dyn AuditStore, account: &AccountId) {
    // A slot that no other test of the same table uses: of a horizon of its own.
    let digits = account.as_str().bytes().fold(7u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let slot = Slot(1_000_000_000_000 + digits % 1_000_000_000);
    let note = |occurred| SealNote { sealed: slot, account: account.clone(), occurred: Slot(occurred) };
    assert_eq!(store.seal_notes(slot, 9).await.expect("a list"), []);
    for occurred in [1, 2, 2] {
        store.note_seal(&note(occurred), after(99)).await.expect("noted");
    }
    assert_eq!(store.seal_notes(slot, 9).await.expect("a list"), [(note(1), None), (note(2), None)]);
    assert_eq!(store.seal_notes(slot, 1).await.expect("a list"), [(note(1), None)]);
    assert_eq!(store.seal_notes(slot.next(), 9).await.expect("a list"), []);
    let place = EventPlace { occurred_at: now(), id: "evt-7".parse().expect("an id") };
    store.note_progress(&note(2), &place).await.expect("noted");
    store.forget_note(&note(1)).await.expect("forgotten");
    store.forget_note(&note(1)).await.expect("forgotten twice");
    assert_eq!(store.seal_notes(slot, 9).await.expect("a list"), [(note(2), Some(place))]);
    // Others may audit the same table meanwhile: where the audit is, it stays.
    if let Some(last) = store.last_audited().await.expect("an answer") {
        store.set_last_audited(last).await.expect("noted");
        assert!(store.last_audited().await.expect("an answer") >= Some(last));
    }
}

pub async fn paces(store: &dyn Paces, account: &AccountId, other: &AccountId) {
    let id = destination(account, 1, "https://example.com/").id;
    let pace = |free_from, line_until| Pace { free_from, line_until };
    let (none, first, second) = (Pace::default(), pace(7_000_000, 0), pace(8_000_000, 9_000_000));
    let store_pace = async |before, after| store.store_pace(account, &id, before, after).await.expect("an answer");
    assert_eq!(store_pace(first, second).await, Some(none), "nothing is stored yet");
    assert_eq!(store_pace(none, first).await, None);
    assert_eq!(store_pace(none, second).await, Some(first));
    assert_eq!(store_pace(first, second).await, None);
    assert_eq!(store_pace(first, second).await, Some(second));
    assert_eq!(store.store_pace(other, &id, none, first).await.expect("an answer"), None);
}
