//! Awaited runs: a row for each watched place, written by each run that completes there.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::routing::{AwaitedRun, Grace};
use domain::value::Timestamp;
use ports::{AwaitRuns, AwaitedPlace, AwaitedRuns, PortResult};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::rows::{Unreadable, to_item};
use super::waiting::{Entry, Position};
use super::{DynamoStore, Written, keys, written};

/// How long a completed run is remembered after the announced time of the next one. Older events are not accepted
/// anyway.
const KEPT: Duration = Duration::from_secs(31 * 86_400);

/// Times are in milliseconds, so that they can be compared.
#[derive(Serialize, Deserialize)]
struct AwaitedRow {
    last_completed_at: u64,
    noted_at: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next_run_at: Option<u64>,
    known: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    told: Option<Grace>,
    expires_at: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gsi2pk: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gsi2sk: Option<String>,
}

impl From<&AwaitedRun> for AwaitedRow {
    fn from(run: &AwaitedRun) -> Self {
        let last = run.next_run_at.map_or(run.noted_at, |next| next.max(run.noted_at));
        Self {
            last_completed_at: run.last_completed_at.unix_ms(),
            noted_at: run.noted_at.unix_ms(),
            next_run_at: run.next_run_at.map(Timestamp::unix_ms),
            known: run.known.clone(),
            told: run.told,
            expires_at: last.plus(KEPT).unix_seconds(),
            gsi2pk: run.look_at.map(|_| keys::awaited_pk(AwaitedPlace::of(run).shard())),
            gsi2sk: run.look_at.map(keys::look_at),
        }
    }
}

impl AwaitedRow {
    fn read(self, at: &AwaitedPlace) -> Result<AwaitedRun, serde_json::Error> {
        serde_json::from_str::<IgnoredAny>(&self.known)?;
        Ok(AwaitedRun {
            account: at.account.clone(),
            event_type: at.event_type,
            place: at.place.clone(),
            last_completed_at: Timestamp::from_unix_ms(self.last_completed_at),
            noted_at: Timestamp::from_unix_ms(self.noted_at),
            next_run_at: self.next_run_at.map(Timestamp::from_unix_ms),
            known: self.known,
            told: self.told,
            look_at: self.gsi2sk.as_deref().and_then(keys::looked_at),
        })
    }
}

impl DynamoStore {
    async fn put_awaited(
        &self,
        run: &AwaitedRun,
        condition: &str,
        values: Vec<(&str, AttributeValue)>,
    ) -> PortResult<bool> {
        let item = to_item(keys::awaited_run(&AwaitedPlace::of(run)), &AwaitedRow::from(run))?;
        let mut call =
            self.client.put_item().table_name(&self.table).set_item(Some(item)).condition_expression(condition);
        for (name, value) in values {
            call = call.expression_attribute_values(name, value);
        }
        Ok(matches!(written(call.send().await.map(|_| ()))?, Written::Written))
    }
}

fn completed(run: &AwaitedRun) -> (&'static str, AttributeValue) {
    (":completed", AttributeValue::N(run.last_completed_at.unix_ms().to_string()))
}

#[async_trait]
impl AwaitRuns for DynamoStore {
    async fn await_run(&self, run: &AwaitedRun) -> PortResult<()> {
        let newer = "attribute_not_exists(pk) OR last_completed_at < :completed";
        self.put_awaited(run, newer, vec![completed(run)]).await.map(|_| ())
    }
}

#[async_trait]
impl AwaitedRuns for DynamoStore {
    async fn overdue_runs(
        &self,
        shard: u8,
        until: Timestamp,
        after: Option<&(Timestamp, AwaitedPlace)>,
        limit: usize,
    ) -> PortResult<Vec<(Timestamp, AwaitedPlace)>> {
        let after = after.map(|(look_at, at)| Position { sk: keys::look_at(*look_at), row: keys::awaited_run(at) });
        let overdue =
            |entry: Entry| Some((keys::looked_at(&entry.gsi2sk)?, keys::awaited_place(&entry.pk, &entry.sk)?));
        self.waiting(keys::awaited_pk(shard), Some(keys::look_at(until)), after, limit, overdue).await
    }

    async fn find_awaited_run(&self, at: &AwaitedPlace) -> PortResult<Option<AwaitedRun>> {
        let key = keys::awaited_run(at);
        let row = self.get::<AwaitedRow, AwaitedRow>(key.clone()).await?;
        row.map(|row| row.read(at).map_err(|error| Unreadable::new(&key, error).into())).transpose()
    }

    async fn update_awaited_run(&self, before: &AwaitedRun, after: &AwaitedRun) -> PortResult<bool> {
        let known = completed(before);
        match before.look_at {
            Some(look_at) => {
                let values = vec![known, (":look_at", AttributeValue::S(keys::look_at(look_at)))];
                self.put_awaited(after, "last_completed_at = :completed AND gsi2sk = :look_at", values).await
            }
            None => {
                let as_before = "last_completed_at = :completed AND attribute_not_exists(gsi2sk)";
                self.put_awaited(after, as_before, vec![known]).await
            }
        }
    }
}
