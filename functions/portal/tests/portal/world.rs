//! The page with in-memory ports and two accounts. It gets requests as a browser sends them: with a cookie, and from
//! its own forms.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use api::{Admission, Allowance, Deps, Limits};
use axum::Router;
use axum::body::Body;
use domain::access::{Role, Session};
use domain::delivery::MessageLease;
use domain::destination::AddressPolicy;
use domain::event::Scope;
use domain::value::SessionId;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use ports::{Accounts, Clock, EntropyExt, Sessions};
use serde_json::{Value, json};
use testing::{FixedHosts, MemoryQueue, MemoryStore, PlainVault, ScriptedSender, TestClock, TestEntropy, account};
use tower::ServiceExt;

pub struct World {
    pub router: Router,
    api: Router,
    pub store: Arc<MemoryStore>,
    pub clock: Arc<TestClock>,
    pub queue: Arc<MemoryQueue>,
    pub sender: Arc<ScriptedSender>,
    entropy: Arc<TestEntropy>,
}

/// An answer of the page.
pub struct Page {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub text: String,
}

impl Page {
    pub fn location(&self) -> &str {
        self.headers.get("location").map_or("", |value| value.to_str().expect("text"))
    }

    /// The value of a hidden field.
    #[track_caller]
    pub fn hidden(&self, name: &str) -> String {
        let (_, rest) = self.text.split_once(&format!("name=\"{name}\" value=\"")).expect("the field");
        let (value, _) = rest.split_once('"').expect("an end");
        value.replace("&#34;", "\"")
    }

    #[track_caller]
    pub fn shows(&self, text: &str) -> &Self {
        assert!(self.text.contains(text), "{text:?} is not in\n{}", self.text);
        self
    }

    #[track_caller]
    pub fn hides(&self, text: &str) -> &Self {
        assert!(!self.text.contains(text), "{text:?} is in\n{}", self.text);
        self
    }
}

pub async fn world() -> World {
    world_in_frames_of("").await
}

/// With a budget of this many units per second.
pub async fn world_of_budget(units: u32) -> World {
    world_with("", units).await
}

pub async fn world_in_frames_of(ancestors: &str) -> World {
    world_with(ancestors, 100_000).await
}

async fn world_with(ancestors: &str, units: u32) -> World {
    let (store, clock) = (Arc::new(MemoryStore::default()), Arc::new(TestClock::new()));
    for id in ["acme", "rival"] {
        store.create_account(&account(id), clock.now()).await.expect("created");
    }
    let queue = Arc::new(MemoryQueue::default());
    let sender = Arc::new(ScriptedSender::default());
    let entropy = Arc::new(TestEntropy::default());
    let units = units.to_string().parse().expect("a budget");
    let admission = || Arc::new(Admission::new(store.clone(), clock.clone(), Allowance { units, events: units }));
    let deps = || Deps {
        accounts: store.clone(),
        keys: store.clone(),
        sessions: store.clone(),
        jobs: store.clone(),
        destinations: store.clone(),
        subscriptions: store.clone(),
        events: store.clone(),
        event_list: store.clone(),
        event_queue: queue.clone(),
        rejections: store.clone(),
        unregistered: store.clone(),
        test_places: store.clone(),
        deliveries: store.clone(),
        delivery_list: store.clone(),
        reckoning: store.clone(),
        roll_ups: store.clone(),
        delivery_queue: queue.clone(),
        scopes: store.clone(),
        transitions: store.clone(),
        vault: Arc::new(PlainVault),
        kept_answers: store.clone(),
        hosts: Arc::new(FixedHosts(BTreeMap::new())),
        sender: sender.clone(),
        clock: clock.clone(),
        entropy: entropy.clone(),
        addresses: AddressPolicy::new("", false, vec!["page.example".into()]).expect("a policy"),
        limits: Limits { destinations: 50, subscriptions: 50 },
        admission: admission(),
        lease: MessageLease::default(),
        page_url: "https://page.example".into(),
        public_url: None,
    };
    let (router, api) = (portal::router(deps(), ancestors), api::router(deps()));
    World { router, api, store, clock, queue, sender, entropy }
}

impl World {
    /// A new link for somebody of the account.
    pub async fn link(&self, account_id: &str, role: Role, scope: Option<&str>) -> String {
        let id = SessionId::from_entropy(self.entropy.bytes().expect("entropy"));
        let secret = self.entropy.bytes().expect("entropy");
        let scope = scope.map(|scope| scope.parse::<Scope>().expect("a scope"));
        let now = self.clock.now();
        let (session, link) =
            Session::offer(id, account(account_id), (role, scope), secret, now, Duration::from_secs(300));
        self.store.create_session(&session).await.expect("created");
        format!("https://page.example/open#{}", *link)
    }

    /// The cookie of a visitor who opened a link.
    pub async fn visitor(&self, account_id: &str, role: Role) -> String {
        let link = self.link(account_id, role, None).await;
        let page = self.post("", "/open", &[("token", &link)]).await;
        assert_eq!(page.status, 303, "{}", page.text);
        let cookie = page.headers["set-cookie"].to_str().expect("text");
        cookie.split(';').next().expect("a cookie").to_owned()
    }

    /// Opens a page from a page of ours.
    pub async fn get(&self, cookie: &str, path: &str) -> Page {
        self.get_with(cookie, path, &[("sec-fetch-site", "same-origin")]).await
    }

    pub async fn get_with(&self, cookie: &str, path: &str, headers: &[(&str, &str)]) -> Page {
        let request = Request::get(path).header("cookie", cookie);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        self.ask(request.body(Body::empty()).expect("a request")).await
    }

    /// Sends a form from a page of this visitor.
    pub async fn post(&self, cookie: &str, path: &str, fields: &[(&str, &str)]) -> Page {
        let account = cookie.split_once("whs_").and_then(|(_, token)| token.split_once('.'));
        let sender = account.map(|(account, _)| format!("?account={account}")).unwrap_or_default();
        self.post_from(cookie, &format!("{path}{sender}"), fields).await
    }

    /// Sends a form to exactly this address.
    pub async fn post_from(&self, cookie: &str, path: &str, fields: &[(&str, &str)]) -> Page {
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = Request::post(path)
            .header("cookie", cookie)
            .header("host", "page.example")
            .header("origin", "https://page.example")
            .header("content-type", "application/x-www-form-urlencoded");
        self.ask(request.body(Body::from(form)).expect("a request")).await
    }

    pub async fn ask(&self, request: Request<Body>) -> Page {
        let response = self.router.clone().oneshot(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(body.collect().await.expect("a body").to_bytes().into()).expect("UTF-8");
        Page { status: parts.status.as_u16(), headers: parts.headers, text }
    }

    /// Calls the API as a program of the account, with a key that may do everything.
    pub async fn call(&self, account_id: &str, method: &str, path: &str, body: Value) -> (u16, Value) {
        let sample = include_str!("../../../../events/api-create-destination.json");
        let mut event: Value = serde_json::from_str(sample).expect("a sample");
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        event["rawPath"] = json!(path);
        event["rawQueryString"] = json!(query);
        event["requestContext"]["http"]["method"] = json!(method);
        event["requestContext"]["http"]["path"] = json!(path);
        event["requestContext"]["authorizer"]["lambda"]["account"] = json!(account_id);
        event["body"] = if body.is_null() { Value::Null } else { json!(body.to_string()) };
        let request = lambda_http::request::from_str(&event.to_string()).expect("an event");
        let response = self.api.clone().oneshot(request.map(Body::new)).await.expect("an answer");
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.expect("a body").to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    /// Creates a destination and returns its id.
    pub async fn destination(&self, account_id: &str, name: &str) -> String {
        let body = json!({ "name": name, "url": "https://example.com/hooks" });
        let (status, created) = self.call(account_id, "POST", "/v1/destinations", body).await;
        assert_eq!(status, StatusCode::CREATED, "{created}");
        created["id"].as_str().expect("an id").to_owned()
    }
}
