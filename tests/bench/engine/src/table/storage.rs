//! The items and the entries of indexes, and what changing them costs.

use std::collections::BTreeMap;

use super::Cost;
use super::units::{self, Item};

pub(super) type Key = (String, String);

/// An index, with the attributes of its keys, and those that are projected beside all keys.
pub(super) struct Index {
    pub(super) name: &'static str,
    pub(super) keys: [&'static str; 2],
    projected: &'static [&'static str],
}

/// As in the template.
pub(super) const INDEXES: [Index; 2] = [
    Index {
        name: "events-by-account",
        keys: ["gsi1pk", "gsi1sk"],
        projected: &["event_type", "scope", "sealed_at", "owed_count", "unmatched", "expires_at"],
    },
    Index { name: "waiting", keys: ["gsi2pk", "gsi2sk"], projected: &[] },
];
/// What is billed as stored for each item and each entry, beside its bytes.
const OVERHEAD: usize = 100;

impl Index {
    /// The item as this index has it; none if it lacks a key.
    fn entry(&self, item: &Item) -> Option<Item> {
        if self.keys.iter().any(|key| !item.contains_key(*key)) {
            return None;
        }
        let names = ["pk", "sk"].iter().chain(&self.keys).chain(self.projected);
        Some(names.filter_map(|name| Some(((*name).to_owned(), item.get(*name)?.clone()))).collect())
    }
}

#[derive(Default)]
pub(crate) struct Table {
    pub(super) items: BTreeMap<Key, Item>,
    /// By the position of the index, its keys and the item's.
    pub(super) entries: BTreeMap<(usize, Key, Key), Item>,
}

pub(super) fn text(item: &Item, name: &str) -> String {
    item.get(name).and_then(|value| value["S"].as_str()).unwrap_or_default().to_owned()
}

pub(super) fn key_of(item: &Item) -> Key {
    (text(item, "pk"), text(item, "sk"))
}

impl Table {
    /// Puts an item in the place of what is there, or deletes it, and says what that costs: units for the larger of before
    /// and after, and the same for each index whose entry changes, twice if its key does.
    pub(super) fn replace(&mut self, key: &Key, after: Option<Item>) -> Cost {
        let before = self.items.remove(key);
        let bytes = |item: Option<&Item>| item.map_or(0, units::size);
        let stored = |item: Option<&Item>| item.map_or(0.0, |item| (units::size(item) + OVERHEAD) as f64);
        let mut cost = Cost { items: 1.0, ..Cost::default() };
        cost.write_units = units::write_units(bytes(before.as_ref()).max(bytes(after.as_ref())));
        cost.stored = stored(after.as_ref()) - stored(before.as_ref());
        for (number, index) in INDEXES.iter().enumerate() {
            let [old, new] = [&before, &after].map(|item| item.as_ref().and_then(|item| index.entry(item)));
            if old == new {
                continue;
            }
            let place = |entry: &Item| (number, index.keys.map(|name| text(entry, name)).into(), key.clone());
            let places = (old.as_ref().map(place), new.as_ref().map(place));
            cost.stored += stored(new.as_ref()) - stored(old.as_ref());
            cost.write_units += match &places {
                (Some(old_place), Some(new_place)) if old_place != new_place => {
                    units::write_units(bytes(old.as_ref())) + units::write_units(bytes(new.as_ref()))
                }
                _ => units::write_units(bytes(old.as_ref()).max(bytes(new.as_ref()))),
            };
            if let Some(place) = places.0 {
                self.entries.remove(&place);
            }
            if let (Some(place), Some(entry)) = (places.1, new) {
                self.entries.insert(place, entry);
            }
        }
        if let Some(after) = after {
            self.items.insert(key.clone(), after);
        }
        cost
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(scope: &str, body: usize) -> Item {
        let item = json!({"pk": {"S": "E#1"}, "sk": {"S": "EVENT"}, "gsi1pk": {"S": "acme"}, "gsi1sk": {"S": "1"},
            "scope": {"S": scope}, "body": {"S": "x".repeat(body)}});
        item.as_object().expect("an item").clone()
    }

    #[test]
    fn an_item_costs_its_blocks_and_a_block_for_each_entry_that_changes() {
        let (mut table, key) = (Table::default(), ("E#1".to_owned(), "EVENT".to_owned()));
        let mut written = |item: Option<Item>| table.replace(&key, item).write_units;
        assert_eq!(written(Some(event("a", 1_200))), 3.0, "two blocks, and an entry");
        assert_eq!(written(Some(event("a", 10))), 2.0, "the larger of before and after; the entry stays");
        assert_eq!(written(Some(event("b", 10))), 2.0, "the entry changes");
        let mut moved = event("b", 10);
        moved.insert("gsi1sk".to_owned(), json!({"S": "2"}));
        assert_eq!(written(Some(moved)), 3.0, "one entry goes, another comes");
        assert_eq!(written(None), 2.0);
        assert!(table.items.is_empty() && table.entries.is_empty());
    }

    #[test]
    fn what_is_stored_is_told_with_what_is_billed_beside_it() {
        let (mut table, key) = (Table::default(), ("E#1".to_owned(), "EVENT".to_owned()));
        let item = event("a", 1_000);
        let entry = INDEXES[0].entry(&item).expect("an entry");
        let expected = units::size(&item) + units::size(&entry) + 200;
        assert_eq!(table.replace(&key, Some(item)).stored, expected as f64);
        assert_eq!(table.replace(&key, None).stored, -(expected as f64));
    }
}
