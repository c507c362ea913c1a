//! Wide events: the seal as `fanout` reads it, and the row that says how far one was sent.

use async_trait::async_trait;
use domain::delivery::Sending;
use domain::value::{AccountId, EventId, Timestamp};
use ports::{BoxError, PortResult, Seal, Sealed, SealedEvent, WideEvents};
use serde::{Deserialize, Serialize};

use super::row::{EventRow, Rows, SealRow};
use crate::dynamodb::rows::{read, to_attribute, to_item};
use crate::dynamodb::{DynamoStore, Written, as_item, keys, written};

#[derive(Serialize, Deserialize)]
struct SendingRow {
    sent: usize,
    begun: usize,
    held_until: Timestamp,
    expires_at: u64,
}

impl TryFrom<SendingRow> for Sending {
    type Error = BoxError;

    fn try_from(row: SendingRow) -> Result<Self, BoxError> {
        Ok(Self { sent: row.sent, begun: row.begun, held_until: row.held_until })
    }
}

#[async_trait]
impl WideEvents for DynamoStore {
    async fn find_seal(&self, account: &AccountId, id: &EventId) -> PortResult<Option<Seal>> {
        self.look_ups.ask(as_item(keys::event(account, id))).await?.map(read::<SealRow, Seal>).transpose()
    }

    async fn seal_plan(&self, event: &SealedEvent) -> PortResult<Sealed> {
        let rows = EventRow::split(event, self.form);
        self.seal(event, Rows { own: rows.own.planned(), ..rows }).await
    }

    async fn find_sending(&self, account: &AccountId, id: &EventId) -> PortResult<Option<Sending>> {
        self.get::<SendingRow, Sending>(keys::sending(account, id)).await
    }

    async fn note_sending(
        &self,
        account: &AccountId,
        id: &EventId,
        before: Option<&Sending>,
        after: &Sending,
        expires_at: Timestamp,
    ) -> PortResult<bool> {
        let (sent, begun, held_until) = (after.sent, after.begun, after.held_until);
        let row = SendingRow { sent, begun, held_until, expires_at: expires_at.unix_seconds() };
        let item = to_item(keys::sending(account, id), &row)?;
        let call = self.client.put_item().table_name(&self.table).set_item(Some(item));
        let call = match before {
            None => call.condition_expression("attribute_not_exists(pk)"),
            Some(before) => call
                .condition_expression("sent = :sent AND begun = :begun AND held_until = :held_until")
                .expression_attribute_values(":sent", to_attribute(&before.sent)?)
                .expression_attribute_values(":begun", to_attribute(&before.begun)?)
                .expression_attribute_values(":held_until", to_attribute(&before.held_until)?),
        };
        Ok(matches!(written(call.send().await.map(|_| ()))?, Written::Written))
    }
}
