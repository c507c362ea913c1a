//! Accounts that events named but nobody registered: a row each, in one partition. There are few, and each is written
//! at most hourly.

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::event::UnregisteredAccount;
use domain::value::{AccountId, EventId, Timestamp};
use ports::{BoxError, PortResult, UnregisteredAccounts};
use serde::Deserialize;

use super::{DynamoStore, Reads, as_item, keys};
use crate::aws::port_error;

#[derive(Deserialize)]
struct UnregisteredRow {
    account: AccountId,
    first_at: Timestamp,
    last_at: Timestamp,
    last_event: EventId,
    events: u64,
    expires_at: u64,
}

impl TryFrom<UnregisteredRow> for UnregisteredAccount {
    type Error = BoxError;

    fn try_from(row: UnregisteredRow) -> Result<Self, BoxError> {
        Ok(Self {
            account: row.account,
            first_at: row.first_at,
            last_at: row.last_at,
            last_event: row.last_event,
            events: row.events,
            expires_at: Timestamp::from_unix_ms(row.expires_at * 1000),
        })
    }
}

#[async_trait]
impl UnregisteredAccounts for DynamoStore {
    async fn note_unregistered(&self, noted: &UnregisteredAccount) -> PortResult<()> {
        let (text, number) = (AttributeValue::S, |n: u64| AttributeValue::N(n.to_string()));
        let call = self.client.update_item().table_name(&self.table);
        let call = call.set_key(Some(as_item(keys::unregistered(&noted.account))));
        let call = call.update_expression(
            "SET account = :account, first_at = if_not_exists(first_at, :first), last_at = :last, \
             last_event = :event, expires_at = :expires ADD events :events",
        );
        let call = call.expression_attribute_values(":account", text(noted.account.to_string()));
        let call = call.expression_attribute_values(":first", text(noted.first_at.to_string()));
        let call = call.expression_attribute_values(":last", text(noted.last_at.to_string()));
        let call = call.expression_attribute_values(":event", text(noted.last_event.to_string()));
        let call = call.expression_attribute_values(":expires", number(noted.expires_at.unix_seconds()));
        let call = call.expression_attribute_values(":events", number(noted.events));
        call.send().await.map(drop).map_err(|error| port_error("noting an unregistered account", error))
    }

    async fn list_unregistered(&self, after: Option<&AccountId>, limit: usize) -> PortResult<Vec<UnregisteredAccount>> {
        let after = after.map(keys::unregistered);
        self.query::<UnregisteredRow, _>(Reads::Cheaply, keys::unregistered_pk(), keys::ACCOUNTS, after, Some(limit))
            .await
    }

    async fn forget_unregistered(&self, account: &AccountId) -> PortResult<()> {
        let key = Some(as_item(keys::unregistered(account)));
        let call = self.client.delete_item().table_name(&self.table).set_key(key);
        call.send().await.map(drop).map_err(|error| port_error("forgetting an unregistered account", error))
    }
}
