//! Opening links, and signing out.

use harness::Result;
use serde_json::json;
use tests::browser::Look;

use crate::world::World;

#[tokio::test]
async fn a_link_leads_to_the_wizard_for_its_scope_and_opens_once() -> Result<()> {
    let world = World::new("entry").await?;
    let link = world.link(json!({"scope": "connection/xero/endpoint/invoices"})).await?;
    let first = world.browser(Look::default()).await?;
    first.visit(&link).await?;
    first.is_at("/configure?scope=connection").await?;
    first.find("heading", "Configure webhooks").await?;
    first.check_accessibility().await?;

    let second = world.browser(Look::default()).await?;
    second.expect_status(410);
    second.visit(&link).await?;
    second.sees("This link was opened before").await?;
    second.check_accessibility().await?;
    second.visit("/deliveries").await?;
    second.expect_status(401);
    second.sees("You are not signed in").await?;
    second.check_accessibility().await?;
    second.finish().await?;

    first.reload().await?;
    first.find("heading", "Configure webhooks").await?;
    first.finish().await
}

#[tokio::test]
async fn a_link_is_opened_without_scripts_as_well() -> Result<()> {
    let world = World::new("entry").await?;
    let browser = world.signed_in(Look::default().without_scripts()).await?;
    browser.find("heading", "Configure webhooks").await?;
    browser.click("button", "Sign out").await?;
    browser.sees("You are signed out").await?;
    browser.expect_status(401);
    browser.visit("/configure").await?;
    browser.sees("You are not signed in").await?;
    browser.finish().await
}

#[tokio::test]
async fn a_link_into_another_account_asks_first() -> Result<()> {
    let (ours, theirs) = (World::new("entry").await?, World::new("entry").await?);
    ours.customer.create_destination("Ours", &ours.receiver.url("/ours")).await?;
    let link = theirs.link(json!({})).await?;
    let browser = ours.signed_in(Look::default()).await?;
    browser.expect_status(409);
    browser.visit(&link).await?;
    browser.sees(ours.customer.account()).await?;
    browser.sees(theirs.customer.account()).await?;
    browser.check_accessibility().await?;
    browser.click("link", "Stay signed in").await?;
    browser.find("link", "Ours").await?;
    browser.visit(&link).await?;
    browser.click("button", "Open the link").await?;
    browser.is_at("/configure").await?;
    browser.visit("/destinations").await?;
    browser.sees("No destination yet").await?;
    browser.finish().await
}
