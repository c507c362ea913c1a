//! Sessions: what each visitor may see and do, and for how long.

use aws_sdk_dynamodb::types::AttributeValue;
use harness::Result;
use harness::failure::OrFailure;
use serde_json::json;
use tests::browser::{Browser, Look};
use tests::world::{Manner, World};

#[tokio::test]
async fn two_accounts_never_see_each_others() -> Result<()> {
    let (ours, theirs) = (World::new("ours").await?, World::new("theirs").await?);
    let our_destination = ours.destination("Ours", Manner::Verifies).await?;
    let their_destination = theirs.destination("Theirs", Manner::Verifies).await?;
    let our_event = ours.push("demo-sync-run-succeeded").await?;
    let their_event = theirs.push("demo-sync-run-succeeded").await?;
    let (our_browser, their_browser) =
        (ours.signed_in(Look::default()).await?, theirs.signed_in(Look::default()).await?);
    for (browser, mine, other) in [(&our_browser, "Ours", "Theirs"), (&their_browser, "Theirs", "Ours")] {
        browser.visit("/destinations").await?;
        browser.sees(mine).await?;
        browser.sees_no(other).await?;
        browser.visit("/deliveries").await?;
        browser.sees(mine).await?;
        browser.sees_no(other).await?;
    }
    let foreign = |destination: &str, event: &str| {
        let of = |path: &str| format!("/destinations/{destination}{path}");
        let test = format!("/configure/test?destination={destination}");
        [of(""), of("/edit"), of("/rotate"), of("/recover"), of("/delete"), format!("/events/{event}"), test]
    };
    refused(&our_browser, foreign(&their_destination.id, &their_event), "Theirs").await?;
    refused(&their_browser, foreign(&our_destination.id, &our_event), "Ours").await?;
    our_browser.finish().await?;
    their_browser.finish().await
}

/// As in two tabs: the page that is open still shows the account that it was made for.
#[tokio::test]
async fn a_page_does_nothing_and_follows_nothing_once_the_browser_is_another_accounts() -> Result<()> {
    let (ours, theirs) = (World::new("ours").await?, World::new("theirs").await?);
    ours.destination("Ours", Manner::Verifies).await?;
    let their_destination = theirs.destination("Theirs", Manner::Verifies).await?;
    let browser = ours.signed_in(Look::default()).await?;
    browser.visit("/deliveries").await?;
    browser.sees("No delivery yet").await?;
    let link = theirs.link(json!({})).await?;
    let token = json!({ "token": link.split_once('#').or_failure(|| "no link")?.1 });
    let opened = theirs.operator.stranger().post("/v1/sessions", &token).await?.expect_status(201)?;
    browser.set_cookie("__Host-synchub", opened["token"].as_str().unwrap_or_default()).await?;
    theirs.push("demo-sync-run-succeeded").await?;
    browser.sees("not live: this browser is signed in to another account").await?;
    browser.sees_no("Theirs").await?;
    browser.expect_status(409);
    browser.click("button", "Sign out").await?;
    browser.sees("This page belongs to another account").await?;
    browser.click("link", "Go to the start page").await?;
    browser.find("link", "Theirs").await?;
    browser.visit(&format!("/destinations/{}", their_destination.id)).await?;
    browser.find("heading", "Settings").await?;
    browser.finish().await
}

async fn refused(browser: &Browser, paths: impl IntoIterator<Item = String>, secret: &str) -> Result<()> {
    browser.expect_status(404);
    for path in paths {
        browser.visit(&path).await?;
        browser.sees("There is nothing here").await?;
        browser.sees_no(secret).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_session_that_was_not_used_for_a_quarter_of_an_hour_has_ended() -> Result<()> {
    let world = World::new("idle").await?;
    let browser = world.signed_in(Look::default()).await?;
    browser.visit("/destinations").await?;
    browser.find("heading", "Destinations").await?;
    set_last_use_back(&world).await?;
    browser.expect_status(401);
    browser.reload().await?;
    browser.find("heading", "Your session has ended").await?;
    browser.sees("you get a new link").await?;
    browser.check_accessibility().await?;
    // A new link leads back.
    browser.visit(&world.link(json!({"scope": "connection/xero"})).await?).await?;
    browser.is_at("/destinations").await?;
    browser.finish().await
}

/// As in two tabs: what was typed waits in one, while the other opens a new link.
#[tokio::test]
async fn what_was_typed_is_sent_again_after_a_session_ended() -> Result<()> {
    let world = World::new("typed").await?;
    let destination = world.destination("Billing", Manner::Verifies).await?;
    let browser = world.signed_in(Look::default()).await?;
    browser.visit(&format!("/destinations/{}/edit", destination.id)).await?;
    browser.fill("Description", "two\nlines").await?;
    set_last_use_back(&world).await?;
    browser.expect_status(401);
    browser.click("button", "Save").await?;
    browser.find("heading", "What you typed").await?;
    browser.check_accessibility().await?;
    let link = world.link(json!({})).await?;
    let token = json!({ "token": link.split_once('#').or_failure(|| "no link")?.1 });
    let opened = world.operator.stranger().post("/v1/sessions", &token).await?.expect_status(201)?;
    browser.set_cookie("__Host-synchub", opened["token"].as_str().unwrap_or_default()).await?;
    browser.click("button", "Send again").await?;
    browser.sees("Saved.").await?;
    browser.sees("two lines").await?;
    browser.finish().await
}

/// Moves the time at which the account's session was last used back by sixteen minutes.
async fn set_last_use_back(world: &World) -> Result<()> {
    const MINUTES: i64 = 16;
    let (table, client) = (&world.deployment.outputs.table_name, world.deployment.dynamodb());
    let text = |value: &str| AttributeValue::S(value.to_owned());
    let pk = format!("A#{}", world.customer.account());
    let found = client.query().table_name(table).key_condition_expression("pk = :pk AND begins_with(sk, :sk)");
    let found = found.expression_attribute_values(":pk", text(&pk)).expression_attribute_values(":sk", text("SES#"));
    let found = found.send().await.or_failure(|| "cannot find the session")?;
    let session = found.items().first().or_failure(|| "there is no session")?;
    let noted = session["opened"].as_m().ok().and_then(|opened| opened["last_used_ms"].as_n().ok());
    let noted: i64 = noted.and_then(|ms| ms.parse().ok()).or_failure(|| "the session was never used")?;
    let then = noted - MINUTES * 60_000;
    let update = client.update_item().table_name(table).update_expression("SET opened.last_used_ms = :then");
    let update = update.key("pk", session["pk"].clone()).key("sk", session["sk"].clone());
    let update = update.expression_attribute_values(":then", AttributeValue::N(then.to_string()));
    update.send().await.or_failure(|| "cannot set it back").map(drop)
}

#[tokio::test]
async fn a_viewer_looks_and_changes_nothing() -> Result<()> {
    let world = World::new("viewer").await?;
    let destination = world.destination("Billing", Manner::Verifies).await?;
    let browser = world.browser(Look::default()).await?;
    browser.visit(&world.link(json!({"role": "viewer"})).await?).await?;
    browser.find("heading", "Deliveries").await?;
    browser.lacks("link", "Configure webhooks").await?;
    browser.visit(&format!("/destinations/{}", destination.id)).await?;
    browser.find("heading", "Settings").await?;
    for (role, name) in [("button", "Pause"), ("link", "Edit"), ("link", "Rotate secret"), ("link", "Delete")] {
        browser.lacks(role, name).await?;
    }
    browser.check_accessibility().await?;
    browser.expect_status(403);
    browser.visit("/configure").await?;
    browser.find("heading", "You may not do this").await?;
    browser.finish().await
}
