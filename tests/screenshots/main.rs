//! Takes pictures of every page in both themes, on a laptop and on a phone, and puts them into `target/screenshots`.
//! Run by `make screenshots`.
//!
//! First it fills an account through the API and the queue, so everything in the pictures has really happened. It fails
//! if a page requests something from another origin, violates its security policy, or is not accessible.

#![expect(clippy::print_stdout, reason = "a command line tool")]

mod pages;
mod story;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use harness::{Deployment, Failure, Result, checkout};
use serde_json::json;
use tests::browser::{Browser, Look, Theme};

use crate::pages::{Act, Page};
use crate::story::Story;

/// The screens: their names in file names, and their width and height.
const SCREENS: [(&str, u32, u32); 2] = [("1280", 1280, 800), ("360", 360, 740)];

/// Somebody's browser, and the pages to look at.
struct Viewer {
    browser: Browser,
    pages: Vec<Page>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match take_all().await {
        Ok(0) => ExitCode::SUCCESS,
        Ok(problems) => {
            println!("{problems} pages have problems");
            ExitCode::FAILURE
        }
        Err(failure) => {
            println!("{failure:?}");
            ExitCode::FAILURE
        }
    }
}

/// Takes all pictures, and returns how many pages have problems.
async fn take_all() -> Result<u32> {
    let deployment = Deployment::from_env()?;
    let folder = checkout::root().join("target/screenshots");
    println!("filling an account through the API and the queue ...");
    let story = Story::tell(&deployment).await?;
    let mut problems = 0;
    for viewer in viewers(&deployment, &story).await? {
        for page in &viewer.pages {
            if let Err(failure) = take(&viewer.browser, page, &folder).await {
                println!("{}: {failure:?}", page.name);
                problems += 1;
            }
        }
        if let Err(failure) = viewer.browser.finish().await {
            println!("{failure:?}");
            problems += 1;
        }
    }
    println!("the pictures are in {}", folder.display());
    Ok(problems)
}

/// Somebody without a session, somebody of an empty account, and somebody of the account that was filled.
async fn viewers(deployment: &Deployment, story: &Story) -> Result<Vec<Viewer>> {
    let operator = deployment.operator()?;
    let session = json!({"role": "admin", "scope": "connection/xero/endpoint/invoices"});
    let mut viewers =
        vec![Viewer { browser: Browser::open(deployment, Look::default()).await?, pages: pages::outside() }];
    for (account, pages) in [(&story.newcomer, pages::empty()), (&story.account, pages::filled(story))] {
        let browser = Browser::open(deployment, Look::default()).await?;
        browser.visit(&operator.offer_session(account, &session).await?).await?;
        browser.is_at("/configure").await?;
        viewers.push(Viewer { browser, pages });
    }
    Ok(viewers)
}

/// Goes to a page once, and takes its picture on every screen and in every theme.
async fn take(browser: &Browser, page: &Page, folder: &Path) -> Result<()> {
    browser.look_as(Look::default()).await?;
    if let Some(status) = page.status {
        browser.expect_status(status);
    }
    browser.visit(&page.path).await?;
    for act in &page.acts {
        perform(browser, act).await?;
    }
    let mut problems = Vec::new();
    for (screen, width, height) in SCREENS {
        for theme in [Theme::Light, Theme::Dark] {
            browser.look_as(Look::default().sized(width, height).in_theme(theme)).await?;
            browser.picture(&file(folder, page.name, screen, theme)).await?;
            if let Err(failure) = browser.check_accessibility().await {
                problems.push(format!("{screen} {}: {failure}", theme.name()));
            }
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(Failure::new(problems.join("\n")))
}

fn file(folder: &Path, name: &str, screen: &str, theme: Theme) -> PathBuf {
    folder.join(format!("{name}-{screen}-{}.png", theme.name()))
}

async fn perform(browser: &Browser, act: &Act) -> Result<()> {
    match act {
        Act::Click(role, name) => browser.click(role, name.clone()).await,
        Act::Choose(name) => browser.choose(name.clone()).await,
        Act::Fill(label, text) => browser.fill(*label, text).await,
        Act::See(words) => browser.sees(words).await,
    }
}
