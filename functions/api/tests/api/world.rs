//! The API on in-memory ports, with two accounts, called in the same way as by API Gateway.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use api::{Admission, Allowance, Deps, Limits, router};
use axum::Router;
use domain::delivery::MessageLease;
use domain::destination::{AddressPolicy, Destination, DestinationSettings};
use domain::value::{AccountId, DestinationId};
use http_body_util::BodyExt;
use ports::{Accounts, Clock, Destinations, EntropyExt, HostLookup};
use serde_json::{Value, json};
use testing::{FixedHosts, MemoryQueue, MemoryStore, PlainVault, ScriptedSender, TestClock, TestEntropy, account};
use tower::ServiceExt;

pub struct World {
    router: Router,
    pub store: Arc<MemoryStore>,
    pub clock: Arc<TestClock>,
    pub queue: Arc<MemoryQueue>,
    pub sender: Arc<ScriptedSender>,
    entropy: Arc<TestEntropy>,
    named: AtomicU32,
}

/// A DNS resolver that never answers for `silent.example`.
struct Hosts(FixedHosts);

#[async_trait::async_trait]
impl HostLookup for Hosts {
    async fn addresses(&self, host: &str, port: u16) -> Vec<IpAddr> {
        if host == "silent.example" {
            std::future::pending::<()>().await;
        }
        self.0.addresses(host, port).await
    }
}

pub async fn world() -> World {
    world_with(None, 100_000, FEW).await
}

const FEW: Limits = Limits { destinations: 5, subscriptions: 5 };

/// With a public address.
pub async fn world_known_as(public_url: &str) -> World {
    world_with(Some(public_url), 100_000, FEW).await
}

/// With budgets of this much per second.
pub async fn world_of_budget(budget: u32) -> World {
    world_with(None, budget, FEW).await
}

/// A world in which an account may have very many subscriptions.
pub async fn roomy_world() -> World {
    world_with(None, 100_000, Limits { destinations: 5, subscriptions: 20_000 }).await
}

async fn world_with(public_url: Option<&str>, budget: u32, limits: Limits) -> World {
    let (store, clock) = (Arc::new(MemoryStore::default()), Arc::new(TestClock::new()));
    for id in ["acme", "rival"] {
        store.create_account(&account(id), clock.now()).await.expect("created");
    }
    let queue = Arc::new(MemoryQueue::default());
    let sender = Arc::new(ScriptedSender::default());
    let loopback = vec!["127.0.0.1".parse().expect("an address")];
    let hosts = Hosts(FixedHosts(BTreeMap::from([("internal.example".to_owned(), loopback)])));
    let entropy = Arc::new(TestEntropy::default());
    let budget = budget.to_string().parse().expect("a budget");
    let admission = Admission::new(store.clone(), clock.clone(), Allowance { units: budget, events: budget });
    let deps = Deps {
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
        hosts: Arc::new(hosts),
        sender: sender.clone(),
        clock: clock.clone(),
        entropy: entropy.clone(),
        addresses: AddressPolicy::new("", false, vec!["api.example".into()]).expect("a policy"),
        limits,
        admission: Arc::new(admission),
        lease: MessageLease::default(),
        page_url: "https://page.example".into(),
        public_url: public_url.map(str::to_owned),
    };
    World { router: router(deps), store, clock, queue, sender, entropy, named: AtomicU32::new(0) }
}

pub enum As {
    /// With a key that may do everything.
    Account(&'static str),
    /// With a key of this role.
    Role(&'static str, &'static str),
    Operator,
    Nobody,
}

impl World {
    /// Sends the event that API Gateway would send.
    pub async fn gateway(&self, event: &str) -> (u16, Value) {
        let (status, _, body) = self.answer(event).await;
        (status, body)
    }

    pub async fn answer(&self, event: &str) -> (u16, http::HeaderMap, Value) {
        let request = lambda_http::request::from_str(event).expect("an event");
        let response = self.router.clone().oneshot(request.map(axum::body::Body::new)).await.expect("an answer");
        let status = response.status().as_u16();
        if status >= 400 {
            assert_eq!(response.headers()["content-type"], "application/problem+json");
        }
        let headers = response.headers().clone();
        let bytes = response.into_body().collect().await.expect("a body").to_bytes();
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).expect("JSON") };
        (status, headers, body)
    }

    pub async fn call(&self, who: As, method: &str, path: &str, body: Option<&str>) -> (u16, Value) {
        self.call_with(who, method, path, None, body).await
    }

    /// The same as [`World::call`], with one more header.
    pub async fn call_with(
        &self,
        who: As,
        method: &str,
        path: &str,
        header: Option<(&str, &str)>,
        body: Option<&str>,
    ) -> (u16, Value) {
        let (status, _, body) = self.answer(&self.event_with(who, method, path, header, body).to_string()).await;
        (status, body)
    }

    /// The headers of a response.
    pub async fn headers(&self, who: As, method: &str, path: &str) -> http::HeaderMap {
        self.answer(&self.event(who, method, path, None).to_string()).await.1
    }

    /// The entity tag of what is at `path`.
    pub async fn etag(&self, account: &'static str, path: &str) -> String {
        let (_, headers, _) = self.answer(&self.event(As::Account(account), "GET", path, None).to_string()).await;
        headers["etag"].to_str().expect("text").to_owned()
    }
    /// The event of such a call.
    pub fn event(&self, who: As, method: &str, path: &str, body: Option<&str>) -> Value {
        self.event_with(who, method, path, None, body)
    }

    pub fn event_with(
        &self,
        who: As,
        method: &str,
        path: &str,
        header: Option<(&str, &str)>,
        body: Option<&str>,
    ) -> Value {
        let sample = include_str!("../../../../events/api-create-destination.json");
        let mut event: Value = serde_json::from_str(sample).expect("a sample");
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        event["rawPath"] = json!(path);
        event["rawQueryString"] = json!(query);
        event["requestContext"]["timeEpoch"] = json!(self.clock.now().unix_ms());
        event["requestContext"]["http"]["method"] = json!(method);
        event["requestContext"]["http"]["path"] = json!(path);
        let query = query.split('&').filter_map(|pair| pair.split_once('='));
        event["queryStringParameters"] =
            query.map(|(k, v)| (k.to_owned(), json!(v))).collect::<serde_json::Map<_, _>>().into();
        event["body"] = body.map_or(Value::Null, |body| json!(body));
        if let Some((name, value)) = header {
            event["headers"][name] = json!(value);
        }
        let operator: Value =
            serde_json::from_str(include_str!("../../../../events/api-create-account.json")).expect("a sample");
        match who {
            As::Account(id) => event["requestContext"]["authorizer"]["lambda"]["account"] = json!(id),
            As::Role(id, role) => {
                event["requestContext"]["authorizer"]["lambda"]["account"] = json!(id);
                event["requestContext"]["authorizer"]["lambda"]["role"] = json!(role);
            }
            As::Operator => event["requestContext"]["authorizer"] = operator["requestContext"]["authorizer"].clone(),
            As::Nobody => event["requestContext"]["authorizer"] = Value::Null,
        }
        event
    }

    /// The media type and the text of the response.
    pub async fn text(&self, account: &'static str, path: &str, header: Option<(&str, &str)>) -> (String, String) {
        let request = lambda_http::request::from_str(
            &self.event_with(As::Account(account), "GET", path, header, None).to_string(),
        );
        let request = request.expect("an event").map(axum::body::Body::new);
        let response = self.router.clone().oneshot(request).await.expect("an answer");
        let media_type = response.headers()["content-type"].to_str().expect("text").to_owned();
        let bytes = response.into_body().collect().await.expect("a body").to_bytes();
        (media_type, String::from_utf8(bytes.into()).expect("UTF-8"))
    }

    /// A destination that no request created.
    pub async fn store_destination(&self, account: &AccountId, settings: DestinationSettings) {
        let id = DestinationId::from_entropy(self.entropy.bytes().expect("entropy"));
        let now = self.clock.now();
        let destination = Destination {
            id,
            account: account.clone(),
            settings,
            secrets: vec![],
            created_at: now,
            updated_at: now,
            version: 1,
            health: Default::default(),
        };
        self.store.create_destination(&destination, u32::MAX).await.expect("created");
    }

    pub async fn post(&self, account: &'static str, path: &str, body: Value) -> (u16, Value) {
        self.call(As::Account(account), "POST", path, Some(&body.to_string())).await
    }

    /// A destination with a name of its own.
    pub async fn destination(&self, account: &'static str) -> Value {
        let name = format!("d{}", self.named.fetch_add(1, Ordering::Relaxed));
        let (status, created) =
            self.post(account, "/v1/destinations", json!({"name": name, "url": "https://example.com/"})).await;
        assert_eq!(status, 201, "{created}");
        created
    }

    pub async fn subscription(&self, account: &'static str, destination: &Value) -> (u16, Value) {
        let body = json!({
            "name": format!("s{}", self.named.fetch_add(1, Ordering::Relaxed)), "destination_id": destination["id"], "event_types": ["sync_run.completed"],
            "scope": "connection/xero/endpoint/invoices", "path": "/sync"
        });
        self.post(account, "/v1/subscriptions", body).await
    }
}

#[track_caller]
pub fn check_problem(answer: (u16, Value), status: u16, code: &str, pointer: Option<&str>) {
    let (got, problem) = answer;
    assert_eq!((got, problem["code"].as_str()), (status, Some(code)), "{problem}");
    assert_eq!(problem["status"], status);
    assert_eq!(problem["request_id"], "req-0001");
    assert_eq!(problem["errors"][0]["pointer"].as_str(), pointer, "{problem}");
}
