//! Page sessions: the operator offers a link, and the first person who opens it gets a token.

use std::time::Duration;

use domain::access::{PresentedSession, Role, Session};
use domain::delivery::Job;
use domain::value::{JobId, SessionId};
use ports::{Accounts, Clock, Sessions};
use serde_json::{Value, json};
use testing::{Log, TestClock, account};

use crate::world::{As, World, check_problem, world};

impl World {
    async fn offer(&self, account: &str, body: Value) -> (u16, Value) {
        let path = format!("/admin/v1/accounts/{account}/sessions");
        self.call(As::Operator, "POST", &path, Some(&body.to_string())).await
    }

    pub async fn open(&self, token: &str) -> (u16, Value) {
        self.call(As::Nobody, "POST", "/v1/sessions", Some(&json!({ "token": token }).to_string())).await
    }

    /// The token in the link of a new session.
    async fn link(&self) -> String {
        let (status, offered) = self.offer("acme", json!({})).await;
        assert_eq!(status, 201, "{offered}");
        offered["url"].as_str().and_then(|url| url.split_once('#')).expect("a link").1.to_owned()
    }
}

#[tokio::test]
async fn a_link_is_offered_and_opened_for_the_role_and_scope_asked_for() {
    let world = world().await;
    let body = json!({"role": "viewer", "scope": "connection/xero", "expires_in_seconds": 60});
    let (status, offered) = world.offer("acme", body).await;
    let now = TestClock::new().now();
    let (id, url) = (offered["id"].as_str().expect("an id"), offered["url"].as_str().expect("a URL"));
    assert_eq!(
        (status, offered["expires_at"].as_str()),
        (201, Some(now.plus(Duration::from_secs(60)).to_string().as_str()))
    );
    let link = url.strip_prefix("https://page.example/open#").expect("the page's URL");
    assert!(id.starts_with("ses_") && link.starts_with("whl_acme."));

    let (status, opened) = world.open(link).await;
    let expected = json!({
        "id": id, "account": "acme", "role": "viewer", "scope": "connection/xero", "token": opened["token"],
        "expires_at": now.plus(Duration::from_secs(8 * 3_600)).to_string()
    });
    assert_eq!((status, &opened), (201, &expected));
    let token: PresentedSession = opened["token"].as_str().expect("a token").parse().expect("a token");
    let stored = world.store.find_session(&account("acme"), &token.session).await.expect("an answer");
    assert!(stored.expect("the session").accepts(&token, now));
}

#[tokio::test]
async fn an_offer_is_an_editors_for_five_minutes_unless_it_says_otherwise() {
    let world = world().await;
    let (_, offered) = world.offer("acme", json!({})).await;
    assert_eq!(offered["expires_at"], TestClock::new().now().plus(Duration::from_secs(300)).to_string());
    let link = offered["url"].as_str().and_then(|url| url.split_once('#')).expect("a link").1;
    let (_, opened) = world.open(link).await;
    assert_eq!((&opened["role"], &opened["scope"]), (&json!("editor"), &Value::Null));
}

#[tokio::test]
async fn what_is_wrong_with_an_offer_is_pointed_at_and_only_the_operator_makes_one() {
    let world = world().await;
    for (body, pointer) in [
        (json!({"role": "publisher"}), "/role"),
        (json!({"role": "king"}), "/role"),
        (json!({"expires_in_seconds": 59}), "/expires_in_seconds"),
        (json!({"expires_in_seconds": 3_601}), "/expires_in_seconds"),
        (json!({"scope": "xero"}), "/scope"),
        (json!({"colour": 1}), "/colour"),
    ] {
        check_problem(world.offer("acme", body).await, 422, "validation_failed", Some(pointer));
    }
    check_problem(world.offer("nobody", json!({})).await, 404, "not_found", None);
    for who in [As::Account("acme"), As::Nobody] {
        let answer = world.call(who, "POST", "/admin/v1/accounts/acme/sessions", Some("{}")).await;
        check_problem(answer, 401, "unauthorized", None);
    }
}

#[tokio::test]
async fn a_link_opens_once_and_a_wrong_one_never() {
    let world = world().await;
    let link = world.link().await;
    let secret = link.rsplit('.').next().expect("a secret");
    let other = link.replace(secret, &"A".repeat(secret.len()));
    for wrong in [other.as_str(), "", "whl_acme", "whk_acme.x.y", &link.replace("acme", "rival")] {
        check_problem(world.open(wrong).await, 401, "unauthorized", None);
    }
    assert_eq!(world.open(&link).await.0, 201);
    let again = world.open(&link).await;
    assert!(!again.1.to_string().contains(secret));
    check_problem(again, 410, "link_used", None);
    check_problem(world.call(As::Nobody, "POST", "/v1/sessions", Some("{}")).await, 422, "validation_failed", Some(""));
}

#[tokio::test]
async fn a_link_that_has_expired_opens_nothing() {
    let world = world().await;
    let (id, before) = (SessionId::from_entropy([9; 10]), TestClock::new().now());
    let (session, link) = Session::offer(id, account("acme"), (Role::Editor, None), [1; 32], before, Duration::ZERO);
    world.store.create_session(&session).await.expect("created");
    check_problem(world.open(&link).await, 410, "link_expired", None);
}

#[tokio::test]
async fn an_account_that_is_being_deleted_has_no_sessions() {
    let world = world().await;
    let link = world.link().await;
    let acme = account("acme");
    let job = Job::delete_account(JobId::from_entropy([1; 10]), acme.clone(), TestClock::new().now());
    assert!(world.store.start_deletion(&acme, &job, None).await.expect("an answer"));
    check_problem(world.open(&link).await, 401, "unauthorized", None);
    check_problem(world.offer("acme", json!({})).await, 404, "not_found", None);
}

#[tokio::test]
async fn a_failing_table_is_told_apart() {
    let world = world().await;
    let link = world.link().await;
    for method in ["find_session", "find_account", "open_session"] {
        world.store.fail(method, 1);
        check_problem(world.open(&link).await, 503, "unavailable", None);
    }
    assert_eq!(world.open(&link).await.0, 201);
}

impl World {
    /// Calls the API with the token of a page session that API Gateway has cached as valid.
    pub async fn call_by_session(&self, id: &str, method: &str, path: &str, body: Option<&str>) -> (u16, Value) {
        let mut event = self.event(As::Account("acme"), method, path, body);
        event["requestContext"]["authorizer"]["lambda"]["session_id"] = json!(id);
        self.gateway(&event.to_string()).await
    }

    /// The id of a new session for somebody, and the token in its link.
    pub async fn offered_to(&self, subject: &str) -> (String, String) {
        let (status, offered) = self.offer("acme", json!({"subject": subject, "role": "viewer"})).await;
        assert_eq!(status, 201, "{offered}");
        let link = offered["url"].as_str().and_then(|url| url.split_once('#')).expect("a link").1;
        (offered["id"].as_str().expect("an id").to_owned(), link.to_owned())
    }
}

#[tokio::test]
async fn sessions_are_listed_with_who_they_are_for_and_how_far_they_are() {
    let world = world().await;
    let now = TestClock::new().now();
    let (jane, link) = world.offered_to("jane@example.com").await;
    let opened = world.open(&link).await.1;
    let (john, _) = world.offered_to("John Doe").await;
    let lists = async || {
        let own = world.call(As::Role("acme", "editor"), "GET", "/v1/sessions", None).await;
        let operators = world.call(As::Operator, "GET", "/admin/v1/accounts/acme/sessions", None).await;
        assert_eq!(own, operators);
        assert_eq!(own.0, 200, "{}", own.1);
        let rows = own.1["data"].as_array().expect("a list").clone();
        let of = |id: &str| rows.iter().find(|row| row["id"] == id).cloned().unwrap_or_default();
        (of(&jane), of(&john))
    };
    let (of_jane, of_john) = lists().await;
    let expected = json!({
        "id": jane, "status": "open", "subject": "jane@example.com", "role": "viewer", "scope": null, "created_at": now.to_string(),
        "opened_at": now.to_string(), "last_used_at": now.to_string(), "expires_at": opened["expires_at"]
    });
    assert_eq!(of_jane, expected);
    assert_eq!((&of_john["status"], &of_john["subject"]), (&json!("offered"), &json!("John Doe")));
    assert_eq!((&of_john["opened_at"], &of_john["last_used_at"]), (&Value::Null, &Value::Null));
    world.clock.advance(Duration::from_secs(16 * 60));
    let (of_jane, of_john) = lists().await;
    assert_eq!((&of_jane["status"], &of_john["status"]), (&json!("ended"), &json!("ended")));
}

#[tokio::test]
async fn a_session_that_is_revoked_ends_at_once_and_its_link_opens_nothing() {
    let world = world().await;
    for (who, prefix) in [(As::Role("acme", "editor"), "/v1"), (As::Operator, "/admin/v1/accounts/acme")] {
        let (id, link) = world.offered_to("Jane").await;
        assert_eq!(world.open(&link).await.0, 201);
        assert_eq!(world.call_by_session(&id, "GET", "/v1/destinations", None).await.0, 200);
        assert_eq!(world.call(who, "DELETE", &format!("{prefix}/sessions/{id}"), None).await.0, 204);
        check_problem(world.call_by_session(&id, "GET", "/v1/destinations", None).await, 401, "unauthorized", None);
        check_problem(world.open(&link).await, 401, "unauthorized", None);

        let (id, link) = world.offered_to("John").await;
        check_problem(world.call_by_session(&id, "GET", "/v1/destinations", None).await, 401, "unauthorized", None);
        assert_eq!(
            world.call(As::Operator, "DELETE", &format!("/admin/v1/accounts/acme/sessions/{id}"), None).await.0,
            204
        );
        check_problem(world.open(&link).await, 401, "unauthorized", None);
    }
}

#[tokio::test]
async fn sessions_are_the_business_of_who_may_configure_their_account() {
    let world = world().await;
    let (id, _) = world.offered_to("Jane").await;
    let path = format!("/v1/sessions/{id}");
    for (method, path) in [("GET", "/v1/sessions"), ("DELETE", path.as_str())] {
        for role in ["viewer", "publisher"] {
            check_problem(world.call(As::Role("acme", role), method, path, None).await, 403, "forbidden", None);
        }
        check_problem(world.call(As::Nobody, method, path, None).await, 401, "unauthorized", None);
    }
    check_problem(world.call(As::Account("rival"), "DELETE", &path, None).await, 404, "not_found", None);
    check_problem(world.call(As::Account("acme"), "DELETE", "/v1/sessions/x", None).await, 404, "not_found", None);
    assert_eq!(world.call(As::Account("rival"), "GET", "/v1/sessions", None).await.1["data"], json!([]));
    for (who, method, path) in [
        (As::Account("acme"), "GET", "/admin/v1/accounts/acme/sessions".to_owned()),
        (As::Account("acme"), "DELETE", format!("/admin/v1/accounts/acme/sessions/{id}")),
    ] {
        check_problem(world.call(who, method, &path, None).await, 401, "unauthorized", None);
    }
    for (method, path) in [("GET", "nobody/sessions".to_owned()), ("DELETE", format!("rival/sessions/{id}"))] {
        let path = format!("/admin/v1/accounts/{path}");
        check_problem(world.call(As::Operator, method, &path, None).await, 404, "not_found", None);
    }
    assert_eq!(world.call(As::Account("acme"), "DELETE", &path, None).await.0, 204);
}

#[tokio::test]
async fn a_session_that_cannot_be_looked_up_is_not_refused_but_asked_to_try_again() {
    let world = world().await;
    let (id, link) = world.offered_to("Jane").await;
    assert_eq!(world.open(&link).await.0, 201);
    world.store.fail("find_session", 1);
    check_problem(world.call_by_session(&id, "GET", "/v1/destinations", None).await, 503, "unavailable", None);
    assert_eq!(world.call_by_session(&id, "GET", "/v1/destinations", None).await.0, 200);
}

#[tokio::test]
async fn what_a_session_changes_is_logged_with_who_it_is() {
    let world = world().await;
    let (id, link) = world.offered_to("Jane Doe").await;
    assert_eq!(world.open(&link).await.0, 201);
    let log = Log::default();
    let logging = log.start();
    let body = json!({"name": "d", "url": "https://example.com/"}).to_string();
    assert_eq!(world.call_by_session(&id, "GET", "/v1/destinations", None).await.0, 200);
    assert_eq!(world.call_by_session(&id, "POST", "/v1/destinations", Some("{}")).await.0, 422);
    assert_eq!(log.lines(), [] as [Value; 0], "nothing was changed");
    assert_eq!(world.call_by_session(&id, "POST", "/v1/destinations", Some(&body)).await.0, 201);
    let lines = log.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    for (field, value) in [
        ("message", "a page session changed something"),
        ("session.id", &id),
        ("session.subject", "Jane Doe"),
        ("account.id", "acme"),
        ("method", "POST"),
        ("path", "/v1/destinations"),
    ] {
        assert_eq!(lines[0][field], value, "{}", lines[0]);
    }
    drop(logging);
}
