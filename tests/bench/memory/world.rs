//! Table and queue. They keep only what is needed to continue with an event: its rows and the notes for the audit, in a
//! file, so that they do not count as memory of the measured process.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use domain::value::{DestinationId, SubscriptionId};
use harness::Result;
use harness::failure::OrFailure;
use serde_json::{Value, json};

/// Where a page of the table ends.
const PAGE_BYTES: usize = 1024 * 1024;
/// The most destinations that an account may have.
const DESTINATIONS: usize = 1_000;

/// The subscriptions of the account.
#[derive(Clone, Copy)]
pub(super) struct Subscribed {
    pub(super) count: usize,
    /// The buckets that all of them are filed under.
    pub(super) buckets: &'static [&'static str],
    pub(super) condition: fn(usize) -> Option<Value>,
}

struct Kept {
    subscribed: Subscribed,
    /// Where in the file the rows of events, and notes of seals, are as texts, by their keys.
    rows: BTreeMap<(String, String), (u64, usize)>,
    file: File,
    end: u64,
    sent: u64,
    /// The time of a core that answering took.
    answering: Duration,
}

/// Table and queue.
#[derive(Clone)]
pub(super) struct World(Arc<Mutex<Kept>>);

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("World")
    }
}

impl World {
    pub(super) fn of(subscribed: Subscribed) -> Result<Self> {
        let file = tempfile::tempfile().or_failure(|| "there is no temporary file")?;
        let (rows, answering) = (BTreeMap::new(), Duration::ZERO);
        Ok(Self(Arc::new(Mutex::new(Kept { subscribed, rows, file, end: 0, sent: 0, answering }))))
    }

    /// The time of a core that this process has taken, without what answering took. It has one thread.
    pub(super) fn time_without_it(&self) -> Duration {
        processor_time().saturating_sub(self.0.lock().unwrap_or_else(PoisonError::into_inner).answering)
    }

    /// How many messages were sent.
    pub(super) fn sent(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).sent
    }
}

impl Kept {
    fn keep(&mut self, key: (String, String), row: &str) -> io::Result<()> {
        self.file.write_all_at(row.as_bytes(), self.end)?;
        self.rows.insert(key, (self.end, row.len()));
        self.end += row.len() as u64;
        Ok(())
    }

    fn kept(&self, (at, length): (u64, usize)) -> io::Result<String> {
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, at)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn all_kept(&self, at: impl Iterator<Item = (u64, usize)>) -> io::Result<String> {
        Ok(at.map(|at| self.kept(at)).collect::<io::Result<Vec<_>>>()?.join(","))
    }

    fn answer(&mut self, operation: &str, body: &[u8]) -> io::Result<String> {
        if operation == "SendMessageBatch" {
            // The messages are not parsed, so that the time is the function's own.
            let sent = body.windows(14).filter(|window| *window == b"MessageGroupId").count();
            self.sent += sent as u64;
            return Ok(json!({ "Successful": [], "Failed": [] }).to_string());
        }
        let asked: Value = serde_json::from_slice(body).unwrap_or_default();
        Ok(match operation {
            "GetItem" if asked["Key"]["sk"]["S"] == "ACCOUNT" => {
                let item = json!({ "Item": { "pk": { "S": "A#acme" }, "sk": { "S": "ACCOUNT" }, "id": { "S": "acme" },
                    "created_at": { "S": "2026-01-01T00:00:00Z" } } });
                item.to_string()
            }
            "GetItem" => match self.rows.get(&key(&asked["Key"])) {
                Some(at) => format!(r#"{{"Item":{}}}"#, self.kept(*at)?),
                None => "{}".to_owned(),
            },
            "BatchGetItem" => {
                let keys = asked["RequestItems"]["table"]["Keys"].as_array().into_iter().flatten();
                let found = self.all_kept(keys.filter_map(|asked| self.rows.get(&key(asked)).copied()))?;
                format!(r#"{{"Responses":{{"table":[{found}]}},"UnprocessedKeys":{{}}}}"#)
            }
            "PutItem" => {
                let key = key(&asked["Item"]);
                if key.0.starts_with("E#") || key.0.starts_with("SEALED#") {
                    self.keep(key, &asked["Item"].to_string())?;
                }
                "{}".to_owned()
            }
            "DeleteItem" => {
                self.rows.remove(&key(&asked["Key"]));
                "{}".to_owned()
            }
            "Query" => self.list(&asked)?,
            _ => "{}".to_owned(),
        })
    }

    fn list(&self, asked: &Value) -> io::Result<String> {
        let pk = asked["ExpressionAttributeValues"][":pk"]["S"].as_str().unwrap_or_default();
        if let Some(bucket) = pk.strip_prefix("B#acme#") {
            let filed = self.subscribed.buckets.contains(&bucket);
            return Ok(if filed { self.subscribed.page(bucket, asked).to_string() } else { r#"{"Items":[]}"#.into() });
        }
        // The list of events has one page.
        let is_list = pk.starts_with("EV#") && asked["ExclusiveStartKey"].is_null();
        let wanted = |(of, sk): &(String, String)| if is_list { sk == "EVENT" } else { of == pk };
        let found = self.all_kept(self.rows.iter().filter(|(key, _)| wanted(key)).map(|(_, at)| *at))?;
        Ok(format!(r#"{{"Items":[{found}]}}"#))
    }
}

/// The time of a core that this thread has taken so far.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split_whitespace().next().and_then(|text| text.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or_default())
}

fn key(of: &Value) -> (String, String) {
    let text = |value: &Value| value["S"].as_str().unwrap_or_default().to_owned();
    (text(&of["pk"]), text(&of["sk"]))
}

impl Subscribed {
    fn page(&self, bucket: &str, asked: &Value) -> Value {
        let after =
            asked["ExclusiveStartKey"]["sk"]["S"].as_str().and_then(|sk| sk.rsplit('_').next().and_then(number));
        let from = after.map_or(0, |last| last + 1);
        let limit = asked["Limit"].as_u64().and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        let (mut items, mut bytes) = (Vec::new(), 0);
        for n in (from..self.count).take(limit) {
            let item = self.row(bucket, n);
            bytes += item.to_string().len();
            items.push(projected(item, asked));
            if bytes > PAGE_BYTES {
                break;
            }
        }
        if from + items.len() == self.count {
            return json!({ "Items": items });
        }
        let last = items.last().cloned().unwrap_or_default();
        json!({ "Items": items, "LastEvaluatedKey": { "pk": last["pk"], "sk": last["sk"] } })
    }

    /// The row of a subscription, with the longest names and paths.
    fn row(&self, bucket: &str, n: usize) -> Value {
        let id = SubscriptionId::from_entropy(entropy(n));
        let destination = DestinationId::from_entropy(entropy(n % DESTINATIONS));
        let types: Vec<_> = self.buckets.iter().filter_map(|bucket| bucket.split('#').next()).collect();
        let settings = json!({
            "name": format!("{n:0>128}"), "destination_id": destination, "event_types": types, "scope": "*",
            "path": format!("/{:p>255}", n), "condition": (self.condition)(n)
        });
        json!({
            "pk": { "S": format!("B#acme#{bucket}") }, "sk": { "S": format!("SUB#{id}") }, "id": { "S": id },
            "account": { "S": "acme" }, "settings": { "S": settings.to_string() },
            "created_at": { "S": "2026-01-01T00:00:00Z" }, "updated_at": { "S": "2026-01-01T00:00:00Z" },
            "version": { "N": "1" }
        })
    }
}

/// The attributes that are asked for; all if none are named.
fn projected(mut item: Value, asked: &Value) -> Value {
    let names = asked["ProjectionExpression"].as_str().map(|text| text.split(',').map(str::trim));
    if let (Some(names), Some(attributes)) = (names, item.as_object_mut()) {
        let kept: Vec<_> = names.filter_map(|name| asked["ExpressionAttributeNames"][name].as_str()).collect();
        attributes.retain(|name, _| kept.contains(&name.as_str()));
    }
    item
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
            let before = processor_time();
            let mut kept = world.0.lock().unwrap_or_else(PoisonError::into_inner);
            let answer = kept.answer(operation, body).map_err(|error| ConnectorError::other(Box::new(error), None))?;
            kept.answering += processor_time().saturating_sub(before);
            drop(kept);
            let status = 200.try_into().map_err(|error| ConnectorError::other(Box::new(error), None))?;
            Ok(HttpResponse::new(status, answer.into()))
        })
    }
}
