//! Using a page with mouse and keyboard.

use harness::failure::{Failure, OrFailure, Result};
use thirtyfour::error::{WebDriverErrorInner, WebDriverResult};
use thirtyfour::{By, Key, TypingData};

use super::lookup::Name;
use super::session::Browser;

/// The roles of fields for text.
const FIELDS: [&str; 4] = ["textbox", "searchbox", "spinbutton", "combobox"];
/// The roles of what can be chosen.
const CHOICES: [&str; 3] = ["radio", "checkbox", "switch"];
/// More tab stops than any page has.
const MOST_TABS: u32 = 400;

impl Browser {
    /// Clicks the only element with this role and name, as soon as it is there.
    pub async fn click(&self, role: &str, name: impl Into<Name>) -> Result<()> {
        let name = name.into();
        self.until(&format!("{role} {name}, to click it"), async || {
            let Some(found) = self.look(None, &[role], &name).await? else { return Ok(None) };
            found.inner.click().await.map(Some)
        })
        .await
    }

    /// Replaces the text in the field with this label.
    pub async fn fill(&self, label: impl Into<Name>, text: &str) -> Result<()> {
        let label = label.into();
        self.until(&format!("field {label}, to type into it"), async || {
            let Some(field) = self.look(None, &FIELDS, &label).await? else { return Ok(None) };
            field.inner.send_keys(Key::Control + "a").await?;
            let text = if text.is_empty() { TypingData::from(Key::Backspace) } else { TypingData::from(text) };
            field.inner.send_keys(text).await.map(Some)
        })
        .await
    }

    /// Chooses the radio button or checkbox with this label. If it is already chosen, it stays so.
    pub async fn choose(&self, label: impl Into<Name>) -> Result<()> {
        let label = label.into();
        self.until(&format!("{label}, to choose it"), async || {
            let Some(choice) = self.look(None, &CHOICES, &label).await? else { return Ok(None) };
            if !choice.inner.is_selected().await? {
                reach(choice.inner.click().await)?;
            }
            if !choice.inner.is_selected().await? {
                // The visible part is drawn by the label, which covers the button itself.
                choice.inner.send_keys(Key::Space).await?;
            }
            Ok(choice.inner.is_selected().await?.then_some(()))
        })
        .await
    }

    /// Selects an option of the list with this label.
    pub async fn select(&self, label: impl Into<Name>, option: &str) -> Result<()> {
        let label = label.into();
        self.until(&format!("{option:?} in the list {label}"), async || {
            let Some(list) = self.look(None, &["combobox", "listbox"], &label).await? else { return Ok(None) };
            for each in list.inner.find_all(By::Tag("option")).await? {
                if each.text().await? == option {
                    return each.click().await.map(Some);
                }
            }
            Ok(None)
        })
        .await
    }

    /// Presses keys at the element with the focus: a text, or `Key::Enter`.
    pub async fn press(&self, keys: impl Into<TypingData>) -> Result<()> {
        let keys = self.driver.action_chain().send_keys(keys.into());
        keys.perform().await.or_failure(|| "cannot press keys")
    }

    /// Role and name of the element with the focus; empty if it is the page itself.
    pub async fn focused(&self) -> Result<(String, String)> {
        let focused = self.until("the focus", async || self.focused_node().await.map(Some)).await?;
        Ok(focused.map(|node| (node.role, node.name)).unwrap_or_default())
    }

    /// Presses Tab until this element has the focus, like a person without a mouse.
    pub async fn tab_to(&self, role: &str, name: impl Into<Name>) -> Result<()> {
        let name = name.into();
        for _ in 0..MOST_TABS {
            self.press(Key::Tab).await?;
            let (at, called) = self.focused().await?;
            if at == role && name.fits(&called) {
                return Ok(());
            }
        }
        let outline = self.outline().await.unwrap_or_default();
        Err(Failure::new(format!("Tab never leads to {role} {name}; the page has:\n{outline}")))
    }
}

/// Whether a click arrived. It is not an error if something covers the element, because the keyboard can still be used.
fn reach(click: WebDriverResult<()>) -> WebDriverResult<bool> {
    match click {
        Ok(()) => Ok(true),
        Err(error) => match error.as_inner() {
            WebDriverErrorInner::ElementClickIntercepted(_) | WebDriverErrorInner::ElementNotInteractable(_) => {
                Ok(false)
            }
            _ => Err(error),
        },
    }
}
