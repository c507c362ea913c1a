//! A customer's browser: Chromium without a window, controlled through chromedriver.
//!
//! Tests find elements of a page as assistive technology does, by role and name, and use them with mouse or keyboard.
//! Every search waits until the element is there. The browser's requests and complaints are recorded:
//! [`Browser::finish`] fails if a request went to another origin, or if the content security policy or the console
//! complained.
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
//! This code does not know any page of ours; only the tests do.

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
