//! The frame around every page: title, navigation, and a notice of what was just done.

use domain::value::Timestamp;

use crate::markup::address::query;
use crate::markup::icons::{self, Icon};

/// The path that the script requests from time to time while the page is visible, so that the session does not end.
pub const RENEWAL: &str = "/renew";

/// The query parameter that names the account of the page that contains a form.
pub const SENDER: &str = "account";

/// The navigation: path, name and icon of each section.
pub const SECTIONS: &[(&str, &str, Icon)] = &[
    ("/destinations", "Destinations", icons::TARGET),
    ("/subscriptions", "Subscriptions", icons::FILTER),
    ("/deliveries", "Deliveries", icons::SEND),
    ("/events", "Events", icons::ZAP),
    ("/ledger", "Ledger", icons::SCALE),
];

/// The data for the frame around a page.
#[derive(Debug, Clone)]
pub struct Shell {
    pub title: String,
    /// The section that the page belongs to.
    pub section: &'static str,
    /// The account that is signed in. Without one there is no navigation.
    pub account: Option<String>,
    pub may_change: bool,
    pub may_rotate: bool,
    /// When the session ends at the latest.
    pub ends_at: Option<Timestamp>,
    /// A notice of what was just done.
    pub done: Option<&'static str>,
}

impl Shell {
    /// The shell of a page on which nobody is signed in.
    pub fn of_nobody(title: impl Into<String>) -> Self {
        let (title, section, account, ends_at, done) = (title.into(), "", None, None, None);
        Self { title, section, account, may_change: false, may_rotate: false, ends_at, done }
    }

    /// The query that is appended to the address of a form. It names the account, so that the form is refused if this
    /// browser has been signed in to another account since.
    pub fn sender(&self) -> String {
        let account = self.account.as_deref();
        query(account.map(|account| (SENDER, account)))
    }

    /// Adds the notice of what was just done. A redirect carries it as a word in the parameter `done`, and anybody can
    /// write or keep such an address. So each page has its own words, and shows the notice only while it is true.
    pub fn after(mut self, done: Option<&'static str>) -> Self {
        self.done = done;
        self
    }
}
