//! The API at an address, with `authorizer` in front of it and `fanout` and `deliver` behind it, over ports in memory.
//! Published events are delivered before the answer is given.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::access::{ApiKey, Role};
use domain::attempt::RetryPolicy;
use domain::delivery::{MessageLease, OutgoingDelivery};
use domain::destination::AddressPolicy;
use domain::event::Unregistered;
use domain::value::{Horizon, KeyId};
use http_body_util::BodyExt;
use lambda_http::request::RequestContext;
use lambda_runtime::{Context, LambdaEvent};
use ports::{Accounts, ApiKeys, Clock};
use serde_json::{Value, json};
use testing::{FixedHosts, MemoryQueue, MemoryStore, PlainVault, ScriptedSender, TestClock, TestEntropy, account};
use tokio::net::TcpListener;
use tower::ServiceExt;

const RETENTION: Duration = Duration::from_secs(30 * 86_400);

/// The API and what is behind it.
struct Stack {
    api: Router,
    authorizer: Arc<authorizer::Deps>,
    fanout: Arc<fanout::Deps>,
    deliver: Arc<deliver::Deps>,
    queue: Arc<MemoryQueue>,
    clock: Arc<TestClock>,
}

/// Serves the API; returns its address, a key of an account, and the OpenAPI document.
pub async fn serve() -> (SocketAddr, String, Value) {
    let (store, clock) = (Arc::new(MemoryStore::default()), Arc::new(TestClock::new()));
    let acme = account("acme");
    store.create_account(&acme, clock.now()).await.expect("created");
    let name = "clients".to_owned().try_into().expect("a name");
    let (key, text) = ApiKey::issue(KeyId::from_entropy([7; 10]), acme, name, Role::Admin, [9; 32], clock.now());
    store.create_key(&key).await.expect("created");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let stack = Stack::over(&store, &clock);
    let asked = Request::get("/v1/openapi.json").body(Body::empty()).expect("a request");
    let document = stack.api.clone().oneshot(asked).await.expect("an answer");
    let document = document.into_body().collect().await.expect("a body").to_bytes();
    let router = Router::new().fallback(answer).with_state(Arc::new(stack));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, text.to_string(), serde_json::from_slice(&document).expect("JSON"))
}

async fn answer(State(stack): State<Arc<Stack>>, mut request: Request) -> Response {
    let token = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let Some(context) = stack.admitted(token).await else {
        return (StatusCode::FORBIDDEN, axum::Json(json!({"message": "Forbidden"}))).into_response();
    };
    request.extensions_mut().insert(context);
    let response = stack.api.clone().oneshot(request).await.expect("an answer");
    stack.work().await;
    response
}

impl Stack {
    fn over(store: &Arc<MemoryStore>, clock: &Arc<TestClock>) -> Self {
        let (queue, sender) = (Arc::new(MemoryQueue::default()), Arc::new(ScriptedSender::default()));
        let authorizer = authorizer::Deps {
            accounts: store.clone(),
            keys: store.clone(),
            sessions: store.clone(),
            clock: clock.clone(),
        };
        Self {
            api: api(store, clock, &queue, &sender),
            authorizer: Arc::new(authorizer),
            fanout: Arc::new(fanout(store, clock, &queue)),
            deliver: Arc::new(deliver(store, clock, &queue, sender)),
            queue,
            clock: clock.clone(),
        }
    }

    /// What API Gateway says about a caller that `authorizer` admits.
    async fn admitted(&self, token: Option<String>) -> Option<RequestContext> {
        let mut asked: Value =
            serde_json::from_str(include_str!("../../events/authorizer-api-key.json")).expect("a sample");
        asked["headers"]["authorization"] = token.unwrap_or_default().into();
        let asked = LambdaEvent::new(serde_json::from_value(asked).expect("an event"), Context::default());
        let decision = authorizer::handle(Arc::clone(&self.authorizer), asked).await.expect("a decision");
        let mut context = lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpRequestContext::default();
        let mut authorizer = lambda_http::aws_lambda_events::apigw::ApiGatewayRequestAuthorizer::default();
        let caller = serde_json::to_value(decision.context?).expect("JSON");
        authorizer.fields.extend(caller.as_object().cloned().unwrap_or_default());
        context.authorizer = Some(authorizer);
        Some(RequestContext::ApiGatewayV2(context))
    }

    /// Lets `fanout` and `deliver` handle what is in their queues.
    async fn work(&self) {
        let events = self.queue.take_events();
        if !events.is_empty() {
            let answer = fanout::handle(Arc::clone(&self.fanout), self.batch(events)).await.expect("handled");
            assert!(answer.batch_item_failures.is_empty(), "{:?}", answer.batch_item_failures);
        }
        let deliveries = self.queue.take_delayed().into_iter().map(|(message, delay)| {
            let outgoing =
                OutgoingDelivery { delivery: &message.delivery, purpose: message.purpose, body: &message.body, delay };
            serde_json::to_string(&outgoing).expect("a message")
        });
        let deliveries: Vec<_> = deliveries.collect();
        if !deliveries.is_empty() {
            let answer = deliver::handle(Arc::clone(&self.deliver), self.batch(deliveries)).await.expect("handled");
            assert!(answer.batch_item_failures.is_empty(), "{:?}", answer.batch_item_failures);
        }
    }

    fn batch(&self, texts: Vec<String>) -> LambdaEvent<SqsEvent> {
        let record = |(n, text): (usize, String)| {
            let mut record = SqsMessage::default();
            record.message_id = Some(format!("message-{n}"));
            record.receipt_handle = Some(format!("receipt-{n}"));
            record.body = Some(text);
            let sent_at = self.clock.now().unix_ms().to_string();
            record.attributes.insert("SentTimestamp".into(), sent_at);
            record.attributes.insert("ApproximateReceiveCount".into(), "1".into());
            record
        };
        let mut event = SqsEvent::default();
        event.records = texts.into_iter().enumerate().map(record).collect();
        let mut context = Context::default();
        context.deadline = self.clock.now().plus(Duration::from_secs(60)).unix_ms();
        LambdaEvent::new(event, context)
    }
}

fn api(
    store: &Arc<MemoryStore>,
    clock: &Arc<TestClock>,
    queue: &Arc<MemoryQueue>,
    sender: &Arc<ScriptedSender>,
) -> Router {
    let budget = "100000".parse().expect("a budget");
    let allowance = api::Allowance { units: budget, events: budget };
    api::router(api::Deps {
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
        admission: Arc::new(api::Admission::new(store.clone(), clock.clone(), allowance)),
        hosts: Arc::new(FixedHosts::default()),
        sender: sender.clone(),
        clock: clock.clone(),
        entropy: Arc::new(TestEntropy::default()),
        addresses: AddressPolicy::new("", false, Vec::new()).expect("a policy"),
        limits: api::Limits { destinations: 10, subscriptions: 10 },
        lease: MessageLease::default(),
        public_url: None,
        page_url: "https://page.example".into(),
    })
}

fn fanout(store: &Arc<MemoryStore>, clock: &Arc<TestClock>, queue: &Arc<MemoryQueue>) -> fanout::Deps {
    fanout::Deps {
        accounts: store.clone(),
        listeners: store.clone(),
        transitions: store.clone(),
        awaited_runs: store.clone(),
        events: store.clone(),
        deliveries: queue.clone(),
        queue: queue.clone(),
        rejections: store.clone(),
        unregistered: fanout::UnregisteredEvents::new(store.clone(), Unregistered::Ignore),
        scopes: fanout::ScopeNotes::new(store.clone()),
        seals: fanout::Seals::new(store.clone(), Horizon::default()),
        clock: clock.clone(),
        entropy: Arc::new(TestEntropy::default()),
        retention: RETENTION,
        metrics: Arc::default(),
    }
}

fn deliver(
    store: &Arc<MemoryStore>,
    clock: &Arc<TestClock>,
    queue: &Arc<MemoryQueue>,
    sender: Arc<ScriptedSender>,
) -> deliver::Deps {
    deliver::Deps {
        accounts: store.clone(),
        destinations: store.clone(),
        deliveries: store.clone(),
        vault: Arc::new(PlainVault),
        queue: queue.clone(),
        sender,
        clock: clock.clone(),
        entropy: Arc::new(TestEntropy::default()),
        rows: deliver::Rows::default(),
        paces: store.clone(),
        turns: deliver::Turns::default(),
        retries: RetryPolicy::default(),
        lease: MessageLease::default(),
        retention: RETENTION,
        metrics: Arc::default(),
    }
}
