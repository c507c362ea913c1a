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
use crate::account::{Account, Over};
use crate::aws::Aws;
use crate::lambda::{Function, reply};
use crate::receiver::Receivers;

/// Records of a batch, the most that the template lets Lambda hand over.
pub(crate) const BATCH: usize = 10;

/// Destinations of an account. Where more deliveries are owed, its subscriptions have paths of their own.
const MOST_DESTINATIONS: usize = 100;

pub(crate) struct World {
    pub(crate) aws: Aws,
    pub(crate) receivers: Receivers,
    programs: PathBuf,
    /// Where what is written goes.
    pub(crate) output: PathBuf,
    authority: PathBuf,
    latency: Duration,
    horizon_seconds: u32,
    /// Of the destinations, by their numbers.
    pub(crate) ids: Vec<String>,
    subscriptions: usize,
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
pub(crate) fn sample(name: &str) -> Result<Value> {
    Ok(serde_json::from_str(&std::fs::read_to_string(root().join("events").join(format!("{name}.json")))?)?)
}

impl World {
    /// The programs are below `programs`, as `make build` leaves them; what is written goes to `output`.
    pub(crate) async fn new(programs: PathBuf, output: &Path, latency: Duration) -> Result<Self> {
        let (aws, receivers) = (Aws::start(latency).await?, Receivers::start().await?);
        std::fs::create_dir_all(output)?;
        let authority = output.join("authority.pem");
        std::fs::write(&authority, &receivers.authority)?;
        let output = output.to_owned();
        let horizon_seconds = 3_600;
        Ok(Self {
            aws,
            receivers,
            programs,
            output,
            authority,
            latency,
            horizon_seconds,
            ids: Vec::new(),
            subscriptions: 0,
            events: 0,
        })
    }

    /// Another one with a table and receivers of its own, whose events are audited after so many seconds. Its stretches of
    /// time are as much shorter.
    pub(crate) async fn beside(&self, name: &str, horizon_seconds: u32) -> Result<Self> {
        let other = Self::new(self.programs.clone(), &self.output.join(name), self.latency).await?;
        Ok(Self { horizon_seconds, ..other })
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
            ("HORIZON_SECONDS", self.horizon_seconds.to_string()),
        ];
        let fixed = [
            ("LOG_LEVEL", "INFO"),
            ("METRICS_NAMESPACE", "synchub-webhooks"),
            ("TABLE_NAME", "table"),
            ("ALERTS_TOPIC_ARN", "arn:aws:sns:us-east-1:123456789012:alerts"),
            ("WORK_TOPIC_ARN", "arn:aws:sns:us-east-1:123456789012:work"),
            ("REDRIVE_CONCURRENCY", "20"),
            ("UNREGISTERED_ACCOUNTS", "ignore"),
            ("COMPACT_EVENTS", "true"),
            ("SECRETS_KEY_ARN", "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-4000-8000-000000000000"),
            ("ALLOW_HTTP", "true"),
            ("ALLOWED_CIDRS", "127.0.0.0/8"),
            ("OWN_HOSTS", "api.example"),
            ("PUBLIC_URL", ""),
            ("PAGE_URL", "https://api.example"),
            ("FRAME_ANCESTORS", ""),
            ("RETRY_WAITS", "5,300,1800,7200,18000,36000,50400,72000,86400"),
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
        self.aws.hurry(true);
        for account in accounts {
            let id = account.id();
            self.ask(&mut api, "api-create-account", &id, &json!({ "id": id })).await?;
            let destinations = account.fan_out.min(MOST_DESTINATIONS);
            for _ in 0..destinations {
                let destination = self.destination(&mut api, &id, account.over).await?;
                for nth in 0..account.fan_out / destinations {
                    let path = if nth == 0 { Value::Null } else { json!(format!("/{nth}")) };
                    let everything = json!({ "event_types": ["*"], "scope": "*", "path": path });
                    self.subscribe(&mut api, &id, &destination, everything).await?;
                }
            }
        }
        self.aws.hurry(false);
        api.end().await
    }

    /// A new destination of the account; returns its id.
    pub(crate) async fn destination(&mut self, api: &mut Function, account: &str, over: Over) -> Result<Value> {
        let number = self.ids.len();
        let url = self.receivers.url(over, number);
        let destination = json!({ "name": format!("Destination {number}"), "url": url });
        let created = self.ask(api, "api-create-destination", account, &destination).await?;
        self.receivers.counters.expect_secret(created["secret"].as_str().unwrap_or_default())?;
        self.ids.push(created["id"].as_str().unwrap_or_default().to_owned());
        Ok(created["id"].clone())
    }

    /// A new subscription of the account, which leads to the destination.
    pub(crate) async fn subscribe(
        &mut self,
        api: &mut Function,
        account: &str,
        destination: &Value,
        mut to: Value,
    ) -> Result<()> {
        self.subscriptions += 1;
        to["name"] = json!(format!("Subscription {}", self.subscriptions));
        to["destination_id"] = destination.clone();
        self.ask(api, "api-create-subscription", account, &to).await.map(drop)
    }

    /// Asks `api` for something like a sample, as an account.
    pub(crate) async fn ask(&self, api: &mut Function, like: &str, account: &str, body: &Value) -> Result<Value> {
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
    pub(crate) fn events(&mut self, account: &str, bytes: usize, count: usize) -> Result<Vec<String>> {
        self.events_of(account, bytes, count, OffsetDateTime::now_utc())
    }

    /// Events that have occurred at another time.
    pub(crate) fn events_of(
        &mut self,
        account: &str,
        bytes: usize,
        count: usize,
        occurred_at: OffsetDateTime,
    ) -> Result<Vec<String>> {
        let mut event = sample("demo-sync-run-succeeded")?;
        event["account"] = json!(account);
        event["occurred_at"] = json!(occurred_at.replace_nanosecond(0)?.format(&Rfc3339)?);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filling_has_its_size_and_is_never_the_same() {
        assert_eq!([0, 1, 43, 1_000].map(|bytes| filling(1, bytes).len()), [0, 1, 43, 1_000]);
        assert_ne!(filling(1, 100), filling(2, 100));
    }
}
