//! Finds elements of a page by role and accessible name, and waits until they are there, or gone.
//!
//! The accessible name of a field is its label, that of a button its text. There must be only one match: two elements
//! with the same name are a mistake in the page or in the test.

use std::fmt;

use harness::failure::Result;
use serde_json::json;
use thirtyfour::By;
use thirtyfour::error::WebDriverResult;

use super::accessibility::Node;
use super::element::Element;
use super::session::Browser;

/// A JavaScript function that returns a CSS selector which matches only this element.
const PATH: &str = "function () {
  const steps = [];
  for (let at = this; at.parentElement; at = at.parentElement) {
    steps.unshift(`:nth-child(${[...at.parentElement.children].indexOf(at) + 1})`);
  }
  return [':root', ...steps].join(' > ');
}";

/// The accessible name of the wanted element. A plain text is the whole name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    Is(String),
    Has(String),
}

impl Name {
    /// A name that contains these words.
    pub fn with(words: impl Into<String>) -> Self {
        Name::Has(words.into())
    }

    pub(super) fn fits(&self, name: &str) -> bool {
        match self {
            Name::Is(all) => name == all,
            Name::Has(words) => name.contains(words.as_str()),
        }
    }
}

impl From<&str> for Name {
    fn from(name: &str) -> Self {
        Name::Is(name.to_owned())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Name::Is(all) => write!(f, "{all:?}"),
            Name::Has(words) => write!(f, "with {words:?}"),
        }
    }
}

impl<'b> Element<'b> {
    /// Waits for the only element with this role and name within this one: `row.find("button", "Resend")`.
    pub async fn find(&self, role: &str, name: impl Into<Name>) -> Result<Element<'b>> {
        self.browser.find_below(Some(self.node.number), &[role], &name.into()).await
    }
}

impl Browser {
    /// Waits for the only element with this role and name: `find("link", "Deliveries")`.
    pub async fn find(&self, role: &str, name: impl Into<Name>) -> Result<Element<'_>> {
        self.find_below(None, &[role], &name.into()).await
    }

    /// The names of all elements with this role that are there now.
    pub async fn names(&self, role: &str) -> Result<Vec<String>> {
        let all = self.until(role, async || self.nodes(None, Some(role)).await.map(Some)).await?;
        Ok(all.into_iter().map(|node| node.name).collect())
    }

    /// Waits until no element with this role and name is there.
    pub async fn lacks(&self, role: &str, name: impl Into<Name>) -> Result<()> {
        let name = name.into();
        self.until(&format!("no {role} {name}"), async || {
            let there = self.nodes(None, Some(role)).await?.iter().any(|node| name.fits(&node.name));
            Ok((!there).then_some(()))
        })
        .await
    }

    /// Waits until these words are on the page.
    pub async fn sees(&self, words: &str) -> Result<()> {
        self.until(&format!("the words {words:?}"), async || Ok(self.readable().await?.contains(words).then_some(())))
            .await
    }

    /// Waits until these words are not on the page.
    pub async fn sees_no(&self, words: &str) -> Result<()> {
        self.until(&format!("no words {words:?}"), async || Ok((!self.readable().await?.contains(words)).then_some(())))
            .await
    }

    /// Waits until the address's path and query start with this text.
    pub async fn is_at(&self, path: &str) -> Result<()> {
        self.until(&format!("the page {path}"), async || {
            let address = self.driver.current_url().await?;
            let at = &address[url::Position::BeforePath..url::Position::AfterQuery];
            Ok(at.starts_with(path).then_some(()))
        })
        .await
    }

    /// The page's whole text, with single spaces.
    pub async fn text(&self) -> Result<String> {
        self.until("something to read", async || self.readable().await.map(Some)).await
    }

    async fn readable(&self) -> WebDriverResult<String> {
        let text = self.driver.execute("return document.body.innerText", Vec::new()).await?;
        Ok(text.json().as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" "))
    }

    async fn find_below(&self, below: Option<i64>, roles: &[&str], name: &Name) -> Result<Element<'_>> {
        let what = format!("{} {name}", roles.join(" or "));
        self.until(&what, async || self.look(below, roles, name).await).await
    }

    /// Finds the element that is there now; `None` unless there is exactly one.
    pub(super) async fn look(
        &self,
        below: Option<i64>,
        roles: &[&str],
        name: &Name,
    ) -> WebDriverResult<Option<Element<'_>>> {
        let mut found = Vec::new();
        for role in roles {
            found.extend(self.nodes(below, Some(role)).await?.into_iter().filter(|node| name.fits(&node.name)));
        }
        match found.as_slice() {
            [only] => self.element(only).await.map(Some),
            _ => Ok(None),
        }
    }

    async fn element(&self, node: &Node) -> WebDriverResult<Element<'_>> {
        let object = self.devtools("DOM.resolveNode", json!({"backendNodeId": node.number})).await?;
        let call = json!({
            "objectId": object["object"]["objectId"], "functionDeclaration": PATH, "returnByValue": true,
        });
        let path = self.devtools("Runtime.callFunctionOn", call).await?;
        let path = path["result"]["value"].as_str().unwrap_or_default();
        let inner = self.driver.find(By::Css(path)).await?;
        Ok(Element::new(self, inner, node.clone()))
    }
}
