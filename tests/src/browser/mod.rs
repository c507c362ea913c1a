//! A browser, as a customer has one in front of them: Chromium without a window, driven through chromedriver.
//!
//! What is on the page is found as assistive technology finds it, by role and name, and used by mouse or keyboard; every look
//! waits until it is there. What the browser asked for and complained about is watched all the time: [`Browser::finish`] fails when
//! a request went to another origin, or when the content security policy or the console had something to say.
//!
//! ```no_run
//! # use tests::browser::{Browser, Look};
//! # async fn example(deployment: &harness::Deployment, link: &str) -> harness::Result<()> {
//! let browser = Browser::open(deployment, Look::default().without_scripts()).await?;
//! browser.visit(link).await?;
//! browser.fill("Your link", link).await?;
//! browser.click("button", "Open").await?;
//! browser.sees("Where to").await?;
//! browser.check_accessibility().await?;
//! browser.finish().await
//! # }
//! ```
//!
//! It deliberately knows no page: what is on which belongs into the tests.

mod accessibility;
mod chromedriver;
mod element;
mod hands;
mod look;
mod lookup;
mod picture;
mod session;
mod watch;

pub use thirtyfour::Key;

pub use self::element::Element;
pub use self::look::{Look, Theme};
pub use self::lookup::Name;
pub use self::session::Browser;
