//! The way in and out.

use crate::world::World;
use serde_json::json;
use tests::Result;
use tests::browser::Look;

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
    second.sees("Your session has ended").await?;
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
    browser.sees("Your session has ended").await?;
    browser.finish().await
}
