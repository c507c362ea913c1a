//! Tests of the pages that show destinations: health, statistics and settings.

use std::time::Duration;

use domain::access::Role;
use domain::attempt::Latencies;
use domain::delivery::{Hour, HourRead, RollUp, Tally};
use domain::destination::{DisabledReason, Drain, HealthState};
use domain::value::DestinationId;
use ports::{Clock, RollUps};
use serde_json::json;
use testing::account;

use super::{change, health, read, subscribe};
use crate::world::{Page, World, world};

/// Stores statistics for each of the last 24 hours, as `redrive` does.
async fn roll_up(world: &World, id: &str, tally: impl Fn(u64) -> Tally) {
    let (now, id) = (world.clock.now(), id.parse::<DestinationId>().expect("an id"));
    let hour = |back: u64| {
        let tally = tally(back);
        (Hour(Hour::of(now).0 - back), HourRead { at: now, owed: tally.count(), tally, unsure: false })
    };
    let rolled_up = RollUp::with(None, &account("acme"), &id, (0..24).map(hour).collect(), now);
    assert!(world.store.store_roll_up(None, &rolled_up, None).await.expect("an answer"));
}

fn tally(delivered: u64, failed: u64, parked: u64) -> Tally {
    let mut latencies = Latencies::default();
    (0..delivered).for_each(|_| latencies.add(Duration::from_millis(100)));
    Tally { delivered, failed, parked, latencies, ..Tally::default() }
}

#[tokio::test]
async fn who_has_no_destination_is_led_to_the_wizard() {
    let world = world().await;
    let editor = world.visitor("acme", Role::Editor).await;
    world.get(&editor, "/destinations").await.shows("No destination yet").shows("href=\"/configure\"");
    let viewer = world.visitor("acme", Role::Viewer).await;
    world.get(&viewer, "/destinations").await.shows("No destination yet").hides("href=\"/configure\"");
}

#[tokio::test]
async fn destinations_are_listed_twenty_a_page_and_nobody_elses() {
    let world = world().await;
    for n in 0..21 {
        world.destination("acme", &format!("Receiver {n}")).await;
    }
    world.destination("rival", "Secretive").await;
    let cookie = world.visitor("acme", Role::Viewer).await;
    let first = world.get(&cookie, "/destinations").await;
    first.shows("example.com/hooks").shows("badge badge-ok\">healthy").hides("Secretive").hides("First page");
    assert_eq!(first.text.matches("<li class=\"card\">").count(), 20);
    assert!(first.text.len() < 50 * 1024, "{} bytes", first.text.len());
    let (_, rest) = first.text.split_once("/destinations?cursor=").expect("a next page");
    let (cursor, _) = rest.split_once('"').expect("an end");
    let second = world.get(&cookie, &format!("/destinations?cursor={cursor}")).await;
    assert_eq!(second.text.matches("<li class=\"card\">").count(), 1);
    second.shows("First page").hides("Next page");
    assert_eq!(world.get(&cookie, "/destinations?cursor=x").await.status, 400);
    let found = world.get(&cookie, "/destinations?name_contains=VER+1").await;
    assert_eq!(found.text.matches("<li class=\"card\">").count(), 11);
    found.shows("Receiver 19").hides("Receiver 2").shows("value=\"VER 1\"").shows("Clear");
    world
        .get(&cookie, "/destinations?name_contains=%3Cb%3E")
        .await
        .shows("None has “<bdi>&#60;b&#62;</bdi>” in its name.");
}

#[tokio::test]
async fn the_last_24_hours_are_a_chart_with_its_numbers_in_words() {
    let world = world().await;
    let (id, idle) = (world.destination("acme", "Billing").await, world.destination("acme", "Idle").await);
    roll_up(&world, &id, |back| if back == 0 { tally(9, 1, 2) } else { tally(0, 0, 0) }).await;
    let cookie = world.visitor("acme", Role::Viewer).await;
    let list = world.get(&cookie, "/destinations").await;
    list.shows("aria-label=\"Last 24 hours: 9 delivered, 1 failed, 2 parked\"").shows(">90 %<");
    list.shows("class=\"bar-ok\" d=\"M115 8h4v24h-4z\"").shows("class=\"bar-none\" d=\"M0 31h4v1h-4z");
    list.shows("aria-label=\"Last 24 hours: 0 delivered, 0 failed, 0 parked\"").shows(">–<");
    let page = world.get(&cookie, &format!("/destinations/{id}")).await;
    page.shows("<title>09:00 UTC: 9 delivered, 1 failed, 2 parked</title><rect class=\"bar-ok\"").shows(">90 %<");
    page.shows("as of <time").shows(">9 delivered<").shows(">2 parked<").hides("more deliveries than are counted");
    assert_eq!(page.text.matches("<title>").count(), 1 + 24);
    world.get(&cookie, &format!("/destinations/{idle}")).await.shows("nothing counted yet");
    roll_up_again(&world, &id).await;
    world.get(&cookie, &format!("/destinations/{id}")).await.shows("more deliveries than are counted");
}

#[tokio::test]
async fn what_was_set_aside_untried_is_told_of_all_that_was_owed_and_what_failed_as_failed() {
    let world = world().await;
    let (failed, untried) = (world.destination("acme", "Failed").await, world.destination("acme", "Untried").await);
    roll_up(&world, &failed, |back| if back == 0 { tally(0, 5, 2) } else { tally(0, 0, 0) }).await;
    roll_up(&world, &untried, |back| if back == 0 { tally(0, 0, 7) } else { tally(0, 0, 0) }).await;
    let cookie = world.visitor("acme", Role::Viewer).await;
    let list = world.get(&cookie, "/destinations").await;
    list.shows(">0 %</span><span class=\"figure-name\">success rate<");
    list.shows(">0 of 7</span><span class=\"figure-name\">delivered<")
        .hides(">–</span><span class=\"figure-name\">success");
    let page = world.get(&cookie, &format!("/destinations/{untried}")).await;
    page.shows(">0 of 7</span><span class=\"figure-name\">delivered<");
}

/// The names of the listed destinations, in order.
fn listed(page: &Page) -> Vec<String> {
    let cards = page.text.split("<li class=\"card\">").skip(1);
    cards
        .map(|card| card.split("<bdi>").nth(1).and_then(|rest| rest.split('<').next()).expect("a name").into())
        .collect()
}

#[tokio::test]
async fn what_needs_somebody_comes_first() {
    let world = world().await;
    for name in ["One", "Two", "Three", "Four", "Five"] {
        world.destination("acme", name).await;
    }
    let (cookie, now) = (world.visitor("acme", Role::Viewer).await, world.clock.now());
    let page = world.get(&cookie, "/destinations").await;
    page.shows("comes first.").hides("on each page");
    let names = listed(&page);
    let id = |name: &str| {
        let before = page.text.split(&format!("\"><bdi>{name}<")).next().expect("a link");
        before.rsplit("/destinations/").next().expect("an id").to_owned()
    };
    // The last of the list become those in trouble.
    let next_probe_at = now.plus(Duration::from_secs(60));
    let failing = HealthState::Failing { since: now, probes: 0, next_probe_at, half_open: false };
    health(&world, &id(&names[4]), |destination| destination.health.state = failing).await;
    let gone = HealthState::Disabled { since: now, reason: DisabledReason::Gone };
    health(&world, &id(&names[3]), |destination| destination.health.state = gone).await;
    health(&world, &id(&names[2]), |destination| destination.health.held_until = Some(next_probe_at)).await;
    health(&world, &id(&names[1]), |destination| {
        (destination.settings.paused, destination.health.state) = (true, failing);
    })
    .await;
    let expected = [4, 3, 2, 0, 1].map(|at: usize| names[at].clone());
    assert_eq!(listed(&world.get(&cookie, "/destinations").await), expected);
    for n in 0..16 {
        world.destination("acme", &format!("More {n}")).await;
    }
    world.get(&cookie, "/destinations").await.shows("comes first on each page.");
}

#[tokio::test]
async fn a_paused_destination_shows_beside_that_how_its_receiver_does() {
    let world = world().await;
    let id = world.destination("acme", "Billing").await;
    subscribe(&world, "Mine", &id).await;
    let (path, now) = (format!("/destinations/{id}"), world.clock.now());
    let cookie = world.visitor("acme", Role::Editor).await;
    let soon = now.plus(Duration::from_secs(60));
    let pause = world.post(&cookie, &format!("{path}/pause"), &[]).await;
    assert_eq!(pause.status, 303);
    let pill = "badge-idle\">paused</span>";
    for (state, held_until, badge, words) in [
        (HealthState::Healthy, None, "", ""),
        (HealthState::Healthy, Some(soon), " <span class=\"badge badge-idle\">on hold<", "Resuming ends that, too."),
        (
            HealthState::Failing { since: now, probes: 0, next_probe_at: soon, half_open: false },
            None,
            " <span class=\"badge badge-bad\">failing<",
            "It is not tried again while it is paused.",
        ),
        (
            HealthState::Disabled { since: now, reason: DisabledReason::Gone },
            None,
            " <span class=\"badge badge-bad\">disabled<",
            "it answered 410 Gone",
        ),
    ] {
        health(&world, &id, |destination| {
            (destination.health.state, destination.health.held_until) = (state, held_until);
        })
        .await;
        let both = format!("{pill}{badge}");
        let page = world.get(&cookie, &path).await;
        page.shows(&both).shows("It is paused.").shows(words).shows("/resume?account").hides("/pause?account");
        page.hides("It is healthy").hides("badge-ok\">healthy").hides("now and then one delivery");
        world.get(&cookie, "/destinations").await.shows(&both).hides("badge-ok\">healthy");
        world.get(&cookie, &format!("{path}?done=paused")).await.shows("Paused. What is owed");
        for word in ["resumed", "tried_soon"] {
            world.get(&cookie, &format!("{path}?done={word}")).await.hides("role=\"status\">");
        }
    }
    let resumed = world.post(&cookie, &format!("{path}/resume"), &[]).await;
    world.get(&cookie, resumed.location()).await.hides("paused</span>").shows("badge-warn\">draining");
}

/// Stores statistics again, as if each hour had more deliveries than are counted.
async fn roll_up_again(world: &World, id: &str) {
    let account = account("acme");
    world.store.forget_roll_up(&account, &id.parse().expect("an id")).await.expect("forgotten");
    roll_up(world, id, |_| Tally { partial: true, ..tally(1, 0, 0) }).await;
}

#[tokio::test]
async fn a_page_of_twenty_busy_destinations_is_small() {
    let world = world().await;
    for n in 0..20_u64 {
        let name = format!("{n:0>128}");
        let body = json!({ "name": name, "url": format!("https://example.com/{}", "x".repeat(2_000)) });
        let (_, created) = world.call("acme", "POST", "/v1/destinations", body).await;
        let id = created["id"].as_str().expect("an id");
        roll_up(&world, id, |back| tally(100 + back * n, 40 + back, 30 + n)).await;
    }
    let cookie = world.visitor("acme", Role::Editor).await;
    let page = world.get(&cookie, "/destinations").await;
    assert_eq!(page.text.matches("class=\"bar-parked\"").count(), 20);
    assert!(page.text.len() < 50 * 1024, "{} bytes", page.text.len());
}

#[tokio::test]
async fn what_was_typed_is_shown_as_text() {
    let world = world().await;
    let evil = "<script>alert(1)</script>\"'&";
    let body = json!({
        "name": evil, "url": "https://example.com/<b>\"x?y=<i>", "description": evil, "headers": {"x-evil": evil}
    });
    let (status, created) = world.call("acme", "POST", "/v1/destinations", body).await;
    assert_eq!(status, 201, "{created}");
    let id = created["id"].as_str().expect("an id");
    subscribe(&world, "<img src=x>", id).await;
    let cookie = world.visitor("acme", Role::Admin).await;
    for page in ["", "/edit", "/rotate", "/recover", "/delete"] {
        let page = world.get(&cookie, &format!("/destinations/{id}{page}")).await;
        assert_eq!(page.status, 200);
        page.shows("&#60;script&#62;").hides("<script>alert").hides("<b>\"").hides("<img");
    }
    world.get(&cookie, "/destinations").await.shows("&#60;script&#62;").hides("<script>alert");
}

#[tokio::test]
async fn a_destination_is_shown_with_its_settings_in_words_and_its_subscriptions() {
    let world = world().await;
    let (id, other) = (world.destination("acme", "Billing").await, world.destination("acme", "Other").await);
    change(&world, &id, json!({"headers": {"x-team": "data"}, "rate_limit": 5, "retry_policy": [10, 5400]})).await;
    subscribe(&world, "Mine", &id).await;
    subscribe(&world, "Not mine", &other).await;
    let cookie = world.visitor("acme", Role::Viewer).await;
    let page = world.get(&cookie, &format!("/destinations/{id}")).await;
    page.shows("It is healthy").shows("x-team: data").shows("5 deliveries a second").shows(">Mine<").hides("Not mine");
    page.shows("3 attempts, after waits of 10 s, 1 h 30 min").shows("role=\"img\"");
    page.shows(&format!("/deliveries?destination_id={id}"));
    page.shows(read(&world, &id).await["secrets"][0]["fingerprint"].as_str().expect("a fingerprint"));
    // A viewer is offered no action.
    page.hides("/edit").hides("/pause").hides("/rotate").hides("/delete").hides("/recover").hides("/configure");
    let rival = world.visitor("rival", Role::Admin).await;
    assert_eq!(world.get(&rival, &format!("/destinations/{id}")).await.status, 404);
    let editor = world.visitor("acme", Role::Editor).await;
    let page = world.get(&editor, &format!("/destinations/{id}")).await;
    page.shows("/edit").shows("/pause").shows("/delete").shows("/recover").hides("/rotate");
    page.shows(&format!("/configure/test?destination={id}"));
}

#[tokio::test]
async fn its_health_is_told_with_what_to_do() {
    let world = world().await;
    let id = world.destination("acme", "Billing").await;
    let (path, now) = (format!("/destinations/{id}"), world.clock.now());
    let cookie = world.visitor("acme", Role::Editor).await;
    let next_probe_at = now.plus(Duration::from_secs(60));
    health(&world, &id, |destination| {
        destination.health.state = HealthState::Failing { since: now, probes: 0, next_probe_at, half_open: false };
    })
    .await;
    let page = world.get(&cookie, &path).await;
    page.shows("It began <time").shows(&format!("Next due: <time datetime=\"{next_probe_at}\""));
    page.shows("tried within a minute").shows(&format!("action=\"{path}/resume?account=acme\""));
    let resumed = world.post(&cookie, &format!("{path}/resume"), &[]).await;
    world.get(&cookie, resumed.location()).await.shows("It is tried within a minute.").hides("is on its way");
    world.get(&cookie, "/destinations").await.shows("began <time").shows("badge-bad\">failing");
    for (reason, words) in [(DisabledReason::Gone, "410 Gone"), (DisabledReason::Failing, "failing for five days")] {
        health(&world, &id, |d| d.health.state = HealthState::Disabled { since: now, reason }).await;
        world.get(&cookie, &path).await.shows(words).shows("/resume").hides("/pause?account");
    }
    health(&world, &id, |destination| {
        destination.health.state = HealthState::Healthy;
        destination.health.drain = Some(Drain { since: now, next_at: now });
    })
    .await;
    world.get(&cookie, &path).await.shows("catching up").shows("badge-warn\">draining");
}
