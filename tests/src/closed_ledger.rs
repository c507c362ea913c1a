//! What the API says became of everything that an account is owed, over all pages of the ledger.

use std::collections::BTreeMap;

use harness::Result;
use harness::api_client::Customer;
use serde_json::{Value, json};

/// The states of a delivery.
pub const STATES: [&str; 6] = ["delivered", "retrying", "parked", "exhausted", "cancelled", "pending"];

/// The sums of all windows: `accepted`, `unmatched`, `matched`, `owed`, each of [`STATES`], and whether every window
/// `closes`.
pub async fn read(customer: &Customer) -> Result<Value> {
    let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
    let (mut closes, mut path) = (true, "/v1/ledger".to_owned());
    loop {
        let page = customer.get(&path).await?.expect_status(200)?;
        for name in ["accepted", "unmatched", "matched", "owed"].into_iter().chain(STATES) {
            *sums.entry(name).or_default() += page[name]["count"].as_u64().unwrap_or_default();
        }
        closes &= page["closes"] == true;
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/v1/ledger?cursor={cursor}");
    }
    let mut ledger = json!(sums);
    ledger["closes"] = json!(closes);
    Ok(ledger)
}
