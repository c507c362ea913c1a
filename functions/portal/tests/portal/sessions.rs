//! Who is signed in, and ending sessions and links.

use std::time::Duration;

use domain::access::{Role, Session};
use ports::{Clock, Order, Sessions};
use serde_json::json;
use testing::{Log, account};

use crate::world::{World, world};

impl World {
    /// The cookie of somebody who opened a link that was made for them, and the session's id.
    async fn visitor_called(&self, subject: &str, role: Role) -> (String, String) {
        let before = self.sessions().await;
        let cookie = self.visitor("acme", role).await;
        let mut session = self.sessions().await.into_iter().find(|one| !before.contains(one)).expect("a session");
        let id = session.id.to_string();
        // The operator's part of the API says who a link is for; here that is added afterwards.
        assert!(self.store.revoke_session(&session.account, &session.id).await.expect("an answer"));
        session.subject = subject.to_owned().try_into().ok();
        self.store.create_session(&session).await.expect("created");
        (cookie, id)
    }

    async fn sessions(&self) -> Vec<Session> {
        self.store.list_sessions(&account("acme"), Order::OldestFirst, None, 100).await.expect("a list")
    }
}

#[tokio::test]
async fn who_is_signed_in_is_listed_and_whoever_is_ended_is_out_at_once() {
    let world = world().await;
    let (own, own_id) = world.visitor_called("Ann Owner", Role::Editor).await;
    let (other, other_id) = world.visitor_called("Eve \u{5d0}<b>", Role::Admin).await;
    let link = world.link("acme", Role::Viewer, None).await;
    world.visitor("rival", Role::Editor).await;
    let offered = world.sessions().await.into_iter().find(|one| one.opened.is_none()).expect("a link");

    world.get(&own, "/destinations").await.shows("href=\"/sessions\"");
    let page = world.get(&own, "/sessions").await;
    assert_eq!(page.status, 200, "{}", page.text);
    page.shows("<bdi>Ann Owner</bdi>").shows("this browser").shows("<bdi>Eve \u{5d0}&#60;b&#62;</bdi>");
    page.shows(">unknown<").shows("link not opened").shows("signed in").hides("rival");
    page.shows(&format!("/sessions/{other_id}/revoke?account=acme")).hides(&format!("/sessions/{own_id}/revoke"));

    for id in [other_id.as_str(), offered.id.as_str()] {
        let page = world.post(&own, &format!("/sessions/{id}/revoke"), &[]).await;
        assert_eq!((page.status, page.location()), (303, "/sessions?done=revoked"));
    }
    world.get(&own, "/sessions?done=revoked").await.shows("It no longer works").hides("<bdi>Eve").hides(">unknown<");
    assert_eq!(world.get(&other, "/destinations").await.status, 401);
    let page = world.post("", "/open", &[("token", &link)]).await;
    assert_eq!(page.status, 422);
    page.shows("This is not a link we know");
    assert_eq!(world.post(&own, &format!("/sessions/{other_id}/revoke"), &[]).await.status, 404);
}

#[tokio::test]
async fn a_viewer_neither_sees_nor_ends_sessions() {
    let world = world().await;
    let (viewer, _) = world.visitor_called("Vic", Role::Viewer).await;
    let (editor, id) = world.visitor_called("Ed", Role::Editor).await;
    world.get(&viewer, "/deliveries").await.hides("href=\"/sessions\"");
    assert_eq!(world.get(&viewer, "/sessions").await.status, 403);
    assert_eq!(world.post(&viewer, &format!("/sessions/{id}/revoke"), &[]).await.status, 403);
    assert_eq!(world.get(&editor, "/sessions").await.status, 200);
}

#[tokio::test]
async fn what_a_visitor_changes_is_logged_with_who_it_is() {
    let world = world().await;
    let (cookie, id) = world.visitor_called("Ann Owner", Role::Editor).await;
    let destination = world.destination("acme", "Billing").await;
    let log = Log::default();
    let logging = log.start();
    assert_eq!(world.get(&cookie, "/destinations").await.status, 200);
    assert_eq!(log.lines(), [] as [serde_json::Value; 0]);
    assert_eq!(world.post(&cookie, &format!("/destinations/{destination}/pause"), &[]).await.status, 303);
    let lines = log.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    let (path, line) = (format!("/v1/destinations/{destination}/pause"), &lines[0]);
    let said = json!([line["session.id"], line["session.subject"], line["account.id"], line["method"], line["path"]]);
    assert_eq!(said, json!([id, "Ann Owner", "acme", "POST", path]));
    drop(logging);
}

#[tokio::test]
async fn a_page_that_asks_now_and_then_keeps_its_session_for_eight_hours() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Viewer).await;
    let page = world.get(&cookie, "/deliveries").await;
    let ends_at = world.clock.now().plus(Duration::from_secs(8 * 3_600));
    page.shows("data-renew=\"/renew\"").shows(&format!("Your session ends <time datetime=\"{ends_at}\""));
    page.shows("at the latest<span data-idle>, or after 15 minutes without use</span>");
    for minutes in (5..8 * 60).step_by(5) {
        world.clock.advance(Duration::from_secs(5 * 60));
        let answer = world.get(&cookie, "/renew").await;
        assert_eq!((answer.status, answer.text.as_str()), (204, ""), "after {minutes} minutes");
    }
    assert_eq!(world.get(&cookie, "/deliveries").await.status, 200);
    world.clock.advance(Duration::from_secs(5 * 60));
    assert_eq!(world.get(&cookie, "/renew").await.status, 401);
    // Without these requests, it ends after 15 minutes.
    let cookie = world.visitor("acme", Role::Viewer).await;
    world.clock.advance(Duration::from_secs(15 * 60));
    assert_eq!(world.get(&cookie, "/renew").await.status, 401);
    world.get("", "/open").await.hides("data-renew");
}
