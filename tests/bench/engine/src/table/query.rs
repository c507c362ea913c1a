//! Queries, by the table's keys or an index's.

use serde_json::{Value, json};

use super::expression::Expression;
use super::storage::{INDEXES, Key, Table, text};
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
        let mut found: Vec<&Item> = self.partition(index, &partition);
        if asked["ScanIndexForward"] == false {
            found.reverse();
        }
        let start = asked["ExclusiveStartKey"].as_object();
        let at = start.map(|start| found.iter().position(|item| names(item) == names(start)).map_or(0, |at| at + 1));
        let limit = asked["Limit"].as_u64().and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        let (mut page, mut bytes, mut last) = (Vec::new(), 0, None);
        for item in found.into_iter().skip(at.unwrap_or_default()) {
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

    /// In the order of the sort keys.
    fn partition(&self, index: Option<usize>, partition: &str) -> Vec<&Item> {
        let first: Key = (partition.to_owned(), String::new());
        match index {
            None => {
                let from = self.items.range(first..);
                from.take_while(|((pk, _), _)| pk == partition).map(|(_, item)| item).collect()
            }
            Some(index) => {
                let from = self.entries.range((index, first, Key::default())..);
                let within = from.take_while(|((at, (pk, _), _), _)| *at == index && pk == partition);
                within.map(|(_, item)| item).collect()
            }
        }
    }
}

fn names(item: &Item) -> [String; 2] {
    ["pk", "sk"].map(|name| text(item, name))
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
