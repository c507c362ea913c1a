//! The peak memory of `fanout` with the worst input that is permitted: a batch of ten events of 256 KiB, each owed to
//! 20,000 subscriptions. It runs in a process of its own, over its real adapters; table and queue answer from memory and
//! keep only what is needed to go on with an event.
//!
//! The process runs on one thread, like the function. It is not optimized, so its program takes more memory than the
//! function's.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use adapters::{AwsClients, DynamoStore, SqsDeliveryQueue, SqsEventQueue, SystemClock, SystemEntropy};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use aws_sdk_sqs::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use domain::event::Unregistered;
use domain::value::{DestinationId, Horizon, SubscriptionId};
use fanout::{Deps, ScopeNotes, Seals, UnregisteredEvents};
use harness::failure::OrFailure;
use harness::{Failure, Result};
use lambda_runtime::{Context, LambdaEvent};
use ports::Clock;
use runtime::cache::Cached;
use serde_json::{Value, json};

use crate::verdict;

/// By this argument the process that is measured knows what it is.
pub(crate) const MEASURED: &str = "memory-of-fanout";
/// How much more the function may take than at its start, in MiB. With the 8 MiB that an optimized program has then, that
/// is half of what it has.
const MOST: u64 = 120;
/// The most an account may have.
const SUBSCRIPTIONS: usize = 20_000;
const DESTINATIONS: usize = 1_000;
/// The largest event, in bytes.
const EVENT: usize = 256 * 1024;
/// How long an invocation of the function may take.
const INVOCATION: Duration = Duration::from_secs(60);
/// Where a page of the table ends.
const PAGE_BYTES: usize = 1024 * 1024;

/// Runs the measured process.
pub(crate) fn measure() -> Result<bool> {
    let program = std::env::current_exe().or_failure(|| "this program has no path")?;
    let output = Command::new(program).arg(MEASURED).env_clear().output();
    let output = output.or_failure(|| "cannot start the process that is measured")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let measured: Option<Value> = text.lines().last().and_then(|line| serde_json::from_str(line).ok());
    let Some(measured) = measured.filter(|_| output.status.success()) else {
        return Err(Failure::new(format!("it ended early: {text}{}", String::from_utf8_lossy(&output.stderr))));
    };
    let [peak, start] = ["peak_mib", "start_mib"].map(|name| measured[name].as_u64());
    let grown = peak.zip(start).map_or(u64::MAX, |(peak, start)| peak.saturating_sub(start));
    println!(
        "memory of fanout: {grown} MiB more than at its start ({} in all), with ten events of 256 KiB that are owed {SUBSCRIPTIONS} times \
         each; {} deliveries sent, {} ms of processor time each: {}",
        measured["peak_mib"],
        measured["sent"],
        measured["ms_each"],
        verdict(grown <= MOST)
    );
    Ok(grown <= MOST)
}

/// A line of `/proc/self/status` or the like, in MiB.
fn status(name: &str) -> Result<u64> {
    let text = std::fs::read_to_string("/proc/self/status").or_failure(|| "this system has no /proc")?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)).and_then(|kib| kib.parse::<u64>().ok());
    Ok(kib.or_failure(|| format!("/proc has no {name}"))?.div_ceil(1024))
}

/// The measured process: two invocations, of which the second goes on with what the first left.
pub(crate) async fn measured() -> Result<()> {
    let aws = World::default();
    let deps = deps(&aws);
    let start = status("VmHWM")?;
    let used = processor_ms()?;
    for receives in [1, 2] {
        let mut batch = SqsEvent::default();
        batch.records = (0..10).map(|n| record(n, receives)).collect();
        let mut context = Context::default();
        context.deadline = SystemClock.now().plus(INVOCATION).unix_ms();
        let answer = fanout::handle(deps.clone(), LambdaEvent::new(batch, context)).await;
        answer.map_err(|error| Failure::new(format!("the batch failed: {error}")))?;
    }
    let sent = aws.0.lock().unwrap_or_else(PoisonError::into_inner).sent;
    #[expect(clippy::cast_precision_loss, reason = "a figure to be printed")]
    let ms_each = ((processor_ms()? - used) as f64 / sent.max(1) as f64 * 100.0).round() / 100.0;
    println!("{}", json!({ "peak_mib": status("VmHWM")?, "start_mib": start, "sent": sent, "ms_each": ms_each }));
    Ok(())
}

/// The processor time of this process so far, of which the kernel counts hundredths of a second.
fn processor_ms() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/self/stat").or_failure(|| "this system has no /proc")?;
    let after_name = text.rsplit(')').next().unwrap_or_default();
    let ticks = |n: usize| after_name.split_whitespace().nth(n).and_then(|ticks| ticks.parse::<u64>().ok());
    let ticks = ticks(11).zip(ticks(12)).map(|(user, system)| user + system);
    Ok(ticks.or_failure(|| "/proc/self/stat has another form")? * 10)
}

fn record(n: usize, receives: u32) -> SqsMessage {
    let mut message = SqsMessage::default();
    (message.message_id, message.receipt_handle) = (Some(format!("message-{n}")), Some(format!("receipt-{n}")));
    message.body = Some(text("acme", n));
    message.attributes.insert("ApproximateReceiveCount".into(), receives.to_string());
    message
}

/// An event of the largest size, whose data takes as much memory as possible once it is parsed.
pub(crate) fn text(account: &str, n: usize) -> String {
    let event: Value =
        serde_json::from_str(include_str!("../../events/demo-sync-run-succeeded.json")).unwrap_or_default();
    let mut event = event;
    (event["account"], event["id"]) = (json!(account), json!(format!("{}{n:03}", "e".repeat(125))));
    event["occurred_at"] = json!(SystemClock.now().to_string());
    let (connection, endpoint) = ("c".repeat(128), "t".repeat(128));
    event["scope"] = json!(format!("connection/{connection}/endpoint/{endpoint}"));
    event["data"]["connection"]["id"] = json!(connection);
    event["data"]["endpoint"]["id"] = json!(endpoint);
    event["data"]["more"] = json!([]);
    let least = event.to_string().len();
    let more = "{\"a\":1},".repeat((EVENT - least) / 8);
    event.to_string().replace("\"more\":[]", &format!("\"more\":[{}]", more.trim_end_matches(',')))
}

fn deps(aws: &World) -> Arc<Deps> {
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("local"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::for_tests()))
        .http_client(SharedHttpClient::new(aws.clone()))
        .build();
    let (aws, clock) = (AwsClients::from_config(config), Arc::new(SystemClock));
    let store = Arc::new(DynamoStore::new(&aws, "table".to_owned()));
    let cached = Arc::new(Cached::new(store.clone(), clock.clone()));
    let url = || "https://sqs.local/queue".to_owned();
    Arc::new(Deps {
        accounts: cached.clone(),
        subscriptions: cached,
        transitions: store.clone(),
        awaited_runs: store.clone(),
        events: store.clone(),
        rejections: store.clone(),
        unregistered: UnregisteredEvents::new(store.clone(), Unregistered::Ignore),
        scopes: ScopeNotes::new(store.clone()),
        seals: Seals::new(store, Horizon::default()),
        deliveries: Arc::new(SqsDeliveryQueue::new(&aws, url())),
        queue: Arc::new(SqsEventQueue::new(&aws, url())),
        clock,
        entropy: Arc::new(SystemEntropy),
        retention: Duration::from_secs(86_400),
    })
}

#[derive(Default)]
struct Kept {
    /// The rows of events as texts, by their keys.
    rows: BTreeMap<(String, String), String>,
    sent: u64,
}

/// Table and queue.
#[derive(Clone, Default)]
struct World(Arc<Mutex<Kept>>);

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("World")
    }
}

impl Kept {
    fn answer(&mut self, operation: &str, body: &[u8]) -> String {
        if operation == "SendMessageBatch" {
            // The messages are not parsed, so that the time is the function's own.
            let sent = body.windows(14).filter(|window| *window == b"MessageGroupId").count();
            self.sent += sent as u64;
            return json!({ "Successful": [], "Failed": [] }).to_string();
        }
        let asked: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |value: &Value| value["S"].as_str().unwrap_or_default().to_owned();
        let key = |of: &Value| (text(&of["pk"]), text(&of["sk"]));
        match operation {
            "GetItem" if asked["Key"]["sk"]["S"] == "ACCOUNT" => {
                let item = json!({ "Item": { "pk": { "S": "A#acme" }, "sk": { "S": "ACCOUNT" }, "id": { "S": "acme" },
                    "created_at": { "S": "2026-01-01T00:00:00Z" } } });
                item.to_string()
            }
            "GetItem" => {
                self.rows.get(&key(&asked["Key"])).map_or("{}".to_owned(), |item| format!(r#"{{"Item":{item}}}"#))
            }
            "PutItem" => {
                let key = key(&asked["Item"]);
                if key.0.starts_with("E#") {
                    self.rows.insert(key, asked["Item"].to_string());
                }
                "{}".to_owned()
            }
            "Query" if asked["ExpressionAttributeValues"][":pk"]["S"] == "B#acme#*#*" => {
                let after = asked["ExclusiveStartKey"]["sk"]["S"].as_str().map(str::to_owned);
                page(after.and_then(|sk| sk.rsplit('_').next().and_then(number)).map_or(0, |last| last + 1)).to_string()
            }
            "Query" => json!({ "Items": [] }).to_string(),
            _ => "{}".to_owned(),
        }
    }
}

fn page(from: usize) -> Value {
    let (mut items, mut bytes) = (Vec::new(), 0);
    for n in from..SUBSCRIPTIONS {
        let item = subscription(n);
        bytes += item.to_string().len();
        items.push(item);
        if bytes > PAGE_BYTES {
            let last = items.last().cloned().unwrap_or_default();
            return json!({ "Items": items, "LastEvaluatedKey": { "pk": last["pk"], "sk": last["sk"] } });
        }
    }
    json!({ "Items": items })
}

/// The bytes of an id from a number, and the number again.
fn entropy(n: usize) -> [u8; 10] {
    let [.., a, b] = n.to_be_bytes();
    [0, 0, 0, 0, 0, 0, 0, 0, a, b]
}

fn number(id: &str) -> Option<usize> {
    let bytes = data_encoding::BASE32HEX_NOPAD.decode(id.to_ascii_uppercase().as_bytes()).ok()?;
    let [.., a, b] = bytes.as_slice() else { return None };
    Some(usize::from(u16::from_be_bytes([*a, *b])))
}

/// The row of a subscription to everything, with the longest names and paths.
fn subscription(n: usize) -> Value {
    let id = SubscriptionId::from_entropy(entropy(n));
    let destination = DestinationId::from_entropy(entropy(n % DESTINATIONS));
    let settings = json!({
        "name": format!("{n:0>128}"), "destination_id": destination, "event_types": ["*"], "scope": "*",
        "path": format!("/{:p>255}", n)
    });
    json!({
        "pk": { "S": "B#acme#*#*" }, "sk": { "S": format!("SUB#{id}") }, "id": { "S": id }, "account": { "S": "acme" },
        "settings": { "S": settings.to_string() }, "created_at": { "S": "2026-01-01T00:00:00Z" },
        "updated_at": { "S": "2026-01-01T00:00:00Z" }, "version": { "N": "1" }
    })
}

impl HttpClient for World {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for World {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let world = self.clone();
        HttpConnectorFuture::new(async move {
            // The request is in memory for as long as a service takes to answer.
            tokio::time::sleep(Duration::from_millis(20)).await;
            let target = request.headers().get("x-amz-target").unwrap_or_default();
            let operation = target.rsplit('.').next().unwrap_or_default();
            let body = request.body().bytes().unwrap_or_default();
            let answer = world.0.lock().unwrap_or_else(PoisonError::into_inner).answer(operation, body);
            let status = 200.try_into().map_err(|error| {
                aws_smithy_runtime_api::client::result::ConnectorError::other(Box::new(error), None)
            })?;
            Ok(HttpResponse::new(status, answer.into()))
        })
    }
}
