//! Accounts: a row each, which every look-up reads, and a copy in the list of all accounts.

use async_trait::async_trait;
use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem, Update};
use domain::access::Account;
use domain::delivery::Job;
use domain::value::{AccountId, JobId, Timestamp};
use ports::{Accounts, CreatedAccount, FindAccount, PortResult};
use serde::{Deserialize, Serialize};

use super::keys::Key;
use super::rows::to_item;
use super::{DynamoStore, Reads, as_item, keys};
use crate::aws::build_error;

#[derive(Serialize, Deserialize)]
struct AccountRow {
    id: AccountId,
    created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deletion: Option<JobId>,
}

impl From<AccountRow> for Account {
    fn from(row: AccountRow) -> Self {
        Self { id: row.id, created_at: row.created_at, deletion: row.deletion }
    }
}

#[async_trait]
impl FindAccount for DynamoStore {
    async fn find_account(&self, account: &AccountId) -> PortResult<Option<Timestamp>> {
        let found = self.read_account(account).await?;
        Ok(found.filter(|account| account.deletion.is_none()).map(|account| account.created_at))
    }
}

#[async_trait]
impl Accounts for DynamoStore {
    async fn create_account(&self, account: &AccountId, now: Timestamp) -> PortResult<CreatedAccount> {
        let row = AccountRow { id: account.clone(), created_at: now, deletion: None };
        let parts = vec![
            self.put_part(to_item(keys::account(account), &row)?)?,
            self.put_part(to_item(keys::listed_account(account), &row)?)?,
        ];
        if self.transact(parts).await?.is_empty() {
            return Ok(CreatedAccount::Created);
        }
        let deleted = self.read_account(account).await?.is_some_and(|account| account.deletion.is_some());
        Ok(if deleted { CreatedAccount::BeingDeleted } else { CreatedAccount::Exists })
    }

    async fn read_account(&self, account: &AccountId) -> PortResult<Option<Account>> {
        self.get::<AccountRow, _>(keys::account(account)).await
    }

    async fn list_accounts(&self, after: Option<&AccountId>, limit: usize) -> PortResult<Vec<Account>> {
        let after = after.map(keys::listed_account);
        self.query::<AccountRow, _>(Reads::Cheaply, keys::accounts_pk(), keys::ACCOUNTS, after, Some(limit)).await
    }

    async fn start_deletion(&self, account: &AccountId, job: &Job, replacing: Option<&JobId>) -> PortResult<bool> {
        let mut parts = vec![
            self.mark_part(keys::account(account), &job.id, replacing)?,
            self.mark_part(keys::listed_account(account), &job.id, replacing)?,
        ];
        parts.extend(self.new_job_parts(job)?);
        Ok(self.transact(parts).await?.is_empty())
    }
}

impl DynamoStore {
    /// Stores which job deletes the account, in place of the previous job.
    fn mark_part(&self, key: Key, job: &JobId, replacing: Option<&JobId>) -> PortResult<TransactWriteItem> {
        let update = Update::builder().table_name(&self.table).set_key(Some(as_item(key)));
        let update = update.update_expression("SET deletion = :job");
        let mut update = update.expression_attribute_values(":job", AttributeValue::S(job.to_string()));
        let condition = match replacing {
            None => "attribute_exists(pk) AND attribute_not_exists(deletion)",
            Some(before) => {
                update = update.expression_attribute_values(":before", AttributeValue::S(before.to_string()));
                "deletion = :before"
            }
        };
        let update = update.condition_expression(condition).build().map_err(build_error)?;
        Ok(TransactWriteItem::builder().update(update).build())
    }
}
