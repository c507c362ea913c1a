//! The ledger as it is in the table: which events were sealed, and the states of their deliveries.
//!
//! Rows are read directly from DynamoDB, so that tests can check the API against them. Only their keys, `owed`, `state`
//! and `attempts` are known here.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::deployment::Deployment;
use crate::failure::{OrFailure, Result};

/// A row of the table, as DynamoDB returns it.
pub type Item = HashMap<String, AttributeValue>;

/// The rows of one account in the table.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Ledger {
    /// Ids of the sealed events.
    pub events: Vec<String>,
    /// How many deliveries the sealed events owe.
    pub owed: usize,
    /// The number of attempts of each delivery, by state.
    pub deliveries: HashMap<String, Vec<usize>>,
}

impl Ledger {
    /// How many deliveries are in a state.
    pub fn count(&self, state: &str) -> usize {
        self.deliveries.get(state).map_or(0, Vec::len)
    }

    fn add(&mut self, account: &str, item: &Item) {
        let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).map(String::as_str);
        let length = |name: &str| item.get(name).and_then(|value| value.as_l().ok()).map_or(0, Vec::len);
        let pk = text("pk").unwrap_or_default();
        if pk.starts_with(&format!("E#{account}#")) {
            self.owed += length("owed");
            if text("sk") == Some("EVENT") {
                // In the compact form, the id is in the key alone.
                self.events.extend(pk.rsplit('#').next().map(str::to_owned));
            }
        } else if pk.starts_with(&format!("D#{account}#")) {
            let state = text("state").unwrap_or("none").to_owned();
            self.deliveries.entry(state).or_default().push(length("attempts"));
        }
    }
}

impl Deployment {
    /// Reads the whole table and keeps the rows of the account.
    pub async fn ledger(&self, account: &str) -> Result<Ledger> {
        let mut ledger = Ledger::default();
        for item in self.rows().await? {
            ledger.add(account, &item);
        }
        Ok(ledger)
    }

    /// Every row of the table.
    pub async fn rows(&self) -> Result<Vec<Item>> {
        let (mut rows, mut start) = (Vec::new(), None);
        loop {
            let scan = self.dynamodb().scan().table_name(&self.outputs.table_name).consistent_read(true);
            let page = scan.set_exclusive_start_key(start).send().await.or_failure(|| "cannot read the table")?;
            rows.extend(page.items.unwrap_or_default());
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok(rows);
            }
        }
    }
}
