//! What is measured lives here: the stand-ins, and accounts with destinations, which the real `api` creates, so that rows and
//! secrets are as they are in a deployment.

use std::path::{Path, PathBuf};
use std::time::Duration;

use data_encoding::BASE64;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::Result;
use crate::aws::Aws;
use crate::lambda::{Function, reply};
use crate::receiver::Receivers;

/// Records of a batch, the most that the template lets Lambda hand over.
pub(crate) const BATCH: usize = 10;

/// An account, by how many destinations get each of its events, and how they are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) fan_out: usize,
    pub(crate) tls: bool,
}

impl Account {
    pub(crate) const fn http(fan_out: usize) -> Self {
        Self { fan_out, tls: false }
    }

    pub(crate) const fn https(fan_out: usize) -> Self {
        Self { fan_out, tls: true }
    }

    fn id(self) -> String {
        format!("{}-{}", self.scheme(), self.fan_out)
    }

    pub(crate) fn scheme(self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }
}

pub(crate) struct World {
    pub(crate) aws: Aws,
    pub(crate) receivers: Receivers,
    programs: PathBuf,
    authority: PathBuf,
    events: usize,
}

pub(crate) fn now_ms() -> i128 {
    OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000
}

/// The checkout.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
}

/// A sample request from `events/`.
fn sample(name: &str) -> Result<Value> {
    Ok(serde_json::from_str(&std::fs::read_to_string(root().join("events").join(format!("{name}.json")))?)?)
}

impl World {
    /// The programs are below `programs`, as `make build` leaves them; what is written goes to `output`.
    pub(crate) async fn new(programs: PathBuf, output: &Path, latency: Duration) -> Result<Self> {
        let (aws, receivers) = (Aws::start(latency).await?, Receivers::start().await?);
        let authority = output.join("authority.pem");
        std::fs::write(&authority, &receivers.authority)?;
        Ok(Self { aws, receivers, programs, authority, events: 0 })
    }

    pub(crate) fn program(&self, function: &str) -> PathBuf {
        self.programs.join(function).join("bootstrap")
    }

    pub(crate) async fn start(&self, function: &str) -> Result<Function> {
        Function::start(&self.program(function), &self.environment(), None).await
    }

    /// What any of the functions reads, as the template sets it.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let aws = format!("http://127.0.0.1:{}", self.aws.port);
        let queue = |name: &str| format!("{aws}/123456789012/{name}");
        let set = [
            ("AWS_ENDPOINT_URL", aws.clone()),
            ("EVENTS_QUEUE_URL", queue("events")),
            ("DELIVERIES_QUEUE_URL", queue("deliveries")),
            ("SSL_CERT_FILE", self.authority.to_string_lossy().into_owned()),
        ];
        let fixed = [
            ("LOG_LEVEL", "INFO"),
            ("METRICS_NAMESPACE", "synchub-webhooks"),
            ("TABLE_NAME", "table"),
            ("ALERTS_TOPIC_ARN", "arn:aws:sns:us-east-1:123456789012:alerts"),
            ("WORK_TOPIC_ARN", "arn:aws:sns:us-east-1:123456789012:work"),
            ("REDRIVE_CONCURRENCY", "20"),
            ("UNREGISTERED_ACCOUNTS", "ignore"),
            ("SECRETS_KEY_ARN", "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-4000-8000-000000000000"),
            ("ALLOW_HTTP", "true"),
            ("ALLOWED_CIDRS", "127.0.0.0/8"),
            ("OWN_HOSTS", "api.example"),
            ("PUBLIC_URL", ""),
            ("PAGE_URL", "https://api.example"),
            ("FRAME_ANCESTORS", ""),
            ("RETRY_WAITS", "5,300,1800,7200,18000,36000,50400,72000,86400"),
            ("HORIZON_SECONDS", "3600"),
            ("LEASE_SECONDS", "900"),
            ("RETENTION_DAYS", "30"),
            ("MAX_DESTINATIONS", "1000"),
            ("MAX_SUBSCRIPTIONS", "20000"),
            ("ACCOUNT_UNITS_PER_SECOND", "100000"),
            ("ACCOUNT_EVENTS_PER_SECOND", "100000"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_SESSION_TOKEN", "test"),
            ("AWS_LAMBDA_FUNCTION_NAME", "measured"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "log"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "log"),
        ];
        let fixed = fixed.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        set.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(fixed).collect()
    }

    /// Creates all accounts, each with its destinations, which all get every event.
    pub(crate) async fn create(&mut self, accounts: &[Account]) -> Result<()> {
        let mut api = self.start("api").await?;
        let mut number = 0;
        for account in accounts {
            let id = account.id();
            self.ask(&mut api, "api-create-account", &id, &json!({ "id": id })).await?;
            for nth in 0..account.fan_out {
                let port = if account.tls { self.receivers.https } else { self.receivers.http };
                let url = format!("{}://127.0.0.1:{port}/{number}", account.scheme());
                let destination = json!({ "name": format!("Destination {nth}"), "url": url });
                let created = self.ask(&mut api, "api-create-destination", &id, &destination).await?;
                self.receivers.counters.expect_secret(created["secret"].as_str().unwrap_or_default())?;
                let everything = json!({ "name": format!("Subscription {nth}"), "destination_id": created["id"],
                    "event_types": ["*"], "scope": "*" });
                self.ask(&mut api, "api-create-subscription", &id, &everything).await?;
                number += 1;
            }
        }
        api.end().await
    }

    /// Asks `api` for something like a sample, as an account.
    async fn ask(&self, api: &mut Function, like: &str, account: &str, body: &Value) -> Result<Value> {
        let mut request = sample(like)?;
        request["body"] = json!(body.to_string());
        if let Some(caller) = request.pointer_mut("/requestContext/authorizer/lambda") {
            caller["account"] = json!(account);
        }
        match reply(&api.invoke(serde_json::to_vec(&request)?).await?)? {
            (201, answer) => Ok(answer),
            (status, answer) => Err(format!("api answered {status} to {body}: {answer}").into()),
        }
    }

    /// New events of the account, each a text of about `bytes`.
    pub(crate) fn events(&mut self, account: Account, bytes: usize, count: usize) -> Result<Vec<String>> {
        let mut event = sample("demo-sync-run-succeeded")?;
        event["account"] = json!(account.id());
        event["occurred_at"] = json!(OffsetDateTime::now_utc().replace_nanosecond(0)?.format(&Rfc3339)?);
        // Nobody is owed a note that the next run has not come, so its time does not matter.
        event["data"]["note"] = json!("");
        let mut texts = Vec::with_capacity(count);
        for _ in 0..count {
            self.events += 1;
            event["id"] = json!(format!("evt-{:08}", self.events));
            event["data"]["note"] = json!("");
            let room = bytes.saturating_sub(event.to_string().len());
            event["data"]["note"] = json!(filling(self.events, room));
            texts.push(event.to_string());
        }
        Ok(texts)
    }

    /// The first invocation of each function that is measured from its start.
    pub(crate) fn first_invocation(&self, function: &str, account: Account) -> Result<Value> {
        let mut request = match function {
            "api" => sample("api-list-destinations")?,
            "authorizer" => sample("authorizer-not-a-key")?,
            "portal" => sample("portal-no-session")?,
            _ => return Ok(json!({})),
        };
        if let Some(caller) = request.pointer_mut("/requestContext/authorizer/lambda") {
            caller["account"] = json!(account.id());
        }
        Ok(request)
    }
}

/// A text that does not compress to nothing, as data does not.
fn filling(number: usize, bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 44);
    let mut block = Sha256::digest(number.to_be_bytes());
    while text.len() < bytes {
        text += &BASE64.encode(&block);
        block = Sha256::digest(block);
    }
    text.truncate(bytes);
    text
}

/// A batch as Lambda hands it over.
pub(crate) fn batch(messages: &[String]) -> Result<Vec<u8>> {
    let at = now_ms().to_string();
    let records = messages.iter().enumerate().map(|(number, body)| {
        json!({
            "messageId": format!("00000000-0000-4000-8000-{number:012}"),
            "receiptHandle": format!("receipt-{number}"),
            "body": body,
            "attributes": {
                "ApproximateReceiveCount": "1", "SentTimestamp": at, "SenderId": "AIDAEXAMPLE",
                "ApproximateFirstReceiveTimestamp": at
            },
            "messageAttributes": {},
            "md5OfBody": "",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:queue",
            "awsRegion": "us-east-1"
        })
    });
    Ok(serde_json::to_vec(&json!({ "Records": records.collect::<Vec<_>>() }))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filling_has_its_size_and_is_never_the_same() {
        assert_eq!([0, 1, 43, 1_000].map(|bytes| filling(1, bytes).len()), [0, 1, 43, 1_000]);
        assert_ne!(filling(1, 100), filling(2, 100));
    }
}
