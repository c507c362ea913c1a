//! The pages of deliveries, events and the ledger, while something happens.

use std::time::Duration;

use harness::Result;
use harness::producer::fresh_sample;
use harness::receiver::Answer;
use harness::unique::unique;
use serde_json::json;
use tests::browser::{Look, Name};
use tests::world::{Manner, World};

/// How long a delivery may take, including the start of the functions.
const ARRIVING: Duration = Duration::from_secs(60);

#[tokio::test]
async fn new_deliveries_appear_while_somebody_looks() -> Result<()> {
    let world = World::new("live").await?;
    world.destination("Billing", Manner::Verifies).await?;
    let browser = world.signed_in(Look::default()).await?;
    browser.visit("/deliveries").await?;
    browser.sees("No delivery yet").await?;
    browser.check_accessibility().await?;
    // From here on nothing is clicked or reloaded.
    world.push("demo-sync-run-succeeded").await?;
    browser.find("link", "sync_run.completed").await?;
    // A click into the list focuses nothing in it, so the list keeps updating.
    browser.click("cell", "delivered").await?;
    world.push("demo-insight-succeeded").await?;
    browser.find("link", "insight_population.completed").await?;
    browser.find("link", "sync_run.completed").await?;
    browser.check_accessibility().await?;
    // While a link in it has the focus, the list stops and says why.
    browser.tab_to("link", "sync_run.completed").await?;
    browser.sees("paused while you are in the list").await?;
    browser.finish().await
}

#[tokio::test]
async fn moments_are_filtered_by_in_the_viewers_zone() -> Result<()> {
    let world = World::new("zone").await?;
    let browser = world.signed_in(Look::default().in_time_zone("Asia/Kolkata")).await?;
    browser.visit("/deliveries?since=2026-11-23T09:30:00Z").await?;
    let since = browser.find("DateTime", "Since (GMT+5:30)").await?;
    assert_eq!(since.value().await?, "2026-11-23T15:00");
    browser.click("button", "Show").await?;
    browser.is_at("/deliveries?status=&destination_id=&event_type=&scope=&since=2026-11-23T09%3A30%3A00.000Z").await?;
    browser.find("DateTime", "Since (GMT+5:30)").await?;
    // Every moment says on hover when it is, in the viewer's zone and in UTC: both ends of the span, and the end of the session.
    browser.visit("/ledger").await?;
    browser.sees("It closes").await?;
    let titles = browser.evaluate("[...document.querySelectorAll('time')].map((time) => time.title)").await?;
    let titles: Vec<_> = titles.as_array().into_iter().flatten().filter_map(|title| title.as_str()).collect();
    let tells = |title: &&str| title.contains("GMT+5:30") && title.ends_with(" UTC)");
    assert!(titles.len() == 3 && titles.iter().all(tells), "{titles:?}");
    browser.finish().await
}

#[tokio::test]
async fn a_failed_delivery_tells_its_attempts_and_is_sent_again() -> Result<()> {
    let world = World::new("resend").await?;
    let path = format!("/{}", unique("resend"));
    world.receiver.answer(&path, [Answer::status(500).body("<script>alert('answer')</script>")]);
    let settings = json!({"name": "Billing", "url": world.receiver.url(&path), "retry_policy": "none"});
    let created = world.customer.post("/v1/destinations", &settings).await?.expect_status(201)?;
    let id = created["id"].as_str().unwrap_or_default();
    world.customer.subscribe(&harness::api_client::NewSubscription::to_everything(id)).await?;
    world.push("demo-sync-run-failed").await?;
    let browser = world.signed_in(Look::default()).await?;
    browser.visit("/deliveries?status=exhausted").await?;
    browser.click("link", "sync_run.completed").await?;
    browser.find("heading", "Attempts").await?;
    browser.sees("answered 500, which is not 2xx").await?;
    browser.sees("<script>alert('answer')</script>").await?;
    browser.check_accessibility().await?;
    world.receiver.answer(&path, [Answer::status(204)]);
    browser.click("button", "Resend").await?;
    browser.sees("On its way again").await?;
    world.receiver.await_count(&path, 2, ARRIVING).await?;
    for _ in 0..20 {
        browser.reload().await?;
        if browser.text().await?.contains("It was accepted") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    browser.sees("It was accepted").await?;
    browser.finish().await
}

#[tokio::test]
async fn an_event_that_matched_nothing_says_why_and_leads_to_the_wizard() -> Result<()> {
    let world = World::new("unmatched").await?;
    let created = world.customer.create_destination("Billing", &world.address("/never", Manner::Trusts)).await?;
    let elsewhere = harness::api_client::NewSubscription::to_everything(&created.id).named("Elsewhere");
    world.customer.subscribe(&elsewhere.scope("connection/hubspot")).await?;
    let id = world.push("demo-sync-run-succeeded").await?;
    let browser = world.signed_in(Look::default()).await?;
    browser.visit("/events").await?;
    browser.sees("unmatched").await?;
    browser.check_accessibility().await?;
    browser.visit(&format!("/events/{id}")).await?;
    browser.sees("it listens at connection/hubspot").await?;
    browser.check_accessibility().await?;
    browser.click("link", "Subscribe to such events").await?;
    let place = browser.find("radio", Name::with("Table xero_invoices")).await?;
    assert!(place.is_chosen().await?);
    browser.finish().await
}

#[tokio::test]
async fn the_ledger_closes_and_every_number_leads_to_what_it_counts() -> Result<()> {
    let world = World::new("ledger").await?;
    world.destination("Billing", Manner::Verifies).await?;
    world.push("demo-sync-run-succeeded").await?;
    world.push("demo-sync-run-failed").await?;
    world.receiver.await_count("/", 2, ARRIVING).await?;
    let browser = world.signed_in(Look::default()).await?;
    for _ in 0..20 {
        browser.visit("/ledger").await?;
        if browser.text().await?.contains("2 delivered") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    browser.sees("It closes").await?;
    browser.check_accessibility().await?;
    browser.click("link", Name::with("2 delivered")).await?;
    browser.is_at("/ledger/deliveries").await?;
    browser.sees("Billing").await?;
    browser.check_accessibility().await?;
    browser.finish().await
}

#[tokio::test]
async fn markup_is_shown_as_text() -> Result<()> {
    const MARKUP: &str = "<img src=x onerror=alert(1)><script>alert(2)</script>";
    let world = World::new("markup").await?;
    world.destination(&format!("D {MARKUP}"), Manner::Verifies).await?;
    let mut event = fresh_sample("demo-sync-run-failed", world.customer.account())?;
    event["data"]["error"]["message"] = json!(MARKUP);
    event["data"]["endpoint"]["name"] = json!(format!("T {MARKUP}"));
    event["data"]["connection"]["name"] = json!(format!("C {MARKUP}"));
    world.producer.push(&event).await?;
    world.receiver.await_count("/", 1, ARRIVING).await?;
    let browser = world.signed_in(Look::default()).await?;
    // Had an image been requested or a script run, the browser would complain at the end.
    browser.visit("/configure").await?;
    browser.find("radio", Name::with(format!("T {MARKUP}"))).await?;
    browser.visit("/configure?step=where&scope=*&type=sync_run.completed").await?;
    browser.find("radio", Name::with(format!("D {MARKUP}"))).await?;
    browser.visit(&format!("/events/{}", event["id"].as_str().unwrap_or_default())).await?;
    browser.sees(MARKUP).await?;
    browser.visit("/deliveries").await?;
    browser.click("link", "sync_run.completed").await?;
    browser.sees(MARKUP).await?;
    browser.visit("/destinations").await?;
    browser.sees(&format!("D {MARKUP}")[..20]).await?;
    browser.finish().await
}
