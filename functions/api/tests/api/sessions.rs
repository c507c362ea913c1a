//! Page sessions: the operator offers a link, whoever opens it first gets a token.

use std::time::Duration;

use domain::access::{PresentedSession, Role, Session};
use domain::delivery::Job;
use domain::value::{JobId, SessionId};
use ports::{Accounts, Clock, Sessions};
use serde_json::{Value, json};
use testing::{TestClock, account};

use crate::world::{As, World, check_problem, world};

impl World {
    async fn offer(&self, account: &str, body: Value) -> (u16, Value) {
        let path = format!("/admin/v1/accounts/{account}/sessions");
        self.call(As::Operator, "POST", &path, Some(&body.to_string())).await
    }

    async fn open(&self, token: &str) -> (u16, Value) {
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
    let body = json!({"role": "viewer", "scope": "connection/xero", "expires_in": 60});
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
        (json!({"expires_in": 59}), "/expires_in"),
        (json!({"expires_in": 3_601}), "/expires_in"),
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
