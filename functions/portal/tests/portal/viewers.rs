//! What a viewer is offered: nothing that they may not do.

use std::time::Duration;

use domain::access::Role;
use domain::destination::{Destination, DisabledReason, HealthState};
use domain::value::DestinationId;
use ports::{Clock, Destinations, FindDestination};
use serde_json::json;
use testing::account;

use crate::log::{delivered, seal, seal_as};
use crate::world::{Page, World, world};

/// Sets the health of a destination to a state that no request leads to.
async fn health(world: &World, id: &str, to: impl FnOnce(&mut Destination)) {
    let id: DestinationId = id.parse().expect("an id");
    let before = world.store.find_destination(&account("acme"), &id).await.expect("an answer").expect("there");
    let mut after = before.clone();
    to(&mut after);
    after.version += 1;
    after.health.version += 1;
    world.store.update_destination(&before, &after).await.expect("updated");
}

/// Fails if there is a form other than the one to sign out, or a link to a page for other roles.
#[track_caller]
fn offers_nothing(page: &Page, path: &str) {
    assert!(matches!(page.status, 200 | 403 | 404), "{path}: {}", page.status);
    let forms: Vec<_> = page.text.split("<form").skip(1).filter(|form| form.contains("method=\"post\"")).collect();
    assert_eq!(forms.len(), 1, "{path}: {forms:?}");
    assert!(forms[0].contains("action=\"/sign-out"), "{path}");
    for link in page.text.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap_or_default()) {
        let path_of_link = link.split('?').next().unwrap_or_default();
        let last = path_of_link.rsplit('/').next().unwrap_or_default();
        let is_for_others = ["configure", "test", "edit", "delete", "recover", "rotate", "sessions"].contains(&last);
        assert!(!is_for_others, "{path} has a link to {link}");
    }
}

#[tokio::test]
async fn a_viewer_is_offered_nothing_that_they_may_not_do() {
    let world = world().await;
    let viewer = world.visitor("acme", Role::Viewer).await;
    for path in ["/destinations", "/subscriptions", "/deliveries", "/events", "/ledger", "/ledger/deliveries"] {
        offers_nothing(&world.get(&viewer, path).await, path);
    }
    world.get(&viewer, "/destinations").await.shows("An editor or an admin can add one.");
    let id = world.destination("acme", "Billing").await;
    let body = json!({"name": "All", "destination_id": id, "event_types": ["*"], "scope": "*"});
    let (_, subscription) = world.call("acme", "POST", "/v1/subscriptions", body).await;
    let subscription = subscription["id"].as_str().expect("an id");
    let delivery = delivered(&world, "evt-1", 1, &id).await;
    seal(&world, "evt-2", 2, &[]).await;
    seal_as(&world, "evt-3", 3, &[], |_| {}).await;
    let paths = [
        "/destinations".to_owned(),
        "/subscriptions".to_owned(),
        "/deliveries".to_owned(),
        "/events".to_owned(),
        "/events/evt-1".to_owned(),
        "/events/evt-2".to_owned(),
        "/events/evt-3".to_owned(),
        "/ledger".to_owned(),
        "/sessions".to_owned(),
        "/configure".to_owned(),
        "/no-such-page".to_owned(),
        format!("/subscriptions/{subscription}"),
        format!("/subscriptions/{subscription}/edit"),
        format!("/deliveries/{delivery}"),
        format!("/destinations/{id}"),
        format!("/destinations/{id}/rotate"),
    ];
    for path in paths {
        offers_nothing(&world.get(&viewer, &path).await, &path);
    }
    let (path, now) = (format!("/destinations/{id}"), world.clock.now());
    let next_probe_at = now.plus(Duration::from_secs(60));
    for state in [
        HealthState::Failing { since: now, probes: 0, next_probe_at, half_open: false },
        HealthState::Disabled { since: now, reason: DisabledReason::Failing },
    ] {
        health(&world, &id, |destination| destination.health.state = state).await;
        let page = world.get(&viewer, &path).await;
        offers_nothing(&page, &path);
        page.shows("let an editor or an admin resume it").shows("Only an admin may rotate them.");
    }
}

#[tokio::test]
async fn a_refusal_says_which_role_is_needed() {
    let world = world().await;
    let id = world.destination("acme", "Billing").await;
    let (viewer, editor) = (world.visitor("acme", Role::Viewer).await, world.visitor("acme", Role::Editor).await);
    let rotate = format!("/destinations/{id}/rotate");
    for (page, words) in [
        (world.get(&viewer, "/configure").await, "Only an editor or an admin may do this"),
        (
            world.post(&viewer, &format!("/destinations/{id}/pause"), &[]).await,
            "Only an editor or an admin may do this",
        ),
        (world.post(&editor, &rotate, &[("overlap_seconds", "0")]).await, "Only an admin may do this"),
    ] {
        assert_eq!(page.status, 403);
        page.shows("You may not do this").shows(words).shows("<nav class=\"nav\"");
    }
    world.get(&editor, &format!("/destinations/{id}")).await.shows("Only an admin may rotate them.");
    let admin = world.visitor("acme", Role::Admin).await;
    world.get(&admin, &format!("/destinations/{id}")).await.hides("Only an admin").shows(&rotate);
}
