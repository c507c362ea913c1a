//! One session of a browser, from its start to the check of its logs at the end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use harness::deployment::Deployment;
use harness::eventually::eventually;
use harness::failure::{Failure, OrFailure, Result};
use harness::signed_http;
use serde_json::{Value, json};
use thirtyfour::WebDriver;
use thirtyfour::error::WebDriverResult;

use super::chromedriver::Chromedriver;
use super::look::Look;
use super::watch::complaints;

/// How long a page may take to show something. A test payload to a receiver that hangs takes 25 s.
const PATIENCE: Duration = Duration::from_secs(40);
/// How long one command may take. Loading a page is one command.
const COMMAND: Duration = Duration::from_secs(60);
/// How many attempts there are to start a browser.
const TRIES: u32 = 3;

/// A browser with one page. Dropping it ends it; [`Browser::finish`] also checks what it did.
pub struct Browser {
    pub(super) driver: WebDriver,
    /// The only origin that pages may send requests to.
    origin: String,
    /// Statuses of failed requests that the test expects.
    expected: Mutex<Vec<u16>>,
    finished: bool,
    /// The last field, so that it is dropped after the driver that talks to it.
    _chromedriver: Chromedriver,
}

impl Browser {
    /// Opens a browser for the page of a deployment, at an empty page and without cookies.
    pub async fn open(deployment: &Deployment, look: Look) -> Result<Self> {
        Self::open_for(&deployment.outputs.portal_url, look).await
    }

    /// Opens a browser for the pages of any origin, such as `http://127.0.0.1:8080`.
    pub async fn open_for(origin: &str, look: Look) -> Result<Self> {
        let (chromedriver, driver) = Self::start(look).await?;
        let (origin, expected) = (origin.to_owned(), Mutex::default());
        let browser = Self { driver, origin, expected, finished: false, _chromedriver: chromedriver };
        browser.look_as(look).await?;
        // The browser starts with a page of its own, which does not count.
        browser.visit("about:blank").await?;
        browser.driver.get_log("performance").await.or_failure(|| "a browser cannot be watched")?;
        Ok(browser)
    }

    /// Makes several attempts, because a browser that does not start is not the subject of the tests, and prints why
    /// one failed. If all fail, later tests fail at once: if each of them waited for a browser, they would take longer
    /// than everything else.
    async fn start(look: Look) -> Result<(Chromedriver, WebDriver)> {
        static GIVEN_UP: AtomicBool = AtomicBool::new(false);
        for _ in 0..TRIES {
            if GIVEN_UP.load(Ordering::Relaxed) {
                return Err(Failure::new("no browser could be started before, so none was tried"));
            }
            let chromedriver = Chromedriver::start().await?;
            let client = signed_http::loopback_client().timeout(COMMAND).build();
            let client = client.or_failure(|| "cannot build a client")?;
            let capabilities = chromedriver.capabilities(look)?;
            let why = match WebDriver::builder(chromedriver.url(), capabilities).client(client).connect().await {
                Ok(driver) => return Ok((chromedriver, driver)),
                Err(error) => error.to_string(),
            };
            eprintln!("a browser did not start: {why}; chromedriver's log:\n{}", chromedriver.last_words());
        }
        GIVEN_UP.store(true, Ordering::Relaxed);
        Err(Failure::new(format!("a browser did not start, {TRIES} times")))
    }

    /// Changes size, theme and time zone. Whether scripts run is decided when a browser is opened.
    pub async fn look_as(&self, look: Look) -> Result<()> {
        for (command, parameters) in look.commands() {
            self.devtools(command, parameters).await.or_failure(|| format!("cannot change the look: {command}"))?;
        }
        Ok(())
    }

    /// Goes to a path of the origin, such as `/deliveries?state=exhausted`, or to a whole address.
    pub async fn visit(&self, path: &str) -> Result<()> {
        let address = if path.starts_with('/') { format!("{}{path}", self.origin) } else { path.to_owned() };
        self.driver.goto(&address).await.or_failure(|| format!("cannot go to {address}"))
    }

    /// The path and query of the current address.
    pub async fn path(&self) -> Result<String> {
        let address = self.driver.current_url().await.or_failure(|| "the browser does not know where it is")?;
        Ok(address.as_str().strip_prefix(&self.origin).unwrap_or(address.as_str()).to_owned())
    }

    pub async fn reload(&self) -> Result<()> {
        self.driver.refresh().await.or_failure(|| "cannot reload the page")
    }

    pub async fn back(&self) -> Result<()> {
        self.driver.back().await.or_failure(|| "cannot go back")
    }

    pub async fn forward(&self) -> Result<()> {
        self.driver.forward().await.or_failure(|| "cannot go forward")
    }

    /// Sets a cookie of the origin, as the answer to another tab would.
    pub async fn set_cookie(&self, name: &str, value: &str) -> Result<()> {
        let cookie =
            json!({"url": self.origin, "name": name, "value": value, "path": "/", "secure": true, "httpOnly": true});
        let answer = self.devtools("Network.setCookie", cookie).await.or_failure(|| "cannot set a cookie")?;
        if answer["success"] == true { Ok(()) } else { Err(Failure::new(format!("the browser did not take {name}"))) }
    }

    /// Expects an answer with this status. Otherwise, a failure status in the console counts as a complaint.
    pub fn expect_status(&self, status: u16) {
        self.expected.lock().unwrap_or_else(PoisonError::into_inner).push(status);
    }

    /// Ends the browser. Fails if a request went to another origin, or if the content security policy or the console
    /// complained.
    pub async fn finish(mut self) -> Result<()> {
        self.finished = true;
        let network = self.driver.get_log("performance").await.or_failure(|| "cannot read what was requested")?;
        let console = self.driver.get_log("browser").await.or_failure(|| "cannot read the console")?;
        self.driver.clone().quit().await.or_failure(|| "cannot end the browser")?;
        let expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner);
        let complaints = complaints(&self.origin, &network, &console, &expected);
        if complaints.is_empty() {
            return Ok(());
        }
        Err(Failure::new(format!("the browser complains:\n{}", complaints.join("\n"))))
    }

    /// A command of the DevTools protocol.
    pub(super) async fn devtools(&self, command: &str, parameters: Value) -> WebDriverResult<Value> {
        self.driver.cdp().send_raw(command, parameters).await
    }

    /// Asks until there is an answer. Errors are ignored, because the page may be changing at that moment.
    pub(super) async fn until<T>(
        &self,
        what: &str,
        mut question: impl AsyncFnMut() -> WebDriverResult<Option<T>>,
    ) -> Result<T> {
        let mut last = None;
        let answer = eventually(what, PATIENCE, async || {
            let answer = question().await;
            Ok(answer.unwrap_or_else(|error| {
                last = Some(error.to_string());
                None
            }))
        });
        match answer.await {
            Ok(answer) => Ok(answer),
            Err(failure) => Err(self.with_evidence(failure, last).await),
        }
    }

    /// Adds to a failure what helps to understand it.
    async fn with_evidence(&self, failure: Failure, error: Option<String>) -> Failure {
        let path = self.path().await.unwrap_or_default();
        let picture = self.picture_of_failure().await.unwrap_or_else(|_| "no picture".to_owned());
        let outline = self.outline().await.unwrap_or_default();
        let error = error.map(|error| format!("; the last error was: {error}")).unwrap_or_default();
        Failure::new(format!("{failure} at {path} ({picture}){error}; the page has:\n{outline}"))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.finished {
            eprintln!("a browser was not finished: what it asked for and complained about was not looked at");
            // The browser is killed right after this, so it need not be asked to quit.
            let _ = self.driver.clone().leak();
        }
    }
}
