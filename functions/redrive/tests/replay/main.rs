//! The replay of a span to a subscription over the in-memory store: what is owed and sent, how fast, and what happens
//! after a crash.

#![expect(clippy::expect_used, reason = "helpers of tests may fail them")]

#[path = "../over_memory/mod.rs"]
mod over_memory;
mod world;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use domain::delivery::job::LEASE;
use domain::delivery::{Delivery, DeliveryRecord, DeliveryState, JobStatus, Replayed};
use domain::event::Event;
use domain::routing::{History, Run};
use domain::value::{AccountId, EventId, Timestamp};
use ports::{
    Clock, Deliveries, DestinationHealth, Destinations, Events, FindDestination, OweMore, PortResult, Sealed,
    SealedEvent, Subscriptions, Transitions,
};
use redrive::Deps;
use serde_json::json;
use testing::{MemoryStore, event_text, record};

use self::over_memory::deps;
use self::world::{INVOICES, MINUTE, World, world};

#[tokio::test]
async fn what_matches_and_was_not_owed_is_sent_once_and_owed_from_then_on() {
    let world = world(json!({})).await;
    world.seal("evt-new", INVOICES, "succeeded", &[]).await;
    world.seal("evt-owed", INVOICES, "succeeded", &["/late"]).await;
    world.seal("evt-elsewhere", INVOICES, "succeeded", &["/early"]).await;
    world.seal("evt-failed", INVOICES, "failed", &[]).await;
    world.seal("evt-other-place", "connection/sage/endpoint/invoices", "succeeded", &[]).await;
    for (event, path) in [("evt-owed", "/late"), ("evt-elsewhere", "/early")] {
        let owed = world.event(event).await.owed.remove(0);
        assert_eq!(owed.path.as_ref().map(|path| path.as_str()), Some(path));
        let row = record(&world.target, event, 1, DeliveryState::Delivered);
        let row = DeliveryRecord { delivery: owed, ..row };
        world.store.create_delivery(&row).await.expect("recorded");
    }
    let job = world.start().await;
    world.run().await.expect("a run");
    let replayed = Replayed { matched: 3, sent: 2, ..Replayed::default() };
    assert_eq!(world.told(&job).await, (JobStatus::Succeeded, 5, replayed));
    let (new, elsewhere) = (world.event("evt-new").await, world.event("evt-elsewhere").await);
    assert_eq!((new.unmatched, new.owed.len(), elsewhere.owed.len()), (None, 1, 2));
    let sent: BTreeSet<_> = world.sent().into_iter().collect();
    assert_eq!(sent, BTreeSet::from([new.owed[0].id.clone(), elsewhere.owed[1].id.clone()]));
    world.check_books("the first time");
    let row = world.store.deliveries().into_iter().find(|row| row.delivery.id == new.owed[0].id).expect("a row");
    assert!(row.is_under_way(world.clock.now()), "should the message be lost, it is sent again");

    assert_eq!(world.start().await, job);
    world.run().await.expect("a run");
    let replayed = Replayed { matched: 3, ..Replayed::default() };
    assert_eq!((world.told(&job).await, world.sent()), ((JobStatus::Succeeded, 5, replayed), vec![]));
    world.check_books("the second time");
}

#[tokio::test]
async fn what_occurred_outside_of_the_span_is_left_alone() {
    let world = world(json!({})).await;
    world.seal_matching(2).await;
    let occurred = world.event("evt-0").await.occurred_at;
    let next = occurred.plus(Duration::from_millis(1));
    for (since, until, sent) in
        [(next, next.plus(MINUTE), 0), (Timestamp::from_unix_ms(0), occurred, 0), (occurred, next, 2)]
    {
        let job = world.start_span(since, until).await;
        world.run().await.expect("a run");
        let replayed = Replayed { matched: sent, sent, ..Replayed::default() };
        assert_eq!(world.told(&job).await, (JobStatus::Succeeded, sent, replayed), "{since} to {until}");
    }
}

#[tokio::test]
async fn a_crash_at_any_step_of_a_replay_owes_everything_once_and_loses_nothing() {
    const EVENTS: usize = 25;
    for (method, times) in [
        ("take_job", 1),
        ("find_subscription", 1),
        ("find_destination_anew", 1),
        ("list_events", 1),
        ("find_event", 3),
        ("create_delivery", 7),
        ("add_owed", 1),
        ("add_owed", 4),
        ("record_progress", 2),
        ("end_job", 1),
        ("send_deliveries", 1),
    ] {
        let world = world(json!({})).await;
        world.seal_matching(EVENTS).await;
        let job = world.start().await;
        match method {
            "send_deliveries" => world.queue.break_sends(1),
            _ => world.store.fail(method, times),
        }
        assert!(world.run().await.is_err(), "{method}");
        let mut sent = world.sent();
        // Whatever has a row but was not sent becomes due again when its lease has expired.
        for _ in 0..20 {
            world.clock.advance(LEASE);
            // A failure of an earlier step may be left over.
            let _ = world.run().await;
            sent.extend(world.sent());
        }
        let (status, looked_at, replayed) = world.told(&job).await;
        assert_eq!((status, looked_at, replayed.matched), (JobStatus::Succeeded, EVENTS as u64, EVENTS as u64));
        let owed: BTreeSet<_> = world.store.events().iter().map(|event| event.owed[0].id.clone()).collect();
        assert_eq!(sent.into_iter().collect::<BTreeSet<_>>(), owed, "{method}");
        world.check_books(method);
    }
}

#[tokio::test]
async fn a_wide_span_is_replayed_in_portions_and_in_slices() {
    let world = world(json!({})).await;
    world.seal_matching(130).await;
    for n in 0..400 {
        world.seal(&format!("other-{n}"), "connection/sage/endpoint/invoices", "succeeded", &[]).await;
    }
    let job = world.start().await;
    let mut parts = Vec::new();
    for _ in 0..4 {
        world.run().await.expect("a run");
        // A second run in the same minute sends nothing more.
        world.run().await.expect("a run");
        let sent = world.queue.take_delayed();
        let mut delays: Vec<_> = sent.iter().map(|(_, delay)| delay.as_secs()).collect();
        delays.sort_unstable();
        assert_eq!(delays, (0..sent.len() as u64).collect::<Vec<_>>(), "one a second");
        parts.push(sent.len());
        world.clock.advance(MINUTE);
    }
    assert_eq!(parts, [60, 60, 10, 0]);
    let (status, looked_at, replayed) = world.told(&job).await;
    assert_eq!((status, looked_at, replayed.sent), (JobStatus::Succeeded, 530, 130));
    world.check_books("in portions");

    // With time for only a few steps, a run gets as far as it can and shows its progress.
    world.start().await;
    world.clock.advance_with_each_look(Duration::from_millis(500));
    world.run().await.expect("a run");
    let begun = world.job(&job).await;
    assert!((1..530).contains(&begun.done) && begun.status == JobStatus::Running, "{begun:?}");
    assert!(begun.replayed.expect("a replay").to.is_some());
    for _ in 0..40 {
        world.run().await.expect("a run");
    }
    let (status, looked_at, replayed) = world.told(&job).await;
    assert_eq!((status, looked_at, replayed.matched, replayed.sent), (JobStatus::Succeeded, 530, 130, 0));
}

#[tokio::test]
async fn what_cannot_be_read_is_told_and_passed_over() {
    let world = world(json!({})).await;
    world.seal_matching(3).await;
    world.store.poison("evt-1");
    let event = Event::parse(&event_text(&world.target.account, "evt-torn"), world.clock.now());
    let event = event.map_err(|rejection| rejection.detail).expect("an event");
    world.seal_body(event, "{\"id\":".to_owned(), vec![]).await;
    let job = world.start().await;
    assert!(world.run().await.is_err(), "the operator is told");
    let replayed = Replayed { matched: 2, sent: 2, unreadable: 2, ..Replayed::default() };
    assert_eq!(world.told(&job).await, (JobStatus::Succeeded, 4, replayed));
    assert_eq!(world.sent().len(), 2);
}

#[tokio::test]
async fn a_transition_counts_where_it_is_known_and_what_is_not_known_any_more_is_counted() {
    let world = world(json!({"transition": "recovered"})).await;
    for id in ["evt-1", "evt-2", "evt-3", "evt-partial"] {
        world.seal(id, INVOICES, if id == "evt-partial" { "partial" } else { "succeeded" }, &[]).await;
    }
    world.seal("evt-failed", INVOICES, "failed", &[]).await;
    let event = world.event("evt-1").await;
    let run = |id: &str, ms: u64, failed| Run {
        event: id.parse().expect("an id"),
        completed_at: Timestamp::from_unix_ms(ms),
        failed,
    };
    let runs = [run("evt-0", 1, true), run("evt-1", 2, false), run("evt-2", 3, false)];
    let history = runs.into_iter().fold(History::default(), |history, run| history.with(run));
    let (account, event_type, place) = (&event.account, event.event_type, &event.scope);
    let before = world.store.find_runs(account, event_type, place).await.expect("an answer");
    let stored = world.store.store_runs(account, event_type, place, &before, &history, world.clock.now()).await;
    assert!(stored.expect("an answer"));
    let job = world.start().await;
    world.run().await.expect("a run");
    let replayed = Replayed { matched: 1, sent: 1, unjudged: 1, ..Replayed::default() };
    assert_eq!(world.told(&job).await, (JobStatus::Succeeded, 5, replayed));
    assert_eq!(world.sent(), [world.event("evt-1").await.owed[0].id.clone()]);
}

#[tokio::test]
async fn what_a_paused_destination_is_owed_by_a_replay_is_set_aside() {
    let world = world(json!({})).await;
    let (account, id) = (&world.target.account, &world.target.id);
    let before = world.store.find_destination(account, id).await.expect("an answer").expect("it");
    let mut after = before.clone();
    (after.settings.paused, after.version) = (true, before.version + 1);
    world.store.update_destination(&before, &after).await.expect("paused");
    world.seal_matching(70).await;
    let job = world.start().await;
    world.run().await.expect("a run");
    let replayed = Replayed { matched: 70, set_aside: 70, ..Replayed::default() };
    assert_eq!((world.told(&job).await, world.sent()), ((JobStatus::Succeeded, 70, replayed), vec![]));
    assert!(world.store.deliveries().iter().all(|row| row.state() == DeliveryState::Parked));
    world.check_books("paused");
}

#[tokio::test]
async fn a_replay_fails_and_says_so_when_its_subscription_or_destination_is_deleted_meanwhile() {
    for (error, both) in [("the subscription was deleted", false), ("the destination was deleted", true)] {
        let world = world(json!({})).await;
        world.seal_matching(100).await;
        let job = world.start().await;
        world.run().await.expect("a run");
        assert_eq!(world.sent().len(), 60);
        let (account, id) = (&world.target.account, &world.target.id);
        if both {
            let before = world.store.find_destination(account, id).await.expect("an answer").expect("it");
            let closed = before.health.closed().expect("it was open");
            assert!(world.store.update_health(&before, &closed).await.expect("an answer"));
        } else {
            world.store.delete_subscription(account, &world.subscription.id, None).await.expect("deleted");
        }
        world.clock.advance(MINUTE);
        world.run().await.expect("a run");
        let failed = world.job(&job).await;
        assert_eq!((failed.status, failed.error.as_deref()), (JobStatus::Failed, Some(error)));
        assert_eq!((failed.replayed.expect("a replay").sent, world.sent().len()), (60, 0));
        world.check_books(error);
    }
}

/// A store in which somebody else adds to what an event owes, just before the replay does so for the first time.
struct Meddled {
    store: Arc<MemoryStore>,
    done: AtomicBool,
}

#[async_trait]
impl Events for Meddled {
    async fn find_event(&self, account: &AccountId, id: &EventId) -> PortResult<Option<SealedEvent>> {
        self.store.find_event(account, id).await
    }

    async fn find_event_with(
        &self,
        account: &AccountId,
        id: &EventId,
        most: usize,
    ) -> PortResult<Option<(SealedEvent, usize)>> {
        self.store.find_event_with(account, id, most).await
    }

    async fn find_body(&self, account: &AccountId, id: &EventId) -> PortResult<Option<String>> {
        self.store.find_body(account, id).await
    }

    async fn seal_event(&self, event: &SealedEvent) -> PortResult<Sealed> {
        self.store.seal_event(event).await
    }
}

#[async_trait]
impl OweMore for Meddled {
    async fn add_owed(&self, known: &SealedEvent, more: &[Delivery], now: Timestamp) -> PortResult<bool> {
        if !self.done.swap(true, Ordering::SeqCst) {
            let other =
                Delivery { id: format!("{}0", &more[0].id.as_str()[..53]).parse().expect("an id"), ..more[0].clone() };
            assert!(self.store.add_owed(known, &[other], now).await?);
        }
        self.store.add_owed(known, more, now).await
    }
}

#[tokio::test]
async fn what_an_event_owes_may_grow_at_the_same_time() {
    let world = world(json!({})).await;
    let meddled = Arc::new(Meddled { store: world.store.clone(), done: AtomicBool::new(false) });
    let deps = deps(&world.store, &world.queue, &Arc::default(), &world.clock);
    let world = World { deps: Arc::new(Deps { events: meddled, ..deps }), ..world };
    world.seal_matching(1).await;
    let job = world.start().await;
    world.run().await.expect("a run");
    let replayed = Replayed { matched: 1, sent: 1, ..Replayed::default() };
    assert_eq!(world.told(&job).await, (JobStatus::Succeeded, 1, replayed));
    assert_eq!((world.event("evt-0").await.owed.len(), world.sent().len()), (2, 1));
}
