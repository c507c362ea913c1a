//! The queues, the topic and the key, as the real adapters call them: every call is stored, and answered as AWS would.

use std::sync::{Arc, Mutex, PoisonError};

use adapters::AwsClients;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use data_encoding::BASE64;
use harness::Deployment;
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use crate::text::sorted;

pub const DELIVERIES: &str = "https://sqs.example/deliveries";
pub const EVENTS: &str = "https://sqs.example/events";
pub const TOPIC: &str = "arn:aws:sns:us-east-1:123456789012:alerts";
pub const KEY: &str = "arn:aws:kms:us-east-1:123456789012:key/secrets";

/// What was called, and the content of the call.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    pub operation: String,
    pub input: Value,
}

impl Call {
    pub fn text(&self, name: &str) -> &str {
        self.input[name].as_str().unwrap_or_default()
    }
}

/// Replaces AWS behind clients of the SDK.
#[derive(Debug, Clone, Default)]
pub struct FakeAws(Arc<Mutex<Vec<Call>>>);

impl FakeAws {
    pub fn clients(&self, deployment: &Deployment) -> AwsClients {
        let config = deployment.sdk_config().into_builder();
        AwsClients::from_config(config.http_client(SharedHttpClient::new(self.clone())).build())
    }

    /// The calls since the last time. Concurrent calls have no order, and neither have the entries of a batch: each
    /// entry counts as a call, and all are sorted.
    pub fn take(&self) -> Vec<Call> {
        let calls = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let mut calls: Vec<_> = calls.into_iter().flat_map(entries).collect();
        calls.sort_by_key(|call| (call.operation.clone(), call.input.to_string()));
        calls
    }
}

fn entries(call: Call) -> Vec<Call> {
    let Some(entries) = call.input["Entries"].as_array() else { return vec![call] };
    let entry = |entry: &Value| {
        let mut input = entry.clone();
        let number = input.as_object_mut().and_then(|fields| fields.remove("Id"));
        assert!(number.is_some(), "an entry without an id: {entry}");
        input["QueueUrl"] = call.input["QueueUrl"].clone();
        Call { operation: call.operation.clone(), input: sorted(input) }
    };
    entries.iter().map(entry).collect()
}

impl HttpClient for FakeAws {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for FakeAws {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let body = request.body().bytes().unwrap_or_default();
        let target = request.headers().get("x-amz-target").map(|target| target.rsplit('.').next().unwrap_or(target));
        let call = match target {
            Some(operation) => {
                let input = serde_json::from_slice(body).expect("JSON");
                Call { operation: operation.to_owned(), input: sorted(input) }
            }
            None => form(body),
        };
        let answer = answer(&call.operation);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(call);
        HttpConnectorFuture::ready(Ok(HttpResponse::new(200.try_into().expect("a status"), answer.into())))
    }
}

/// A call of SNS's protocol. Its attributes come in any order, with numbers.
fn form(body: &[u8]) -> Call {
    let (mut operation, mut input, mut numbered) = (String::new(), Map::new(), Map::new());
    for (name, value) in form_urlencoded::parse(body) {
        match name.split('.').collect::<Vec<_>>().as_slice() {
            ["Action"] => operation = value.into_owned(),
            ["MessageAttributes", "entry", number, .., last] => {
                numbered.entry(*number).or_insert_with(|| json!({}))[*last] = json!(value);
            }
            ["Message"] => drop(input.insert("Message".to_owned(), value.lines().collect())),
            _ => drop(input.insert(name.into_owned(), json!(value))),
        }
    }
    let attributes = numbered.values().map(|one| {
        let name = one["Name"].as_str().expect("a name").to_owned();
        (name, json!([one["DataType"], one["StringValue"]]))
    });
    input.insert("MessageAttributes".to_owned(), attributes.collect::<Map<_, _>>().into());
    Call { operation, input: sorted(input.into()) }
}

fn answer(operation: &str) -> String {
    match operation {
        "SendMessageBatch" => json!({ "Successful": [], "Failed": [] }).to_string(),
        "SendMessage" => json!({ "MessageId": "message-1", "MD5OfMessageBody": "" }).to_string(),
        "ChangeMessageVisibility" => "{}".to_owned(),
        "GenerateDataKeyWithoutPlaintext" => {
            json!({ "KeyId": KEY, "CiphertextBlob": BASE64.encode(b"an encrypted data key") }).to_string()
        }
        "Decrypt" => json!({ "KeyId": KEY, "Plaintext": BASE64.encode(&[7; 32]) }).to_string(),
        "Publish" => "<PublishResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><PublishResult>\
                      <MessageId>message-1</MessageId></PublishResult></PublishResponse>"
            .to_owned(),
        other => panic!("a call that no adapter made: {other}"),
    }
}
