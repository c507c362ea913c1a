//! The API and the page on in-memory ports. Each input has a new account with a destination, a subscription, a sealed event, a
//! delivery, and a person who is signed in, so no input changes what the next one finds.

use std::cell::RefCell;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use api::{Admission, Allowance, Deps, Limits};
use axum::Router;
use axum::body::Body;
use data_encoding::BASE64;
use domain::access::{Role, Session};
use domain::delivery::{DeliveryState, MessageLease};
use domain::destination::AddressPolicy;
use domain::event::Event;
use domain::value::{AccountId, SessionId, Timestamp};
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use lambda_http::request::LambdaRequest;
use ports::{Accounts, Deliveries, Destinations, Events, Sessions, Subscriptions};
use serde_json::{Value, json};
use testing::{FixedHosts, MemoryQueue, MemoryStore, PlainVault, ScriptedSender, TestClock, TestEntropy};
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt;

use crate::input::now;

/// After how many accounts everything is built anew, so that the memory that they take is bounded.
const MOST_ACCOUNTS: usize = 5_000;

thread_local! {
    static WORLD: RefCell<World> = RefCell::new(World::new());
}

static SAMPLE: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../events/api-create-destination.json")).expect("a sample")
});

static OPERATOR: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../../events/api-create-account.json")).expect("a sample"));

pub(crate) struct World {
    runtime: Runtime,
    store: Arc<MemoryStore>,
    api: Router,
    page: Router,
    accounts: usize,
    /// The account of the present input, the id of its delivery, and the token of its person.
    pub(crate) account: AccountId,
    pub(crate) delivery: String,
    pub(crate) token: String,
}

/// A request as it was written, in the form of HTTP: a line with method and target, lines with headers, and after an empty
/// line the body.
pub(crate) struct Written<'i> {
    pub(crate) method: &'i str,
    pub(crate) target: &'i str,
    pub(crate) headers: Vec<(&'i str, &'i str)>,
    pub(crate) body: &'i [u8],
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl<'i> Written<'i> {
    pub(crate) fn read(input: &'i [u8]) -> Option<Self> {
        let end = input.windows(2).position(|pair| pair == b"\n\n").unwrap_or(input.len());
        let mut lines = str::from_utf8(&input[..end]).ok()?.lines();
        let (method, target) = lines.next()?.split_once(' ')?;
        let headers = lines.filter_map(|line| line.split_once(": ")).collect();
        Some(Self { method, target, headers, body: input.get(end + 2..).unwrap_or_default() })
    }

    /// A request without headers.
    pub(crate) fn plain(method: &'i str, target: &'i str) -> Self {
        Self { method, target, headers: Vec::new(), body: &[] }
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.body).expect("text")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

/// Gives `check` a world with a new account.
pub(crate) fn with_account(check: impl FnOnce(&World)) {
    WORLD.with_borrow_mut(|world| {
        if world.accounts == MOST_ACCOUNTS {
            *world = World::new();
        }
        world.add_account();
        check(world);
        world.store.take_calls();
    });
}

impl World {
    fn new() -> Self {
        let (store, clock) = (Arc::new(MemoryStore::default()), Arc::new(TestClock::new()));
        let budget = "100000".parse().expect("a budget");
        let admission = Admission::new(store.clone(), clock.clone(), Allowance { units: budget, events: budget });
        let (admission, queue) = (Arc::new(admission), Arc::new(MemoryQueue::default()));
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
            hosts: Arc::new(FixedHosts::default()),
            sender: Arc::new(ScriptedSender::default()),
            clock: clock.clone(),
            entropy: Arc::new(TestEntropy::default()),
            addresses: AddressPolicy::new("", false, vec!["page.example".into()]).expect("a policy"),
            limits: Limits { destinations: 50, subscriptions: 50 },
            admission: admission.clone(),
            lease: MessageLease::default(),
            page_url: "https://page.example".into(),
            public_url: None,
        };
        let (api, page) = (api::router(deps()), portal::router(deps(), ""));
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
        let account = testing::account("nobody");
        Self { runtime, store, api, page, accounts: 0, account, delivery: String::new(), token: String::new() }
    }

    fn add_account(&mut self) {
        self.accounts += 1;
        let (store, account) = (&self.store, testing::account(&format!("acme{}", self.accounts)));
        let destination = testing::destination(&account, 1, "https://hooks.example.com/synchub");
        let subscription = testing::subscription(&destination, 1, &["*"], "*", None);
        let text = testing::event_text(&account, "evt-1");
        let event = Event::parse(&text, now()).map_err(|rejection| rejection.detail).expect("an event");
        let record = testing::record(&destination, "evt-1", 2, DeliveryState::Retrying { due_at: now() });
        let sealed = testing::sealed(&event, vec![record.delivery.clone()], now());
        let id = SessionId::from_entropy([1; 10]);
        let (mut session, link) =
            Session::offer(id, account.clone(), (Role::Admin, None), [2; 32], now(), Duration::from_secs(300));
        let link = link.parse().expect("a link");
        let token = session.open(&link, [3; 32], Timestamp::from_unix_ms(now().unix_ms())).expect("an open session");
        self.runtime.block_on(async {
            store.create_account(&account, now()).await.expect("created");
            store.create_destination(&destination, u32::MAX).await.expect("created");
            store.create_subscription(&subscription, u32::MAX).await.expect("created");
            store.seal_event(&sealed).await.expect("sealed");
            store.create_delivery(&record).await.expect("created");
            store.create_session(&session).await.expect("created");
        });
        (self.account, self.delivery, self.token) = (account, record.delivery.id.to_string(), token.to_string());
    }

    /// Calls the API with a key of the account, or as the operator; none if API Gateway passes on no such request.
    pub(crate) fn call(&self, written: &Written<'_>) -> Option<Answer> {
        let authorizer = match written.target.starts_with("/admin/") {
            true => OPERATOR["requestContext"]["authorizer"].clone(),
            false => json!({ "lambda": { "account": self.account, "role": "admin" } }),
        };
        Some(self.answer(&self.api, self.request(written, authorizer, Vec::new())?))
    }

    /// Opens a page, or sends a form from one, as the person who is signed in.
    pub(crate) fn visit(&self, written: &Written<'_>) -> Option<Answer> {
        let cookies =
            written.headers.iter().filter(|(name, _)| *name == "cookie").map(|(_, value)| (*value).to_owned());
        let cookies = cookies.chain([format!("__Host-synchub={}", self.token)]).collect();
        Some(self.answer(&self.page, self.request(written, Value::Null, cookies)?))
    }

    /// The event that API Gateway would send, as a request.
    fn request(&self, written: &Written<'_>, authorizer: Value, cookies: Vec<String>) -> Option<Request<Body>> {
        if !written.target.starts_with('/') {
            return None;
        }
        let mut event = SAMPLE.clone();
        let (path, query) = written.target.split_once('?').unwrap_or((written.target, ""));
        event["rawPath"] = json!(path);
        event["rawQueryString"] = json!(query);
        event["cookies"] = json!(cookies);
        event["requestContext"]["http"]["method"] = json!(written.method);
        event["requestContext"]["http"]["path"] = json!(path);
        event["requestContext"]["authorizer"] = authorizer;
        let same_origin = [("sec-fetch-site", "same-origin"), ("host", "page.example")];
        let headers = same_origin.into_iter().chain(written.headers.iter().copied());
        event["headers"] = headers.map(|(name, value)| (name.to_ascii_lowercase(), json!(value))).collect();
        match str::from_utf8(written.body) {
            Ok(text) => event["body"] = json!(text),
            Err(_) => {
                event["body"] = json!(BASE64.encode(written.body));
                event["isBase64Encoded"] = json!(true);
            }
        }
        let event = serde_json::from_str::<LambdaRequest>(&event.to_string()).ok()?;
        Some(lambda_http::Request::from(api::readable(event)).map(Body::new))
    }

    fn answer(&self, router: &Router, request: Request<Body>) -> Answer {
        self.runtime.block_on(async {
            let response = router.clone().oneshot(request).await.expect("an answer");
            let (parts, body) = response.into_parts();
            let body = body.collect().await.expect("a body").to_bytes().to_vec();
            Answer { status: parts.status.as_u16(), headers: parts.headers, body }
        })
    }
}
