//! Tests of the section of events.

use domain::access::Role;
use domain::delivery::DeliveryState;
use ports::UnmatchedReason;
use serde_json::{Value, json};

use crate::deliveries::{keys, link};
use crate::log::{delivered, record, refused, seal, seal_as};
use crate::world::{World, world};

async fn subscribe(world: &World, destination: &str, name: &str, more: Value) {
    let mut body = json!({"name": name, "destination_id": destination, "event_types": ["*"], "scope": "*"});
    body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    let (status, created) = world.call("acme", "POST", "/v1/subscriptions", body).await;
    assert_eq!(status, 201, "{created}");
}

#[tokio::test]
async fn events_are_listed_newest_first_and_filtered() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Editor).await;
    world.get(&cookie, "/events").await.shows("No event yet").shows("data-live=\"events\"");
    let billing = world.destination("acme", "Billing").await;
    delivered(&world, "evt-1", 0, &billing).await;
    seal(&world, "evt-2", 60_000, &[]).await;
    for (query, expected) in [
        ("", &["evt-2", "evt-1"][..]),
        ("status=matched", &["evt-1"]),
        ("status=unmatched&scope=connection/xero&event_type=sync_run.completed", &["evt-2"]),
        ("until=2026-11-23T09:30", &["evt-1"]),
        ("scope=connection/sage", &[]),
    ] {
        let page = world.get(&cookie, &format!("/events?{query}")).await;
        assert_eq!((page.status, keys(&page)), (200, expected.iter().map(|id| (*id).to_owned()).collect()), "{query}");
    }
    let page = world.get(&cookie, "/events?status=lost").await;
    assert_eq!(page.status, 400);
    page.shows("must be one of matched, unmatched").shows("id=\"status-error\"");
    let rival = world.visitor("rival", Role::Admin).await;
    world.get(&rival, "/events").await.hides("evt-");
    assert_eq!(world.get(&rival, "/events/evt-1").await.status, 404);
    assert_eq!(world.get(&rival, "/events/evt-1/body").await.status, 404);
}

#[tokio::test]
async fn pages_go_on_to_the_oldest() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Viewer).await;
    for n in 0..30 {
        seal(&world, &format!("evt-{n}"), n, &[]).await;
    }
    let page = world.get(&cookie, "/events?status=unmatched").await;
    assert_eq!(keys(&page).len(), 25);
    let page = world.get(&cookie, &link(&page, "<span>Older</span>")).await;
    assert_eq!(keys(&page), ["evt-4", "evt-3", "evt-2", "evt-1", "evt-0"]);
    page.hides("data-live=").hides("<span>Older</span>");
}

#[tokio::test]
async fn an_event_shows_what_it_owes_and_what_became_of_each() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Viewer).await;
    let (one, other) = (world.destination("acme", "One").await, world.destination("acme", "<b>Other").await);
    let event = seal(&world, "evt-1", 0, &[&one, &other]).await;
    record(&world, &event.owed[0], DeliveryState::Exhausted, &[refused(500, "no")]).await;
    let page = world.get(&cookie, "/events/evt-1").await;
    assert_eq!(page.status, 200);
    page.shows("><bdi>One</bdi></a>").shows("&#60;b&#62;Other").hides("<b>").shows("exhausted").shows("pending");
    page.shows(&format!("href=\"/deliveries/{}\"", event.owed[0].id));
    // A delivery without a row is looked up through its event.
    page.shows(&format!("href=\"/deliveries/{}?event=evt-1\"", event.owed[1].id));
    page.hides("<span>Replay</span>");
    assert_eq!(world.post(&cookie, "/events/evt-1/replay", &[]).await.status, 403);
}

#[tokio::test]
async fn markup_in_a_body_is_text_and_more_is_owed_than_is_shown() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Viewer).await;
    let to: Vec<String> = (0..30).map(|n| format!("dst_{n:016}")).collect();
    let to: Vec<&str> = to.iter().map(String::as_str).collect();
    seal_as(&world, "evt-1", 0, &to, |event| {
        event.body = r#"{"data":{"text":"</pre><script>alert('1')</script>&amp;","n":1.10}}"#.to_owned();
    })
    .await;
    let page = world.get(&cookie, "/events/evt-1").await;
    page.shows("&#34;&#60;/pre&#62;&#60;script&#62;alert(&#39;1&#39;)")
        .hides("<script>alert")
        .shows("&#34;n&#34;: 1.10");
    page.shows("The first 25 of 30.");
    let all = world.get(&cookie, &link(&page, "All deliveries of events")).await;
    all.shows("href=\"/events/evt-1\"").shows("<span>Older</span>");
}

#[tokio::test]
async fn an_event_that_matched_nothing_says_why_and_leads_to_the_wizard() {
    let world = world().await;
    let (editor, viewer) = (world.visitor("acme", Role::Editor).await, world.visitor("acme", Role::Viewer).await);
    seal(&world, "evt-1", 0, &[]).await;
    world
        .get(&editor, "/events/evt-1")
        .await
        .shows("When it arrived, no subscription covered its type and place. There is no subscription today.");
    let billing = world.destination("acme", "Billing").await;
    subscribe(&world, &billing, "Failures <b>", json!({"condition": {"status": ["failed"]}})).await;
    let page = world.get(&editor, "/events/evt-1").await;
    page.shows("Failures &#60;b&#62;</bdi></a>")
        .hides("<b>")
        .shows("<code>status</code> is &#34;succeeded&#34;; wanted: &#34;failed&#34;");
    let wizard = link(&page, "<span>Subscribe to such events</span>");
    assert_eq!(wizard, "/configure?scope=connection%2Fxero%2Fendpoint%2Finvoices&type=sync_run.completed");
    world.get(&viewer, "/events/evt-1").await.hides("Subscribe to such events").shows("Failures");
    seal_as(&world, "evt-9", 1, &[], |sealed| sealed.unmatched = Some(UnmatchedReason::ConditionsNotMet)).await;
    world
        .get(&viewer, "/events/evt-9")
        .await
        .shows("When it arrived, subscriptions covered its type and place, but it did not meet their conditions.");

    world.get(&editor, "/events/evt-1?done=replayed").await.hides("Matched again");
    let page = world.post(&editor, "/events/evt-1/replay", &[]).await;
    assert_eq!((page.status, page.location()), (303, "/events/evt-1?done=nothing_new"));
    world.get(&editor, page.location()).await.shows("ask for no new deliveries");
    subscribe(&world, &billing, "All", json!({})).await;
    world.get(&editor, "/events/evt-1").await.shows("It would match today");
    let page = world.post(&editor, "/events/evt-1/replay", &[]).await;
    assert_eq!(page.location(), "/events/evt-1?done=replayed");
    world.get(&editor, page.location()).await.shows("Matched again.").shows("Its deliveries").shows("Billing");
    assert_eq!(world.post(&editor, "/events/evt-2/replay", &[]).await.status, 404);
}
