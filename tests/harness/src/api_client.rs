//! Clients of the HTTP API for its two kinds of user: the operator signs requests with AWS credentials, a customer
//! sends an API key.
//!
//! A call returns whatever the API answered, so that tests can check refusals. Only the shorthands that set something
//! up require success.

use http::{HeaderMap, Method, Request};
use serde::Serialize;
use serde_json::{Value, json};

use crate::failure::{Failure, OrFailure, Result};
use crate::signed_http::SignedHttp;
use crate::unique::unique;

/// What the API answered.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    /// `null` when there was no body.
    pub body: Value,
}

impl Reply {
    /// The body, if the status is the expected one.
    pub fn expect_status(self, status: u16) -> Result<Value> {
        if self.status == status {
            return Ok(self.body);
        }
        Err(Failure::new(format!("the API answered {} instead of {status}: {}", self.status, self.body)))
    }
}

/// The platform's operator: registers accounts and their keys.
#[derive(Debug, Clone)]
pub struct Operator {
    http: SignedHttp,
    url: String,
}

impl Operator {
    pub fn new(http: SignedHttp, url: String) -> Self {
        Self { http, url }
    }

    /// A signed call, such as `call(Method::POST, "/admin/v1/accounts", Some(&json!({"id": "acme"})))`.
    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Reply> {
        let request = request(method, &self.url, path, body, None)?;
        reply(self.http.send_signed("execute-api", request).await?)
    }

    /// Registers an account and gives it a key.
    pub async fn register(&self, account: &str) -> Result<Customer> {
        let body = json!({ "id": account });
        self.call(Method::POST, "/admin/v1/accounts", Some(&body)).await?.expect_status(201)?;
        let (path, body) = (format!("/admin/v1/accounts/{account}/keys"), json!({"name": "demo", "role": "admin"}));
        let key = self.call(Method::POST, &path, Some(&body)).await?.expect_status(201)?;
        let key = text(&key, "key")?;
        Ok(Customer { http: self.http.clone(), url: self.url.clone(), account: account.to_owned(), key: Some(key) })
    }

    /// Creates a link to the page of an account. `session` is the API's request body, such as
    /// `json!({"scope": "connection/xero", "role": "viewer"})`.
    pub async fn offer_session(&self, account: &str, session: &Value) -> Result<String> {
        let path = format!("/admin/v1/accounts/{account}/sessions");
        let body = self.call(Method::POST, &path, Some(session)).await?.expect_status(201)?;
        text(&body, "url")
    }

    /// A caller without any key, for tests of what is refused.
    pub fn stranger(&self) -> Customer {
        Customer { http: self.http.clone(), url: self.url.clone(), account: String::new(), key: None }
    }
}

/// A customer: manages destinations and subscriptions of one account.
#[derive(Debug, Clone)]
pub struct Customer {
    http: SignedHttp,
    url: String,
    account: String,
    key: Option<String>,
}

/// A destination that was created: its id, its signing secret, and the API's whole answer.
#[derive(Debug, Clone)]
pub struct CreatedDestination {
    pub id: String,
    pub secret: String,
    pub body: Value,
}

/// What to subscribe a destination to.
#[derive(Debug, Clone, Serialize)]
pub struct NewSubscription {
    pub name: String,
    pub destination_id: String,
    pub event_types: Vec<String>,
    pub scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

impl NewSubscription {
    /// Every event of the account, under a unique name.
    pub fn to_everything(destination_id: &str) -> Self {
        Self {
            name: unique("everything"),
            destination_id: destination_id.to_owned(),
            event_types: vec!["*".to_owned()],
            scope: "*".to_owned(),
            path: None,
        }
    }

    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = name.to_owned();
        self
    }

    #[must_use]
    pub fn event_types(mut self, event_types: &[&str]) -> Self {
        self.event_types = event_types.iter().map(|&name| name.to_owned()).collect();
        self
    }

    #[must_use]
    pub fn scope(mut self, scope: &str) -> Self {
        self.scope = scope.to_owned();
        self
    }

    #[must_use]
    pub fn path(mut self, path: &str) -> Self {
        self.path = Some(path.to_owned());
        self
    }
}

impl Customer {
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The API key; empty for a stranger.
    pub fn key(&self) -> &str {
        self.key.as_deref().unwrap_or_default()
    }

    /// The same customer with another key, for tests of what is refused.
    #[must_use]
    pub fn with_key(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned());
        self
    }

    /// A call with the account's key, such as `call(Method::GET, "/v1/destinations", None)`.
    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Reply> {
        let request = request(method, &self.url, path, body, self.key.as_deref())?;
        reply(self.http.send(request).await?)
    }

    pub async fn get(&self, path: &str) -> Result<Reply> {
        self.call(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Result<Reply> {
        self.call(Method::POST, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Result<Reply> {
        self.call(Method::DELETE, path, None).await
    }

    pub async fn create_destination(&self, name: &str, url: &str) -> Result<CreatedDestination> {
        let body = self.post("/v1/destinations", &json!({"name": name, "url": url})).await?.expect_status(201)?;
        Ok(CreatedDestination { id: text(&body, "id")?, secret: text(&body, "secret")?, body })
    }

    /// Creates a subscription and returns its id.
    pub async fn subscribe(&self, subscription: &NewSubscription) -> Result<String> {
        let body = serde_json::to_value(subscription).or_failure(|| "cannot describe the subscription")?;
        let body = self.post("/v1/subscriptions", &body).await?.expect_status(201)?;
        text(&body, "id")
    }

    /// All items of a paged list, such as `/v1/destinations`, in the API's order.
    pub async fn list(&self, path: &str) -> Result<Vec<Value>> {
        let (mut all, mut page) = (Vec::new(), path.to_owned());
        loop {
            let mut body = self.get(&page).await?.expect_status(200)?;
            let Value::Array(data) = body["data"].take() else {
                return Err(Failure::new(format!("{page} has no list in it: {body}")));
            };
            all.extend(data);
            let Some(cursor) = body["next_cursor"].as_str() else { return Ok(all) };
            let separator = if path.contains('?') { '&' } else { '?' };
            page = format!("{path}{separator}cursor={cursor}");
        }
    }
}

fn request(method: Method, url: &str, path: &str, body: Option<&Value>, key: Option<&str>) -> Result<Request<Vec<u8>>> {
    let mut request = Request::builder().method(method).uri(format!("{url}{path}"));
    if let Some(key) = key {
        request = request.header("authorization", format!("Bearer {key}"));
    }
    if body.is_some() {
        request = request.header("content-type", "application/json");
    }
    let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
    request.body(body).or_failure(|| format!("{path} makes no request"))
}

fn reply(response: http::Response<Vec<u8>>) -> Result<Reply> {
    let (parts, body) = response.into_parts();
    let body = if body.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&body).or_failure(|| {
            format!("the API answered {} without JSON: {}", parts.status, String::from_utf8_lossy(&body))
        })?
    };
    Ok(Reply { status: parts.status.as_u16(), headers: parts.headers, body })
}

fn text(body: &Value, field: &str) -> Result<String> {
    let value = body[field].as_str().or_failure(|| format!("the API's answer has no {field}: {body}"))?;
    Ok(value.to_owned())
}
