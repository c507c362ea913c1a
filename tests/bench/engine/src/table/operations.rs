//! The calls, each on the whole table.

use serde_json::{Value, json};

use super::expression::Expression;
use super::query::projected;
use super::storage::{Key, Table, key_of};
use super::units::{self, Item};
use super::{Cost, Refused, update};

type Answered = Result<(Value, Cost), Refused>;

/// The parts of a transaction.
const PARTS: [&str; 4] = ["Put", "Update", "Delete", "ConditionCheck"];

impl Table {
    /// Answers a call, and says what it cost, also if it was refused.
    pub(crate) fn answer(&mut self, operation: &str, asked: &Value) -> (Result<Value, Refused>, Cost) {
        let answered = match operation {
            "GetItem" => self.get(asked),
            "BatchGetItem" => self.get_batch(asked),
            "Query" => self.query(asked),
            "PutItem" | "UpdateItem" | "DeleteItem" => return self.write(operation, asked),
            "TransactWriteItems" => self.transact(asked),
            "BatchWriteItem" => self.write_batch(asked),
            "BatchExecuteStatement" => self.execute_batch(asked),
            other => Err(format!("{other} is not known to this table").into()),
        };
        match answered {
            Ok((answer, cost)) => (Ok(told(answer, cost, asked)), cost),
            Err(refused) => (Err(refused), Cost::default()),
        }
    }

    fn get(&self, asked: &Value) -> Answered {
        let (found, cost) = self.read(&asked["Key"], asked)?;
        Ok((found.map_or_else(|| json!({}), |item| json!({ "Item": item })), cost))
    }

    /// An item, and what reading it costs; also if it is not there.
    fn read(&self, key: &Value, asked: &Value) -> Result<(Option<Item>, Cost), Refused> {
        let found = self.items.get(&key_in(key)?);
        let read_units = units::read_units(found.map_or(0, units::size), asked["ConsistentRead"] == true);
        let found = found.map(|item| projected(item, asked)).transpose()?;
        Ok((found, Cost { items: 1.0, read_units, ..Cost::default() }))
    }

    fn get_batch(&self, asked: &Value) -> Answered {
        let (mut responses, mut cost) = (Item::new(), Cost::default());
        for (table, asked) in asked["RequestItems"].as_object().into_iter().flatten() {
            let mut found = Vec::new();
            for key in asked["Keys"].as_array().into_iter().flatten() {
                let (item, of_it) = self.read(key, asked)?;
                found.extend(item);
                cost += of_it;
            }
            responses.insert(table.clone(), json!(found));
        }
        Ok((json!({ "Responses": responses, "UnprocessedKeys": {} }), cost))
    }

    fn write(&mut self, operation: &str, asked: &Value) -> (Result<Value, Refused>, Cost) {
        let kind = operation.trim_end_matches("Item");
        let (key, after) = match self.judged(kind, asked) {
            Ok(judged) => judged,
            Err((refused, units)) => {
                return (Err(refused), Cost { items: 1.0, write_units: units, ..Cost::default() });
            }
        };
        let before = self.items.get(&key).cloned();
        let cost = self.replace(&key, after.clone());
        let returned = match asked["ReturnValues"].as_str() {
            Some("ALL_NEW") => after,
            Some("ALL_OLD") => before,
            _ => None,
        };
        (Ok(returned.map_or_else(|| json!({}), |item| json!({ "Attributes": item }))), cost)
    }

    /// What a write makes of the item at its key, if its condition is met; else also what it costs to be refused.
    fn judged(&self, kind: &str, asked: &Value) -> Result<(Key, Option<Item>), (Refused, f64)> {
        let free = |refused: Refused| (refused, 0.0);
        let key = if kind == "Put" { &asked["Item"] } else { &asked["Key"] };
        let key = key_in(key).map_err(free)?;
        let before = self.items.get(&key);
        if let Some(condition) = asked["ConditionExpression"].as_str() {
            let holds = Expression::new(condition, asked).holds(before).map_err(|reason| free(reason.into()))?;
            if !holds {
                let units = before.map_or(1.0, refused_units);
                return Err((Refused::condition(before, asked), units));
            }
        }
        let after = match kind {
            "Put" => asked["Item"].as_object().cloned(),
            "Update" => {
                let new = || asked["Key"].as_object().cloned().unwrap_or_default();
                let mut item = before.cloned().unwrap_or_else(new);
                let text = asked["UpdateExpression"].as_str().unwrap_or_default();
                update::apply(text, asked, &mut item).map_err(|reason| free(reason.into()))?;
                Some(item)
            }
            "Delete" => None,
            _ => before.cloned(),
        };
        Ok((key, after))
    }

    /// All parts, or none. Each costs twice what it costs alone.
    fn transact(&mut self, asked: &Value) -> Answered {
        let parts = asked["TransactItems"].as_array().into_iter().flatten();
        let (mut judged, mut reasons, mut failed) = (Vec::new(), Vec::new(), false);
        for part in parts {
            let kind = PARTS.into_iter().find(|kind| part[kind].is_object());
            let kind = kind.ok_or_else(|| format!("{part} is no part of a transaction"))?;
            match self.judged(kind, &part[kind]) {
                Ok((key, after)) => {
                    judged.push((kind, key, after));
                    reasons.push(json!({ "Code": "None" }));
                }
                Err((Refused { code: "ConditionalCheckFailedException", .. }, _)) => {
                    failed = true;
                    reasons
                        .push(json!({ "Code": "ConditionalCheckFailed", "Message": "The conditional request failed" }));
                }
                Err((refused, _)) => return Err(refused),
            }
        }
        if failed {
            return Err(Refused {
                code: "TransactionCanceledException",
                more: json!({ "CancellationReasons": reasons }),
            });
        }
        let mut cost = Cost::default();
        for (kind, key, after) in judged {
            let of_it = match kind {
                "ConditionCheck" => Cost { items: 1.0, write_units: 1.0, ..Cost::default() },
                _ => self.replace(&key, after),
            };
            cost += of_it;
            cost.write_units += of_it.write_units;
        }
        Ok((json!({}), cost))
    }

    fn write_batch(&mut self, asked: &Value) -> Answered {
        let mut cost = Cost::default();
        for part in asked["RequestItems"].as_object().into_iter().flat_map(|tables| tables.values()) {
            for part in part.as_array().into_iter().flatten() {
                let item = part["PutRequest"]["Item"].as_object();
                let key = item.map_or_else(|| key_in(&part["DeleteRequest"]["Key"]), |item| Ok(key_of(item)))?;
                cost += self.replace(&key, item.cloned());
            }
        }
        Ok((json!({ "UnprocessedItems": {} }), cost))
    }
}

/// The answer of a read or of several items, with its units if they are asked for.
fn told(mut answer: Value, cost: Cost, asked: &Value) -> Value {
    if asked["ReturnConsumedCapacity"] == "TOTAL" {
        let units = cost.read_units + cost.write_units;
        let table = asked["RequestItems"].as_object().and_then(|tables| tables.keys().next());
        let table = table.map_or_else(|| asked["TableName"].clone(), |table| json!(table));
        let told = json!({ "TableName": table, "CapacityUnits": units });
        answer["ConsumedCapacity"] = if asked["TableName"].is_string() { told } else { json!([told]) };
    }
    answer
}

/// A write whose condition is not met costs as much as one of what is there.
pub(super) fn refused_units(before: &Item) -> f64 {
    units::write_units(units::size(before))
}

fn key_in(value: &Value) -> Result<Key, Refused> {
    let key = value.as_object().map(key_of).filter(|(pk, sk)| !pk.is_empty() && !sk.is_empty());
    key.ok_or_else(|| Refused::from(format!("{value} has no key")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(sk: &str, bytes: usize) -> Value {
        json!({"pk": {"S": "a"}, "sk": {"S": sk}, "body": {"S": "x".repeat(bytes)}})
    }

    fn put(table: &mut Table, item: Value, new: bool) -> (Result<Value, &'static str>, Cost) {
        let mut asked = json!({ "Item": item });
        if new {
            asked["ConditionExpression"] = json!("attribute_not_exists(pk)");
        }
        let (answer, cost) = table.answer("PutItem", &asked);
        (answer.map_err(|refused| refused.code), cost)
    }

    #[test]
    fn a_row_is_written_once_if_it_must_be_new_and_being_refused_costs_what_is_there() {
        let mut table = Table::default();
        assert_eq!(put(&mut table, row("1", 2_000), true).1.write_units, 2.0);
        let (answer, cost) = put(&mut table, row("1", 10), true);
        assert_eq!((answer, cost.write_units), (Err("ConditionalCheckFailedException"), 2.0));
        let asked = json!({ "Key": { "pk": {"S": "a"}, "sk": {"S": "1"} }, "ConsistentRead": true });
        let (answer, cost) = table.answer("GetItem", &asked);
        assert_eq!((answer.expect("an answer")["Item"].clone(), cost.read_units), (row("1", 2_000), 1.0));
    }

    #[test]
    fn a_query_reads_a_stretch_in_order_and_goes_on_where_it_ended() {
        let mut table = Table::default();
        for sk in ["b3", "b1", "b2", "c"] {
            put(&mut table, row(sk, 3_000), false).0.expect("written");
        }
        let mut asked = json!({
            "KeyConditionExpression": "pk = :pk AND begins_with(sk, :b)", "Limit": 2,
            "ExpressionAttributeValues": { ":pk": {"S": "a"}, ":b": {"S": "b"} }
        });
        let (answer, cost) = table.answer("Query", &asked);
        let answer = answer.expect("a page");
        assert_eq!((answer["Count"].as_u64(), cost.read_units), (Some(2), 1.0), "6 KB, eventually consistent");
        assert_eq!(answer["Items"][1]["sk"]["S"], "b2");
        asked["ExclusiveStartKey"] = answer["LastEvaluatedKey"].clone();
        let rest = table.answer("Query", &asked).0.expect("a page");
        assert_eq!((rest["Count"].as_u64(), &rest["LastEvaluatedKey"]), (Some(1), &Value::Null));
        let gone = json!({ "Key": { "pk": {"S": "a"}, "sk": {"S": "b2"} } });
        table.answer("DeleteItem", &gone).0.expect("deleted");
        let rest = table.answer("Query", &asked).0.expect("a page");
        assert_eq!(rest["Items"][0]["sk"]["S"], "b3", "also after what is gone");
        asked["ScanIndexForward"] = json!(false);
        let rest = table.answer("Query", &asked).0.expect("a page");
        assert_eq!((rest["Count"].as_u64(), &rest["Items"][0]["sk"]["S"]), (Some(1), &json!("b1")));
    }

    #[test]
    fn what_a_read_took_is_told_if_it_is_asked_for() {
        let mut table = Table::default();
        put(&mut table, row("1", 5_000), false).0.expect("written");
        let key = json!({ "pk": {"S": "a"}, "sk": {"S": "1"} });
        let one = json!({ "TableName": "t", "Key": key, "ConsistentRead": true, "ReturnConsumedCapacity": "TOTAL" });
        let answer = table.answer("GetItem", &one).0.expect("an answer");
        assert_eq!(answer["ConsumedCapacity"], json!({ "TableName": "t", "CapacityUnits": 2.0 }));
        let some = json!({ "RequestItems": { "t": { "Keys": [key] } }, "ReturnConsumedCapacity": "TOTAL" });
        let answer = table.answer("BatchGetItem", &some).0.expect("an answer");
        assert_eq!(answer["ConsumedCapacity"], json!([{ "TableName": "t", "CapacityUnits": 1.0 }]));
    }

    #[test]
    fn a_transaction_writes_all_or_nothing_at_twice_the_price() {
        let mut table = Table::default();
        let part =
            |sk: &str| json!({ "Put": { "Item": row(sk, 10), "ConditionExpression": "attribute_not_exists(pk)" } });
        let (answer, cost) = table.answer("TransactWriteItems", &json!({ "TransactItems": [part("1"), part("2")] }));
        assert!(answer.is_ok() && cost.write_units == 4.0, "{cost:?}");
        let (answer, _) = table.answer("TransactWriteItems", &json!({ "TransactItems": [part("3"), part("1")] }));
        let refused = answer.expect_err("refused");
        assert_eq!(refused.more["CancellationReasons"][1]["Code"], "ConditionalCheckFailed");
        assert_eq!(table.items.len(), 2);
    }

    #[test]
    fn a_call_it_does_not_know_is_refused() {
        assert_eq!(Table::default().answer("Scan", &json!({})).0.expect_err("refused").code, "ValidationException");
    }
}
