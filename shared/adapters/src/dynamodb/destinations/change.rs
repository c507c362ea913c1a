//! Updates of a destination's row.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::destination::Destination;
use ports::PortResult;

use super::row::DestinationRow;
use crate::dynamodb::Item;
use crate::dynamodb::keys::{self, Key};
use crate::dynamodb::rows::to_item;
use crate::dynamodb::stored_health::FORMER;

/// Attributes that a row may lack.
const OPTIONAL: [&str; 1] = ["rate_limit"];

/// An update of a destination's row from one version of its settings to another.
pub(super) struct Change {
    pub(super) key: Key,
    pub(super) update: String,
    pub(super) condition: &'static str,
    pub(super) names: HashMap<String, String>,
    pub(super) values: Item,
}

impl Change {
    /// An update of every field except the number of subscriptions, which only subscriptions change. If the health is
    /// stored in its own row with this change, a health that an older release left in this row is removed.
    pub(super) fn of(before: &Destination, after: &Destination) -> PortResult<Self> {
        let key = keys::destination(&before.account, &before.id);
        let item = to_item(key.clone(), &DestinationRow::from(after))?;
        let (mut names, mut values, mut sets, mut removes) = (HashMap::new(), Item::new(), Vec::new(), Vec::new());
        let former = FORMER.into_iter().filter(|_| before.health != after.health);
        for (n, name) in OPTIONAL.into_iter().filter(|name| !item.contains_key(*name)).chain(former).enumerate() {
            removes.push(format!("#r{n}"));
            names.insert(format!("#r{n}"), name.to_owned());
        }
        for (n, (name, value)) in item.into_iter().filter(|(name, _)| !matches!(name.as_str(), "pk" | "sk")).enumerate()
        {
            sets.push(format!("#f{n} = :f{n}"));
            names.insert(format!("#f{n}"), name);
            values.insert(format!(":f{n}"), value);
        }
        let remove = if removes.is_empty() { String::new() } else { format!(" REMOVE {}", removes.join(", ")) };
        values.insert(":before".into(), AttributeValue::N(before.version.to_string()));
        names.insert("#version".into(), "version".into());
        let update = format!("SET {}{remove}", sets.join(", "));
        Ok(Self { key, update, condition: "#version = :before", names, values })
    }
}
