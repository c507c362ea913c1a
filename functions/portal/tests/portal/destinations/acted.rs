//! Tests of pausing, rotating, recovering and deleting a destination, and of who may do it.

use std::time::Duration;

use domain::access::Role;
use domain::destination::{DisabledReason, HealthState};
use domain::value::{DestinationId, SubscriptionId};
use ports::{Clock, read_units};
use serde_json::{Value, json};
use testing::{account, destination, subscription};

use super::{form, health, read, subscribe};
use crate::world::{Page, World, world};

#[tokio::test]
async fn a_destination_is_paused_and_resumed() {
    let world = world().await;
    let id = world.destination("acme", "Billing").await;
    let cookie = world.visitor("acme", Role::Editor).await;
    let page = world.post(&cookie, &format!("/destinations/{id}/pause"), &[]).await;
    assert_eq!((page.status, page.location()), (303, &*format!("/destinations/{id}?done=paused")));
    world.get(&cookie, page.location()).await.shows("It is paused").shows("is kept until you resume").shows("/resume");
    assert_eq!(read(&world, &id).await["paused"], true);
    let page = world.post(&cookie, &format!("/destinations/{id}/resume"), &[]).await;
    assert_eq!((page.status, page.location()), (303, &*format!("/destinations/{id}?done=resumed")));
    assert_eq!(read(&world, &id).await["paused"], false);
}

#[tokio::test]
async fn who_may_only_look_changes_nothing_and_an_editor_rotates_nothing() {
    let world = world().await;
    let id = world.destination("acme", "Billing").await;
    let (before, viewer) = (read(&world, &id).await, world.visitor("acme", Role::Viewer).await);
    for action in ["pause", "resume", "edit", "rotate", "recover", "delete"] {
        let fields = form("\"v1\"", &[("name", "Other")]);
        let page = world.post(&viewer, &format!("/destinations/{id}/{action}"), &fields).await;
        assert_eq!(page.status, 403, "{action}");
        page.shows("You may not do this").hides("key");
    }
    for question in ["edit", "recover", "delete"] {
        assert_eq!(world.get(&viewer, &format!("/destinations/{id}/{question}")).await.status, 403, "{question}");
    }
    let editor = world.visitor("acme", Role::Editor).await;
    assert_eq!(world.post(&editor, &format!("/destinations/{id}/rotate"), &[("etag", "*")]).await.status, 403);
    world
        .get(&editor, &format!("/destinations/{id}/rotate"))
        .await
        .shows("Only an admin")
        .hides("<button class=\"button button-primary\"");
    let rival = world.visitor("rival", Role::Admin).await;
    for action in ["pause", "edit", "rotate", "recover", "delete"] {
        assert_eq!(world.post(&rival, &format!("/destinations/{id}/{action}"), &[]).await.status, 404, "{action}");
    }
    assert_eq!(read(&world, &id).await, before);
}

#[tokio::test]
async fn a_new_secret_is_shown_once_and_a_form_sent_twice_rotates_once() {
    let world = world().await;
    let id = world.destination("acme", "Billing").await;
    let (path, cookie) = (format!("/destinations/{id}/rotate"), world.visitor("acme", Role::Admin).await);
    let page = world.get(&cookie, &path).await;
    page.shows("value=\"86400\" checked").hides("whsec_");
    let etag = page.hidden("etag");
    let done = world.post(&cookie, &path, &[("etag", &etag), ("overlap_seconds", "3600")]).await;
    assert_eq!(done.status, 200, "{}", done.text);
    done.shows("whsec_").shows("data-copy=\"#secret\"").shows("within 1 h").shows("/configure/test?destination=");
    assert_eq!(done.headers["cache-control"], "no-store");
    let secrets = read(&world, &id).await["secrets"].clone();
    assert_eq!(secrets.as_array().map(Vec::len), Some(2));
    let again = world.post(&cookie, &path, &[("etag", &etag), ("overlap_seconds", "3600")]).await;
    assert_eq!(again.status, 412);
    again.shows("Nothing was rotated").hides("whsec_");
    assert_eq!(read(&world, &id).await["secrets"], secrets);
    world.get(&cookie, &format!("/destinations/{id}")).await.hides("whsec_").shows(">current<");
}

#[tokio::test]
async fn a_rotation_that_cannot_be_says_why() {
    let world = world().await;
    let id = world.destination("acme", "Billing").await;
    let (path, cookie) = (format!("/destinations/{id}/rotate"), world.visitor("acme", Role::Admin).await);
    for (overlap, status) in [("604801", 422), ("soon", 422), ("86400", 200), ("86400", 200), ("86400", 409)] {
        let etag = world.get(&cookie, &path).await.hidden("etag");
        let page = world.post(&cookie, &path, &[("etag", &etag), ("overlap_seconds", overlap)]).await;
        assert_eq!(page.status, status, "{overlap}");
        match status {
            422 => page.shows("id=\"overlap-error\""),
            409 => {
                page.shows("as many valid secrets as it may").hides("overlap_seconds`").shows("Rotate the secret of")
            }
            _ => page.shows("whsec_"),
        };
    }
    let etag = world.get(&cookie, &path).await.hidden("etag");
    let page = world.post(&cookie, &path, &[("etag", &etag), ("overlap_seconds", "0")]).await;
    page.shows("Put it into your receiver now");
    assert_eq!(read(&world, &id).await["secrets"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn what_was_missed_is_sent_again_and_its_progress_shown() {
    let world = world().await;
    let id = world.destination("acme", "Billing").await;
    let (path, cookie) = (format!("/destinations/{id}/recover"), world.visitor("acme", Role::Editor).await);
    let page = world.get(&cookie, &path).await;
    page.shows("value=\"day\" checked").shows("value=\"exhausted\" checked").hides("value=\"cancelled\" checked");
    let begun = world.post(&cookie, &path, &[("span", "hour"), ("status", "exhausted"), ("status", "parked")]).await;
    assert_eq!(begun.status, 303, "{}", begun.text);
    assert!(
        begun.location().starts_with(&format!("/destinations/{id}?done=recovering&job=job_")),
        "{}",
        begun.location()
    );
    let page = world.get(&cookie, begun.location()).await;
    page.shows("Recovery <span class=\"badge").shows("looked at").shows("is being sent again");
    // The job is not shown on the page of another destination, and an unknown job does no harm.
    let other = world.destination("acme", "Other").await;
    let (_, job) = begun.location().split_once("job=").expect("a job");
    world.get(&cookie, &format!("/destinations/{other}?job={job}")).await.hides("looked at");
    assert_eq!(world.get(&cookie, &format!("/destinations/{id}?job=%2F..%2Fx")).await.status, 200);

    let (_, job) = world.call("acme", "GET", &format!("/v1/jobs/{job}"), Value::Null).await;
    assert_eq!(job["statuses"], json!(["parked", "exhausted"]));
    let page = world.post(&cookie, &path, &[("span", "days"), ("status", "cancelled")]).await;
    assert_eq!(page.status, 409);
    page.shows("is at work on this destination").shows("value=\"cancelled\" checked").shows("value=\"days\" checked");
}

#[tokio::test]
async fn what_is_missed_by_a_destination_that_takes_nothing_is_told_as_set_aside() {
    for (state, words) in [
        ("failing", "It is failing"),
        ("disabled", "It is disabled"),
        ("paused", "It is paused"),
        ("held", "It asked to"),
    ] {
        let world = world().await;
        let id = world.destination("acme", "Billing").await;
        let (path, now) = (format!("/destinations/{id}/recover"), world.clock.now());
        let soon = now.plus(Duration::from_secs(60));
        health(&world, &id, |destination| match state {
            "failing" => {
                let (since, next_probe_at) = (now, soon);
                destination.health.state = HealthState::Failing { since, probes: 0, next_probe_at, half_open: false };
            }
            "disabled" => {
                destination.health.state = HealthState::Disabled { since: now, reason: DisabledReason::Gone };
            }
            "paused" => destination.settings.paused = true,
            _ => destination.health.held_until = Some(soon),
        })
        .await;
        let cookie = world.visitor("acme", Role::Editor).await;
        world.get(&cookie, &path).await.shows(words).shows("so nothing is sent now");
        let begun = world.post(&cookie, &path, &[("span", "hour"), ("status", "parked")]).await;
        let page = world.get(&cookie, begun.location()).await;
        page.shows("is being set aside. It is sent when the destination is back").hides("is being sent again");
    }
}

#[tokio::test]
async fn what_was_done_is_told_only_of_a_destination_that_is_so() {
    let world = world().await;
    let id = world.destination("acme", "Billing").await;
    let cookie = world.visitor("acme", Role::Editor).await;
    let notice = "role=\"status\">";
    let at = |word: &str| format!("/destinations/{id}?done={word}");
    for word in ["paused", "resumed", "tried_soon", "recovering", "enabled", "cancelled", "deleted", "nonsense"] {
        world.get(&cookie, &at(word)).await.hides(notice);
        world.get(&cookie, &format!("/deliveries?done={word}")).await.hides(notice);
        if word != "deleted" {
            world.get(&cookie, &format!("/destinations?done={word}")).await.hides(notice);
        }
    }
    world.get(&cookie, &at("saved")).await.shows("Saved.");
    world.post(&cookie, &format!("/destinations/{id}/pause"), &[]).await;
    world.get(&cookie, &at("paused")).await.shows("Paused. What is owed");
    world.get(&cookie, &at("resumed")).await.hides(notice);
    world.post(&cookie, &format!("/destinations/{id}/resume"), &[]).await;
    world.get(&cookie, &at("resumed")).await.shows("Resumed. What was set aside is on its way.");
    world.get(&cookie, &at("paused")).await.hides(notice);
}

#[tokio::test]
async fn what_is_wrong_with_a_recovery_stands_by_its_field() {
    let world = world().await;
    let id = world.destination("acme", "Billing").await;
    let (path, cookie) = (format!("/destinations/{id}/recover"), world.visitor("acme", Role::Editor).await);
    for (fields, error) in [
        (vec![("span", "own"), ("since", "<b>"), ("status", "parked")], "since-error"),
        (vec![("span", "own"), ("since", "2099-01-01T00:00"), ("status", "parked")], "since-error"),
        (vec![("span", "hour")], "statuses-error"),
    ] {
        let page = world.post(&cookie, &path, &fields).await;
        assert_eq!(page.status, 422);
        page.shows(&format!("id=\"{error}\"")).hides("<b>\"");
    }
    // The script sends a moment in this form, and the field shows it again.
    let refused = world.post(&cookie, &path, &[("span", "own"), ("since", "2026-11-20T08:00:05.000Z")]).await;
    refused.shows("id=\"statuses-error\"").shows("value=\"2026-11-20T08:00:05\"");
    let moment = [("span", "own"), ("since", "2026-11-20T08:00"), ("status", "parked")];
    let begun = world.post(&cookie, &path, &moment).await;
    let (_, job) = begun.location().split_once("job=").expect("a job");
    let (_, job) = world.call("acme", "GET", &format!("/v1/jobs/{job}"), Value::Null).await;
    assert_eq!(job["since"], "2026-11-20T08:00:00.000Z");
}

#[tokio::test]
async fn a_destination_goes_with_the_subscriptions_that_were_shown() {
    let world = world().await;
    let (id, other) = (world.destination("acme", "Billing").await, world.destination("acme", "Other").await);
    subscribe(&world, "Kept", &other).await;
    let (path, cookie) = (format!("/destinations/{id}/delete"), world.visitor("acme", Role::Editor).await);
    world.get(&cookie, &path).await.shows("No subscription sends to it").hides("name=\"shown\"");
    let page = world.get(&cookie, &path).await;
    page.shows("Deliveries that wait for an attempt are cancelled when it is due")
        .shows("stay parked")
        .shows("never sent");
    // A subscription that was created after the page was shown is not deleted, whether or not others were shown.
    let first = subscribe(&world, "Newcomer", &id).await;
    let page = world.post(&cookie, &path, &[]).await;
    assert_eq!(page.status, 409);
    page.shows("Nothing was deleted").shows("Newcomer").hides("Kept").shows(&format!("value=\"{first}\""));
    let second = subscribe(&world, "Latecomer", &id).await;
    let page = world.post(&cookie, &path, &[("shown", &first)]).await;
    assert_eq!(page.status, 409);
    page.shows("Nothing was deleted").shows("Newcomer").shows("Latecomer");
    let page = world.post(&cookie, &path, &[("shown", &first), ("shown", &second)]).await;
    assert_eq!((page.status, page.location()), (303, "/destinations?done=deleted"));
    world.get(&cookie, page.location()).await.shows("Deleted.").hides("Billing").shows("Other");
    let (_, left) = world.call("acme", "GET", "/v1/subscriptions", Value::Null).await;
    assert_eq!(
        left["data"].as_array().map(|all| all.iter().map(|s| s["name"].clone()).collect()),
        Some(vec![json!("Kept")])
    );
    assert_eq!(world.get(&cookie, &path).await.status, 404);
}

/// The page, which has cost no more than a request may.
async fn cheap(page: impl Future<Output = Page>) -> Page {
    let (page, spent) = read_units::counted(async { (page.await, read_units::spent()) }).await;
    assert!(spent > 0.0 && spent <= 500.0, "it cost {spent}");
    page
}

/// Subscriptions of `acme` that no request created: every tenth sends to `id`, and the others to `other`.
fn store_subscriptions(world: &World, count: usize, [id, other]: [&str; 2]) {
    for n in 0..count {
        let mut one = subscription(&destination(&account("acme"), 1, "https://example.com/"), 1, &["*"], "*", None);
        let mut entropy = [0; 10];
        entropy[..8].copy_from_slice(&n.to_be_bytes());
        one.id = SubscriptionId::from_entropy(entropy);
        one.settings.name = format!("number {n}").try_into().expect("a name");
        let to: &str = if n % 10 == 0 { id } else { other };
        one.settings.destination_id = to.parse::<DestinationId>().expect("an id");
        world.store.put_subscription(one);
    }
}

#[tokio::test]
async fn a_destination_of_a_large_account_is_deleted_in_parts_that_read_no_more_than_a_request_may() {
    for (count, parts) in [(500, false), (3_000, true), (9_000, true)] {
        let world = world().await;
        let (id, other) = (world.destination("acme", "Billing").await, world.destination("acme", "Other").await);
        store_subscriptions(&world, count, [&id, &other]);
        let (path, cookie) = (format!("/destinations/{id}/delete"), world.visitor("acme", Role::Editor).await);
        let mut page = cheap(world.get(&cookie, &path)).await;
        let unseen = cheap(world.post(&cookie, &path, &[])).await;
        assert_eq!(unseen.status, 409);
        unseen.shows("Nothing was deleted");
        let mut rounds = 0;
        while page.status != 303 {
            rounds += 1;
            assert!(rounds < 9, "it never ends");
            let shown: Vec<_> = page.text.split("name=\"shown\" value=\"").skip(1).map(|rest| &rest[..20]).collect();
            let more = page.text.contains("name=\"more\" value=\"true\"");
            assert!(more == parts && (more || shown.len() == count / 10), "{count}: {}", page.text);
            let fields = shown.into_iter().map(|id| ("shown", id)).chain(more.then_some(("more", "true")));
            let next = cheap(world.post(&cookie, &path, &fields.collect::<Vec<_>>())).await;
            assert!(next.status == 303 || next.text.contains("Delete it again to go on"), "{}", next.text);
            page = next;
        }
        assert_eq!(rounds > 1, parts);
        assert_eq!(world.call("acme", "GET", &format!("/v1/destinations/{id}"), Value::Null).await.0, 404);
    }
}

#[tokio::test]
async fn all_wrong_fields_of_a_recovery_are_told_at_once() {
    let world = world().await;
    let id = world.destination("acme", "Billing").await;
    let cookie = world.visitor("acme", Role::Editor).await;
    let fields = [("span", "own"), ("since", "yesterday")];
    let page = world.post(&cookie, &format!("/destinations/{id}/recover"), &fields).await;
    assert_eq!(page.status, 422);
    page.shows("id=\"since-error\"").shows("id=\"statuses-error\"").shows("must name at least one");
}
