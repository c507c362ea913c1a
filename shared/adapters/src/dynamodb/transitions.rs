//! The runs remembered at a place: a row each, written only if a subscription waits for a transition.

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::event::{EventType, Scope};
use domain::routing::{History, Judged, Run, Transition};
use domain::value::{AccountId, EventId, Timestamp};
use ports::{PortResult, Remembered, Transitions};
use serde::{Deserialize, Serialize};

use super::rows::to_item;
use super::{DynamoStore, Written, keys, written};

#[derive(Serialize, Deserialize)]
struct RunRow {
    event: EventId,
    completed_at: Timestamp,
    failed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    transition: Option<Transition>,
}

#[derive(Serialize, Deserialize)]
struct RunsRow {
    runs: Vec<RunRow>,
    version: u64,
    expires_at: u64,
}

impl From<RunsRow> for Remembered {
    fn from(row: RunsRow) -> Self {
        let judged = |row: RunRow| Judged {
            run: Run { event: row.event, completed_at: row.completed_at, failed: row.failed },
            transition: row.transition,
        };
        Self { history: History { runs: row.runs.into_iter().map(judged).collect() }, version: row.version }
    }
}

#[async_trait]
impl Transitions for DynamoStore {
    async fn find_runs(&self, account: &AccountId, event_type: EventType, place: &Scope) -> PortResult<Remembered> {
        let found = self.get::<RunsRow, _>(keys::runs(account, event_type, place)).await?;
        Ok(found.unwrap_or_default())
    }

    async fn store_runs(
        &self,
        account: &AccountId,
        event_type: EventType,
        place: &Scope,
        before: &Remembered,
        history: &History,
        expires_at: Timestamp,
    ) -> PortResult<bool> {
        let run = |judged: &Judged| RunRow {
            event: judged.run.event.clone(),
            completed_at: judged.run.completed_at,
            failed: judged.run.failed,
            transition: judged.transition,
        };
        let runs = history.runs.iter().map(run).collect();
        let row = RunsRow { runs, version: before.version + 1, expires_at: expires_at.unix_seconds() };
        let item = to_item(keys::runs(account, event_type, place), &row)?;
        let call = self.client.put_item().table_name(&self.table).set_item(Some(item));
        let call = if before.version == 0 {
            call.condition_expression("attribute_not_exists(pk)")
        } else {
            let call = call.condition_expression("version = :before");
            call.expression_attribute_values(":before", AttributeValue::N(before.version.to_string()))
        };
        Ok(matches!(written(call.send().await.map(|_| ()))?, Written::Written))
    }
}
