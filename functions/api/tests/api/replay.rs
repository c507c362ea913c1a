//! Replaying an event: the deliveries that today's subscriptions cause are sent once, and are owed from then on.

use domain::delivery::{DeliveryRecord, DeliveryState, Purpose};
use domain::event::Event;
use domain::routing::{History, Run, Subscription};
use domain::value::{SubscriptionId, Timestamp};
use ports::{Clock, Deliveries, Events, SealedEvent, Transitions, UnmatchedReason};
use serde_json::{Value, json};
use testing::{account, event_text, record, subscription};

use crate::recovery::{seal_owing, target, with_destination};
use crate::world::{As, World, check_problem};

const PATH: &str = "/v1/events/evt-1/replay";

async fn replay(world: &World) -> (u16, Value) {
    world.call(As::Account("acme"), "POST", PATH, None).await
}

async fn subscribe(world: &World, more: Value) {
    let mut body = json!({
        "name": format!("s {more}"), "destination_id": target(1).id, "event_types": ["*"], "scope": "*"
    });
    body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    let (status, created) = world.post("acme", "/v1/subscriptions", body).await;
    assert_eq!(status, 201, "{created}");
}

async fn event(world: &World) -> SealedEvent {
    let id = "evt-1".parse().expect("an id");
    world.store.find_event(&account("acme"), &id).await.expect("an answer").expect("the event")
}

/// `new_count`, `already_owed_count` and `unmatched`.
#[track_caller]
fn check((status, answer): &(u16, Value), new: usize, already_owed: usize, unmatched: Option<&str>) {
    assert_eq!(*status, 202, "{answer}");
    let told = (&answer["new_count"], &answer["already_owed_count"], &answer["unmatched"]);
    assert_eq!(told, (&json!(new), &json!(already_owed), &json!(unmatched)), "{answer}");
    let lengths = ["new", "already_owed"].map(|list| answer[list].as_array().expect("a list").len());
    assert_eq!(lengths, [new, already_owed].map(|count| count.min(100)));
}

#[tokio::test]
async fn what_todays_subscriptions_ask_for_and_was_not_owed_is_sent_once_and_owed_from_then_on() {
    let world = with_destination().await;
    let before = record(&target(1), "evt-1", 1, DeliveryState::Delivered);
    seal_owing(&world, "evt-1", vec![before.delivery.clone()]).await;
    subscribe(&world, json!({})).await;
    for path in ["/a", "/b"] {
        subscribe(&world, json!({"path": path})).await;
    }
    subscribe(&world, json!({"path": "/no", "condition": {"status": ["failed"]}})).await;
    let answer = replay(&world).await;
    check(&answer, 2, 1, None);
    assert_eq!(answer.1["already_owed"], json!([before.delivery.id]));
    let sent = world.queue.take_sent();
    assert!(sent.iter().all(|message| message.purpose == Purpose::Again && message.body.get().contains("\"evt-1\"")));
    let ids: Vec<_> = sent.iter().map(|message| &message.delivery.id).collect();
    assert_eq!(answer.1["new"], json!(ids));
    for id in ids {
        let row = world.store.find_delivery(&account("acme"), id).await.expect("an answer").expect("a row");
        assert!(row.is_under_way(world.clock.now()), "should the message be lost, it is sent again");
    }
    assert_eq!(event(&world).await.owed.len(), 3);

    check(&replay(&world).await, 0, 3, None);
    assert!(world.queue.take_sent().is_empty());
}

#[tokio::test]
async fn an_event_that_matched_nothing_is_matched_again_and_says_why_when_it_still_matches_nothing() {
    let world = with_destination().await;
    seal_owing(&world, "evt-1", vec![]).await;
    assert_eq!(event(&world).await.unmatched, Some(UnmatchedReason::NoSubscription));
    check(&replay(&world).await, 0, 0, Some("no_subscription"));
    subscribe(&world, json!({"condition": {"status": ["failed"]}})).await;
    check(&replay(&world).await, 0, 0, Some("conditions_not_met"));
    subscribe(&world, json!({"condition": {"status": ["succeeded"]}})).await;
    check(&replay(&world).await, 1, 0, None);
    let now = event(&world).await;
    assert_eq!((now.unmatched, now.owed.len()), (None, 1));
}

#[tokio::test]
async fn it_broke_or_recovered_what_it_did_when_it_came() {
    let world = with_destination().await;
    seal_owing(&world, "evt-1", vec![]).await;
    subscribe(&world, json!({"transition": "recovered"})).await;
    check(&replay(&world).await, 0, 0, Some("conditions_not_met"));
    let event = Event::parse(&event_text(&account("acme"), "evt-1"), world.clock.now());
    let event = event.map_err(|rejection| rejection.detail).expect("an event");
    let run = |id: &str, unix_ms: u64, failed| Run {
        event: id.parse().expect("an id"),
        completed_at: Timestamp::from_unix_ms(unix_ms),
        failed,
    };
    let own = 1_795_426_140_000;
    let runs = [run("evt-0", own - 9, true), run("evt-1", own, false), run("evt-2", own + 9, true)];
    let history = runs.into_iter().fold(History::default(), |history, run| history.with(run));
    let before = world.store.find_runs(&event.account, event.event_type, &event.scope).await.expect("an answer");
    let expires_at = world.clock.now();
    let stored = world.store.store_runs(&event.account, event.event_type, &event.scope, &before, &history, expires_at);
    assert!(stored.await.expect("an answer"));
    check(&replay(&world).await, 1, 0, None);
}

#[tokio::test]
async fn a_replay_that_broke_off_is_finished_by_the_next_one() {
    for step in ["create_delivery", "send_deliveries", "add_owed"] {
        let world = with_destination().await;
        seal_owing(&world, "evt-1", vec![]).await;
        for path in ["/a", "/b"] {
            subscribe(&world, json!({"path": path})).await;
        }
        match step {
            "send_deliveries" => world.queue.break_sends(1),
            _ => world.store.fail(step, 1),
        }
        check_problem(replay(&world).await, 503, "unavailable", None);
        assert_eq!(event(&world).await.owed.len(), 0, "{step}");
        check(&replay(&world).await, 2, 0, None);
        assert_eq!(event(&world).await.owed.len(), 2, "{step}");
        // A delivery that was not sent has a row, from which it is sent later.
        let rows: Vec<DeliveryRecord> = world.store.deliveries();
        assert!(rows.len() == 2 && rows.iter().all(|row| row.is_under_way(world.clock.now())), "{step}");
    }
}

#[tokio::test]
async fn an_event_of_very_many_deliveries_shows_a_hundred() {
    let world = with_destination().await;
    let many: Vec<_> = (0..700)
        .map(|n| {
            let path = format!("/{n}");
            let n = n.to_string();
            Subscription {
                id: SubscriptionId::from_entropy(std::array::from_fn(|i| {
                    n.as_bytes().get(i).copied().unwrap_or_default()
                })),
                ..subscription(&target(1), 1, &["*"], "*", Some(&path))
            }
        })
        .collect();
    many.into_iter().for_each(|one| world.store.put_subscription(one));
    seal_owing(&world, "evt-1", vec![]).await;
    check(&replay(&world).await, 700, 0, None);
    assert_eq!((world.queue.take_sent().len(), event(&world).await.owed.len()), (700, 700));
    check(&replay(&world).await, 0, 700, None);
}

#[tokio::test]
async fn replaying_takes_a_role_that_configures_and_an_event_of_the_account() {
    let world = with_destination().await;
    seal_owing(&world, "evt-1", vec![]).await;
    for role in ["viewer", "publisher"] {
        check_problem(world.call(As::Role("acme", role), "POST", PATH, None).await, 403, "forbidden", None);
    }
    check_problem(world.call(As::Nobody, "POST", PATH, None).await, 401, "unauthorized", None);
    check_problem(world.call(As::Account("rival"), "POST", PATH, None).await, 404, "not_found", None);
    assert_eq!(world.call(As::Role("acme", "editor"), "POST", PATH, None).await.0, 202);
    world.clock.advance(std::time::Duration::from_secs(86_401));
    check_problem(replay(&world).await, 404, "not_found", None);
}
