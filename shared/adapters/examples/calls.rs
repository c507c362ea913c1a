//! Measures how much processor time a call of the real SDK adapters takes, by kind of call and per item, against a
//! small server in its own thread. `make bench ONLY=calls` builds it optimized, runs it, and stores its table as
//! `tests/model/costs.json`, which the model of capacity reads.
//!
//! The server uses no TLS, whose share is small, and does almost nothing, so that only the adapters' processor time
//! counts.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a command line tool")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use adapters::{AwsClients, DynamoStore, SnsAlerts, SqsDeliveryQueue};
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use aws_types::SdkConfig;
use domain::delivery::{DeliveryRecord, DeliveryState, MessageLease, OutgoingDelivery, Purpose};
use domain::event::Event;
use domain::operational::Alert;
use domain::value::{AccountId, DeliveryId, EventId, Timestamp};
use futures_util::future::try_join_all;
use ports::{
    Accounts, Alerts, Deliveries, DeliveryQueue, DestinationHealth, Destinations, Events, ListEvents, Order,
    PortResult, Postpone, Reckoning, SealedEvent, Span, Waiting, WideEvents,
};
use serde_json::{Value, json};
use testing::{account, destination, event_text, record, sealed};

/// How many calls are timed. A tenth as many run before, to warm up.
const TIMES: u32 = 400;
/// How many rows or messages the calls for many have.
const MANY: usize = 100;
const NOW: u64 = 1_795_426_200_000;

/// The table: items by their keys, as the service writes them.
type Items = Arc<Mutex<BTreeMap<(String, String), Value>>>;

fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let items = Items::default();
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let items = items.clone();
            std::thread::spawn(move || serve(&connection, &items));
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let costs = runtime.block_on(measure(&format!("http://{address}")));
    let calls: serde_json::Map<String, Value> = costs.into_iter().collect();
    let table = json!({
        "about": "Processor time of calls of the SDK adapters in microseconds, printed by `make bench ONLY=calls`",
        "machine": machine(),
        "calls": calls
    });
    println!("{}", serde_json::to_string_pretty(&table).expect("JSON"));
}

fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    model.map_or_else(|| "unknown".to_owned(), |(_, name)| name.trim().to_owned())
}

/// The processor time of this thread in microseconds.
fn processor_us() -> f64 {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let ns: f64 = stat.split(' ').next().and_then(|ns| ns.parse().ok()).expect("a number");
    ns / 1_000.0
}

async fn cost<T>(call: impl AsyncFn(u32) -> PortResult<T>) -> f64 {
    for n in 0..TIMES / 10 {
        call(n).await.expect("an answer");
    }
    let before = processor_us();
    for n in 0..TIMES {
        call(n).await.expect("an answer");
    }
    (processor_us() - before) / f64::from(TIMES)
}

/// The cost of a call with one item, and of each further item.
fn entry(name: &str, one: f64, many: Option<(usize, f64)>) -> (String, Value) {
    let item = many.map_or(0.0, |(count, cost)| ((cost - one) / (count as f64 - 1.0)).max(0.0));
    (name.to_owned(), json!({"call_us": one.round(), "further_item_us": (item * 10.0).round() / 10.0}))
}

struct Prepared {
    acme: AccountId,
    store: DynamoStore,
    records: Vec<DeliveryRecord>,
    event: SealedEvent,
}

fn clients(url: &str) -> AwsClients {
    let credentials = SharedCredentialsProvider::new(Credentials::new("test", "test", None, None, "bench"));
    let config = SdkConfig::builder().behavior_version(BehaviorVersion::latest()).region(Region::new("us-east-1"));
    let http = aws_smithy_http_client::Builder::new().build_http();
    AwsClients::from_config(config.endpoint_url(url).credentials_provider(credentials).http_client(http).build())
}

async fn prepare(aws: &AwsClients) -> PortResult<Prepared> {
    let (acme, store) = (account("acme"), DynamoStore::new(aws, "table".into()));
    let one = destination(&acme, 1, "https://receiver.example/");
    store.create_account(&acme, Timestamp::from_unix_ms(NOW)).await?;
    let due_at = Timestamp::from_unix_ms(NOW);
    let records: Vec<_> =
        (0..MANY * 10).map(|n| record(&one, &format!("evt-{n}"), 2, DeliveryState::Retrying { due_at })).collect();
    for record in &records {
        store.create_delivery(record).await?;
    }
    let text = event_text(&acme, "evt-0");
    let event = Event::parse(&text, due_at).expect("a sample");
    let event = SealedEvent {
        expires_at: due_at.plus(Duration::from_secs(86_400)),
        ..sealed(&event, vec![records[0].delivery.clone()], due_at)
    };
    for (n, record) in records.iter().enumerate().take(MANY) {
        let id: EventId = format!("evt-{n}").parse().expect("an id");
        store.seal_event(&SealedEvent { id, owed: vec![record.delivery.clone()], ..event.clone() }).await?;
    }
    Ok(Prepared { acme, store, records, event })
}

async fn measure(url: &str) -> Vec<(String, Value)> {
    let aws = clients(url);
    let prepared = prepare(&aws).await.expect("a table with rows");
    let mut costs = of_rows(&prepared).await;
    costs.extend(of_lists(&prepared).await);
    costs.extend(of_messages(&aws, url, &prepared).await);
    costs
}

async fn of_rows(prepared: &Prepared) -> Vec<(String, Value)> {
    let Prepared { acme, store, records, event } = prepared;
    let one = destination(acme, 1, "https://receiver.example/");
    store.create_destination(&one, 10).await.expect("created");
    let health = one.health.resumed(Timestamp::from_unix_ms(NOW));
    let row = &records[0];
    let (due_at, now) = (Timestamp::from_unix_ms(NOW), Timestamp::from_unix_ms(NOW + 1_000));
    let sent = row.sent(due_at, now, MessageLease::default());
    // As many at one moment as a batch has.
    let create = async |count| {
        cost(async |_| try_join_all(records[..count].iter().map(|row| store.create_delivery(row))).await).await
    };
    let unseen: Vec<EventId> = (0..10).map(|n| format!("unseen-{n}").parse().expect("an id")).collect();
    let look_up = async |count| {
        cost(async |_| try_join_all(unseen[..count].iter().map(|id| store.find_seal(acme, id))).await).await
    };
    let events: Vec<_> = unseen.iter().map(|id| SealedEvent { id: id.clone(), ..event.clone() }).collect();
    let seal = async |count| {
        cost(async |_| try_join_all(events[..count].iter().map(|event| store.seal_event(event))).await).await
    };
    vec![
        entry("find_delivery", cost(async |_| store.find_delivery(acme, &row.delivery.id).await).await, None),
        entry("create_delivery", create(1).await, Some((10, create(10).await))),
        entry("replace_delivery", cost(async |_| store.replace_delivery(row, &sent).await).await, None),
        entry("find_event", cost(async |_| store.find_event(acme, &event.id).await).await, None),
        entry("find_seal", look_up(1).await, Some((10, look_up(10).await))),
        entry("seal_event", seal(1).await, Some((10, seal(10).await))),
        entry("find_destination_anew", cost(async |_| store.find_destination_anew(acme, &one.id).await).await, None),
        entry("update_health", cost(async |_| store.update_health(&one, &health).await).await, None),
    ]
}

async fn of_lists(prepared: &Prepared) -> Vec<(String, Value)> {
    let Prepared { acme, store, records, .. } = prepared;
    let until = Timestamp::from_unix_ms(NOW + 60_000);
    let shard = records[0].delivery.id.as_str().bytes().last().unwrap_or_default() % ports::SHARDS;
    let due = async |limit| cost(async |_| store.due_deliveries(shard, until, None, limit).await).await;
    let span = Span { since: Timestamp::from_unix_ms(NOW - 86_400_000), until };
    let events =
        async |limit| cost(async |_| store.list_events(acme, span, Order::NewestFirst, None, limit).await).await;
    let ids: Vec<DeliveryId> = records.iter().take(MANY).map(|record| record.delivery.id.clone()).collect();
    let standings = async |count| cost(async |_| store.find_standings_in_ranges(acme, &ids[..count]).await).await;
    let of: Vec<EventId> = (0..MANY).map(|n| format!("evt-{n}").parse().expect("an id")).collect();
    let owed = async |count| cost(async |_| store.find_owed(acme, &of[..count]).await).await;
    let named: Vec<_> = ids.iter().map(|id| (acme.clone(), id.clone())).collect();
    let rows = async |count| cost(async |_| store.find_deliveries(&named[..count]).await).await;
    assert_eq!(store.due_deliveries(shard, until, None, MANY).await.map(|due| due.len()).ok(), Some(MANY), "due");
    assert_eq!(
        store.list_events(acme, span, Order::NewestFirst, None, MANY).await.map(|events| events.len()).ok(),
        Some(MANY),
        "events"
    );
    assert_eq!(store.find_standings_in_ranges(acme, &ids).await.map(|rows| rows.len()).ok(), Some(MANY), "standings");
    assert_eq!(store.find_deliveries(&named).await.map(|rows| rows.len()).ok(), Some(MANY), "rows");
    vec![
        entry("due_deliveries", due(1).await, Some((MANY, due(MANY).await))),
        entry("list_events", events(1).await, Some((MANY, events(MANY).await))),
        entry("find_deliveries", rows(1).await, Some((MANY, rows(MANY).await))),
        entry("find_standings_in_ranges", standings(1).await, Some((MANY, standings(MANY).await))),
        entry("find_owed", owed(1).await, Some((MANY, owed(MANY).await))),
    ]
}

async fn of_messages(aws: &AwsClients, url: &str, prepared: &Prepared) -> Vec<(String, Value)> {
    let queue = SqsDeliveryQueue::new(aws, format!("{url}/123456789012/deliveries"));
    let body = serde_json::value::RawValue::from_string(prepared.event.body.clone()).expect("JSON");
    let message = |record: &'_ DeliveryRecord| record.delivery.clone();
    let deliveries: Vec<_> = prepared.records.iter().take(10).map(message).collect();
    let outgoing: Vec<_> = deliveries
        .iter()
        .map(|delivery| OutgoingDelivery { delivery, purpose: Purpose::Again, body: &body, delay: Duration::ZERO })
        .collect();
    let send = async |count: usize| cost(async |_| queue.send_deliveries(&outgoing[..count]).await).await;
    let alerts = SnsAlerts::new(aws, "arn:aws:sns:us-east-1:123456789012:alerts".into());
    let alert = Alert {
        subject: "SyncHub: a destination is failing".into(),
        text: "x".repeat(900),
        event_type: "destination.failing",
        account: prepared.acme.clone(),
        destination: deliveries[0].destination.clone(),
    };
    vec![
        entry("send_deliveries", send(1).await, Some((10, send(10).await))),
        entry("postpone", cost(async |_| queue.postpone("receipt", Duration::from_secs(5)).await).await, None),
        entry("publish", cost(async |_| alerts.publish(&alert).await).await, None),
    ]
}

/// Answers the requests of a connection until it ends.
fn serve(connection: &TcpStream, items: &Items) {
    let mut reader = BufReader::new(connection.try_clone().expect("a second handle"));
    let mut writer = connection;
    loop {
        let (mut operation, mut length, mut line) = (String::new(), 0, String::new());
        loop {
            line.clear();
            if reader.read_line(&mut line).unwrap_or_default() == 0 {
                return;
            }
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                if line.trim_end().is_empty() {
                    break;
                }
                continue;
            };
            match name.to_ascii_lowercase().as_str() {
                "x-amz-target" => operation = value.rsplit('.').next().unwrap_or_default().to_owned(),
                "content-length" => length = value.parse().unwrap_or_default(),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let answer = if operation.is_empty() {
            "<PublishResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>".to_owned()
        } else {
            answer(&operation, &serde_json::from_slice(&body).unwrap_or_default(), items).to_string()
        };
        let kind = if operation.is_empty() { "text/xml" } else { "application/x-amz-json-1.0" };
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n", answer.len());
        if writer.write_all(format!("{head}{answer}").as_bytes()).is_err() {
            return;
        }
    }
}

fn text(value: &Value) -> String {
    value["S"].as_str().unwrap_or_default().to_owned()
}

fn key(of: &Value) -> (String, String) {
    (text(&of["pk"]), text(&of["sk"]))
}

fn answer(operation: &str, asked: &Value, items: &Items) -> Value {
    let mut items = items.lock().unwrap_or_else(PoisonError::into_inner);
    match operation {
        "PutItem" => {
            items.insert(key(&asked["Item"]), asked["Item"].clone());
            json!({})
        }
        "TransactWriteItems" => {
            let parts = asked["TransactItems"].as_array().cloned().unwrap_or_default();
            for item in parts.iter().map(|part| &part["Put"]["Item"]).filter(|item| !item.is_null()) {
                items.insert(key(item), item.clone());
            }
            json!({})
        }
        "GetItem" => items.get(&key(&asked["Key"])).map_or_else(|| json!({}), |item| json!({"Item": item})),
        "BatchGetItem" => {
            let keys = asked["RequestItems"]["table"]["Keys"].as_array().cloned().unwrap_or_default();
            let fields = asked["RequestItems"]["table"]["ProjectionExpression"].as_str().unwrap_or_default();
            let found: Vec<_> =
                keys.iter().filter_map(|one| items.get(&key(one))).map(|i| projected(i, fields)).collect();
            json!({"Responses": {"table": found}})
        }
        "BatchExecuteStatement" => {
            let statements = asked["Statements"].as_array().map_or(0, Vec::len);
            json!({"Responses": vec![json!({"TableName": "table"}); statements]})
        }
        "Query" => query(&items, asked),
        "SendMessageBatch" => {
            let entries = asked["Entries"].as_array().cloned().unwrap_or_default();
            let taken =
                entries.iter().map(|entry| json!({"Id": entry["Id"], "MessageId": "1", "MD5OfMessageBody": ""}));
            json!({"Successful": taken.collect::<Vec<_>>(), "Failed": []})
        }
        _ => json!({}),
    }
}

/// The named attributes, of which `#state` is `state`; all if none is named.
fn projected(item: &Value, fields: &str) -> Value {
    if fields.is_empty() {
        return item.clone();
    }
    let fields: Vec<&str> = fields.split(", ").map(|field| field.trim_start_matches('#')).collect();
    let kept = item.as_object().into_iter().flatten().filter(|(name, _)| fields.contains(&name.as_str()));
    Value::Object(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// The items of a partition of the table or of an index. The order is ignored, because the measured calls do not need
/// it.
fn query(items: &BTreeMap<(String, String), Value>, asked: &Value) -> Value {
    let (pk, sk, waiting) = match asked["IndexName"].as_str() {
        None => ("pk", "sk", false),
        Some("waiting") => ("gsi2pk", "gsi2sk", true),
        Some(_) => ("gsi1pk", "gsi1sk", false),
    };
    let values = asked["ExpressionAttributeValues"].as_object();
    let names: Vec<String> = values.into_iter().flatten().map(|(_, value)| text(value)).collect();
    let limit = asked["Limit"].as_u64().and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let mine = items.values().filter(|item| names.contains(&text(&item[pk])) && !item[pk].is_null());
    let shown = mine
        .take(limit)
        .map(|item| if waiting { projected(item, &format!("pk, sk, {pk}, {sk}")) } else { item.clone() });
    let shown: Vec<_> = shown.collect();
    json!({"Count": shown.len(), "ScannedCount": shown.len(), "Items": shown})
}
