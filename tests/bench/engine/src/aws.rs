//! Stands in for AWS: a table, queues and a key at one address. It counts what is called, and can take a while for each call.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use data_encoding::BASE64;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::Result;
use crate::server::{Request, Response, listen};
use crate::table::{Cost, Table};

/// SQS counts a request for each 64 KB.
const QUEUE_BLOCK: usize = 64 * 1_024;
/// What the stand-in's key puts before the key that it encrypted.
const SEALED: &[u8] = b"sealed under the bench's key:";

/// What was called.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Counts {
    /// By operation.
    pub(crate) calls: BTreeMap<String, f64>,
    pub(crate) bytes_to_aws: f64,
    pub(crate) bytes_from_aws: f64,
    /// Messages that were sent, and the requests that SQS bills for them.
    pub(crate) messages: f64,
    pub(crate) queue_requests: f64,
    pub(crate) table: Cost,
}

impl Counts {
    pub(crate) fn all_calls(&self) -> f64 {
        self.calls.values().sum()
    }

    /// So many times as much of each.
    pub(crate) fn times(&self, factor: f64) -> Counts {
        Counts {
            calls: self.calls.iter().map(|(name, count)| (name.clone(), count * factor)).collect(),
            bytes_to_aws: self.bytes_to_aws * factor,
            bytes_from_aws: self.bytes_from_aws * factor,
            messages: self.messages * factor,
            queue_requests: self.queue_requests * factor,
            table: self.table * factor,
        }
    }

    pub(crate) fn plus(mut self, other: &Counts) -> Counts {
        for (name, count) in &other.calls {
            *self.calls.entry(name.clone()).or_default() += count;
        }
        self.bytes_to_aws += other.bytes_to_aws;
        self.bytes_from_aws += other.bytes_from_aws;
        self.messages += other.messages;
        self.queue_requests += other.queue_requests;
        self.table += other.table;
        self
    }

    /// What was called since `before`.
    pub(crate) fn since(&self, before: &Counts) -> Counts {
        let old = |name: &String| before.calls.get(name).copied().unwrap_or_default();
        let calls = self.calls.iter().map(|(name, count)| (name.clone(), count - old(name)));
        Counts {
            calls: calls.filter(|(_, count)| *count > 0.0).collect(),
            bytes_to_aws: self.bytes_to_aws - before.bytes_to_aws,
            bytes_from_aws: self.bytes_from_aws - before.bytes_from_aws,
            messages: self.messages - before.messages,
            queue_requests: self.queue_requests - before.queue_requests,
            table: self.table - before.table,
        }
    }
}

#[derive(Default)]
struct State {
    table: Table,
    counts: Counts,
    /// The bodies of messages that were sent, in order, unless nobody wants them.
    queue: VecDeque<String>,
    is_kept: bool,
    refused: Vec<String>,
    data_keys: u8,
}

#[derive(Clone)]
pub(crate) struct Aws {
    state: Arc<Mutex<State>>,
    hurries: Arc<AtomicBool>,
    pub(crate) port: u16,
}

impl Aws {
    /// `latency` is added to each call.
    pub(crate) async fn start(latency: Duration) -> Result<Self> {
        let state = Arc::new(Mutex::new(State::default()));
        let (answering, hurries) = (Arc::clone(&state), Arc::new(AtomicBool::new(false)));
        let hurrying = Arc::clone(&hurries);
        let (port, _) = listen(move |request| {
            let answer = lock(&answering).answer(&request);
            let waits = !latency.is_zero() && !hurrying.load(Ordering::Relaxed);
            async move {
                if waits {
                    tokio::time::sleep(latency).await;
                }
                answer
            }
        })
        .await?;
        Ok(Self { state, hurries, port })
    }

    /// Answers at once from now on, or after the latency again.
    pub(crate) fn hurry(&self, hurries: bool) {
        self.hurries.store(hurries, Ordering::Relaxed);
    }

    pub(crate) fn counts(&self) -> Counts {
        lock(&self.state).counts.clone()
    }

    /// Keeps what is sent to the queue of deliveries from now on, or no longer. What was kept before is dropped.
    pub(crate) fn keep_messages(&self, is_kept: bool) {
        let mut state = lock(&self.state);
        state.queue.clear();
        state.is_kept = is_kept;
    }

    pub(crate) fn take_messages(&self) -> Vec<String> {
        lock(&self.state).queue.drain(..).collect()
    }

    /// An error if the stand-in refused a call because it does not know it: then nothing that was measured holds.
    pub(crate) fn check(&self) -> Result<()> {
        match lock(&self.state).refused.first() {
            None => Ok(()),
            Some(reason) => Err(format!("the stand-in for AWS refused a call: {reason}").into()),
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn answer(&mut self, request: &Request) -> Response {
        let target = request.header("x-amz-target");
        let (service, operation) = target.split_once('.').unwrap_or((target, ""));
        *self.counts.calls.entry(operation.to_owned()).or_default() += 1.0;
        self.counts.bytes_to_aws += request.body.len() as f64;
        let asked: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let (status, answer) = match service {
            "DynamoDB_20120810" => self.table(operation, &asked),
            "AmazonSQS" => self.queue(operation, &asked),
            "TrentService" => self.key(operation, &asked),
            _ => self.unknown(&format!("{} {}: {target}", request.method, request.path)),
        };
        let body = answer.to_string();
        self.counts.bytes_from_aws += body.len() as f64;
        let kind =
            if service == "DynamoDB_20120810" { "application/x-amz-json-1.0" } else { "application/x-amz-json-1.1" };
        Response { headers: vec![("content-type", kind.to_owned())], ..Response::of(status, body) }
    }

    fn table(&mut self, operation: &str, asked: &Value) -> (u16, Value) {
        let (answer, cost) = self.table.answer(operation, asked);
        self.counts.table += cost;
        match answer {
            Ok(answer) => (200, answer),
            Err(refused) => {
                let mut answer = refused.more;
                answer["__type"] = json!(format!("com.amazonaws.dynamodb.v20120810#{}", refused.code));
                if refused.code == "ValidationException" {
                    self.refused.push(format!("{operation}: {}", answer["message"].as_str().unwrap_or_default()));
                }
                (400, answer)
            }
        }
    }

    fn queue(&mut self, operation: &str, asked: &Value) -> (u16, Value) {
        let entries = asked["Entries"].as_array().map(Vec::as_slice).unwrap_or_default();
        match operation {
            "SendMessageBatch" | "SendMessage" => {
                let messages = if operation == "SendMessage" { std::slice::from_ref(asked) } else { entries };
                let bodies = messages.iter().map(|message| message["MessageBody"].as_str().unwrap_or_default());
                let bytes: usize = bodies.clone().map(str::len).sum();
                self.counts.messages += messages.len() as f64;
                self.counts.queue_requests += queue_requests(bytes);
                if self.is_kept {
                    self.queue.extend(bodies.map(str::to_owned));
                }
                let sent = |id: &Value| json!({ "Id": id, "MessageId": "m", "MD5OfMessageBody": "" });
                match operation {
                    "SendMessage" => (200, sent(&Value::Null)),
                    _ => {
                        let sent: Vec<_> = entries.iter().map(|entry| sent(&entry["Id"])).collect();
                        (200, json!({ "Successful": sent, "Failed": [] }))
                    }
                }
            }
            "ChangeMessageVisibility" => {
                self.counts.queue_requests += 1.0;
                (200, json!({}))
            }
            "ChangeMessageVisibilityBatch" | "DeleteMessageBatch" => {
                self.counts.queue_requests += 1.0;
                let done: Vec<_> = entries.iter().map(|entry| json!({ "Id": entry["Id"] })).collect();
                (200, json!({ "Successful": done, "Failed": [] }))
            }
            other => self.unknown(other),
        }
    }

    fn key(&mut self, operation: &str, asked: &Value) -> (u16, Value) {
        match operation {
            "GenerateDataKeyWithoutPlaintext" => {
                self.data_keys += 1;
                let key = Sha256::digest([self.data_keys]);
                let sealed = BASE64.encode(&[SEALED, key.as_slice()].concat());
                (200, json!({ "KeyId": asked["KeyId"], "CiphertextBlob": sealed }))
            }
            "Decrypt" => {
                let sealed = BASE64.decode(asked["CiphertextBlob"].as_str().unwrap_or_default().as_bytes());
                match sealed.unwrap_or_default().strip_prefix(SEALED) {
                    Some(key) => (200, json!({ "KeyId": asked["KeyId"], "Plaintext": BASE64.encode(key) })),
                    None => (400, json!({ "__type": "InvalidCiphertextException" })),
                }
            }
            other => self.unknown(other),
        }
    }

    fn unknown(&mut self, what: &str) -> (u16, Value) {
        self.refused.push(what.to_owned());
        (400, json!({ "__type": "ValidationException", "message": format!("{what} is not known here") }))
    }
}

fn queue_requests(bytes: usize) -> f64 {
    bytes.div_ceil(QUEUE_BLOCK).max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_bills_a_request_for_each_64_kb() {
        assert_eq!([0, 1, 65_536, 65_537, 655_360].map(queue_requests), [1.0, 1.0, 1.0, 2.0, 10.0]);
    }

    #[test]
    fn what_was_called_between_two_moments_is_told() {
        let counts = |calls: f64| Counts { calls: BTreeMap::from([("Query".to_owned(), calls)]), ..Counts::default() };
        let mut after = counts(3.0);
        after.calls.insert("PutItem".to_owned(), 2.0);
        let since = after.since(&counts(3.0));
        assert_eq!((since.all_calls(), since.calls.get("Query")), (2.0, None));
    }
}
