//! Starting the recovery of a destination, and reading its job.

use std::time::Duration;

use domain::delivery::{Job, Lease};
use ports::{Accounts, Clock, Destinations, Jobs};
use serde_json::{Value, json};
use testing::{account, destination};

use crate::recovery::{target, with_destination};
use crate::world::{As, World, check_problem};

fn path() -> String {
    format!("/v1/destinations/{}/recover", target(1).id)
}

async fn recover(world: &World, body: Value) -> (u16, Value) {
    world.post("acme", &path(), body).await
}

/// Does the job, as `redrive` would.
async fn end(world: &World) -> Job {
    let now = world.clock.now();
    let id = world.store.pending_jobs(now, 9).await.expect("a list").remove(0);
    let lease = Lease::taken([1; 16], now);
    let mut job = world.store.take_job(&id, &lease, now).await.expect("an answer").expect("the job");
    job.progressed(5, now);
    job.recovered.as_mut().expect("a recovery").resent = 3;
    job.succeeded(now);
    world.store.end_job(&job, &lease).await.expect("ended");
    job
}

#[tokio::test]
async fn the_jobs_of_an_account_are_listed_newest_first() {
    let world = with_destination().await;
    let jobs = async |query: &str| {
        let (status, list) = world.call(As::Account("acme"), "GET", &format!("/v1/jobs{query}"), None).await;
        assert_eq!(status, 200, "{list}");
        list
    };
    assert_eq!(jobs("").await, json!({"data": [], "next_cursor": null, "has_more": false}));
    let (_, first) = recover(&world, json!({"since": "2026-11-20T00:00:00Z"})).await;
    world.clock.advance(Duration::from_secs(60));
    let (_, subscription) = world.subscription("acme", &json!({"id": target(1).id})).await;
    let path = format!("/v1/subscriptions/{}/replay", subscription["id"].as_str().expect("an id"));
    let (_, second) = world.post("acme", &path, json!({"since": "2026-11-20T00:00:00Z"})).await;
    assert_eq!(jobs("").await["data"], json!([second, first]));
    let page = jobs("?limit=1").await;
    assert_eq!((&page["data"], &page["has_more"]), (&json!([second]), &json!(true)));
    let cursor = page["next_cursor"].as_str().expect("a cursor");
    let page = jobs(&format!("?limit=1&cursor={cursor}")).await;
    assert_eq!((&page["data"], &page["has_more"]), (&json!([first]), &json!(false)));

    end(&world).await;
    assert_eq!(jobs("?status=queued").await["data"], json!([second]));
    assert_eq!(jobs("?status=succeeded").await["data"][0]["id"], first["id"]);
    // The next job with the same id is listed once, as the latest one.
    world.clock.advance(Duration::from_secs(60));
    let (_, third) = recover(&world, json!({"since": "2026-11-21T00:00:00Z"})).await;
    assert_eq!(jobs("").await["data"], json!([third, second]));
    let (_, theirs) = world.call(As::Account("rival"), "GET", "/v1/jobs", None).await;
    assert_eq!(theirs["data"], json!([]));
    let wrong = world.call(As::Account("acme"), "GET", "/v1/jobs?status=ended", None).await;
    check_problem(wrong, 400, "invalid_parameter", None);
    let publisher = world.call(As::Role("acme", "publisher"), "GET", "/v1/jobs", None).await;
    check_problem(publisher, 403, "forbidden", None);
}

#[tokio::test]
async fn a_recovery_is_a_job_that_tells_how_far_it_is_and_asking_again_shows_the_same_one() {
    let world = with_destination().await;
    let since = json!({"since": "2026-11-20T00:00:00Z"});
    let (status, job) = recover(&world, since.clone()).await;
    assert_eq!(status, 202, "{job}");
    let id = job["id"].as_str().expect("an id").to_owned();
    let expected = json!({
        "id": id, "kind": "recover", "account": "acme", "destination_id": target(1).id,
        "since": "2026-11-20T00:00:00.000Z", "until": "2026-11-23T09:30:00.000Z",
        "statuses": ["pending", "retrying", "parked", "exhausted"], "status": "queued",
        "progress": {"looked_at": 0, "resent": 0, "set_aside": 0},
        "created_at": "2026-11-23T09:30:00.000Z", "updated_at": "2026-11-23T09:30:00.000Z"
    });
    assert_eq!(job, expected);
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(recover(&world, since.clone()).await, (202, expected.clone()));
    for other in [
        json!({"since": "2026-11-21T00:00:00Z"}),
        json!({"since": "2026-11-20T00:00:00Z", "until": "2026-11-21T00:00:00Z"}),
        json!({"since": "2026-11-20T00:00:00Z", "statuses": ["exhausted"]}),
    ] {
        check_problem(recover(&world, other).await, 409, "recovery_under_way", None);
    }

    end(&world).await;
    let own = format!("/v1/jobs/{id}");
    let (status, ended) = world.call(As::Role("acme", "viewer"), "GET", &own, None).await;
    assert_eq!((status, &ended["status"]), (200, &json!("succeeded")));
    assert_eq!(ended["progress"], json!({"looked_at": 5, "resent": 3, "set_aside": 0}));
    assert_eq!(world.call(As::Operator, "GET", &format!("/admin{own}"), None).await, (200, ended));
    let (status, next) = recover(&world, since).await;
    assert_eq!((status, &next["status"], &next["until"]), (202, &json!("queued"), &json!("2026-11-23T09:31:00.000Z")));
    assert_eq!(next["progress"]["looked_at"], 0);
}

#[tokio::test]
async fn what_is_wrong_with_a_recovery_is_pointed_at() {
    let world = with_destination().await;
    for (body, pointer) in [
        (json!({}), ""),
        (json!({"since": "yesterday"}), "/since"),
        (json!({"since": "2026-11-23T09:30:00Z"}), "/since"),
        (json!({"since": "2026-11-20T00:00:00Z", "until": "2026-11-20T00:00:00Z"}), "/since"),
        (json!({"since": "2026-11-20T00:00:00Z", "statuses": []}), "/statuses"),
        (json!({"since": "2026-11-20T00:00:00Z", "statuses": ["parked", "parked"]}), "/statuses"),
        (json!({"since": "2026-11-20T00:00:00Z", "statuses": ["delivered"]}), "/statuses/0"),
        (json!({"since": "2026-11-20T00:00:00Z", "limit": 5}), "/limit"),
    ] {
        check_problem(recover(&world, body).await, 422, "validation_failed", Some(pointer));
    }
    let since = json!({"since": "2026-11-20T00:00:00Z"});
    let gone = world.post("acme", &format!("/v1/destinations/{}/recover", target(9).id), since).await;
    check_problem(gone, 404, "not_found", None);
    assert!(world.store.pending_jobs(world.clock.now(), 9).await.expect("a list").is_empty());
}

#[tokio::test]
async fn an_account_sees_its_own_jobs_and_none_of_the_operators() {
    let world = with_destination().await;
    let since = json!({"since": "2026-11-20T00:00:00Z"}).to_string();
    for role in ["viewer", "publisher"] {
        let refused = world.call(As::Role("acme", role), "POST", &path(), Some(&since)).await;
        check_problem(refused, 403, "forbidden", None);
    }
    check_problem(world.call(As::Account("rival"), "POST", &path(), Some(&since)).await, 404, "not_found", None);
    let (_, job) = world.call(As::Role("acme", "editor"), "POST", &path(), Some(&since)).await;
    let own = format!("/v1/jobs/{}", job["id"].as_str().expect("an id"));
    assert_eq!(world.call(As::Account("acme"), "GET", &own, None).await.0, 200);
    let foreign = world.call(As::Account("rival"), "GET", &own, None).await;
    assert_eq!(foreign, world.call(As::Account("rival"), "GET", "/v1/jobs/x", None).await);
    check_problem(foreign, 404, "not_found", None);

    let deletion =
        Job::delete_account("job_0000000000000000".parse().expect("an id"), account("acme"), world.clock.now());
    assert!(world.store.start_deletion(&account("acme"), &deletion, None).await.expect("an answer"));
    let path = format!("/v1/jobs/{}", deletion.id);
    check_problem(world.call(As::Account("acme"), "GET", &path, None).await, 404, "not_found", None);
    assert_eq!(world.call(As::Operator, "GET", &format!("/admin{path}"), None).await.0, 200);
}

#[tokio::test]
async fn an_account_has_no_more_than_twenty_jobs_at_once_and_is_deleted_all_the_same() {
    let world = with_destination().await;
    let since = json!({"since": "2026-11-20T00:00:00Z"});
    for n in 2..=22 {
        world.store.create_destination(&destination(&account("acme"), n, "https://a.example/"), 99).await.expect("it");
    }
    let recover = async |n| {
        let id = destination(&account("acme"), n, "https://a.example/").id;
        world.post("acme", &format!("/v1/destinations/{id}/recover"), since.clone()).await
    };
    for n in 1..=20 {
        assert_eq!(recover(n).await.0, 202);
    }
    let refused = recover(21).await;
    let detail = refused.1["detail"].as_str().expect("a detail");
    assert!(detail.contains("20 jobs") && detail.contains("GET /v1/jobs/{id}"), "{detail}");
    check_problem(refused, 409, "limit_reached", None);
    assert_eq!(recover(20).await.0, 202, "it is at work already");
    end(&world).await;
    assert_eq!(recover(21).await.0, 202);
    check_problem(recover(22).await, 409, "limit_reached", None);
    let (status, job) = world.call(As::Operator, "DELETE", "/admin/v1/accounts/acme", None).await;
    assert_eq!((status, &job["kind"]), (202, &json!("delete_account")));
}
