//! The responses of the operator's routes: accounts, the jobs that delete them, and API keys.

use domain::delivery::Lease;
use domain::delivery::job::SETTLE;
use domain::value::Day;
use ports::{AccountPurge, ApiKeys, Clock, Jobs};
use serde_json::{Value, json};
use testing::{TestClock, account};

use crate::world::{As, World, check_problem, world};

impl World {
    async fn operator(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let body = body.map(|body| body.to_string());
        self.call(As::Operator, method, path, body.as_deref()).await
    }

    async fn new_key(&self, account: &str, name: &str) -> Value {
        let body = json!({"name": name, "role": "viewer"});
        let (status, key) = self.operator("POST", &format!("/admin/v1/accounts/{account}/keys"), Some(body)).await;
        assert_eq!(status, 201, "{key}");
        key
    }
}

#[tokio::test]
async fn only_the_operator_is_let_in() {
    let world = world().await;
    let key = world.new_key("acme", "ci").await["id"].as_str().expect("an id").to_owned();
    for (method, path) in [
        ("GET", "/admin/v1/accounts".to_owned()),
        ("GET", "/admin/v1/accounts/acme".to_owned()),
        ("DELETE", "/admin/v1/accounts/acme".to_owned()),
        ("GET", "/admin/v1/accounts/acme/keys".to_owned()),
        ("DELETE", format!("/admin/v1/accounts/acme/keys/{key}")),
        ("GET", "/admin/v1/jobs/job_0000000000000000".to_owned()),
    ] {
        for who in [As::Account("acme"), As::Nobody] {
            check_problem(world.call(who, method, &path, None).await, 401, "unauthorized", None);
        }
    }
    assert_eq!(world.operator("GET", "/admin/v1/accounts/acme", None).await.1["status"], "active");
    assert_eq!(world.operator("DELETE", &format!("/admin/v1/accounts/acme/keys/{key}"), None).await.0, 204);
}

#[tokio::test]
async fn accounts_are_listed_in_pages_and_read() {
    let world = world().await;
    let (status, list) = world.operator("GET", "/admin/v1/accounts", None).await;
    let acme = json!({
        "id": "acme", "status": "active", "deletion_job": null, "created_at": TestClock::new().now().to_string()
    });
    assert_eq!((status, &list["data"][0], &list["data"][1]["id"]), (200, &acme, &json!("rival")));
    assert_eq!((&list["has_more"], &list["next_cursor"]), (&json!(false), &Value::Null));
    let (_, first) = world.operator("GET", "/admin/v1/accounts?limit=1", None).await;
    assert_eq!((&first["data"], &first["has_more"]), (&json!([acme]), &json!(true)));
    let next = format!("/admin/v1/accounts?limit=1&cursor={}", first["next_cursor"].as_str().expect("a cursor"));
    let (_, second) = world.operator("GET", &next, None).await;
    assert_eq!((&second["data"][0]["id"], &second["has_more"]), (&json!("rival"), &json!(false)));
    let (status, wrong) = world.operator("GET", "/admin/v1/accounts?limit=0", None).await;
    assert_eq!((status, &wrong["errors"][0]["parameter"]), (400, &json!("limit")));

    assert_eq!(world.operator("GET", "/admin/v1/accounts/acme", None).await, (200, acme));
    for id in ["nobody", "a.b"] {
        let path = format!("/admin/v1/accounts/{id}");
        check_problem(world.operator("GET", &path, None).await, 404, "not_found", None);
        check_problem(world.operator("DELETE", &path, None).await, 404, "not_found", None);
    }
}

#[tokio::test]
async fn deleting_an_account_is_a_job_and_asking_again_shows_the_same_one() {
    let world = world().await;
    let (status, job) = world.operator("DELETE", "/admin/v1/accounts/acme", None).await;
    let at = TestClock::new().now().to_string();
    let id = job["id"].as_str().expect("an id");
    let expected = json!({
        "id": id, "kind": "delete_account", "account": "acme", "status": "queued", "progress": {"deleted": 0},
        "created_at": at, "updated_at": at
    });
    assert_eq!((status, &job), (202, &expected));
    assert_eq!(world.operator("GET", &format!("/admin/v1/jobs/{id}"), None).await, (200, expected.clone()));
    assert_eq!(world.operator("DELETE", "/admin/v1/accounts/acme", None).await, (202, expected));

    let (_, read) = world.operator("GET", "/admin/v1/accounts/acme", None).await;
    assert_eq!((&read["status"], &read["deletion_job"]), (&json!("deleting"), &json!(id)));
    assert_eq!(world.operator("GET", "/admin/v1/accounts/rival", None).await.1["status"], "active");
    for id in ["job_vvvvvvvvvvvvvvvv", "x"] {
        check_problem(world.operator("GET", &format!("/admin/v1/jobs/{id}"), None).await, 404, "not_found", None);
    }
}

#[tokio::test]
async fn an_account_that_is_being_deleted_is_not_registered_again_and_gets_no_key() {
    let world = world().await;
    world.operator("DELETE", "/admin/v1/accounts/acme", None).await;
    let again = world.operator("POST", "/admin/v1/accounts", Some(json!({"id": "acme"}))).await;
    assert!(again.1["detail"].as_str().expect("a detail").contains("is being deleted"), "{}", again.1);
    check_problem(again, 409, "account_exists", Some("/id"));
    let body = json!({"name": "ci", "role": "viewer"});
    let key = world.operator("POST", "/admin/v1/accounts/acme/keys", Some(body)).await;
    check_problem(key, 404, "not_found", None);
}

#[tokio::test]
async fn a_deletion_that_failed_is_followed_by_another_one_and_then_the_id_is_free() {
    let world = world().await;
    let now = TestClock::new().now().plus(SETTLE);
    let lease = Lease::taken([1; 16], now);
    let (_, first) = world.operator("DELETE", "/admin/v1/accounts/acme", None).await;
    let id = first["id"].as_str().expect("an id").parse().expect("an id");
    let mut job = world.store.take_job(&id, &lease, now).await.expect("an answer").expect("the job");
    job.progressed(3, now);
    job.failed("deleting rows failed".into(), now);
    world.store.end_job(&job, &lease).await.expect("ended");
    let (_, failed) = world.operator("GET", &format!("/admin/v1/jobs/{id}"), None).await;
    assert_eq!(failed["status"], "failed");
    assert_eq!((&failed["error"], &failed["progress"]["deleted"]), (&json!("deleting rows failed"), &json!(3)));

    let (status, second) = world.operator("DELETE", "/admin/v1/accounts/acme", None).await;
    assert_eq!((status, &second["status"]), (202, &json!("queued")));
    assert_ne!(second["id"], first["id"]);
    let id = second["id"].as_str().expect("an id").parse().expect("an id");
    let mut job = world.store.take_job(&id, &lease, now).await.expect("an answer").expect("the job");
    job.succeeded(now);
    world.store.end_deletion(&account("acme"), &job, &lease).await.expect("ended");
    check_problem(world.operator("DELETE", "/admin/v1/accounts/acme", None).await, 404, "not_found", None);
    assert_eq!(world.operator("POST", "/admin/v1/accounts", Some(json!({"id": "acme"}))).await.0, 201);
}

#[tokio::test]
async fn keys_are_listed_without_anything_secret() {
    let world = world().await;
    let issued = [world.new_key("acme", "one").await, world.new_key("acme", "two").await];
    let id = issued[0]["id"].as_str().expect("an id").parse().expect("an id");
    world.store.note_key_use(&account("acme"), &id, Day::of(TestClock::new().now())).await.expect("noted");

    let (status, list) = world.operator("GET", "/admin/v1/accounts/acme/keys", None).await;
    assert_eq!(status, 200);
    let mut expected = issued.clone();
    for key in &mut expected {
        key.as_object_mut().expect("a key").remove("key");
    }
    expected[0]["last_used_at"] = json!("2026-11-23");
    let (_, oldest) = world.operator("GET", "/admin/v1/accounts/acme/keys?order=asc", None).await;
    assert_eq!(oldest["data"], json!(expected));
    expected.reverse();
    assert_eq!(list["data"], json!(expected));
    for key in &issued {
        let secret = key["key"].as_str().expect("a key").rsplit('.').next().expect("a secret");
        assert!(!list.to_string().contains(secret));
    }
    assert_eq!(world.operator("GET", "/admin/v1/accounts/rival/keys", None).await.1["data"], json!([]));
    let (_, page) = world.operator("GET", "/admin/v1/accounts/acme/keys?limit=1", None).await;
    assert_eq!((page["data"].as_array().map(Vec::len), &page["has_more"]), (Some(1), &json!(true)));
    for id in ["nobody", "a.b"] {
        let path = format!("/admin/v1/accounts/{id}/keys");
        check_problem(world.operator("GET", &path, None).await, 404, "not_found", None);
    }
}

#[tokio::test]
async fn a_key_is_revoked_once_and_only_in_its_own_account() {
    let world = world().await;
    let id = world.new_key("acme", "ci").await["id"].as_str().expect("an id").to_owned();
    let delete = async |account: &str, id: &str| {
        world.operator("DELETE", &format!("/admin/v1/accounts/{account}/keys/{id}"), None).await
    };
    check_problem(delete("rival", &id).await, 404, "not_found", None);
    check_problem(delete("acme", "key_1").await, 404, "not_found", None);
    check_problem(delete("a.b", &id).await, 404, "not_found", None);
    assert_eq!(delete("acme", &id).await, (204, Value::Null));
    check_problem(delete("acme", &id).await, 404, "not_found", None);
    assert_eq!(world.operator("GET", "/admin/v1/accounts/acme/keys", None).await.1["data"], json!([]));
}

#[tokio::test]
async fn a_failing_table_is_told_apart() {
    let world = world().await;
    for (method, path, failing) in [
        ("GET", "/admin/v1/accounts", "list_accounts"),
        ("DELETE", "/admin/v1/accounts/acme", "start_deletion"),
        ("GET", "/admin/v1/accounts/acme/keys", "list_keys"),
        ("DELETE", "/admin/v1/accounts/acme/keys/key_0000000000000000", "delete_key"),
        ("GET", "/admin/v1/jobs/job_0000000000000000", "find_job"),
    ] {
        world.store.fail(failing, 1);
        check_problem(world.operator(method, path, None).await, 503, "unavailable", None);
    }
}
