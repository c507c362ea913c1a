//! One element of a page.
//!
//! An element is lost when another page is loaded: look for it again after a form was sent.

use harness::failure::{OrFailure, Result};
use thirtyfour::WebElement;

use super::accessibility::Node;
use super::session::Browser;

pub struct Element<'b> {
    pub(super) browser: &'b Browser,
    pub(super) inner: WebElement,
    pub(super) node: Node,
}

impl<'b> Element<'b> {
    pub(super) fn new(browser: &'b Browser, inner: WebElement, node: Node) -> Self {
        Self { browser, inner, node }
    }

    /// Its accessible name.
    pub fn name(&self) -> &str {
        &self.node.name
    }

    /// Its visible text.
    pub async fn text(&self) -> Result<String> {
        self.inner.text().await.or_failure(|| format!("cannot read {}", self.what()))
    }

    /// The value of a field.
    pub async fn value(&self) -> Result<String> {
        let value = self.inner.prop("value").await.or_failure(|| format!("cannot read {}", self.what()))?;
        Ok(value.unwrap_or_default())
    }

    /// The value of an attribute in the page's HTML.
    pub async fn attribute(&self, name: &str) -> Result<Option<String>> {
        self.inner.attr(name).await.or_failure(|| format!("cannot read {name} of {}", self.what()))
    }

    /// Whether a radio button or a checkbox is chosen.
    pub async fn is_chosen(&self) -> Result<bool> {
        self.inner.is_selected().await.or_failure(|| format!("cannot tell whether {} is chosen", self.what()))
    }

    /// Whether its whole width is visible without scrolling sideways.
    pub async fn is_within_the_width(&self) -> Result<bool> {
        let what = || format!("cannot measure {}", self.what());
        let (place, width) = (self.inner.rect().await.or_failure(what)?, self.browser.width().await?);
        Ok(place.x >= 0.0 && place.x + place.width <= width)
    }

    pub async fn click(&self) -> Result<()> {
        self.inner.click().await.or_failure(|| format!("cannot click {}", self.what()))
    }

    fn what(&self) -> String {
        format!("{} {:?}", self.node.role, self.node.name)
    }
}
