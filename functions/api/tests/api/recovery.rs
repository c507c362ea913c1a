//! Sending deliveries again, giving them up, and pausing and resuming their destinations.

use std::time::Duration;

use domain::delivery::{Delivery, DeliveryRecord, DeliveryState, Purpose};
use domain::destination::{Destination, DisabledReason, Drain, Health, HealthState};
use domain::event::Event;
use domain::value::Timestamp;
use ports::{Clock, Deliveries, DestinationHealth, Destinations, Events, FindDestination, SealedEvent};
use serde_json::{Value, json};
use testing::{account, destination, event_text, record, sealed};

use crate::world::{As, World, check_problem, world};

pub fn target(n: u8) -> Destination {
    destination(&account("acme"), n, "https://example.com/")
}

/// A world with a destination.
pub async fn with_destination() -> World {
    let world = world().await;
    world.store.create_destination(&target(1), 100).await.expect("created");
    world
}

/// Seals the event that owes the record's delivery.
pub async fn seal(world: &World, record: &DeliveryRecord) {
    seal_owing(world, record.delivery.event.as_str(), vec![record.delivery.clone()]).await;
}

/// Seals an event of `acme` that owes this.
pub async fn seal_owing(world: &World, id: &str, owed: Vec<Delivery>) {
    let now = world.clock.now();
    let event = Event::parse(&event_text(&account("acme"), id), now);
    let event = event.map_err(|rejection| rejection.detail).expect("an event");
    let sealed = SealedEvent { expires_at: now.plus(Duration::from_secs(86_400)), ..sealed(&event, owed, now) };
    world.store.seal_event(&sealed).await.expect("sealed");
}

/// Records a delivery in this state, with its event.
async fn delivery(world: &World, id: &str, state: DeliveryState) -> DeliveryRecord {
    let record = record(&target(1), id, 2, state);
    seal(world, &record).await;
    world.store.create_delivery(&record).await.expect("recorded");
    record
}

fn at(world: &World, seconds: u64) -> Timestamp {
    world.clock.now().plus(Duration::from_secs(seconds))
}

async fn post(world: &World, path: &str) -> (u16, Value) {
    world.call(As::Account("acme"), "POST", path, None).await
}

async fn resend(world: &World, record: &DeliveryRecord) -> (u16, Value) {
    post(world, &format!("/v1/deliveries/{}/resend", record.delivery.id)).await
}

async fn cancel(world: &World, record: &DeliveryRecord) -> (u16, Value) {
    post(world, &format!("/v1/deliveries/{}/cancel", record.delivery.id)).await
}

async fn stored(world: &World, record: &DeliveryRecord) -> DeliveryRecord {
    let found = world.store.find_delivery(&record.delivery.account, &record.delivery.id).await.expect("an answer");
    found.expect("the delivery")
}

/// What the queue got: id and purpose.
fn sent(world: &World) -> Vec<(String, Purpose)> {
    let sent = world.queue.take_delayed().into_iter();
    sent.map(|(message, delay)| {
        assert_eq!(delay, Duration::ZERO);
        assert!(message.body.get().contains(message.delivery.event.as_str()));
        (message.delivery.id.to_string(), message.purpose)
    })
    .collect()
}

async fn set_health(world: &World, state: HealthState) {
    let id = target(1).id;
    let before = world.store.find_destination(&account("acme"), &id).await.expect("an answer").expect("it");
    let health = Health { state, version: before.health.version + 1, ..Health::default() };
    assert!(world.store.update_health(&before, &health).await.expect("an answer"));
}

#[tokio::test]
async fn what_was_not_delivered_is_sent_again_once_however_often_it_is_asked_for() {
    for state in ["retrying", "parked", "exhausted", "cancelled"] {
        let world = with_destination().await;
        let state = match state {
            "retrying" => DeliveryState::Retrying { due_at: at(&world, 7_200) },
            "parked" => DeliveryState::Parked,
            "exhausted" => DeliveryState::Exhausted,
            _ => DeliveryState::Cancelled,
        };
        let record = delivery(&world, "evt-1", state).await;
        let (status, answer) = resend(&world, &record).await;
        assert_eq!((status, &answer["result"]), (202, &json!("sent")), "{state:?}: {answer}");
        assert_eq!(answer["delivery"]["status"], "retrying");
        assert_eq!(answer["delivery"]["id"], record.delivery.id.as_str());
        assert_eq!(sent(&world), [(record.delivery.id.to_string(), Purpose::Again)]);
        let after = stored(&world, &record).await;
        let now = world.clock.now();
        assert_eq!((after.state(), after.attempts.count()), (DeliveryState::Retrying { due_at: now }, 2));
        assert!(after.look_at() > Some(now), "should the message be lost, it is sent again");

        let (status, answer) = resend(&world, &record).await;
        assert_eq!((status, &answer["result"]), (202, &json!("already_under_way")), "{state:?}: {answer}");
        assert_eq!(sent(&world), []);
    }
}

#[tokio::test]
async fn what_was_delivered_is_sent_again_and_stays_delivered() {
    let world = with_destination().await;
    let record = delivery(&world, "evt-1", DeliveryState::Delivered).await;
    for _ in 0..2 {
        let (status, answer) = resend(&world, &record).await;
        assert_eq!(
            (status, &answer["result"], &answer["delivery"]["status"]),
            (202, &json!("sent"), &json!("delivered"))
        );
        assert_eq!(sent(&world), [(record.delivery.id.to_string(), Purpose::Resend)]);
    }
    assert_eq!(stored(&world, &record).await, record);
}

#[tokio::test]
async fn nothing_is_sent_while_the_destination_takes_nothing_and_the_answer_says_so() {
    let (since, later) = (Timestamp::from_unix_ms(1), Timestamp::from_unix_ms(4_000_000_000_000));
    for (health, why) in [
        (HealthState::Healthy, "its destination is paused; resume it"),
        (
            HealthState::Disabled { since, reason: DisabledReason::Gone },
            "its destination is disabled (gone); resume it",
        ),
        (
            HealthState::Failing { since, probes: 1, next_probe_at: later, half_open: false },
            "is failing, and is tried again at 2096-10-02",
        ),
    ] {
        let world = with_destination().await;
        if health == HealthState::Healthy {
            post(&world, &format!("/v1/destinations/{}/pause", target(1).id)).await;
        }
        set_health(&world, health).await;
        for state in [DeliveryState::Exhausted, DeliveryState::Parked] {
            let record = delivery(&world, state.as_str(), state).await;
            let (status, answer) = resend(&world, &record).await;
            assert_eq!(
                (status, &answer["result"], &answer["delivery"]["status"]),
                (202, &json!("set_aside"), &json!("parked"))
            );
            assert!(answer["detail"].as_str().is_some_and(|detail| detail.contains(why)), "{answer}");
            assert_eq!(stored(&world, &record).await.state(), DeliveryState::Parked);
            let found = world.store.find_destination_anew(&account("acme"), &target(1).id).await.expect("an answer");
            assert!(found.expect("the destination").health.expiry.is_some(), "it is looked for before it expires");
        }
        let record = delivery(&world, "delivered", DeliveryState::Delivered).await;
        let (status, answer) = resend(&world, &record).await;
        assert_eq!(
            (status, &answer["result"], &answer["delivery"]["status"]),
            (202, &json!("not_sent"), &json!("delivered"))
        );
        assert!(answer["detail"].as_str().is_some_and(|detail| detail.contains(why)), "{answer}");
        assert_eq!(sent(&world), []);
    }
}

#[tokio::test]
async fn what_cannot_be_sent_again_says_why() {
    let world = with_destination().await;
    let pending = record(&target(1), "evt-0", 0, DeliveryState::Parked);
    check_problem(resend(&world, &pending).await, 404, "not_found", None);
    let bodiless = record(&target(1), "evt-1", 1, DeliveryState::Exhausted);
    world.store.create_delivery(&bodiless).await.expect("recorded");
    check_problem(resend(&world, &bodiless).await, 410, "event_forgotten", None);
    let homeless = record(&target(2), "evt-2", 1, DeliveryState::Cancelled);
    seal(&world, &homeless).await;
    world.store.create_delivery(&homeless).await.expect("recorded");
    check_problem(resend(&world, &homeless).await, 409, "destination_deleted", None);
    assert_eq!((sent(&world), stored(&world, &bodiless).await), (vec![], bodiless));
}

#[tokio::test]
async fn a_resend_that_could_not_be_sent_is_sent_when_the_lease_has_run_out() {
    let world = with_destination().await;
    let record = delivery(&world, "evt-1", DeliveryState::Exhausted).await;
    world.queue.break_sends(1);
    check_problem(resend(&world, &record).await, 503, "unavailable", None);
    let after = stored(&world, &record).await;
    assert!(after.is_under_way(world.clock.now()));
    world.clock.advance(Duration::from_secs(900));
    assert_eq!(resend(&world, &record).await.1["result"], "sent");
    assert_eq!(sent(&world).len(), 1);
}

#[tokio::test]
async fn what_is_still_to_be_attempted_can_be_cancelled_and_twice_does_no_harm() {
    let world = with_destination().await;
    let due = DeliveryState::Retrying { due_at: at(&world, 60) };
    for (id, state) in [("evt-1", due), ("evt-2", DeliveryState::Parked)] {
        let record = delivery(&world, id, state).await;
        for _ in 0..2 {
            let (status, answer) = cancel(&world, &record).await;
            assert_eq!((status, &answer["status"], &answer["due_at"]), (200, &json!("cancelled"), &Value::Null));
            let after = stored(&world, &record).await;
            assert_eq!((after.state(), after.look_at()), (DeliveryState::Cancelled, None));
        }
    }
    for (id, state) in [("evt-3", DeliveryState::Delivered), ("evt-4", DeliveryState::Exhausted)] {
        let record = delivery(&world, id, state).await;
        check_problem(cancel(&world, &record).await, 409, "delivery_ended", None);
        assert_eq!(stored(&world, &record).await, record);
    }
    let pending = record(&target(1), "evt-0", 0, DeliveryState::Parked);
    check_problem(cancel(&world, &pending).await, 404, "not_found", None);
}

#[tokio::test]
async fn a_destination_is_paused_and_resumed_and_twice_does_no_harm() {
    let world = with_destination().await;
    let path = format!("/v1/destinations/{}", target(1).id);
    let first = world.etag("acme", &path).await;
    for _ in 0..2 {
        let (status, paused) = post(&world, &format!("{path}/pause")).await;
        assert_eq!((status, &paused["paused"], &paused["health"]), (200, &json!(true), &json!("healthy")));
        assert_eq!(paused["draining"], false);
    }
    let second = world.etag("acme", &path).await;
    assert_ne!(first, second, "it is the owner's change");
    for _ in 0..2 {
        let (status, resumed) = post(&world, &format!("{path}/resume")).await;
        assert_eq!((status, &resumed["paused"], &resumed["draining"]), (200, &json!(false), &json!(true)));
    }
    assert_ne!(world.etag("acme", &path).await, second);
    let found = world.store.find_destination(&account("acme"), &target(1).id).await.expect("an answer").expect("it");
    assert_eq!((found.version, found.health.version), (3, 1));
    assert_eq!(found.health.drain, Some(Drain { since: world.clock.now(), next_at: world.clock.now() }));
}

#[tokio::test]
async fn what_is_failing_or_disabled_says_so_and_is_resumed_without_another_version() {
    let world = with_destination().await;
    let path = format!("/v1/destinations/{}", target(1).id);
    let (since, next_probe_at) = (Timestamp::from_unix_ms(0), at(&world, 3_600));
    let told = |body: &Value| {
        ["health", "failing_since", "next_probe_at", "disabled_reason", "draining"].map(|field| body[field].clone())
    };
    let get = async || told(&world.call(As::Account("acme"), "GET", &path, None).await.1);
    assert_eq!(get().await, [json!("healthy"), Value::Null, Value::Null, Value::Null, json!(false)]);
    let version = world.etag("acme", &path).await;

    set_health(&world, HealthState::Failing { since, probes: 5, next_probe_at, half_open: false }).await;
    assert_eq!(get().await, [json!("failing"), json!(since), json!(next_probe_at), Value::Null, json!(false)]);
    let (_, resumed) = post(&world, &format!("{path}/resume")).await;
    let now = json!(world.clock.now());
    assert_eq!(told(&resumed), [json!("failing"), json!(since), now, Value::Null, json!(false)]);

    set_health(&world, HealthState::Disabled { since, reason: DisabledReason::Gone }).await;
    assert_eq!(get().await, [json!("disabled"), json!(since), Value::Null, json!("gone"), json!(false)]);
    let (_, resumed) = post(&world, &format!("{path}/resume")).await;
    assert_eq!(told(&resumed), [json!("healthy"), Value::Null, Value::Null, Value::Null, json!(true)]);
    assert_eq!(world.etag("acme", &path).await, version, "its owner's version did not change");
}

#[tokio::test]
async fn recovering_takes_a_role_that_configures_and_the_account_it_belongs_to() {
    let world = with_destination().await;
    let record = delivery(&world, "evt-1", DeliveryState::Parked).await;
    let (id, of) = (target(1).id, record.delivery.id);
    for path in [
        format!("/v1/destinations/{id}/pause"),
        format!("/v1/destinations/{id}/resume"),
        format!("/v1/deliveries/{of}/cancel"),
        format!("/v1/deliveries/{of}/resend"),
    ] {
        for role in ["viewer", "publisher"] {
            check_problem(world.call(As::Role("acme", role), "POST", &path, None).await, 403, "forbidden", None);
        }
        check_problem(world.call(As::Nobody, "POST", &path, None).await, 401, "unauthorized", None);
        check_problem(world.call(As::Account("rival"), "POST", &path, None).await, 404, "not_found", None);
        let (status, answer) = world.call(As::Role("acme", "editor"), "POST", &path, None).await;
        assert!((200..300).contains(&status), "{path}: {answer}");
    }
}
