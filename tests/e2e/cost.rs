//! Counts the AWS calls that a delivery costs while nothing fails: `fanout` and `deliver` run with their real adapters
//! on the deployed table, queue and key, and the calls of the SDK's clients are counted.

#![expect(clippy::expect_used, reason = "helpers of tests may fail them")]

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use adapters::{
    AwsClients, DynamoStore, HyperSender, KmsVault, SqsDeliveryQueue, SqsEventQueue, SystemClock, SystemEntropy,
};
use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use domain::attempt::RetryPolicy;
use domain::delivery::MessageLease;
use domain::delivery::{Delivery, OutgoingDelivery, Purpose};
use domain::destination::AddressPolicy;
use domain::event::{Event, Unregistered, envelope};
use domain::value::Horizon;
use harness::api_client::NewSubscription;
use harness::producer::fresh_sample;
use harness::receiver::Receiver;
use harness::unique::unique;
use harness::{Deployment, Result};
use lambda_runtime::{Context, LambdaEvent};
use ports::Clock;
use runtime::cache::Cached;
use serde_json::Value;

const MINUTE: Duration = Duration::from_secs(60);
const RETENTION: Duration = Duration::from_secs(86_400);

/// The operations that all clients of one configuration have called, in order.
#[derive(Debug, Clone, Default)]
struct Calls(Arc<Mutex<Vec<String>>>);

impl Calls {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn add(&self, request: &HttpRequest) {
        let target = request.headers().get("x-amz-target").unwrap_or("no operation");
        let operation = target.rsplit('.').next().unwrap_or(target).to_owned();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(operation);
    }
}

/// An HTTP client for the SDK that records the operations.
#[derive(Debug)]
struct Counted<Inner> {
    calls: Calls,
    inner: Inner,
}

impl HttpClient for Counted<SharedHttpClient> {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Counted { calls: self.calls.clone(), inner })
    }
}

impl HttpConnector for Counted<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.calls.add(&request);
        self.inner.call(request)
    }
}

struct World {
    deployment: Deployment,
    aws: AwsClients,
    store: Arc<DynamoStore>,
    calls: Calls,
}

fn world() -> Result<World> {
    let deployment = Deployment::from_env()?;
    let (config, calls) = (deployment.sdk_config(), Calls::default());
    let inner = config.http_client().expect("an HTTP client");
    let counted = SharedHttpClient::new(Counted { calls: calls.clone(), inner });
    let aws = AwsClients::from_config(config.into_builder().http_client(counted).build());
    let store = Arc::new(DynamoStore::new(&aws, deployment.outputs.table_name.clone()));
    Ok(World { deployment, aws, store, calls })
}

impl World {
    fn queue(&self) -> SqsDeliveryQueue {
        SqsDeliveryQueue::new(&self.aws, self.deployment.outputs.deliveries_queue_url.clone())
    }

    fn fanout(&self) -> Arc<fanout::Deps> {
        let (store, clock) = (self.store.clone(), Arc::new(SystemClock));
        let cached = Arc::new(Cached::new(store.clone(), clock.clone(), &Arc::default()));
        let deliveries = store.counting(self.queue());
        Arc::new(fanout::Deps {
            accounts: cached.clone(),
            listeners: cached,
            transitions: store.clone(),
            awaited_runs: store.clone(),
            events: store.clone(),
            rejections: store.clone(),
            unregistered: fanout::UnregisteredEvents::new(store.clone(), Unregistered::Ignore),
            scopes: fanout::ScopeNotes::new(store.clone()),
            seals: fanout::Seals::new(store, Horizon::default()),
            deliveries: Arc::new(deliveries),
            queue: Arc::new(SqsEventQueue::new(&self.aws, self.deployment.outputs.events_queue_url.clone())),
            clock,
            entropy: Arc::new(SystemEntropy),
            retention: RETENTION,
            metrics: Arc::default(),
        })
    }

    fn deliver(&self) -> Arc<deliver::Deps> {
        let (store, clock, entropy) = (self.store.clone(), Arc::new(SystemClock), Arc::new(SystemEntropy));
        let key = self.deployment.outputs.secrets_key_arn.clone();
        let policy = AddressPolicy::new("127.0.0.0/8", true, Vec::new()).expect("a policy");
        let sender = store.counting(HyperSender::new(policy, clock.clone()).expect("a sender"));
        Arc::new(deliver::Deps {
            accounts: store.clone(),
            destinations: Arc::new(Cached::new(store.clone(), clock.clone(), &Arc::default())),
            vault: Arc::new(KmsVault::new(&self.aws, key, store.clone(), entropy.clone())),
            deliveries: store.clone(),
            paces: store,
            turns: deliver::Turns::default(),
            queue: Arc::new(self.queue()),
            sender: Arc::new(sender),
            clock,
            entropy,
            rows: deliver::Rows::default(),
            retries: RetryPolicy::default(),
            lease: MessageLease::default(),
            retention: RETENTION,
            metrics: Arc::default(),
        })
    }
}

/// A batch as Lambda receives it the first time.
fn batch(bodies: impl IntoIterator<Item = String>) -> LambdaEvent<SqsEvent> {
    let message = |(n, body)| {
        let mut message = SqsMessage::default();
        message.message_id = Some(format!("message-{n}"));
        message.receipt_handle = Some(format!("receipt-{n}"));
        let received =
            [("ApproximateReceiveCount", "1".to_owned()), ("SentTimestamp", SystemClock.now().unix_ms().to_string())];
        message.attributes = received.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        message.body = Some(body);
        message
    };
    let (mut event, mut context) = (SqsEvent::default(), Context::default());
    event.records = bodies.into_iter().enumerate().map(message).collect();
    context.deadline = SystemClock.now().plus(MINUTE).unix_ms();
    LambdaEvent::new(event, context)
}

fn parsed(sample: &Value) -> Event {
    Event::parse(&sample.to_string(), SystemClock.now()).map_err(|rejection| rejection.detail).expect("an event")
}

/// The message of a delivery of a fresh event to this destination.
fn delivery(account: &str, destination: &str) -> Result<String> {
    let event = parsed(&fresh_sample("demo-sync-run-succeeded", account)?);
    let body = envelope::build(&event).expect("a body");
    let delivery = Delivery::of_event(&event, destination.parse().expect("an id"), None);
    let message = OutgoingDelivery { delivery: &delivery, purpose: Purpose::New, body: &body, delay: Duration::ZERO };
    Ok(serde_json::to_string(&message).expect("a message"))
}

#[tokio::test]
async fn a_healthy_delivery_costs_one_write_and_its_destination_is_read_once_in_seconds() -> Result<()> {
    let (world, receiver) = (world()?, Receiver::start().await?);
    let customer = world.deployment.operator()?.register(&unique("cost")).await?;
    let created = customer.create_destination("one", &receiver.url("/one")).await?;
    receiver.expect_secret("/one", &created.secret);
    let deps = world.deliver();
    let mut counted = Vec::new();
    for size in [1, 1, 1, 10, 10] {
        let messages = (0..size).map(|_| delivery(customer.account(), &created.id)).collect::<Result<Vec<_>>>()?;
        let answer = deliver::handle(Arc::clone(&deps), batch(messages)).await.expect("an answer");
        assert!(answer.batch_item_failures.is_empty());
        counted.push(world.calls.take());
    }
    assert_eq!(receiver.requests().len(), 23);
    // A new container reads the destination and its data key once. From then on only the deliveries' rows are written.
    assert_eq!(counted[..3], [vec!["BatchGetItem", "GetItem", "Decrypt", "PutItem"], vec!["PutItem"], vec!["PutItem"]]);
    // Ten that are answered at about the same time are written together. Whoever is later than that is written apart, and
    // the machine of a test may be slow.
    for calls in &counted[3..] {
        let together = calls.iter().filter(|call| *call == "BatchExecuteStatement").count();
        assert!((1..=3).contains(&together) && calls.len() <= 4, "{calls:?}");
    }
    Ok(())
}

#[tokio::test]
async fn an_event_costs_one_read_one_message_to_the_queue_for_up_to_ten_deliveries_and_one_write() -> Result<()> {
    let (world, receiver) = (world()?, Receiver::start().await?);
    let customer = world.deployment.operator()?.register(&unique("cost")).await?;
    for path in ["/one", "/two", "/three"] {
        let created = customer.create_destination(path, &receiver.url(path)).await?;
        receiver.expect_secret(path, &created.secret);
        customer.subscribe(&NewSubscription::to_everything(&created.id)).await?;
    }
    let deps = world.fanout();
    let counted = handled(&world, &deps, customer.account(), [1, 1, 1, 10]).await?;
    assert_eq!(counted[1..3], [["GetItem", "SendMessageBatch", "PutItem"], ["GetItem", "SendMessageBatch", "PutItem"]]);
    // Their thirty messages fill three calls. Events whose calls end at about the same time are sealed together, and the
    // machine of a test may be slow.
    let [look_up, sends @ .., seal] = &counted[3][..] else { panic!("{counted:?}") };
    assert_eq!((look_up.as_str(), seal.as_str()), ("BatchGetItem", "BatchExecuteStatement"));
    let seals = sends.iter().skip_while(|call| *call == "SendMessageBatch").count();
    assert!(sends.len() - seals == 3 && seals <= 2, "{sends:?}");
    receiver.await_requests("all deliveries", MINUTE, |requests| requests.len() >= 39).await?;
    Ok(())
}

#[tokio::test]
async fn ten_events_that_owe_one_delivery_each_cost_three_calls() -> Result<()> {
    let (world, receiver) = (world()?, Receiver::start().await?);
    let customer = world.deployment.operator()?.register(&unique("cost")).await?;
    let created = customer.create_destination("/one", &receiver.url("/one")).await?;
    receiver.expect_secret("/one", &created.secret);
    customer.subscribe(&NewSubscription::to_everything(&created.id)).await?;
    let deps = world.fanout();
    let counted = handled(&world, &deps, customer.account(), [1, 10, 10]).await?;
    for calls in &counted[1..] {
        assert_eq!(calls, &["BatchGetItem", "SendMessageBatch", "BatchExecuteStatement"]);
    }
    receiver.await_requests("all deliveries", MINUTE, |requests| requests.len() >= 21).await?;
    Ok(())
}

/// Hands batches of so many fresh events to `fanout`; answers the calls that each of them made.
async fn handled<const N: usize>(
    world: &World,
    deps: &Arc<fanout::Deps>,
    account: &str,
    sizes: [usize; N],
) -> Result<Vec<Vec<String>>> {
    let mut counted = Vec::new();
    for size in sizes {
        let events = (0..size).map(|_| Ok(fresh_sample("demo-sync-run-succeeded", account)?.to_string()));
        let events = events.collect::<Result<Vec<_>>>()?;
        world.calls.take();
        let answer = fanout::handle(Arc::clone(deps), batch(events)).await.expect("an answer");
        assert!(answer.batch_item_failures.is_empty());
        counted.push(world.calls.take());
    }
    Ok(counted)
}
