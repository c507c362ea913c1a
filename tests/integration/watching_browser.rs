//! Tests the browser that other tests use: it complains about pages that have something wrong, and finds things by role
//! and name, with and without scripts.
//!
//! The test serves the pages itself, and uses nothing of the system.

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use harness::{Failure, Result};
use tests::browser::{Browser, Key, Look, Name, Theme};
use tokio::net::TcpListener;

const GOOD: &str = "<!doctype html><html lang='en'><title>Good</title><script src='/script.js'></script>
  <main><h1>Good</h1><noscript>No scripts here</noscript>
  <form action='/sent'>
    <label>Name <input name='name' value='old'></label>
    <label>Size <select name='size'><option>small<option>large</select></label>
    <label><input type='radio' name='kind' value='a'> First kind</label>
    <label><input type='radio' name='kind' value='b'> Second kind</label>
    <button>Save <b>it</b></button>
  </form></main></html>";
const INACCESSIBLE: &str = "<!doctype html><html lang='en'><title>Bad</title><main><h1>Bad</h1><input></main></html>";
const GREEDY: &str = "<!doctype html><title>Greedy</title><img src='http://127.0.0.2:9/image.png' alt=''>";
const VIOLATING: &str = "<!doctype html><title>Violating</title><script>document.title = 'run'</script>";
const FAILING: &str = "<!doctype html><title>Failing</title><script src='/broken.js'></script>";
const TALL: &str = "<!doctype html><title>Tall</title><body style='margin: 0'><div style='height: 5000px'></div>";
const POLICY: &str = "default-src 'self'; img-src *; style-src 'unsafe-inline'";

/// Serves the pages, and returns their origin.
async fn serve() -> Result<String> {
    let page = |html: &'static str| get(async move || ([("content-security-policy", POLICY)], Html(html)));
    let script = |text: &'static str| get(async move || ([("content-type", "text/javascript")], text));
    let router = Router::new()
        .route("/good", page(GOOD))
        .route("/inaccessible", page(INACCESSIBLE))
        .route("/greedy", page(GREEDY))
        .route("/violating", page(VIOLATING))
        .route("/failing", page(FAILING))
        .route("/tall", page(TALL))
        .route("/sent", page("<!doctype html><title>Sent</title>"))
        .route("/favicon.ico", page(""))
        .route(
            "/script.js",
            script("addEventListener('load', () => { document.querySelector('h1').textContent += '!'; });"),
        )
        .route("/broken.js", script("nothing.like.this();"));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(|error| Failure::new(error.to_string()))?;
    let address = listener.local_addr().map_err(|error| Failure::new(error.to_string()))?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(format!("http://{address}"))
}

/// The result of looking at a page.
async fn seeing(path: &str) -> Result<()> {
    let browser = Browser::open_for(&serve().await?, Look::default()).await?;
    browser.visit(path).await?;
    browser.finish().await
}

#[track_caller]
fn assert_complains(result: Result<()>, words: &str) {
    let complaint = result.err().map(|failure| failure.to_string()).unwrap_or_default();
    assert!(complaint.contains(words), "{complaint:?}");
}

#[tokio::test]
async fn a_request_to_another_origin_is_seen() {
    assert_complains(seeing("/greedy").await, "it sent a request to another origin: http://127.0.0.2:9/image.png");
}

#[tokio::test]
async fn a_violation_of_the_security_policy_is_seen() {
    assert_complains(seeing("/violating").await, "security");
}

#[tokio::test]
async fn a_script_that_fails_is_seen() {
    assert_complains(seeing("/failing").await, "nothing is not defined");
}

#[tokio::test]
async fn a_status_is_seen_unless_it_was_expected() -> Result<()> {
    assert_complains(seeing("/absent").await, "404");
    let browser = Browser::open_for(&serve().await?, Look::default()).await?;
    browser.expect_status(404);
    browser.visit("/absent").await?;
    browser.finish().await
}

#[tokio::test]
async fn what_not_everybody_can_use_is_seen() -> Result<()> {
    let browser = Browser::open_for(&serve().await?, Look::default()).await?;
    browser.visit("/good").await?;
    browser.check_accessibility().await?;
    browser.visit("/inaccessible").await?;
    assert_complains(browser.check_accessibility().await, "label: Form elements must have labels");
    browser.finish().await
}

/// Fills in the form of the good page and sends it.
async fn send(look: Look, heading: &str) -> Result<()> {
    let browser = Browser::open_for(&serve().await?, look).await?;
    browser.visit("/good").await?;
    browser.find("heading", heading).await?;
    browser.fill("Name", "new & shiny").await?;
    browser.select("Size", "large").await?;
    browser.choose(Name::with("Second")).await?;
    assert!(browser.find("radio", "Second kind").await?.is_chosen().await?);
    assert_eq!(browser.names("radio").await?, ["First kind", "Second kind"]);
    assert_eq!(browser.find("textbox", "Name").await?.value().await?, "new & shiny");
    browser.click("button", "Save it").await?;
    browser.is_at("/sent").await?;
    assert_eq!(browser.path().await?, "/sent?name=new+%26+shiny&size=large&kind=b");
    browser.back().await?;
    browser.find("button", "Save it").await?;
    browser.finish().await
}

#[tokio::test]
async fn a_form_is_filled_in_by_labels_with_scripts() -> Result<()> {
    send(Look::default(), "Good!").await
}

#[tokio::test]
async fn a_form_is_filled_in_by_labels_without_scripts() -> Result<()> {
    send(Look::default().without_scripts(), "Good").await
}

#[tokio::test]
async fn the_keyboard_is_enough() -> Result<()> {
    let browser = Browser::open_for(&serve().await?, Look::default()).await?;
    browser.visit("/good").await?;
    browser.tab_to("textbox", "Name").await?;
    browser.press("newer").await?;
    browser.tab_to("button", "Save it").await?;
    browser.press(Key::Enter).await?;
    browser.is_at("/sent?name=newer").await?;
    assert_complains(browser.tab_to("button", "Save it").await, "Tab never leads to button \"Save it\"");
    browser.finish().await
}

#[tokio::test]
async fn a_picture_is_as_wide_as_the_screen() -> Result<()> {
    let browser = Browser::open_for(&serve().await?, Look::default().sized(360, 640)).await?;
    browser.visit("/good").await?;
    let path = harness::checkout::root().join("target/browser-picture.png");
    browser.picture(&path).await?;
    let size = |png: &[u8]| (png[16..20].to_vec(), png[20..24].to_vec());
    let narrow = std::fs::read(&path).expect("a picture");
    assert_eq!(size(&narrow), (360_u32.to_be_bytes().to_vec(), 640_u32.to_be_bytes().to_vec()));
    browser.look_as(Look::default().sized(3840, 2160).in_theme(Theme::Dark)).await?;
    browser.picture(&path).await?;
    let wide = std::fs::read(&path).expect("a picture");
    assert_eq!(size(&wide).0, 3840_u32.to_be_bytes());
    // No scrollbar takes part of the width, and no part of the height is cut off.
    browser.look_as(Look::default().sized(360, 640)).await?;
    browser.visit("/tall").await?;
    browser.picture(&path).await?;
    let tall = std::fs::read(&path).expect("a picture");
    assert_eq!(size(&tall), (360_u32.to_be_bytes().to_vec(), 5000_u32.to_be_bytes().to_vec()));
    browser.finish().await
}
