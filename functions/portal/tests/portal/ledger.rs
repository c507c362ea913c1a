//! Tests of the section of the ledger.

use domain::access::Role;
use domain::attempt::Outcome;
use domain::delivery::{DeliveryRecord, DeliveryState, End, Held};
use ports::Deliveries;

use crate::deliveries::link;
use crate::log::{at, delivered, record, refused, seal, seal_as};
use crate::world::{Page, world};

/// The number with this name, and the address of its link.
#[track_caller]
fn term(page: &Page, name: &str) -> (String, String) {
    let end = format!("<span class=\"sr\"> {name}</span>");
    let before = page.text.split(&end).next().filter(|before| before.len() < page.text.len()).expect(name);
    (before.rsplit('>').next().expect("a number").to_owned(), link(page, &end))
}

/// The number of rows in a list.
fn rows(page: &Page) -> usize {
    page.text.matches("<tr").count().saturating_sub(1)
}

#[tokio::test]
async fn every_number_leads_to_a_list_of_exactly_what_it_counts() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Viewer).await;
    let to: Vec<String> = (0..6).map(|n| format!("dst_{n:016}")).collect();
    let to: Vec<&str> = to.iter().map(String::as_str).collect();
    let event = seal(&world, "evt-1", 0, &to).await;
    for (owed, state) in event.owed.iter().zip([
        DeliveryState::Delivered,
        DeliveryState::Retrying { due_at: at(90_000) },
        DeliveryState::Parked,
        DeliveryState::Exhausted,
        DeliveryState::Cancelled,
    ]) {
        record(&world, owed, state, &[refused(500, "no")]).await;
    }
    let billing = world.destination("acme", "Billing").await;
    delivered(&world, "evt-2", 1, &billing).await;
    seal(&world, "evt-3", 2, &[]).await;
    let page = world.get(&cookie, "/ledger").await;
    assert_eq!(page.status, 200);
    page.shows("It closes: every event").shows("aria-current=\"page\">24 hours").hides("<span>Next part");
    for (name, count) in [("accepted", 3), ("unmatched", 1), ("matched", 2), ("owed", 7), ("delivered", 2)]
        .into_iter()
        .chain(["retrying", "parked", "exhausted", "cancelled", "pending"].map(|name| (name, 1)))
    {
        let (number, path) = term(&page, name);
        assert_eq!(number, count.to_string(), "{name}");
        let list = world.get(&cookie, &path).await;
        assert_eq!((list.status, rows(&list)), (200, count), "{name}: {path}");
    }
    let list = world.get(&cookie, &term(&page, "pending").1).await;
    list.shows(&format!("/deliveries/{}?event=evt-1", event.owed[5].id)).shows(">deleted</span>");
    let list = world.get(&cookie, &link(&page, "0 recovered by the audit")).await;
    list.shows("There is no such delivery").shows("<option value=\"true\" selected>");
}

#[tokio::test]
async fn what_the_audit_recovered_is_listed() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Viewer).await;
    let billing = world.destination("acme", "Billing").await;
    let event = seal(&world, "evt-1", 0, &[&billing]).await;
    let recorded = record(&world, &event.owed[0], DeliveryState::Parked, &[]).await;
    let delivered = DeliveryRecord { recovered_by_audit: true, ..recorded.held(Held::ended(End::Delivered)) };
    assert!(world.store.replace_delivery(&recorded, &delivered).await.expect("recorded"));
    let page = world.get(&cookie, "/ledger?last=1h").await;
    let list = world.get(&cookie, &link(&page, "1 recovered by the audit")).await;
    assert_eq!(rows(&list), 1);
    list.shows("sent again by the audit</small>").shows("Billing");
}

#[tokio::test]
async fn a_period_is_chosen_by_name_or_by_its_ends() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Viewer).await;
    seal(&world, "evt-1", 0, &[]).await;
    world.clock.advance(std::time::Duration::from_secs(2 * 60));
    for (query, count) in [
        ("", "1"),
        ("?last=1h", "1"),
        ("?last=31d", "1"),
        ("?since=2026-11-23T09:29&until=2026-11-23T09:30", "1"),
        ("?since=2026-11-23T09:30&until=", "0"),
        ("?until=2026-11-23T09:29", "0"),
    ] {
        let page = world.get(&cookie, &format!("/ledger{query}")).await;
        assert_eq!((page.status, term(&page, "accepted").0.as_str()), (200, count), "{query}");
    }
    for (query, name, sentence) in [
        ("since=%3Cb%3E", "since", "RFC 3339"),
        ("since=2026-11-23T09:30&until=2026-11-23T09:29", "until", "must be after `since`"),
        ("since=2026-09-01T00:00&until=2026-11-23T09:29", "until", "at most 31 days after `since`"),
    ] {
        let page = world.get(&cookie, &format!("/ledger?{query}")).await;
        assert_eq!(page.status, 400, "{query}");
        page.shows(sentence).shows(&format!("id=\"{name}-error\"")).hides("<b>").hides("class=\"equation\"");
        assert_eq!(world.get(&cookie, &format!("/ledger/deliveries?{query}")).await.status, 400);
    }
    let page = world.get(&cookie, "/ledger?cursor=x").await;
    assert_eq!(page.status, 400);
    page.shows("cursor: is not").shows("Start over");
}

#[tokio::test]
async fn a_long_period_is_told_in_parts_that_say_so() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Viewer).await;
    for n in 0..603 {
        seal(&world, &format!("evt-{n}"), n, &[]).await;
    }
    world.store.take_calls();
    let page = world.get(&cookie, "/ledger?last=24h").await;
    let calls = world.store.take_calls();
    assert_eq!(calls.iter().filter(|call| **call == "list_events").count(), 5, "a longer period does not read more");
    assert_eq!(term(&page, "accepted").0, "500");
    page.shows("only its newest part").shows("as far as this part goes");
    let next = link(&page, "<span>Next part</span>");
    world.clock.advance(std::time::Duration::from_secs(60));
    let page = world.get(&cookie, &next).await;
    assert_eq!((page.status, term(&page, "accepted").0), (200, "103".into()));
    page.shows("This is a later part of the period").hides("<span>Next part").shows("<span>Newest part</span>");
    let first = world.get(&cookie, &link(&page, "<span>Newest part</span>")).await;
    assert_eq!(term(&first, "accepted").0, "500");
}

#[tokio::test]
async fn a_ledger_that_does_not_close_says_so_and_names_the_events() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Viewer).await;
    let billing = world.destination("acme", "Billing").await;
    // The event owes something although the index has a reason why it owes nothing.
    let event = seal_as(&world, "evt-1", 0, &[&billing], |event| {
        event.unmatched = Some(ports::UnmatchedReason::NoSubscription);
    })
    .await;
    record(&world, &event.owed[0], DeliveryState::Delivered, &[Outcome::Delivered { status: 200 }]).await;
    let page = world.get(&cookie, "/ledger").await;
    page.shows("It does not close").shows("Events whose records disagree").shows("href=\"/events/evt-1\"");
    page.hides("It closes");
}
