//! The wizard, from a link to a proven receiver.

use std::time::Duration;

use harness::Result;
use harness::unique::unique;
use serde_json::{Value, json};
use tests::browser::{Browser, Key, Look, Name};

use crate::world::{Manner, World};

/// How long a delivery may take, including the start of the functions.
const ARRIVING: Duration = Duration::from_secs(60);

/// Chooses what to subscribe to: the failures of one table.
async fn choose_failures_of_a_table(browser: &Browser) -> Result<()> {
    browser.choose(Name::with("Somewhere else")).await?;
    browser.fill("Place", "connection/xero/endpoint/invoices").await?;
    browser.choose(Name::with("Sync run completed")).await?;
    browser.click("button", "Continue").await?;
    browser.find("heading", "Try it on sample events").await?;
    browser.choose(Name::with("Only failures")).await?;
    browser.click("button", "Continue").await?;
    browser.find("group", "Where to?").await.map(drop)
}

/// Names a new destination, and tells the receiver its secret.
async fn create(world: &World, browser: &Browser, manner: Manner) -> Result<String> {
    let path = format!("/{}", unique("wizard"));
    browser.fill("URL", &world.address(&path, manner)).await?;
    browser.fill("Name", "Billing").await?;
    browser.click("button", "Create").await?;
    browser.find("heading", "The signing secret of Billing").await?;
    let text = browser.text().await?;
    let secret = text.split_whitespace().find(|word| word.starts_with("whsec_")).unwrap_or_default();
    world.receiver.expect_secret(&path, secret);
    Ok(path)
}

#[tokio::test]
async fn a_link_leads_to_a_proven_receiver_that_gets_what_was_chosen() -> Result<()> {
    let world = World::new("wizard").await?;
    let browser = world.browser(Look::default()).await?;
    browser.visit(&world.link(json!({"scope": "connection/xero/endpoint/invoices"})).await?).await?;
    // The link's scope and its event types are already chosen.
    browser.find("group", "Where does it happen?").await?;
    browser.click("button", "Continue").await?;
    browser.choose(Name::with("Only failures")).await?;
    browser.sees("Not sent: status is \"succeeded\"; wanted: \"failed\"").await?;
    browser.check_accessibility().await?;
    browser.click("button", "Continue").await?;
    browser.find("group", "Where to?").await?;
    browser.check_accessibility().await?;
    let path = create(&world, &browser, Manner::Verifies).await?;
    for language in ["Python", "Node", "Rust", "Go", "Java", "C#", "PHP", "Ruby"] {
        browser.sees(language).await?;
    }
    browser.check_accessibility().await?;
    browser.click("link", "I have saved it: test").await?;
    browser.click("button", "Prove my receiver").await?;
    browser.find("heading", "Your receiver is proven").await?;
    browser.sees("It refuses a request that is six minutes old").await?;
    browser.check_accessibility().await?;

    let tested = world.receiver.requests_below(&path).len();
    world.push("demo-sync-run-succeeded").await?;
    let failing = |event: &mut Value| {
        event["data"]["status"] = json!("failed");
        event["data"]["error"] = json!({"code": "timed_out", "message": "Xero took too long", "retryable": true});
    };
    let failed = world.push_changed("demo-sync-run-succeeded", failing).await?;
    let arrived = world.receiver.await_count(&path, tested + 1, ARRIVING).await?;
    let last = arrived.last().expect("a request");
    assert_eq!((last.event_id(), &last.verified), (failed, &Ok(())));
    browser.finish().await
}

#[tokio::test]
async fn a_receiver_that_checks_nothing_is_told_what_to_mend() -> Result<()> {
    let world = World::new("wizard").await?;
    let browser = world.signed_in(Look::default()).await?;
    choose_failures_of_a_table(&browser).await?;
    create(&world, &browser, Manner::Trusts).await?;
    browser.click("link", "I have saved it: test").await?;
    browser.click("button", "Prove my receiver").await?;
    browser.sees("Your receiver is not proven yet").await?;
    browser.sees("it accepted a request that was six minutes old").await?;
    browser.check_accessibility().await?;
    browser.click("button", "Send test").await?;
    browser.sees_no("not proven").await?;
    browser.find("heading", "Result").await?;
    browser.finish().await
}

#[tokio::test]
async fn back_and_forward_keep_what_was_typed() -> Result<()> {
    let world = World::new("wizard").await?;
    let browser = world.signed_in(Look::default()).await?;
    choose_failures_of_a_table(&browser).await?;
    browser.fill("URL", "https://billing.example/hooks").await?;
    browser.fill("Name", "Billing <b>&</b>").await?;
    // By the page's own button ...
    browser.click("button", "Back").await?;
    assert!(browser.find("radio", Name::with("Only failures")).await?.is_chosen().await?);
    browser.click("button", "Back").await?;
    assert_eq!(browser.find("textbox", "Place").await?.value().await?, "connection/xero/endpoint/invoices");
    browser.click("button", "Continue").await?;
    browser.click("button", "Continue").await?;
    assert_eq!(browser.find("textbox", "Name").await?.value().await?, "Billing <b>&</b>");
    // ... and by the browser's.
    browser.fill("URL", "https://other.example/").await?;
    browser.back().await?;
    browser.find("group", "Which of these events?").await?;
    browser.forward().await?;
    assert_eq!(browser.find("textbox", "URL").await?.value().await?, "https://other.example/");
    browser.finish().await
}

#[tokio::test]
async fn a_pattern_is_checked_while_it_is_typed() -> Result<()> {
    let world = World::new("wizard").await?;
    let browser = world.signed_in(Look::default()).await?;
    browser.choose(Name::with("Everywhere")).await?;
    browser.choose(Name::with("Sync run completed")).await?;
    browser.click("button", "Continue").await?;
    browser.choose(Name::with("My own pattern")).await?;
    // An incomplete pattern is reported as such.
    browser.expect_status(422);
    browser.fill("Pattern", r#"{"records": {"inserted": [{"numeric": [">", 100"#).await?;
    browser.sees("this is not JSON").await?;
    browser.fill("Pattern", r#"{"records": {"inserted": [{"numeric": [">", 100]}]}}"#).await?;
    browser.sees("records.inserted is 34").await?;
    browser.fill("Pattern", r#"{"records": {"inserted": ["x"], "updated": []}}"#).await?;
    browser.sees("/records/updated").await?;
    browser.check_accessibility().await?;
    browser.click("button", "Continue").await?;
    browser.sees("/records/updated").await?;
    browser.finish().await
}

#[tokio::test]
async fn what_cannot_be_created_is_told_by_its_field() -> Result<()> {
    let world = World::new("wizard").await?;
    let browser = world.signed_in(Look::default()).await?;
    choose_failures_of_a_table(&browser).await?;
    browser.fill("URL", "https://10.0.0.1/hooks").await?;
    browser.fill("Name", "Billing").await?;
    browser.expect_status(422);
    browser.click("button", "Create").await?;
    browser.sees("never called").await?;
    let url = browser.find("textbox", "URL").await?;
    assert_eq!(url.attribute("aria-invalid").await?.as_deref(), Some("true"));
    assert_eq!(url.value().await?, "https://10.0.0.1/hooks");
    browser.check_accessibility().await?;
    // It is all there after reloading, and after going on and coming back.
    browser.reload().await?;
    browser.sees("never called").await?;
    assert_eq!(browser.find("textbox", "Name").await?.value().await?, "Billing");
    browser.fill("URL", "https://10.0.0.2/hooks").await?;
    browser.visit("/destinations").await?;
    browser.back().await?;
    assert_eq!(browser.find("textbox", "URL").await?.value().await?, "https://10.0.0.2/hooks");
    browser.finish().await
}

#[tokio::test]
async fn the_keyboard_alone_completes_the_wizard() -> Result<()> {
    let world = World::new("wizard").await?;
    let browser = world.browser(Look::default()).await?;
    browser.visit(&world.link(json!({"scope": "connection/xero/endpoint/invoices"})).await?).await?;
    browser.tab_to("button", "Continue").await?;
    browser.press(Key::Enter).await?;
    browser.find("group", "Which of these events?").await?;
    browser.tab_to("radio", Name::with("All of them")).await?;
    browser.press(Key::Down).await?;
    assert!(browser.focused().await?.1.contains("Only failures"));
    browser.tab_to("button", "Continue").await?;
    browser.press(Key::Enter).await?;
    browser.find("group", "Where to?").await?;
    let path = format!("/{}", unique("keyboard"));
    browser.tab_to("textbox", "URL").await?;
    browser.press(world.address(&path, Manner::Verifies)).await?;
    browser.tab_to("textbox", "Name").await?;
    browser.press("Billing").await?;
    browser.press(Key::Enter).await?;
    browser.find("heading", "The signing secret of Billing").await?;
    let text = browser.text().await?;
    let secret = text.split_whitespace().find(|word| word.starts_with("whsec_")).unwrap_or_default();
    world.receiver.expect_secret(&path, secret);
    browser.tab_to("link", "I have saved it: test").await?;
    browser.press(Key::Enter).await?;
    browser.tab_to("button", "Prove my receiver").await?;
    browser.press(Key::Enter).await?;
    browser.find("heading", "Your receiver is proven").await?;
    browser.finish().await
}

#[tokio::test]
async fn the_wizard_needs_no_script() -> Result<()> {
    let world = World::new("wizard").await?;
    let browser = world.signed_in(Look::default().without_scripts()).await?;
    choose_failures_of_a_table(&browser).await?;
    browser.click("button", "Back").await?;
    browser.choose(Name::with("My own pattern")).await?;
    browser.fill("Pattern", r#"{"status": ["failed"]}"#).await?;
    browser.click("button", "Check against the samples").await?;
    browser.sees("status is \"partial\"").await?;
    browser.click("button", "Continue").await?;
    create(&world, &browser, Manner::Verifies).await?;
    browser.click("link", "I have saved it: test").await?;
    browser.click("button", "Prove my receiver").await?;
    browser.find("heading", "Your receiver is proven").await?;
    browser.finish().await
}

#[tokio::test]
async fn reloading_the_page_that_shows_a_secret_creates_nothing_twice() -> Result<()> {
    let world = World::new("wizard").await?;
    let browser = world.signed_in(Look::default()).await?;
    choose_failures_of_a_table(&browser).await?;
    create(&world, &browser, Manner::Trusts).await?;
    browser.reload().await?;
    browser.find("heading", "Test Billing").await?;
    browser.sees_no("whsec_").await?;
    assert_eq!(world.customer.list("/v1/destinations").await?.len(), 1);
    browser.finish().await
}

#[tokio::test]
async fn one_of_many_destinations_is_found_and_chosen() -> Result<()> {
    let world = World::new("many").await?;
    for number in 0..12 {
        let name = format!("Receiver {number:02}");
        world.customer.create_destination(&name, &world.address(&format!("/{number}"), Manner::Trusts)).await?;
    }
    for look in [Look::default(), Look::default().without_scripts()] {
        let browser = world.signed_in(look).await?;
        choose_failures_of_a_table(&browser).await?;
        browser.fill("URL", "https://typed.example/").await?;
        browser.click("button", "More destinations").await?;
        browser.lacks("button", "More destinations").await?;
        assert_eq!(browser.find("textbox", "URL").await?.value().await?, "https://typed.example/");
        // Enter searches, and creates nothing.
        browser.fill("Find a destination by its name", "ER 07").await?;
        browser.press(Key::Enter).await?;
        browser.choose(Name::with("Receiver 07")).await?;
        browser.lacks("radio", Name::with("Receiver 08")).await?;
        if look.runs_scripts() {
            browser.check_accessibility().await?;
        }
        browser.fill("Find a destination by its name", "nobody").await?;
        browser.click("button", "Find").await?;
        assert!(browser.find("radio", Name::with("Receiver 07")).await?.is_chosen().await?);
        assert!(world.customer.list("/v1/subscriptions").await?.is_empty());
        browser.finish().await?;
    }
    let browser = world.signed_in(Look::default()).await?;
    browser.visit("/destinations").await?;
    browser.lacks("search", "Find destinations").await?;
    browser.visit("/destinations?name_contains=07").await?;
    browser.find("link", "Receiver 07").await?;
    browser.lacks("link", "Receiver 08").await?;
    browser.check_accessibility().await?;
    browser.finish().await
}
