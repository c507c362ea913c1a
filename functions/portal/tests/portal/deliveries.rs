//! Tests of the section of deliveries.

use domain::access::Role;
use domain::attempt::Outcome;
use domain::delivery::{Delivery, DeliveryState, Purpose};
use ports::{SealedEvent, read_units};
use serde_json::json;

use crate::log::{at, delivered, record, refused, seal, seal_as, seen};
use crate::world::{Page, World, world};

/// The ids of the rows of a page, in order.
pub fn keys(page: &Page) -> Vec<String> {
    let rows = page.text.split("data-key=\"").skip(1);
    rows.map(|row| row.split('"').next().expect("an id").to_owned()).collect()
}

/// The address of the link with this text.
#[track_caller]
pub fn link(page: &Page, words: &str) -> String {
    let before = page.text.split(words).next().filter(|before| before.len() < page.text.len()).expect(words);
    let address = before.rsplit("href=\"").next().and_then(|rest| rest.split('"').next()).expect("a link");
    address.replace("&#38;", "&").replace("&amp;", "&")
}

async fn subscribe(world: &World, destination: &str) {
    let body = json!({"name": "All", "destination_id": destination, "event_types": ["*"], "scope": "*"});
    let (status, created) = world.call("acme", "POST", "/v1/subscriptions", body).await;
    assert_eq!(status, 201, "{created}");
}

#[tokio::test]
async fn an_empty_list_says_what_to_do() {
    let world = world().await;
    let (editor, viewer) = (world.visitor("acme", Role::Editor).await, world.visitor("acme", Role::Viewer).await);
    let page = world.get(&editor, "/deliveries").await;
    assert_eq!(page.status, 200);
    page.shows("Nothing is sent yet").shows("<span>Configure webhooks</span></a>\n");
    world.get(&viewer, "/deliveries").await.shows("Nothing is sent yet").hides("href=\"/configure\"");
    let destination = world.destination("acme", "Billing").await;
    subscribe(&world, &destination).await;
    world.get(&editor, "/deliveries").await.shows("No delivery yet").shows("data-live=\"deliveries\"");
    let page = world.get(&editor, "/deliveries?status=parked").await;
    page.shows("No delivery matches").shows("Clear the filters").shows("<option value=\"parked\" selected>");
}

#[tokio::test]
async fn deliveries_are_listed_newest_first_with_what_became_of_them() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Viewer).await;
    let (billing, gone) = (world.destination("acme", "Billing").await, world.destination("acme", "Gone").await);
    let first = delivered(&world, "evt-1", 1, &billing).await;
    let second = seal(&world, "evt-2", 2, &[&gone]).await;
    let retrying = DeliveryState::Retrying { due_at: at(90_000) };
    record(&world, &second.owed[0], retrying, &[Outcome::TimedOut, refused(503, "busy")]).await;
    let page = world.get(&cookie, "/deliveries").await;
    assert_eq!(keys(&page), [second.owed[0].id.to_string(), first.clone()]);
    page.shows("delivered · 204").shows("refused · 503").shows("took 87 ms").shows("connection/xero/endpoint/invoices");
    page.shows(&format!("href=\"/destinations/{billing}\" title=\"Billing\"><bdi>Billing</bdi></a>"));
    page.shows("due <time datetime=\"2026-11-23T09:30:30.000Z\" title=\"2026-11-23 09:30:30 UTC\">")
        .shows("datetime=\"2026-11-23T09:29:00.002Z\"");

    // Deliveries to a deleted destination stay, and the filter finds them.
    assert_eq!(world.call("acme", "DELETE", &format!("/v1/destinations/{gone}"), json!(null)).await.0, 204);
    let page = world.get(&cookie, "/deliveries").await;
    assert_eq!(keys(&page), [second.owed[0].id.to_string(), first]);
    page.shows(">deleted</span>").hides(">Gone<");
    let page = world.get(&cookie, &format!("/deliveries?destination_id={gone}")).await;
    assert_eq!(keys(&page), [second.owed[0].id.to_string()]);
    page.shows(&format!("<option value=\"{gone}\" selected>"));

    let rival = world.visitor("rival", Role::Admin).await;
    world.get(&rival, "/deliveries").await.hides("evt-").hides("dlv_");
    assert_eq!(world.get(&rival, &format!("/deliveries/{}", second.owed[0].id)).await.status, 404);
}

#[tokio::test]
async fn all_wrong_filters_are_told_at_once() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Viewer).await;
    let page = world.get(&cookie, "/deliveries?status=x&destination_id=y&event_type=z&scope=a&since=b&until=c").await;
    assert_eq!(page.status, 400);
    for name in ["status", "destination_id", "event_type", "scope", "since", "until"] {
        page.shows(&format!("id=\"{name}-error\""));
    }
}

#[tokio::test]
async fn filters_stand_in_the_url_and_what_is_wrong_with_one_stands_by_it() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Viewer).await;
    let billing = world.destination("acme", "Billing").await;
    let first = delivered(&world, "evt-1", 0, &billing).await;
    let second = delivered(&world, "evt-2", 60_000, &billing).await;
    for (query, expected) in [
        ("status=delivered&event_type=&scope=&since=&until=&destination_id=", vec![&second, &first]),
        ("status=retrying", vec![]),
        ("event_type=sync_run.completed&scope=connection/xero", vec![&second, &first]),
        ("scope=connection/sage", vec![]),
        ("since=2026-11-23T09:30", vec![&second]),
        ("until=2026-11-23T09:29:30.000Z", vec![&first]),
        ("since=2026-11-23T10:29:30%2B01:00", vec![&second]),
    ] {
        let page = world.get(&cookie, &format!("/deliveries?{query}")).await;
        assert_eq!((page.status, keys(&page)), (200, expected.into_iter().cloned().collect()), "{query}");
    }
    world.get(&cookie, "/deliveries?since=2026-11-23T09:30").await.shows("value=\"2026-11-23T09:30:00\"");
    for (query, sentence) in [
        ("status=%3Cb%3E", "must be one of delivered, retrying, parked, exhausted, cancelled"),
        ("destination_id=x", "must be `dst_` followed by 16 characters"),
        ("event_type=x", "<option value=\"x\" selected>x</option>"),
        ("scope=x", "must be `*`, `connection/&#60;id&#62;`"),
        ("since=yesterday", "RFC 3339"),
        ("since=2026-11-23T09:30&until=2026-11-23T09:29", "must be after `since`"),
    ] {
        let page = world.get(&cookie, &format!("/deliveries?{query}")).await;
        assert_eq!(page.status, 400, "{query}");
        let name = if query.contains("until") { "until" } else { query.split('=').next().expect("a name") };
        page.shows(sentence).hides("<b>").hides("data-key").shows(&format!("id=\"{name}-error\""));
        page.shows(&format!("aria-invalid=\"true\" aria-describedby=\"{name}-error\""));
    }
    let page = world.get(&cookie, "/deliveries?cursor=x").await;
    assert_eq!(page.status, 400);
    page.shows("cursor: is not a `next_cursor` of this list").shows("Start over");
}

#[tokio::test]
async fn pages_go_on_to_the_oldest_and_only_the_first_is_live() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Viewer).await;
    let billing = world.destination("acme", "Billing").await;
    let mut expected = Vec::new();
    for n in 0..60 {
        expected.push(delivered(&world, &format!("evt-{n}"), n, &billing).await);
    }
    expected.reverse();
    let (mut seen, mut path) = (Vec::new(), "/deliveries?scope=connection%2Fxero&since=2026-11-23T09:29".to_owned());
    for (rows, live, more) in [(25, true, true), (25, false, true), (10, false, false)] {
        let page = world.get(&cookie, &path).await;
        assert_eq!((keys(&page).len(), page.text.contains("data-live=")), (rows, live));
        seen.extend(keys(&page));
        if more {
            path = link(&page, "<span>Older</span>");
        } else {
            page.hides("<span>Older</span>");
        }
    }
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn what_a_filter_leaves_is_found_behind_much_that_it_does_not() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Viewer).await;
    let billing = world.destination("acme", "Billing").await;
    let old = seal(&world, "evt-old", 0, &[&billing]).await;
    record(&world, &old.owed[0], DeliveryState::Parked, &[]).await;
    for n in 1..=1_100 {
        delivered(&world, &format!("evt-{n}"), n, &billing).await;
    }
    let mut page = world.get(&cookie, "/deliveries?status=parked").await;
    let mut pages = 1;
    while keys(&page).is_empty() {
        page.shows("Nothing found so far");
        page = world.get(&cookie, &link(&page, "<span>Older</span>")).await;
        pages += 1;
    }
    assert_eq!(keys(&page), [old.owed[0].id.to_string()]);
    assert!((2..15).contains(&pages), "{pages} pages");
}

#[tokio::test]
async fn a_list_leaves_enough_to_read_for_the_names_beside_it() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Viewer).await;
    let billing = world.destination("acme", "Billing").await;
    let mut to = Vec::new();
    for n in 0..25 {
        to.extend(long(&world, n).await.owed.into_iter().map(|owed| owed.destination.to_string()));
    }
    let outcomes: Vec<_> = (0..30).map(|_| refused(500, &"no! ".repeat(128))).collect();
    for n in 0..200 {
        if n % 5 > 0 {
            let event = seal(&world, &format!("evt-{n}"), n, &[&to[n as usize % 25]]).await;
            record(&world, &event.owed[0], DeliveryState::Exhausted, &outcomes).await;
        } else {
            delivered(&world, &format!("evt-{n}"), n, &billing).await;
        }
    }
    let (mut next, mut found) = ("/deliveries?status=exhausted".to_owned(), 0);
    loop {
        let page = read_units::counted(async { (world.get(&cookie, &next).await, read_units::spent()) });
        let (page, spent) = page.await;
        assert!(spent > 0.0 && spent <= 500.0, "it cost {spent}");
        found += keys(&page).len();
        if !page.text.contains("<span>Older</span>") {
            break;
        }
        next = link(&page, "<span>Older</span>");
    }
    assert_eq!(found, 160);
}

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Creates a destination of acme and a delivery to it that was refused twice.
async fn refused_twice(world: &World, body: &str) -> (String, Delivery) {
    let settings =
        json!({"name": "Billing <i>", "url": "https://example.com/it's?a=[1]", "headers": {"x-team": "it's \"data\""}});
    let (status, created) = world.call("acme", "POST", "/v1/destinations", settings).await;
    assert_eq!(status, 201, "{created}");
    let destination = created["id"].as_str().expect("an id").to_owned();
    let event = seal(world, "evt-1", 0, &[&destination]).await;
    let wait = Some(std::time::Duration::from_secs(30));
    let outcomes = [Outcome::TimedOut, Outcome::from_answer(503, wait, body.to_owned())];
    record(world, &event.owed[0], DeliveryState::Retrying { due_at: at(90_000) }, &outcomes).await;
    (destination, event.owed[0].clone())
}

#[tokio::test]
async fn a_delivery_shows_each_attempt_and_the_request() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Viewer).await;
    let (destination, delivery) = refused_twice(&world, "<script>alert(1)</script> & \"busy\"").await;
    let path = format!("/deliveries/{}", delivery.id);
    let page = world.get(&cookie, &path).await;
    assert_eq!(page.status, 200);
    page.shows("<dt>Waits for</dt><dd>its next attempt, <time");
    page.shows("gave no complete answer within the time it had").shows("answered 503, which is not 2xx");
    page.shows("It asked to wait 30 s.").shows("badge-bad\">timed out").shows("href=\"/events/evt-1\"");
    // The answer of a receiver and the name of a destination are shown as text.
    page.shows("&#60;script&#62;alert(1)&#60;/script&#62; &#38; &#34;busy&#34;").hides("<script>alert");
    page.shows("Billing &#60;i&#62;").hides("<i>");
    page.shows("POST</dt>").shows("https://example.com/it&#39;s?a=[1]").shows("it&#39;s &#34;data&#34;");
    page.shows(&format!("webhook-id</dt><dd class=\"mono\">{}", delivery.id)).shows("PLACEHOLDER-not-signed");
    page.shows("id=\"curl\">curl -g -X POST &#39;https://example.com/it&#39;\\&#39;&#39;s?a=[1]&#39; \\\n  -H &#39;content-type");
    page.shows("--data-raw &#39;{&#34;id&#34;:&#34;evt-1&#34;").shows("data-copy=\"#curl\"");
    page.shows("{\n  &#34;id&#34;: &#34;evt-1&#34;");
    // A viewer may look but do nothing.
    page.hides("<span>Resend</span>").hides("<span>Cancel</span>");
    assert_eq!(world.post(&cookie, &format!("{path}/resend"), &[]).await.status, 403);

    assert_eq!(world.call("acme", "DELETE", &format!("/v1/destinations/{destination}"), json!(null)).await.0, 204);
    let page = world.get(&cookie, &path).await;
    page.shows("to a destination that was deleted").shows("nowhere to send it to").hides("id=\"curl\"");
    world.clock.advance(std::time::Duration::from_secs(9 * 60));
    assert_eq!(world.get(&cookie, "/deliveries/%3Cb%3E").await.hides("<b>").status, 404);
}

#[tokio::test]
async fn who_may_change_resends_and_cancels() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Editor).await;
    let (destination, delivery) = refused_twice(&world, "busy").await;
    let path = format!("/deliveries/{}", delivery.id);
    world.get(&cookie, &path).await.shows("<span>Resend</span>").shows("<span>Cancel</span>");
    let page = world.post(&cookie, &format!("{path}/resend"), &[]).await;
    assert_eq!((page.status, page.location()), (303, format!("{path}?done=sent").as_str()));
    world.get(&cookie, page.location()).await.shows("On its way again.");
    let sent = world.queue.take_sent();
    assert_eq!((sent.len(), sent[0].purpose, &sent[0].delivery.id), (1, Purpose::Again, &delivery.id));
    let page = world.post(&cookie, &format!("{path}/resend"), &[]).await;
    assert_eq!(page.location(), format!("{path}?done=already_under_way"));

    assert_eq!(world.call("acme", "POST", &format!("/v1/destinations/{destination}/pause"), json!(null)).await.0, 200);
    world.post(&cookie, &format!("{path}/resend"), &[]).await;
    world.get(&cookie, &path).await.shows("<dt>Waits for</dt><dd>its destination, which is paused");
    assert_eq!(world.call("acme", "POST", &format!("/v1/destinations/{destination}/resume"), json!(null)).await.0, 200);

    let page = world.post(&cookie, &format!("{path}/cancel"), &[]).await;
    assert_eq!((page.status, page.location()), (303, format!("{path}?done=cancelled").as_str()));
    let page = world.get(&cookie, page.location()).await;
    page.shows("Cancelled. It will not be sent.").hides("<span>Cancel</span>").shows("<span>Resend</span>");

    let done = delivered(&world, "evt-2", 1, &destination).await;
    let page = world.post(&cookie, &format!("/deliveries/{done}/cancel"), &[]).await;
    assert_eq!(page.status, 409);
    page.shows("role=\"alert\"").shows("id=\"attempts\"");
    assert_eq!(world.post(&cookie, "/deliveries/x/cancel", &[]).await.status, 404);
}

#[tokio::test]
async fn a_delivery_without_attempts_says_why_as_far_as_its_status_tells() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Viewer).await;
    let (billing, gone) = (world.destination("acme", "Billing").await, world.destination("acme", "Gone").await);
    assert_eq!(world.call("acme", "DELETE", &format!("/v1/destinations/{gone}"), json!(null)).await.0, 204);
    for (n, (to, state, words)) in (0..).zip([
        (&billing, DeliveryState::Parked, "There was no attempt yet: the delivery was parked before the first one."),
        (
            &gone,
            DeliveryState::Parked,
            "the delivery was parked before the first one, and then its destination was deleted",
        ),
        (&billing, DeliveryState::Cancelled, "There was no attempt: it was cancelled before the first one."),
        (&gone, DeliveryState::Cancelled, "it was cancelled, or its destination was deleted, before the first one."),
        (&billing, DeliveryState::Exhausted, "until its event expired."),
        (&billing, DeliveryState::Retrying { due_at: at(90_000) }, "There was no attempt yet."),
    ]) {
        let event = seal(&world, &format!("evt-{n}"), n, &[to]).await;
        record(&world, &event.owed[0], state, &[]).await;
        let page = world.get(&cookie, &format!("/deliveries/{}", event.owed[0].id)).await;
        page.shows(words);
        if state != DeliveryState::Cancelled {
            page.hides("cancelled");
        }
    }
}

#[tokio::test]
async fn what_was_done_is_told_only_of_a_delivery_that_is_so() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Viewer).await;
    let billing = world.destination("acme", "Billing").await;
    let words = ["cancelled", "sent", "already_under_way", "set_aside", "not_sent"];
    for (n, (state, told)) in (0..).zip([
        (DeliveryState::Delivered, &["sent", "not_sent"][..]),
        (DeliveryState::Retrying { due_at: at(90_000) }, &[]),
        (DeliveryState::Retrying { due_at: at(0) }, &["sent", "already_under_way"]),
        (DeliveryState::Parked, &["set_aside"]),
        (DeliveryState::Exhausted, &[]),
        (DeliveryState::Cancelled, &["cancelled"]),
    ]) {
        let event = seal(&world, &format!("evt-{n}"), n, &[&billing]).await;
        record(&world, &event.owed[0], state, &[refused(500, "no")]).await;
        for word in words {
            let page = world.get(&cookie, &format!("/deliveries/{}?done={word}", event.owed[0].id)).await;
            assert_eq!(page.text.contains("role=\"status\">"), told.contains(&word), "{state:?} {word}");
        }
    }
}

#[tokio::test]
async fn a_place_is_shown_under_the_name_that_events_gave_it() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Editor).await;
    let billing = world.destination("acme", "Billing").await;
    let id = delivered(&world, "evt-1", 0, &billing).await;
    let scope = "connection/xero/endpoint/invoices";
    let paths =
        ["/deliveries".to_owned(), "/events".to_owned(), format!("/deliveries/{id}"), "/events/evt-1".to_owned()];
    for path in &paths {
        world.get(&cookie, path).await.shows(scope).hides("›");
    }
    seen(&world, scope, "Xero <b>").await;
    for (path, shown) in paths.iter().zip([
        format!("<small class=\"clip\" title=\"{scope}\"><bdi>Xero &#60;b&#62; › Invoices</bdi></small>"),
        format!("<small class=\"clip\" title=\"{scope}\"><bdi>Xero &#60;b&#62; › Invoices</bdi></small>"),
        format!("<bdi>Xero &#60;b&#62; › Invoices</bdi> <small class=\"hint mono\">{scope}</small>"),
        format!("<bdi>Xero &#60;b&#62; › Invoices</bdi> <small class=\"hint mono\">{scope}</small>"),
    ]) {
        world.get(&cookie, path).await.shows(&shown).hides("<b>");
    }
    for (name, scope) in [("Table", scope), ("Connection", "connection/xero"), ("All", "*"), ("New", "connection/sage")]
    {
        let body = json!({"name": name, "destination_id": billing, "event_types": ["*"], "scope": scope});
        assert_eq!(world.call("acme", "POST", "/v1/subscriptions", body).await.0, 201);
    }
    for path in ["/subscriptions".to_owned(), format!("/destinations/{billing}")] {
        let page = world.get(&cookie, &path).await;
        page.shows(&format!("title=\"{scope}\"><bdi>Xero &#60;b&#62; › Invoices</bdi>"));
        page.shows("title=\"connection/xero\"><bdi>Xero &#60;b&#62;</bdi>").shows("title=\"*\"><bdi>everywhere</bdi>");
        page.shows("title=\"connection/sage\">connection/sage<");
    }
    // Another account does not see these names.
    let rival = world.visitor("rival", Role::Editor).await;
    world.get(&rival, "/deliveries").await.hides("Xero");
}

#[tokio::test]
async fn what_a_list_does_not_filter_by_is_named_and_the_rest_holds() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Viewer).await;
    let billing = world.destination("acme", "Billing").await;
    let id = delivered(&world, "evt-1", 0, &billing).await;
    for (query, ignored) in [
        ("stauts=parked&scope=connection/xero", "<code>stauts</code>."),
        ("status=delivered&status=parked", "<code>status</code>."),
        ("%3Cb%3E=1&done=saved&a=2&a=3", "<code>&#60;b&#62;</code>, <code>a</code>."),
    ] {
        let page = world.get(&cookie, &format!("/deliveries?{query}")).await;
        assert_eq!((page.status, keys(&page)), (200, vec![id.clone()]), "{query}");
        page.shows(&format!("parameters were ignored: {ignored}")).hides("<b>");
    }
    for query in ["status=delivered&status=delivered&since=", "stauts=&done=saved"] {
        world.get(&cookie, &format!("/deliveries?{query}")).await.hides("were ignored");
    }
    for path in
        ["/events?destination_id=x", "/subscriptions?status=x", "/destinations?health=failing", "/ledger?last=x"]
    {
        let page = world.get(&cookie, path).await;
        assert_eq!(page.status, 200, "{path}");
        page.shows("were ignored: <code>");
    }
    world.get(&cookie, "/ledger?last=7d").await.hides("were ignored");

    // A wrong filter is also named at the top, with a link to the list without it.
    let page = world.get(&cookie, "/deliveries?status=lost&scope=connection/xero").await;
    assert_eq!(page.status, 400);
    page.shows("the filter <code>status</code> cannot be used: must be one of delivered").hides("data-key");
    let page = world.get(&cookie, &link(&page, "Leave it out")).await;
    assert_eq!(keys(&page), [id]);
    page.shows("value=\"connection/xero\"");

    let page = world.get(&cookie, "/deliveries?destination_id=dst_0000000000000000").await;
    page.shows("There is no destination <code>dst_0000000000000000</code>");
    world.get(&cookie, &format!("/deliveries?destination_id={billing}")).await.hides("There is no destination");
}

#[tokio::test]
async fn a_pending_delivery_is_told_apart_from_none_where_its_event_is_known() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Viewer).await;
    let billing = world.destination("acme", "Billing").await;
    let event = seal(&world, "evt-1", 0, &[&billing]).await;
    let path = format!("/deliveries/{}", event.owed[0].id);
    let page = world.get(&cookie, &path).await;
    assert_eq!(page.status, 404);
    page.shows("There is no such delivery").shows("href=\"/events\"");
    let page = world.get(&cookie, &format!("{path}?event=evt-1")).await;
    assert_eq!(page.status, 200);
    page.shows("This delivery is pending").shows("href=\"/events/evt-1\"");
    let page = world.get(&cookie, &format!("{path}?event=%3Cb%3E")).await;
    assert_eq!(page.status, 404);
    page.hides("<b>");
}

fn with_large_body(event: &mut SealedEvent) {
    event.body = json!({"id": event.id, "data": {"text": "it's \"<b>\" ".repeat(20_000)}}).to_string();
}

#[tokio::test]
async fn a_long_body_is_a_file_to_the_command() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Viewer).await;
    let billing = world.destination("acme", "Billing").await;
    let event = seal_as(&world, "evt-1", 0, &[&billing], with_large_body).await;
    record(&world, &event.owed[0], DeliveryState::Exhausted, &[refused(500, &"<\"&\"> ".repeat(2_000))]).await;
    let page = world.get(&cookie, &format!("/deliveries/{}", event.owed[0].id)).await;
    page.shows("--data-binary &#39;@event-evt-1.json&#39;").shows("Only the beginning is shown").hides("<b>");
    assert!(page.text.len() < 50 * 1024, "{} bytes", page.text.len());
    let file = world.get(&cookie, "/events/evt-1/body").await;
    assert_eq!(file.headers["content-disposition"], "attachment; filename=\"event-evt-1.json\"");
    assert_eq!(file.headers["content-type"], "application/json");
    assert_eq!(file.text, event.body);
}

/// Creates destinations, paths, scopes and ids of the greatest length.
async fn long(world: &World, n: u8) -> SealedEvent {
    let host = format!("https://example.com/{}", "x".repeat(2_000));
    let headers: serde_json::Map<_, _> = (0..10).map(|n| (format!("x-{n}"), json!("v".repeat(1_000)))).collect();
    let name = format!("{n:02}{}", "é".repeat(126));
    let settings = json!({"name": name, "url": host, "headers": headers});
    let (status, created) = world.call("acme", "POST", "/v1/destinations", settings).await;
    assert_eq!(status, 201, "{created}");
    let destination = created["id"].as_str().expect("an id").to_owned();
    let id = format!("{n:02}{}", "e".repeat(126));
    seal_as(world, &id, u64::from(n), &[&destination], |event| {
        let scope = format!("connection/{}/endpoint/{}", "c".repeat(128), "d".repeat(128));
        event.scope = scope.parse().expect("a scope");
        for owed in &mut event.owed {
            owed.scope = Some(event.scope.clone());
            owed.traceparent = PARENT.parse().ok();
            owed.path = Some(format!("/{}", "p".repeat(255)).try_into().expect("a path"));
        }
    })
    .await
}

#[tokio::test]
async fn no_page_grows_over_50_kb_with_what_is_as_long_as_it_may_be() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Editor).await;
    let mut events = Vec::new();
    for n in 0..25 {
        let event = long(&world, n).await;
        let outcomes: Vec<_> = (0..30).map(|_| refused(500, &"no! ".repeat(128))).collect();
        record(&world, &event.owed[0], DeliveryState::Retrying { due_at: at(90_000) }, &outcomes).await;
        events.push(event);
    }
    let (one, event) = (format!("/deliveries/{}", events[0].owed[0].id), format!("/events/{}", events[0].id));
    let all = seal_as(&world, "evt-all", 30, &[], |event| {
        with_large_body(event);
        event.unmatched = None;
        event.owed = events.iter().map(|event| event.owed[0].clone()).collect();
    });
    all.await;
    for path in ["/deliveries", "/events", "/ledger", "/ledger/deliveries", &one, &event, "/events/evt-all"] {
        let page = world.get(&cookie, path).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(page.text.len() < 50 * 1024, "{path}: {} bytes", page.text.len());
    }
    world.get(&cookie, &one).await.shows("The newest 12 of 30");
}

#[tokio::test]
async fn an_attempt_shows_the_trace_that_it_continued() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Viewer).await;
    let (_, plain) = refused_twice(&world, "busy").await;
    world.get(&cookie, &format!("/deliveries/{}", plain.id)).await.hides("traceparent");
    let event = long(&world, 1).await;
    record(&world, &event.owed[0], DeliveryState::Delivered, &[Outcome::Delivered { status: 200 }]).await;
    let page = world.get(&cookie, &format!("/deliveries/{}", event.owed[0].id)).await;
    page.shows(&format!("traceparent {}", &PARENT[..36])).shows("PLACEHOLDER-a-span-of-this-attempt");
}
