//! What holds for every page: it is accessible, in both themes and on a phone, and works without scripts.

use std::time::Duration;

use harness::Result;
use tests::browser::{Browser, Look, Theme};
use tests::world::{Manner, World};

/// How long a delivery may take, including the start of the functions.
const ARRIVING: Duration = Duration::from_secs(60);
/// The narrowest screen that pages have to fit.
const PHONE: (u32, u32) = (360, 740);

/// An account with something on every page, and the paths of all pages.
async fn furnished(name: &str) -> Result<(World, Vec<String>)> {
    let world = World::new(name).await?;
    let verifying = world.destination("Billing", Manner::Verifies).await?;
    let refusing = world.destination("Warehouse", Manner::Refuses).await?;
    let event = world.push("demo-sync-run-failed").await?;
    world.receiver.await_count("/", 2, ARRIVING).await?;
    let deliveries = harness::eventually::eventually("both deliveries to be listed", ARRIVING, async || {
        let listed = world.customer.list("/v1/deliveries").await?;
        Ok((listed.len() == 2).then_some(listed))
    });
    let deliveries = deliveries.await?;
    let subscriptions = world.customer.list("/v1/subscriptions").await?;
    let mut paths: Vec<String> = [
        "/configure",
        "/configure?step=when&scope=*&type=sync_run.completed&when=pattern&pattern=%7B%7D&check=1",
        "/configure?step=where&scope=*&type=sync_run.completed",
        "/destinations",
        "/subscriptions",
        "/deliveries",
        "/deliveries?status=exhausted",
        "/events",
        "/ledger",
        "/ledger/deliveries",
        "/sessions",
    ]
    .map(str::to_owned)
    .into();
    let of = |path: &str| format!("/destinations/{}{path}", verifying.id);
    paths.extend([of(""), of("/edit"), of("/rotate"), of("/recover"), of("/delete")]);
    paths.push(format!("/destinations/{}", refusing.id));
    paths.push(format!("/configure/test?destination={}", verifying.id));
    for (what, of) in [("deliveries", &deliveries), ("subscriptions", &subscriptions)] {
        paths.push(format!("/{what}/{}", of[0]["id"].as_str().unwrap_or_default()));
    }
    let subscription = subscriptions[0]["id"].as_str().unwrap_or_default();
    paths.extend([format!("/subscriptions/{subscription}/edit"), format!("/subscriptions/{subscription}/delete")]);
    paths.push(format!("/events/{event}"));
    Ok((world, paths))
}

/// Checks that every page has one heading of the first level, and nothing that is wider than the screen.
async fn look_at(browser: &Browser, path: &str) -> Result<()> {
    browser.visit(path).await?;
    browser.find("main", "").await?;
    browser.fits_the_screen().await
}

#[tokio::test]
async fn every_page_is_accessible_in_both_themes() -> Result<()> {
    let (world, paths) = furnished("themes").await?;
    let browser = world.signed_in(Look::default()).await?;
    // A pattern that accepts nothing is refused.
    browser.expect_status(422);
    for path in &paths {
        for theme in [Theme::Light, Theme::Dark] {
            browser.look_as(Look::default().in_theme(theme)).await?;
            look_at(&browser, path).await?;
            browser.check_accessibility().await?;
        }
        browser.look_as(Look::default().sized(PHONE.0, PHONE.1)).await?;
        look_at(&browser, path).await?;
        browser.check_accessibility().await?;
    }
    browser.finish().await
}

#[tokio::test]
async fn the_bar_shows_where_one_is_on_a_phone_as_well() -> Result<()> {
    let world = World::new("bar").await?;
    let browser = world.signed_in(Look::default().sized(PHONE.0, PHONE.1)).await?;
    for (path, section) in [("/destinations", "Destinations"), ("/events", "Events"), ("/ledger", "Ledger")] {
        browser.visit(path).await?;
        let link = browser.find("link", section).await?;
        assert!(link.is_within_the_width().await?, "{section} is out of sight");
    }
    browser.finish().await
}

#[tokio::test]
async fn the_bar_is_cut_at_no_width() -> Result<()> {
    let world = World::new("wide").await?;
    let browser = world.signed_in(Look::default()).await?;
    browser.visit("/destinations").await?;
    for width in [993, 1024, 1100, 1280, 1440, 1441, 1600, 1920, 2560, 3840] {
        browser.look_as(Look::default().sized(width, 900)).await?;
        browser.shows_all_of(".nav").await?;
        browser.fits_the_screen().await?;
    }
    browser.finish().await
}

#[tokio::test]
async fn every_page_is_there_without_scripts() -> Result<()> {
    let (world, paths) = furnished("plain").await?;
    let browser = world.signed_in(Look::default().without_scripts()).await?;
    browser.expect_status(422);
    for path in &paths {
        look_at(&browser, path).await?;
    }
    // Actions work there as well.
    browser.visit("/destinations").await?;
    browser.click("link", "Billing").await?;
    browser.click("button", "Pause").await?;
    browser.sees("What is owed is kept until you resume").await?;
    browser.click("button", "Resume").await?;
    browser.sees("What was set aside is on its way").await?;
    browser.visit("/deliveries?status=delivered").await?;
    browser.click("link", "sync_run.completed").await?;
    browser.click("button", "Resend").await?;
    browser.sees("On its way again").await?;
    browser.finish().await
}
