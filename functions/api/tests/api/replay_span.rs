//! Starting the replay of a span to a subscription, and reading its job.

use std::time::Duration;

use domain::delivery::{Lease, Replayed, ReplayedTo};
use domain::value::Timestamp;
use ports::{Clock, Jobs};
use serde_json::{Value, json};

use crate::recovery::{target, with_destination};
use crate::world::{As, World, check_problem};

/// The path of a replay to a new subscription.
async fn path(world: &World) -> String {
    let (status, created) = world.subscription("acme", &json!({"id": target(1).id})).await;
    assert_eq!(status, 201, "{created}");
    format!("/v1/subscriptions/{}/replay", created["id"].as_str().expect("an id"))
}

fn since() -> Value {
    json!({"since": "2026-11-20T00:00:00Z"})
}

#[tokio::test]
async fn a_replay_is_a_job_that_tells_how_far_it_is_and_asking_again_shows_the_same_one() {
    let world = with_destination().await;
    let path = path(&world).await;
    let (status, job) = world.post("acme", &path, since()).await;
    assert_eq!(status, 202, "{job}");
    let id = job["id"].as_str().expect("an id").to_owned();
    let expected = json!({
        "id": id, "kind": "replay", "account": "acme", "subscription_id": path.split('/').nth(3),
        "since": "2026-11-20T00:00:00.000Z", "until": "2026-11-23T09:30:00.000Z", "status": "queued",
        "progress": {
            "looked_at": 0, "back_to": null, "matched": 0, "sent": 0, "set_aside": 0, "unjudged": 0, "unreadable": 0
        },
        "created_at": "2026-11-23T09:30:00.000Z", "updated_at": "2026-11-23T09:30:00.000Z"
    });
    assert_eq!(job, expected);
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(world.post("acme", &path, since()).await, (202, expected));
    for other in [
        json!({"since": "2026-11-21T00:00:00Z"}),
        json!({"since": "2026-11-20T00:00:00Z", "until": "2026-11-21T00:00:00Z"}),
    ] {
        check_problem(world.post("acme", &path, other).await, 409, "replay_under_way", None);
    }

    let now = world.clock.now();
    let (lease, id) = (Lease::taken([1; 16], now), id.parse().expect("an id"));
    let mut job = world.store.take_job(&id, &lease, now).await.expect("an answer").expect("the job");
    let to = ReplayedTo { occurred_at: Timestamp::from_unix_ms(0), id: "evt-1".parse().expect("an id") };
    job.replayed = Some(Replayed { matched: 6, sent: 3, set_aside: 2, unjudged: 1, unreadable: 4, to: Some(to) });
    job.progressed(20, now);
    job.succeeded(now);
    world.store.end_job(&job, &lease).await.expect("ended");
    let own = format!("/v1/jobs/{id}");
    let (status, ended) = world.call(As::Role("acme", "viewer"), "GET", &own, None).await;
    assert_eq!((status, &ended["status"]), (200, &json!("succeeded")));
    let progress = json!({
        "looked_at": 20, "back_to": "1970-01-01T00:00:00.000Z", "matched": 6, "sent": 3, "set_aside": 2, "unjudged": 1,
        "unreadable": 4
    });
    assert_eq!(ended["progress"], progress);
    check_problem(world.call(As::Account("rival"), "GET", &own, None).await, 404, "not_found", None);
    let (status, next) = world.post("acme", &path, since()).await;
    assert_eq!((status, &next["status"], &next["until"]), (202, &json!("queued"), &json!("2026-11-23T09:31:00.000Z")));
}

#[tokio::test]
async fn what_is_wrong_with_a_replay_is_pointed_at() {
    let world = with_destination().await;
    let path = path(&world).await;
    for (body, pointer) in [
        (json!({}), ""),
        (json!({"since": "yesterday"}), "/since"),
        (json!({"since": "2026-11-23T09:30:00Z"}), "/since"),
        (json!({"since": "2026-11-20T00:00:00Z", "until": "2026-11-20T00:00:00Z"}), "/since"),
        (json!({"since": "2026-11-20T00:00:00Z", "statuses": ["parked"]}), "/statuses"),
    ] {
        check_problem(world.post("acme", &path, body).await, 422, "validation_failed", Some(pointer));
    }
    let gone = world.post("acme", "/v1/subscriptions/sub_vvvvvvvvvvvvvvvv/replay", since()).await;
    check_problem(gone, 404, "not_found", None);
    for role in ["viewer", "publisher"] {
        let refused = world.call(As::Role("acme", role), "POST", &path, Some(&since().to_string())).await;
        check_problem(refused, 403, "forbidden", None);
    }
    check_problem(world.post("rival", &path, since()).await, 404, "not_found", None);
    let later = world.clock.now().plus(Duration::from_secs(60));
    assert!(world.store.pending_jobs(later, 9).await.expect("a list").is_empty());
    assert_eq!(world.call(As::Role("acme", "editor"), "POST", &path, Some(&since().to_string())).await.0, 202);
}
