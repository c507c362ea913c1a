//! Updates of a destination's row.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::destination::Destination;
use ports::PortResult;

use super::row::DestinationRow;
use crate::dynamodb::Item;
use crate::dynamodb::keys::{self, Key};
use crate::dynamodb::rows::to_item;

/// Attributes that a row may lack.
const OPTIONAL: [&str; 3] = ["rate_limit", "gsi2pk", "gsi2sk"];

/// An update of a destination's row from one version of settings and health to another.
pub(in crate::dynamodb) struct Change {
    pub(in crate::dynamodb) key: Key,
    pub(in crate::dynamodb) update: String,
    pub(in crate::dynamodb) condition: &'static str,
    pub(in crate::dynamodb) names: HashMap<String, String>,
    pub(in crate::dynamodb) values: Item,
}

impl Change {
    /// An update of every field except the number of subscriptions, which subscriptions change.
    pub(in crate::dynamodb) fn of(before: &Destination, after: &Destination) -> PortResult<Self> {
        let key = keys::destination(&before.account, &before.id);
        let item = to_item(key.clone(), &DestinationRow::from(after))?;
        let (mut names, mut values, mut sets, mut removes) = (HashMap::new(), Item::new(), Vec::new(), Vec::new());
        for (n, name) in OPTIONAL.into_iter().filter(|name| !item.contains_key(*name)).enumerate() {
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
        values.insert(":health".into(), AttributeValue::N(before.health.version.to_string()));
        names.insert("#health".into(), "health".into());
        names.insert("#version".into(), "version".into());
        let condition = if before.health.version == 0 {
            "#version = :before AND (attribute_not_exists(#health) OR #health.#version = :health)"
        } else {
            "#version = :before AND #health.#version = :health"
        };
        Ok(Self { key, update: format!("SET {}{remove}", sets.join(", ")), condition, names, values })
    }
}
