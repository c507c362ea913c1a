//! Queries, by the table's keys or an index's.

use std::ops::Bound;

use serde_json::{Value, json};

use super::expression::Expression;
use super::storage::{INDEXES, Key, Table, key_of, text};
use super::units::{self, Item};
use super::{Cost, Refused};

/// Where a page ends.
const PAGE_BYTES: usize = 1_024 * 1_024;

impl Table {
    pub(super) fn query(&self, asked: &Value) -> Result<(Value, Cost), Refused> {
        let index = match asked["IndexName"].as_str() {
            None => None,
            Some(name) => {
                let found = INDEXES.iter().position(|index| index.name == name);
                Some(found.ok_or_else(|| format!("there is no index {name}"))?)
            }
        };
        let keys = index.map_or(["pk", "sk"], |index| INDEXES[index].keys);
        let condition = asked["KeyConditionExpression"].as_str().unwrap_or_default();
        let partition = partition(condition, asked, keys[0])?;
        let found = self.partition(
            index,
            &partition,
            asked["ExclusiveStartKey"].as_object(),
            asked["ScanIndexForward"] != false,
        );
        let limit = asked["Limit"].as_u64().and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        let (mut page, mut bytes, mut last) = (Vec::new(), 0, None);
        for item in found {
            if !Expression::new(condition, asked).holds(Some(item))? {
                continue;
            }
            if page.len() >= limit || bytes > PAGE_BYTES {
                last = page.last().copied();
                break;
            }
            bytes += units::size(item);
            page.push(item);
        }
        let cost = Cost {
            items: page.len() as f64,
            read_units: units::read_units(bytes, asked["ConsistentRead"] == true),
            ..Cost::default()
        };
        let last = last.map(|item| {
            let names = ["pk", "sk"].into_iter().chain(keys);
            names.map(|name| (name.to_owned(), item.get(name).cloned().unwrap_or_default())).collect::<Item>()
        });
        let page: Vec<_> = page.into_iter().map(|item| projected(item, asked)).collect::<Result<_, _>>()?;
        let mut answer = json!({ "Count": page.len(), "ScannedCount": page.len(), "Items": page });
        if let Some(last) = last {
            answer["LastEvaluatedKey"] = Value::Object(last);
        }
        Ok((answer, cost))
    }

    /// In the order of the sort keys or against it, after the place where a page ended if there was one.
    fn partition(
        &self,
        index: Option<usize>,
        partition: &str,
        start: Option<&Item>,
        forward: bool,
    ) -> Box<dyn Iterator<Item = &Item> + '_> {
        match index {
            None => {
                let ends = ends(|end| (format!("{partition}{end}"), String::new()), start.map(key_of), forward);
                directed(self.items.range(ends).map(|(_, item)| item), forward)
            }
            Some(index) => {
                let edge = |end: &str| (index, (format!("{partition}{end}"), String::new()), Key::default());
                let start =
                    start.map(|start| (index, INDEXES[index].keys.map(|name| text(start, name)).into(), key_of(start)));
                directed(self.entries.range(ends(edge, start, forward)).map(|(_, item)| item), forward)
            }
        }
    }
}

/// Where a partition begins and ends, or what is left of it. No text is between `""` and `"\0"`.
fn ends<K>(edge: impl Fn(&str) -> K, start: Option<K>, forward: bool) -> (Bound<K>, Bound<K>) {
    match (start, forward) {
        (None, _) => (Bound::Included(edge("")), Bound::Excluded(edge("\0"))),
        (Some(start), true) => (Bound::Excluded(start), Bound::Excluded(edge("\0"))),
        (Some(start), false) => (Bound::Included(edge("")), Bound::Excluded(start)),
    }
}

fn directed<'i>(
    within: impl DoubleEndedIterator<Item = &'i Item> + 'i,
    forward: bool,
) -> Box<dyn Iterator<Item = &'i Item> + 'i> {
    if forward { Box::new(within) } else { Box::new(within.rev()) }
}

/// The partition that a condition asks for, which begins with it.
fn partition(condition: &str, asked: &Value, key: &str) -> Result<String, Refused> {
    let mut expression = Expression::new(condition, asked);
    let name = expression.next()?;
    if expression.path(name)? != [key] {
        return Err(format!("{condition:?} does not begin with {key}").into());
    }
    expression.expect("=")?;
    let value = expression.operand(None)?.unwrap_or_default();
    let text = value["S"].as_str().ok_or_else(|| format!("{value} is no partition"))?;
    Ok(text.to_owned())
}

/// The attributes that are asked for.
pub(super) fn projected(item: &Item, asked: &Value) -> Result<Item, Refused> {
    let Some(projection) = asked["ProjectionExpression"].as_str() else { return Ok(item.clone()) };
    let mut names = Expression::new(projection, asked);
    let mut some = Item::new();
    while names.peek().is_some() {
        let token = names.next()?;
        let path = names.path(token)?;
        if let Some((name, value)) = path.first().and_then(|name| Some((name, item.get(name)?))) {
            some.insert(name.clone(), value.clone());
        }
        names.eat(",");
    }
    Ok(some)
}
