//! The surroundings of a test: an account, a receiver, a producer of events, and browsers with links to the page.
//!
//! It deliberately sets up nothing on the page itself, because that is what tests in a browser check.

use std::time::Duration;

use harness::api_client::{CreatedDestination, Customer, NewSubscription, Operator};
use harness::deployment::Deployment;
use harness::eventually::eventually;
use harness::failure::Result;
use harness::producer::{Producer, fresh_sample};
use harness::receiver::{Answer, Guard, Receiver};
use harness::unique::unique;
use serde_json::{Value, json};

use crate::browser::{Browser, Look};

/// How a receiver behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Verifies signatures with a Standard Webhooks library, and answers 401 to invalid ones.
    Verifies,
    /// Accepts everything.
    Trusts,
    /// Answers 500 to everything.
    Refuses,
    /// Answers later than any timeout.
    Hangs,
}

/// One account, and everything around it.
pub struct World {
    pub deployment: Deployment,
    pub operator: Operator,
    pub customer: Customer,
    pub receiver: Receiver,
    pub producer: Producer,
}

impl World {
    /// A fresh account, and a receiver.
    pub async fn new(name: &str) -> Result<Self> {
        let deployment = Deployment::from_env()?;
        let operator = deployment.operator()?;
        let customer = operator.register(&unique(name)).await?;
        let (receiver, producer) = (Receiver::start().await?, deployment.producer());
        Ok(Self { deployment, operator, customer, receiver, producer })
    }

    /// A link to the page of the account: `link(json!({"scope": "connection/xero", "role": "viewer"}))`.
    pub async fn link(&self, session: Value) -> Result<String> {
        self.operator.offer_session(self.customer.account(), &session).await
    }

    /// A browser in which nobody is signed in.
    pub async fn browser(&self, look: Look) -> Result<Browser> {
        Browser::open(&self.deployment, look).await
    }

    /// A browser in which an admin is signed in, by a link.
    pub async fn signed_in(&self, look: Look) -> Result<Browser> {
        let (browser, link) = (self.browser(look).await?, self.link(json!({"role": "admin"})).await?);
        if look.runs_scripts() {
            browser.visit(&link).await?;
        } else {
            browser.visit("/open").await?;
            browser.fill("Your link", &link).await?;
            browser.click("button", "Open").await?;
        }
        browser.is_at("/configure").await?;
        Ok(browser)
    }

    /// The URL of a path of the receiver that behaves in this `manner`, for a form. Tell the receiver the secret when
    /// there is one: `receiver.expect_secret(path, …)`.
    pub fn address(&self, path: &str, manner: Manner) -> String {
        match manner {
            Manner::Trusts => {}
            Manner::Verifies => self.receiver.guard(path, Guard::Verifies),
            Manner::Refuses => self.receiver.answer(path, [Answer::status(500).body("the database is down")]),
            Manner::Hangs => self.receiver.answer(path, [Answer::status(200).after(Duration::from_secs(120))]),
        }
        self.receiver.url(path)
    }

    /// Creates a destination at this path of the receiver, which verifies with its secret. It has no subscription yet.
    pub async fn destination_at(&self, path: &str) -> Result<CreatedDestination> {
        let created = self.customer.create_destination(path, &self.receiver.url(path)).await?;
        self.receiver.expect_secret(path, &created.secret);
        Ok(created)
    }

    /// Creates a destination at this path with a subscription to everything, and returns its id.
    pub async fn subscribed_at(&self, path: &str) -> Result<String> {
        let created = self.destination_at(path).await?;
        self.customer.subscribe(&NewSubscription::to_everything(&created.id)).await?;
        Ok(created.id)
    }

    /// Creates a destination with its own path, where the receiver behaves in this `manner`, and a subscription to
    /// everything.
    pub async fn destination(&self, name: &str, manner: Manner) -> Result<CreatedDestination> {
        let path = format!("/{}", unique("destination"));
        let created = self.customer.create_destination(name, &self.address(&path, manner)).await?;
        self.receiver.expect_secret(&path, &created.secret);
        self.customer.subscribe(&NewSubscription::to_everything(&created.id)).await?;
        Ok(created)
    }

    /// Pushes a sample of `events/` as if it had happened now, and returns its id.
    pub async fn push(&self, sample: &str) -> Result<String> {
        self.push_changed(sample, |_| ()).await
    }

    /// Like [`World::push`], after `change` was applied to the event.
    pub async fn push_changed(&self, sample: &str, change: impl FnOnce(&mut Value)) -> Result<String> {
        let mut event = fresh_sample(sample, self.customer.account())?;
        change(&mut event);
        self.producer.push(&event).await?;
        Ok(event["id"].as_str().unwrap_or_default().to_owned())
    }

    /// Gets this path from the API as the account's customer, and returns the body.
    pub async fn get(&self, path: &str) -> Result<Value> {
        self.customer.get(path).await?.expect_status(200)
    }

    /// Waits until a list of the API has `count` items, and returns them.
    pub async fn await_list(&self, path: &str, count: usize, limit: Duration) -> Result<Vec<Value>> {
        eventually(path, limit, async || {
            let found = self.customer.list(path).await?;
            Ok((found.len() == count).then_some(found))
        })
        .await
    }
}
