//! A minute with something in it that is poisoned, wide, slow or very long: everybody else is served all the same.

#![expect(clippy::expect_used, reason = "helpers of tests may fail them")]

mod over_memory;
mod slow;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use domain::delivery::job::SETTLE;
use domain::delivery::{Delivery, DeliveryRecord, DeliveryState, Job, JobStatus, Purpose, RecoverStatus, Recovery};
use domain::destination::{Destination, Drain, Health, HealthState};
use domain::event::{Event, envelope};
use domain::value::{AccountId, DeliveryId, JobId, Timestamp};
use lambda_runtime::{Context, LambdaEvent};
use ports::{
    Accounts, Audit, Clock, DeletedDestination, Deliveries, DestinationHealth, Destinations, Events, FindJob, SealNote,
    SealNotes, SealedEvent, StartJob, UpdatedDestination, Waiting,
};
use redrive::{Deps, handle};
use testing::{MemoryQueue, MemoryStore, TestClock, account, destination, event_text, held_until, record};

use self::over_memory::deps;
use self::slow::Slow;

const MINUTE: Duration = Duration::from_secs(60);
/// From when on an event that was just sealed is audited.
const AUDITED: Duration = Duration::from_secs(71 * 60);

struct World {
    store: Arc<MemoryStore>,
    queue: Arc<MemoryQueue>,
    clock: Arc<TestClock>,
    deps: Arc<Deps>,
}

/// Two accounts with a destination each.
async fn world() -> World {
    let (store, queue) = (Arc::new(MemoryStore::default()), Arc::new(MemoryQueue::default()));
    let clock = Arc::new(TestClock::new());
    for id in ["acme", "rival"] {
        store.create_account(&account(id), clock.now()).await.expect("created");
        store.create_destination(&target(id), 1_000).await.expect("created");
    }
    let deps = Arc::new(deps(&store, &queue, &Arc::default(), &clock));
    World { store, queue, clock, deps }
}

fn target(id: &str) -> Destination {
    destination(&account(id), 1, "https://a.example/")
}

/// Delivery number `n` of an event.
fn numbered(of: &Delivery, n: usize, shard: u8) -> Delivery {
    let event = format!("{}{}", of.account, of.event).bytes().map(u32::from).sum::<u32>();
    let id = format!("{}{event:04}{n:015}{shard}", &of.id.as_str()[..34]).parse().expect("an id");
    Delivery { id, ..of.clone() }
}

impl World {
    async fn slow(takes: Duration) -> World {
        let world = world().await;
        let (queue, clock) = (world.queue.clone(), world.clock.clone());
        let slow = Arc::new(Slow { queue, clock, takes });
        let deps = deps(&world.store, &world.queue, &Arc::default(), &world.clock);
        World { deps: Arc::new(Deps { queue: slow.clone(), event_queue: slow, ..deps }), ..world }
    }

    async fn run(&self) -> Result<(), lambda_runtime::Error> {
        let mut context = Context::default();
        context.deadline = self.clock.now().plus(MINUTE).unix_ms();
        handle(Arc::clone(&self.deps), LambdaEvent::new(serde_json::Value::Null, context)).await
    }

    fn sent(&self) -> BTreeSet<DeliveryId> {
        self.queue.take_sent().into_iter().map(|message| message.delivery.id).collect()
    }

    /// Notes and seals an event that owes `count` deliveries.
    async fn owe(&self, of: &str, id: &str, count: usize) -> Vec<Delivery> {
        let now = self.clock.now();
        let event = Event::parse(&event_text(&account(of), id), now).map_err(|r| r.detail).expect("an event");
        let body = envelope::build(&event).expect("a body").get().to_owned();
        let first = Delivery::of_event(&event, target(of).id, None);
        let owed: Vec<_> = (0..count).map(|n| numbered(&first, n, u8::try_from(n % 8).expect("small"))).collect();
        let stretches = self.deps.horizon.stretches();
        let (sealed, occurred) = (stretches.of(now), stretches.of(event.occurred_at));
        let note = SealNote { sealed, account: event.account.clone(), occurred };
        self.store.note_seal(&note, now).await.expect("noted");
        let sealed = SealedEvent {
            account: event.account,
            id: event.id,
            event_type: event.event_type,
            scope: event.scope,
            occurred_at: event.occurred_at,
            sealed_at: now,
            digest: envelope::content_digest(&body),
            body,
            owed: owed.clone(),
            unmatched: None,
            expires_at: now.plus(MINUTE * 60 * 24 * 30),
        };
        self.store.seal_event(&sealed).await.expect("sealed");
        owed
    }

    async fn record(&self, delivery: &Delivery, state: DeliveryState, look_at: Option<Timestamp>) {
        let known = record(&target(delivery.account.as_str()), "any", 1, state);
        let row = DeliveryRecord { delivery: delivery.clone(), ..known.held(held_until(state, look_at)) };
        self.store.create_delivery(&row).await.expect("recorded");
    }

    /// These deliveries are due this long after now.
    async fn due(&self, deliveries: &[Delivery], seconds: u64) {
        let due_at = self.clock.now().plus(Duration::from_secs(seconds));
        for delivery in deliveries {
            self.record(delivery, DeliveryState::Retrying { due_at }, Some(due_at)).await;
        }
    }

    async fn set_health(&self, of: &str, health: Health) {
        let health = Health { version: 2, ..health };
        assert!(self.store.update_health(&target(of), &health).await.expect("an answer"));
    }

    async fn health(&self, of: &str) -> Health {
        let found = self.store.find_destination_anew(&account(of), &target(of).id).await.expect("an answer");
        found.expect("the destination").health
    }

    /// A probe is due.
    async fn down(&self, of: &str) {
        let (since, next_probe_at) = (self.clock.now(), self.clock.now());
        let state = HealthState::Failing { since, probes: 0, next_probe_at, half_open: false };
        self.set_health(of, Health { state, ..Health::default() }).await;
    }

    async fn status(&self, id: &JobId) -> JobStatus {
        self.store.find_job(id).await.expect("an answer").expect("the job").status
    }

    async fn delete(&self, of: &str) -> JobId {
        let job = Job::delete_account(JobId::from_entropy([9; 10]), account(of), self.clock.now());
        assert!(self.store.start_deletion(&account(of), &job, None).await.expect("an answer"));
        job.id
    }
}

fn ids(deliveries: &[Delivery]) -> BTreeSet<DeliveryId> {
    deliveries.iter().map(|delivery| delivery.id.clone()).collect()
}

#[tokio::test]
async fn a_poisoned_row_among_many_holds_up_no_other() {
    let world = world().await;
    let owed = world.owe("acme", "evt-1", 400).await;
    world.due(&owed, 0).await;
    world.store.poison(&owed[17].id);
    world.run().await.expect_err("it is told");
    let mut others = ids(&owed);
    others.remove(&owed[17].id);
    assert_eq!(world.sent(), others);
    world.run().await.expect_err("it is told in each run");
    assert!(world.sent().is_empty());
}

#[tokio::test]
async fn more_poisoned_rows_than_a_page_has_hold_up_nothing_behind_them() {
    let world = world().await;
    let owed = world.owe("acme", "evt-1", 1_600).await;
    world.due(&owed[..1_200], 0).await;
    owed[..1_200].iter().for_each(|delivery| world.store.poison(&delivery.id));
    world.due(&owed[1_200..], 1).await;
    world.run().await.expect_err("they are told");
    assert_eq!(world.sent(), ids(&owed[1_200..]));
}

#[tokio::test]
async fn a_write_that_fails_holds_up_no_other() {
    let world = world().await;
    let owed = world.owe("acme", "evt-1", 100).await;
    world.due(&owed, 0).await;
    world.store.fail("replace_delivery", 3);
    world.run().await.expect_err("a failure");
    assert_eq!(world.sent().len(), 97);
    world.run().await.expect("a run");
    assert_eq!(world.sent().len(), 3);
}

#[tokio::test]
async fn of_a_batch_that_is_sent_in_part_no_other_batch_depends() {
    let world = world().await;
    let owed = world.owe("acme", "evt-1", 240).await;
    world.due(&owed, 0).await;
    world.queue.break_sends(1);
    world.run().await.expect_err("a failure");
    assert_eq!(world.sent().len(), 235);
    world.clock.advance(MINUTE * 15);
    world.run().await.expect("a run");
    assert!(world.sent().len() >= 5);
}

#[tokio::test]
async fn while_the_table_is_down_each_part_ends_soon_and_the_run_answers_an_error() {
    let world = world().await;
    for of in ["acme", "rival"] {
        let owed = world.owe(of, "evt-1", 500).await;
        world.due(&owed, 0).await;
    }
    world.store.take_calls();
    world.store.break_down(true);
    world.run().await.expect_err("a failure");
    assert!(world.store.take_calls().len() < 20);
    // Lists work, and nothing else does.
    world.store.break_down(false);
    world.store.fail("find_deliveries", u32::MAX);
    world.store.fail("find_delivery", u32::MAX);
    world.run().await.expect_err("a failure");
    assert!(world.store.take_calls().iter().filter(|call| call.starts_with("find_deliver")).count() < 500);
    // What cannot be read in bulk is read one by one.
    world.store.fail("find_delivery", 0);
    world.run().await.expect("a run");
    assert_eq!(world.sent().len(), 1_000);
}

#[tokio::test]
async fn while_the_queue_is_down_few_deliveries_are_claimed_in_vain() {
    let world = world().await;
    let owed = world.owe("acme", "evt-1", 1_000).await;
    world.due(&owed, 0).await;
    world.queue.break_sends(u64::MAX);
    world.run().await.expect_err("a failure");
    world.sent();
    world.queue.break_sends(0);
    world.run().await.expect("a run");
    assert!(world.sent().len() >= 900);
}

#[tokio::test]
async fn a_backlog_of_one_shard_keeps_no_other_shard_and_no_other_part_waiting() {
    let world = World::slow(Duration::from_millis(500)).await;
    world.down("rival").await;
    let parked = world.owe("rival", "evt-2", 1).await;
    world.record(&parked[0], DeliveryState::Parked, None).await;
    let owed = world.owe("acme", "evt-1", 16).await;
    let backlog: Vec<_> = (100..2_100).map(|n| numbered(&owed[0], n, 0)).collect();
    world.due(&backlog, 0).await;
    world.due(&owed[1..8], 30).await;
    let job = Recovery {
        account: account("rival"),
        destination_id: target("rival").id,
        since: world.clock.now(),
        until: world.clock.now(),
        statuses: RecoverStatus::USUAL.to_vec(),
    };
    let job = world.store.start_job(&Job::recover(job, world.clock.now()), 20).await;
    let job = job.expect("started").expect("not too many").id;
    world.store.take_calls();
    world.run().await.expect("a run");
    let sent = world.queue.take_sent();
    for delivery in &owed[1..8] {
        assert!(sent.iter().any(|message| message.delivery.id == delivery.id), "{}", delivery.id);
    }
    assert!(sent.iter().any(|message| message.purpose == Purpose::Probe));
    assert!(sent.len() < 1_000, "there was more than a run can send");
    assert_eq!(world.status(&job).await, JobStatus::Succeeded);
    let calls = world.store.take_calls();
    for call in ["overdue_runs", "set_rolled_up_to", "set_audited_until"] {
        assert!(calls.contains(&call), "{call}");
    }
}

#[tokio::test]
async fn a_part_that_has_more_to_do_uses_what_others_leave() {
    let world = World::slow(Duration::from_millis(100)).await;
    let owed = world.owe("acme", "evt-1", 6_000).await;
    world.due(&owed, 0).await;
    world.run().await.expect("a run");
    // A call takes 10 deliveries and 0.1 s, and 45 s of the run are used.
    let sent = world.sent().len();
    assert!((4_000..=4_600).contains(&sent), "{sent}");
}

#[tokio::test]
async fn five_thousand_that_were_given_up_hold_back_nothing_that_is_due() {
    let world = World::slow(Duration::from_millis(20)).await;
    let owed = world.owe("acme", "evt-1", 8).await;
    let now = world.clock.now();
    for n in 0..5_000 {
        world.record(&numbered(&owed[0], n, 0), DeliveryState::Exhausted, Some(now)).await;
    }
    let due: Vec<_> = (5_000..5_100).map(|n| numbered(&owed[0], n, 0)).collect();
    world.due(&due, 30).await;
    world.run().await.expect("a run");
    assert_eq!(world.sent(), ids(&due));
    let told = world.queue.take_events().len();
    assert!((1_000..3_000).contains(&told), "{told} were told meanwhile");
}

#[tokio::test]
async fn a_probe_passes_over_what_cannot_be_read() {
    let world = world().await;
    let owed = world.owe("acme", "evt-1", 3).await;
    for delivery in &owed {
        world.record(delivery, DeliveryState::Parked, None).await;
    }
    world.store.poison(&owed[0].id);
    world.down("acme").await;
    world.run().await.expect_err("it is told");
    assert_eq!(world.sent(), BTreeSet::from([owed[1].id.clone()]));
}

#[tokio::test]
async fn a_drain_passes_over_what_cannot_be_read_and_ends() {
    let world = world().await;
    let owed = world.owe("acme", "evt-1", 1_500).await;
    for delivery in &owed {
        world.record(delivery, DeliveryState::Parked, None).await;
    }
    owed[..1_300].iter().for_each(|delivery| world.store.poison(&delivery.id));
    let now = world.clock.now();
    world.set_health("acme", Health { drain: Some(Drain { since: now, next_at: now }), ..Health::default() }).await;
    world.run().await.expect_err("they are told");
    assert_eq!(world.sent(), ids(&owed[1_300..]));
    for _ in 0..4 {
        world.clock.advance(MINUTE);
        let _ = world.run().await;
    }
    assert_eq!((world.health("acme").await.state, world.health("acme").await.drain), (HealthState::Healthy, None));
}

#[tokio::test]
async fn what_was_paused_or_deleted_while_it_was_down_is_looked_at_once_more_and_then_not() {
    let world = world().await;
    let watched = async || world.store.watched_destinations(world.clock.now(), None, 9).await.expect("a list").len();
    let paused = target("acme").paused(world.clock.now()).expect("a change");
    let updated = world.store.update_destination(&target("acme"), &paused).await.expect("an answer");
    assert_eq!(updated, UpdatedDestination::Updated);
    // Both failures were noted by who did not know it yet.
    world.down("acme").await;
    let gone = target("rival");
    let deleted = world.store.delete_destination(&gone.account, &gone.id, None).await.expect("an answer");
    assert_eq!(deleted, DeletedDestination::Deleted);
    world.down("rival").await;
    assert_eq!(watched().await, 2);
    world.run().await.expect("a run");
    assert_eq!((watched().await, world.health("acme").await.version), (0, 3));
    world.run().await.expect("a run");
    assert_eq!(world.health("acme").await.version, 3);
    let known = world.store.find_destination_anew(&paused.account, &paused.id).await.expect("an answer").expect("it");
    let resumed = known.resumed(world.clock.now()).expect("a change");
    let updated = world.store.update_destination(&known, &resumed).await.expect("an answer");
    assert_eq!((updated, watched().await), (UpdatedDestination::Updated, 1));
}

#[tokio::test]
async fn a_drain_that_had_no_time_for_its_part_sends_the_rest_at_the_same_pace() {
    let world = World::slow(Duration::from_secs(1)).await;
    let owed = world.owe("acme", "evt-1", 400).await;
    for delivery in &owed {
        world.record(delivery, DeliveryState::Parked, None).await;
    }
    let now = world.clock.now();
    world.set_health("acme", Health { drain: Some(Drain { since: now, next_at: now }), ..Health::default() }).await;
    world.run().await.expect("a run");
    let sent = world.sent().len();
    assert!((1..400).contains(&sent), "{sent}");
    let next_at = world.health("acme").await.drain.expect("a drain").next_at;
    let pace = Duration::from_millis(50) * u32::try_from(sent).expect("few");
    assert!(next_at.since(now) <= pace + Duration::from_secs(1), "the rest waits until {next_at}");
    world.clock.advance(pace);
    world.run().await.expect("a run");
    assert!(!world.sent().is_empty(), "the rest is sent on");
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
    // Later slots are audited all the same.
    let later = world.owe("rival", "evt-10", 1).await;
    world.clock.advance(AUDITED);
    world.run().await.expect_err("it is told in each run");
    assert!(world.sent().is_superset(&ids(&later)));
    assert_eq!(world.store.seal_notes_left().len(), 1);
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

#[tokio::test]
async fn a_hundred_recoveries_of_one_account_do_not_hold_up_the_deletion_of_another() {
    let world = world().await;
    let (now, deletion) = (world.clock.now(), world.delete("rival").await);
    for n in 2..102 {
        let receiver = destination(&account("acme"), n, "https://a.example/");
        world.store.create_destination(&receiver, 1_000).await.expect("created");
        let recovery = Recovery {
            account: account("acme"),
            destination_id: receiver.id,
            since: Timestamp::from_unix_ms(0),
            until: now,
            statuses: RecoverStatus::USUAL.to_vec(),
        };
        // They started earlier.
        let before = Timestamp::from_unix_ms(now.unix_ms() - 60_000);
        world.store.start_job(&Job::recover(recovery, before), 1_000).await.expect("started");
    }
    world.clock.advance_with_each_look(Duration::from_millis(500));
    world.run().await.expect("a run");
    assert_eq!(world.status(&deletion).await, JobStatus::Running);
    world.clock.advance(SETTLE);
    let (mut runs, most) = (0, 3);
    while world.status(&deletion).await != JobStatus::Succeeded {
        runs += 1;
        assert!(runs <= most, "not after {most} runs");
        world.run().await.expect("a run");
    }
}
