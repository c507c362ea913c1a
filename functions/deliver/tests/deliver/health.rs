//! What `deliver` does for destinations that are down: it stops calling them, parks deliveries, and lets probes
//! through.

use domain::destination::health::FIRST_PROBE;
use domain::destination::{Admission, DisabledReason, Health, HealthState};

use super::*;

impl World {
    async fn health(&self) -> HealthState {
        let known = self.store.find_destination_anew(&self.healthy.account, &self.healthy.id).await.expect("an answer");
        known.expect("the destination").health.state
    }

    /// Ten deliveries in one batch, of which the first five fail.
    async fn open_the_breaker(&self) {
        self.sender.script(HEALTHY, vec![Step::Answer(500); 5]);
        let batch = (0..10).map(|n| message(&self.healthy, &format!("evt-{n}"), "1")).collect();
        self.handle(batch).await;
    }

    async fn states(&self) -> Vec<&'static str> {
        let mut states: Vec<_> = self.store.deliveries().iter().map(|record| record.state().as_str()).collect();
        states.sort_unstable();
        states
    }
}

#[tokio::test]
async fn five_failures_in_a_row_open_the_breaker_and_the_rest_of_the_batch_is_set_aside() {
    let world = world().await;
    world.open_the_breaker().await;
    assert_eq!(world.attempts().len(), 5);
    let now = world.clock.now();
    let failing =
        HealthState::Failing { since: now, probes: 0, next_probe_at: now.plus(FIRST_PROBE), half_open: false };
    assert_eq!(world.health().await, failing);
    // The delivery that opened the breaker is parked as well, so that there is one to probe with; those before it wait
    // for their retries.
    assert_eq!(world.states().await, [vec!["parked"; 6], vec!["retrying"; 4]].concat());
    assert!(world.handle(vec![message(&world.healthy, "evt-a", "1")]).await.is_empty());
    assert!(world.handle(vec![message(&world.other, "evt-a", "1")]).await.is_empty());
    assert_eq!(world.attempts().len(), 6, "the other destination is called");
}

#[tokio::test]
async fn a_retry_of_a_destination_that_is_down_is_set_aside_without_an_attempt() {
    let world = world().await;
    world.open_the_breaker().await;
    world.clock.advance(Duration::from_secs(10));
    for n in 0..10 {
        let again = world.handle(vec![message(&world.healthy, &format!("evt-{n}"), "2")]).await;
        assert!(again.is_empty());
    }
    assert_eq!((world.attempts().len(), world.states().await), (5, vec!["parked"; 10]));
}

#[tokio::test]
async fn a_probe_that_fails_is_set_aside_again_and_does_not_count_for_the_schedule() {
    let world = world().await;
    world.open_the_breaker().await;
    let row =
        world.store.deliveries().into_iter().find(|r| r.state() == DeliveryState::Parked).expect("one that is parked");
    let id = row.delivery.event.to_string();
    world.sender.script(HEALTHY, vec![Step::Answer(500); 12]);
    for _ in 0..12 {
        assert!(world.handle(vec![message_for(&world.healthy, &id, "1", Purpose::Probe)]).await.is_empty());
        world.clock.advance(Duration::from_secs(60));
    }
    let after = world.row(&world.healthy, &id).await.expect("a row");
    assert_eq!((after.state(), after.attempts.count()), (DeliveryState::Parked, row.attempts.count() + 12));
    assert_eq!(after.attempts.scheduled(), row.attempts.scheduled());
    assert_eq!(world.attempts().len(), 17);
}

#[tokio::test]
async fn a_probe_that_delivers_closes_the_breaker_and_begins_a_drain() {
    let world = world().await;
    world.open_the_breaker().await;
    let row =
        world.store.deliveries().into_iter().find(|r| r.state() == DeliveryState::Parked).expect("one that is parked");
    let id = row.delivery.event.to_string();
    assert!(world.handle(vec![message_for(&world.healthy, &id, "1", Purpose::Probe)]).await.is_empty());
    assert_eq!(world.row(&world.healthy, &id).await.expect("a row").state(), DeliveryState::Delivered);
    let known = world.store.find_destination_anew(&world.healthy.account, &world.healthy.id).await.expect("an answer");
    let known = known.expect("the destination");
    assert_eq!((known.admission(world.clock.now()), known.health.failures), (Admission::Everything, 0));
    assert!(known.health.drain.is_some());
    assert!(world.handle(vec![message(&world.healthy, "evt-a", "1")]).await.is_empty());
    assert_eq!(world.row(&world.healthy, "evt-a").await.expect("a row").state(), DeliveryState::Delivered);
}

#[tokio::test]
async fn a_probe_that_delivered_and_could_not_say_so_says_so_when_it_comes_again() {
    let world = world().await;
    world.open_the_breaker().await;
    let row =
        world.store.deliveries().into_iter().find(|r| r.state() == DeliveryState::Parked).expect("one that is parked");
    let id = row.delivery.event.to_string();
    world.store.fail("update_health", 1);
    assert_eq!(world.handle(vec![message_for(&world.healthy, &id, "1", Purpose::Probe)]).await.len(), 1);
    assert!(matches!(world.health().await, HealthState::Failing { .. }));
    assert!(world.handle(vec![message_for(&world.healthy, &id, "2", Purpose::Probe)]).await.is_empty());
    assert_eq!((world.health().await, world.attempts().len()), (HealthState::Healthy, 6));
}

#[tokio::test]
async fn gone_disables_at_once_and_the_delivery_is_kept() {
    let world = world().await;
    world.sender.script(HEALTHY, [Step::Answer(410)]);
    for id in ["evt-1", "evt-2"] {
        assert!(world.handle(vec![message(&world.healthy, id, "1")]).await.is_empty());
    }
    let disabled = HealthState::Disabled { since: world.clock.now(), reason: DisabledReason::Gone };
    assert_eq!((world.health().await, world.states().await), (disabled, vec!["parked"; 2]));
    assert_eq!(world.attempts().len(), 1);
}

#[tokio::test]
async fn a_failure_now_and_then_opens_nothing_however_many_there_are() {
    let world = world().await;
    let script = (0..100).map(|n| if n % 2 == 0 { Step::Answer(500) } else { Step::Answer(200) });
    world.sender.script(HEALTHY, script);
    for n in 0..100 {
        world.handle(vec![message(&world.healthy, &format!("evt-{n}"), "1")]).await;
        world.clock.advance(Duration::from_secs(3));
    }
    assert_eq!(world.health().await, HealthState::Healthy);
}

#[tokio::test]
async fn that_a_failure_cannot_be_noted_loses_no_attempt() {
    let world = world().await;
    world.sender.script(HEALTHY, [Step::Answer(500)]);
    world.store.fail("update_health", 1);
    world.handle(vec![message(&world.healthy, "evt-1", "1")]).await;
    assert_eq!(world.row(&world.healthy, "evt-1").await.expect("a row").attempts.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn one_that_hangs_holds_a_batch_for_one_attempt_and_its_neighbours_not_at_all() {
    let world = world().await;
    world.sender.script(HEALTHY, vec![Step::Hang; 9]);
    let mut batch: Vec<_> = (0..9).map(|n| message(&world.healthy, &format!("evt-{n}"), "1")).collect();
    batch.push(message(&world.other, "evt-a", "1"));
    let began = tokio::time::Instant::now();
    world.handle(batch).await;
    assert_eq!((began.elapsed().as_secs(), world.attempts().len()), (15, 6));
    assert_eq!(world.states().await, [vec!["delivered"], vec!["parked"; 4], vec!["retrying"; 5]].concat());
}

#[tokio::test(start_paused = true)]
async fn one_that_delivered_gets_its_whole_next_batch_at_once_and_after_a_failure_half_of_it() {
    for (last, attempted) in [(200, 10), (500, 5)] {
        let world = world().await;
        world.sender.script(HEALTHY, [Step::Answer(last)]);
        world.handle(vec![message(&world.healthy, "evt-a", "1")]).await;
        world.sender.script(HEALTHY, vec![Step::Hang; 10]);
        let began = tokio::time::Instant::now();
        world.handle((0..10).map(|n| message(&world.healthy, &format!("evt-{n}"), "1")).collect()).await;
        assert_eq!((began.elapsed().as_secs(), world.attempts().len()), (15, 1 + attempted), "after {last}");
    }
}

#[tokio::test]
async fn what_was_delivered_is_sent_once_more_when_somebody_asks_for_it_and_stays_delivered() {
    let world = world().await;
    world.handle(vec![message(&world.healthy, "evt-1", "1")]).await;
    world.sender.script(HEALTHY, [Step::Answer(500)]);
    assert!(world.handle(vec![message_for(&world.healthy, "evt-1", "1", Purpose::Resend)]).await.is_empty());
    let row = world.row(&world.healthy, "evt-1").await.expect("a row");
    assert_eq!((row.state(), row.attempts.count()), (DeliveryState::Delivered, 2));
    assert!(world.handle(vec![message_for(&world.healthy, "evt-1", "1", Purpose::Again)]).await.is_empty());
    assert_eq!(world.attempts().len(), 2);
}

/// A store that never answers what is said of health.
struct Silent(Arc<MemoryStore>);

#[async_trait]
impl FindDestination for Silent {
    async fn find_destination(&self, account: &AccountId, id: &DestinationId) -> PortResult<Option<Destination>> {
        self.0.find_destination(account, id).await
    }
}

#[async_trait]
impl DestinationHealth for Silent {
    async fn find_destination_anew(&self, account: &AccountId, id: &DestinationId) -> PortResult<Option<Destination>> {
        self.0.find_destination_anew(account, id).await
    }

    async fn update_health(&self, _: &Destination, _: &Health) -> PortResult<bool> {
        std::future::pending().await
    }

    async fn forget_health(&self, account: &AccountId, id: &DestinationId) -> PortResult<()> {
        self.0.forget_health(account, id).await
    }
}

#[tokio::test(start_paused = true)]
async fn that_a_failure_cannot_be_noted_in_time_holds_up_nothing() {
    let mut world = world().await;
    let silent = Silent(world.store.clone());
    Arc::get_mut(&mut world.deps).expect("nobody else has it").destinations = Arc::new(silent);
    world.sender.script(HEALTHY, [Step::Answer(500)]);
    let began = tokio::time::Instant::now();
    world.handle(vec![message(&world.healthy, "evt-1", "1")]).await;
    assert_eq!(began.elapsed().as_secs(), 2);
    assert_eq!(world.row(&world.healthy, "evt-1").await.expect("a row").attempts.count(), 1);
}

#[tokio::test]
async fn a_change_of_health_makes_what_its_owner_configured_no_younger() {
    let world = world().await;
    world.sender.script(HEALTHY, vec![Step::Answer(500); 3]);
    world.handle(vec![message(&world.healthy, "evt-1", "1")]).await;
    let paused = world.healthy.paused(world.clock.now()).expect("a change");
    let updated = world.store.update_destination(&world.healthy, &paused).await.expect("an answer");
    assert_eq!(updated, UpdatedDestination::Updated, "whatever became of its health");
    // The failure three seconds later is noted too. Six seconds later, the cached destination is too old.
    for event in ["evt-2", "evt-3"] {
        world.clock.advance(Duration::from_secs(3));
        world.handle(vec![message(&world.healthy, event, "1")]).await;
        assert_eq!(world.attempts().len(), 2, "{event}");
    }
}

#[tokio::test]
async fn while_a_destination_is_held_nothing_is_attempted_and_what_comes_is_parked() {
    let world = world().await;
    world.sender.script(HEALTHY, [Step::AnswerRetryAfter(429, Duration::from_secs(300))]);
    world.handle(vec![message(&world.healthy, "evt-1", "1")]).await;
    let known = || async {
        let id = &world.healthy.id;
        world
            .store
            .find_destination_anew(&world.healthy.account, id)
            .await
            .expect("an answer")
            .expect("the destination")
    };
    let (held, now) = (known().await.health, world.clock.now());
    let until = now.plus(Duration::from_secs(300));
    assert_eq!((held.held_until, held.failures, held.state), (Some(until), 0, HealthState::Healthy));
    assert!(held.drain.is_some_and(|drain| drain.next_at == until), "then what was parked is sent");
    // The delivery that got the answer waits as its schedule says. Deliveries that come in the meantime are parked.
    let waits = world.row(&world.healthy, "evt-1").await.expect("a row");
    assert_eq!(waits.state(), DeliveryState::Retrying { due_at: until });
    world.clock.advance(KEEP);
    for id in ["evt-2", "evt-3"] {
        assert!(world.handle(vec![message(&world.healthy, id, "1")]).await.is_empty());
        assert_eq!(world.row(&world.healthy, id).await.map(|row| row.held), Some(Held::ByDestination));
    }
    assert_eq!(world.attempts().len(), 1);
    assert!(known().await.health.expiry.is_some(), "what is parked is looked for before it expires");
    world.clock.advance(Duration::from_secs(300));
    assert!(world.handle(vec![message(&world.healthy, "evt-4", "1")]).await.is_empty());
    assert_eq!(world.attempts().len(), 2);
}

#[tokio::test]
async fn a_probe_that_comes_late_takes_a_delivery_from_nobody() {
    let world = world().await;
    world.open_the_breaker().await;
    let parked = world.store.deliveries().into_iter().find(|row| row.held == Held::ByDestination);
    let parked = parked.expect("one that is parked");
    let id = parked.delivery.event.to_string();
    // In the meantime another probe recovered the destination, and the delivery was drained: it waits in the queue.
    world.change(|destination| destination.health = Health::default()).await;
    let now = world.clock.now();
    let drained = parked.sent(now, now, MessageLease::default());
    assert!(world.store.replace_delivery(&parked, &drained).await.expect("an answer"));
    world.sender.script(HEALTHY, vec![Step::Answer(500); 2]);
    // Its own message fails. Then the late probe fails, which had read the row before that.
    world.handle(vec![message_for(&world.healthy, &id, "1", Purpose::Again)]).await;
    let retried = world.row(&world.healthy, &id).await.expect("a row");
    world.handle(vec![message_for(&world.healthy, &id, "2", Purpose::Probe)]).await;
    let after = world.row(&world.healthy, &id).await.expect("a row");
    assert!(matches!(after.held, Held::ByQueue { .. } | Held::ByTable { .. }), "{after:?}");
    assert_eq!(after.held, retried.held);
}

#[tokio::test]
async fn two_messages_of_a_delivery_that_fail_at_once_are_both_recorded_and_the_first_decides() {
    let world = world().await;
    world.sender.script(HEALTHY, vec![Step::Hang; 2]);
    tokio::time::pause();
    let [one, mut other] = [(); 2].map(|()| message(&world.healthy, "evt-1", "1"));
    other.message_id = Some("the-other".into());
    world.handle(vec![one, other]).await;
    let row = world.row(&world.healthy, "evt-1").await.expect("a row");
    assert_eq!(row.attempts.count(), 2);
    assert!(matches!(row.held, Held::ByQueue { .. }), "{row:?}");
}
