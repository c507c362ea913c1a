//! The audit of events that are wide, poisoned, slow to read or deleted.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::delivery::DeliveryState;
use domain::value::{AccountId, Timestamp};
use ports::Audit;
use serde_json::{Value, json};
use testing::{Log, account};

use crate::world::{AUDITED, ids, world};

#[tokio::test]
async fn an_audit_gets_on_however_slow_the_table_is() {
    let world = world().await;
    let mut all = Vec::new();
    for n in 0..5 {
        all.extend(world.owe("acme", &format!("evt-{n}"), 100).await);
    }
    // What is visited last.
    all.sort_by(|a, b| a.id.cmp(&b.id));
    let lost = all.split_off(499);
    for delivery in &all {
        world.record(delivery, DeliveryState::Delivered, None).await;
    }
    world.clock.advance(AUDITED);
    // A turn has time for two steps, and these events take five.
    world.clock.advance_with_each_look(Duration::from_millis(900));
    for _ in 0..10 {
        world.run().await.expect("a run");
    }
    assert_eq!(world.sent(), ids(&lost));
    world.clock.advance_with_each_look(Duration::ZERO);
    world.run().await.expect("a run");
    assert!(world.store.seal_notes_left().is_empty());
}

#[tokio::test]
async fn an_event_that_owes_very_many_holds_up_no_other_account_and_is_audited_in_the_end() {
    let world = world().await;
    let wide = world.owe("acme", "evt-1", 13_000).await;
    for delivery in &wide[..12_999] {
        world.record(delivery, DeliveryState::Delivered, None).await;
    }
    let lost = world.owe("rival", "evt-2", 1).await;
    world.clock.advance(AUDITED);
    // Each hundred deliveries take at least 0.3 s, so all of them 39 s.
    world.clock.advance_with_each_look(Duration::from_millis(300));
    let mut sent = BTreeSet::new();
    for run in 0..10 {
        world.run().await.expect("a run");
        sent.extend(world.sent());
        if run == 0 {
            assert_eq!(sent, ids(&lost));
        }
    }
    assert!(sent.contains(&wide[12_999].id));
    world.clock.advance_with_each_look(Duration::ZERO);
    world.run().await.expect("a run");
    assert!(world.store.seal_notes_left().is_empty());
}

#[tokio::test]
async fn an_event_that_cannot_be_read_holds_up_no_other() {
    let world = world().await;
    for n in 0..5 {
        world.owe("acme", &format!("evt-{n}"), 1).await;
    }
    world.owe("rival", "evt-9", 1).await;
    world.store.poison("evt-2");
    world.clock.advance(AUDITED);
    world.run().await.expect_err("it is told");
    assert_eq!(world.sent().len(), 5);
    let left: Vec<AccountId> = world.store.seal_notes_left().into_iter().map(|note| note.account).collect();
    assert_eq!(left, [account("acme")], "it is visited once it is mended");
    // Later slots are still audited.
    let later = world.owe("rival", "evt-10", 1).await;
    world.clock.advance(AUDITED);
    world.run().await.expect_err("it is told in each run");
    assert!(world.sent().is_superset(&ids(&later)));
    assert_eq!(world.store.seal_notes_left().len(), 1);
}

#[tokio::test]
async fn while_an_event_cannot_be_audited_each_run_says_that_the_ledger_is_open() {
    let world = world().await;
    let log = Log::default();
    let _guard = log.start();
    world.owe("acme", "evt-1", 1).await;
    world.owe("rival", "evt-2", 1).await;
    world.store.poison("evt-1");
    world.clock.advance(AUDITED);
    let told = || {
        let mut lines = log.lines();
        lines.retain(|line| line["counted"] == "ledger_open");
        lines
    };
    for _ in 0..2 {
        world.run().await.expect_err("it is told in each run");
        let [line]: [Value; 1] = told().try_into().expect("one line");
        assert_eq!((&line["level"], &line["notes"]), (&json!("ERROR"), &json!(1)), "{line}");
        assert_eq!(line["account.id"], "acme");
    }
    world.store.mend("evt-1");
    world.run().await.expect("a run");
    assert!(told().is_empty());
}

#[tokio::test]
async fn what_the_audit_finds_pending_is_counted() {
    let world = world().await;
    let owed = world.owe("acme", "evt-1", 3).await;
    world.record(&owed[0], DeliveryState::Delivered, None).await;
    world.clock.advance(AUDITED);
    world.run().await.expect("a run");
    let [line]: [Value; 1] = world.metrics.take().try_into().expect("one line");
    assert_eq!(line["PendingPastHorizon"], 2);
    world.run().await.expect("a run");
    assert!(world.metrics.take().is_empty(), "at rest a run writes nothing");
}

#[tokio::test]
async fn a_delivery_that_cannot_be_read_has_a_row_and_is_not_sent() {
    let world = world().await;
    let owed = world.owe("acme", "evt-1", 300).await;
    world.record(&owed[150], DeliveryState::Delivered, None).await;
    world.store.poison(&owed[150].id);
    world.clock.advance(AUDITED);
    world.run().await.expect_err("it is told");
    let mut others = ids(&owed);
    others.remove(&owed[150].id);
    assert_eq!(world.sent(), others);
    assert!(world.store.seal_notes_left().is_empty());
}

#[tokio::test]
async fn an_audit_that_is_behind_says_so() {
    let world = world().await;
    world.run().await.expect("a run");
    world.store.set_audited_until(&[(0, Timestamp::from_unix_ms(1))].into()).await.expect("noted");
    world.run().await.expect_err("what was noted more than a week ago has expired");
    world.run().await.expect("a run");
    world.owe("acme", "evt-1", 13_000).await;
    world.clock.advance(AUDITED * 2);
    world.clock.advance_with_each_look(Duration::from_millis(300));
    world.run().await.expect_err("the oldest note is more than an hour late");
}

#[tokio::test]
async fn nothing_is_recovered_of_an_account_that_is_being_deleted() {
    let world = world().await;
    world.owe("acme", "evt-1", 3).await;
    let lost = world.owe("rival", "evt-2", 1).await;
    world.clock.advance(AUDITED);
    world.delete("acme").await;
    world.run().await.expect("a run");
    assert_eq!(world.sent(), ids(&lost));
    assert!(world.store.seal_notes_left().is_empty());
}
