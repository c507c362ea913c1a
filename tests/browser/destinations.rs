//! The pages of destinations: viewing, editing, pausing, and rotating secrets.

use std::time::Duration;

use harness::Result;
use harness::failure::OrFailure;
use tests::browser::{Look, Name};
use tests::world::{Manner, World};

/// How long a delivery may take, including the start of the functions.
const ARRIVING: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_destination_is_edited_and_what_is_wrong_is_told_by_its_field() -> Result<()> {
    let world = World::new("edit").await?;
    let destination = world.destination("Billing", Manner::Verifies).await?;
    let browser = world.signed_in(Look::default()).await?;
    browser.click("link", "Destinations").await?;
    browser.click("link", "Billing").await?;
    browser.click("link", "Edit").await?;
    browser.fill("Name", "Billing <i>&</i> more").await?;
    browser.fill("Rate limit, in deliveries a second", "5000").await?;
    browser.expect_status(422);
    browser.click("button", "Save").await?;
    let limit = browser.find("textbox", "Rate limit, in deliveries a second").await?;
    assert_eq!(limit.attribute("aria-invalid").await?.as_deref(), Some("true"));
    browser.check_accessibility().await?;
    browser.fill("Rate limit, in deliveries a second", "50").await?;
    browser.click("button", "Save").await?;
    browser.sees("50 deliveries a second").await?;
    // What was typed is shown as text everywhere.
    browser.find("heading", Name::with("Billing <i>&</i> more")).await?;
    let now = world.customer.get(&format!("/v1/destinations/{}", destination.id)).await?.expect_status(200)?;
    assert_eq!((&now["name"], &now["rate_limit"]), (&"Billing <i>&</i> more".into(), &50.into()));
    browser.finish().await
}

#[tokio::test]
async fn what_is_owed_to_a_paused_destination_is_kept_and_sent_when_it_is_resumed() -> Result<()> {
    let world = World::new("pause").await?;
    world.destination("Billing", Manner::Verifies).await?;
    let browser = world.signed_in(Look::default()).await?;
    browser.visit("/destinations").await?;
    browser.click("link", "Billing").await?;
    browser.click("button", "Pause").await?;
    browser.sees("What is owed is kept until you resume").await?;
    browser.sees("paused").await?;
    browser.check_accessibility().await?;
    // The change takes effect everywhere within five seconds.
    tokio::time::sleep(Duration::from_secs(6)).await;
    world.push("demo-sync-run-succeeded").await?;
    browser.click("link", "All its deliveries").await?;
    browser.sees("parked").await?;
    assert_eq!(world.receiver.requests().len(), 0);
    browser.click("link", "Destinations").await?;
    browser.click("link", "Billing").await?;
    browser.click("button", "Resume").await?;
    browser.sees("What was set aside is on its way").await?;
    // The drain starts with the next run of `redrive`, within a minute.
    world.receiver.await_count("/", 1, Duration::from_secs(180)).await?;
    browser.finish().await
}

#[tokio::test]
async fn a_rotated_secret_is_shown_once_and_signs_at_once() -> Result<()> {
    let world = World::new("rotate").await?;
    let destination = world.destination("Billing", Manner::Verifies).await?;
    let browser = world.signed_in(Look::default()).await?;
    browser.visit(&format!("/destinations/{}", destination.id)).await?;
    browser.click("link", "Rotate secret").await?;
    browser.check_accessibility().await?;
    browser.choose(Name::with("At once")).await?;
    browser.click("button", "Rotate").await?;
    browser.find("heading", "The new secret of Billing").await?;
    browser.check_accessibility().await?;
    let text = browser.text().await?;
    let secret = text.split_whitespace().find(|word| word.starts_with("whsec_")).or_failure(|| "no secret is shown")?;
    assert_ne!(secret, destination.secret);
    let path = destination.body["url"].as_str().and_then(|url| url.rsplit('/').next()).unwrap_or_default();
    world.receiver.expect_secret(&format!("/{path}"), secret);
    browser.click("link", "I have saved it: send a test").await?;
    browser.click("button", "Prove my receiver").await?;
    browser.find("heading", "Your receiver is proven").await?;
    browser.visit(&format!("/destinations/{}", destination.id)).await?;
    browser.sees_no("whsec_").await?;
    browser.finish().await
}

#[tokio::test]
async fn the_last_day_of_a_destination_is_seen_at_a_glance() -> Result<()> {
    let world = World::new("glance").await?;
    world.destination("Billing", Manner::Verifies).await?;
    world.destination("Warehouse", Manner::Refuses).await?;
    for _ in 0..3 {
        world.push("demo-sync-run-succeeded").await?;
    }
    world.receiver.await_count("/", 6, ARRIVING).await?;
    let browser = world.signed_in(Look::default()).await?;
    browser.visit("/destinations").await?;
    // `redrive` makes the statistics each minute.
    for _ in 0..60 {
        if browser.text().await?.contains("100 %") {
            break;
        }
        tokio::time::sleep(Duration::from_secs(3)).await;
        browser.reload().await?;
    }
    browser.sees("100 %").await?;
    browser.check_accessibility().await?;
    browser.click("link", "Billing").await?;
    browser.sees("3 delivered").await?;
    browser.sees("as of").await?;
    browser.finish().await
}
