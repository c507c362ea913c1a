//! PartiQL, as far as batches of rows are written with it: `INSERT INTO "table" VALUE {'name': ?, …}`.

use serde_json::{Value, json};

use super::storage::{Table, key_of};
use super::units::Item;
use super::{Cost, Refused};

/// How many statements a batch may have.
const MOST: usize = 25;

impl Table {
    /// Each statement succeeds or fails alone.
    pub(super) fn execute_batch(&mut self, asked: &Value) -> Result<(Value, Cost), Refused> {
        let statements = asked["Statements"].as_array().map(Vec::as_slice).unwrap_or_default();
        if statements.is_empty() || statements.len() > MOST {
            return Err(format!("{} statements are not from 1 to {MOST}", statements.len()).into());
        }
        let (mut answers, mut cost) = (Vec::with_capacity(statements.len()), Cost::default());
        for statement in statements {
            let (table, item) = inserted(statement)?;
            let key = key_of(&item);
            if let Some(before) = self.items.get(&key) {
                let error = json!({ "Code": "DuplicateItem", "Message": "Duplicate primary key exists in table" });
                let with_row = statement["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD";
                let item = if with_row { json!(before) } else { Value::Null };
                answers.push(json!({ "TableName": table, "Error": error, "Item": item }));
                cost += Cost { items: 1.0, write_units: super::operations::refused_units(before), ..Cost::default() };
                continue;
            }
            cost += self.replace(&key, Some(item));
            answers.push(json!({ "TableName": table }));
        }
        Ok((json!({ "Responses": answers }), cost))
    }
}

/// The table and the item of an `INSERT`.
fn inserted(statement: &Value) -> Result<(String, Item), Refused> {
    let text = statement["Statement"].as_str().unwrap_or_default();
    let unknown = || Refused::from(format!("only INSERT of parameters is known here, not {text:?}"));
    let rest = text.trim().strip_prefix("INSERT INTO ").ok_or_else(unknown)?;
    let (table, rest) = rest.split_once(" VALUE ").ok_or_else(unknown)?;
    let fields = rest.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).ok_or_else(unknown)?;
    let mut parameters = statement["Parameters"].as_array().into_iter().flatten();
    let mut item = Item::new();
    for field in fields.split(',') {
        let (name, value) = field.split_once(':').ok_or_else(unknown)?;
        let name = name.trim().strip_prefix('\'').and_then(|name| name.strip_suffix('\'')).ok_or_else(unknown)?;
        if value.trim() != "?" {
            return Err(unknown());
        }
        item.insert(name.to_owned(), parameters.next().ok_or_else(unknown)?.clone());
    }
    if parameters.next().is_some() {
        return Err(unknown());
    }
    Ok((table.trim_matches('"').to_owned(), item))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_already_is_told_alone_and_its_neighbours_are_written() {
        let mut table = Table::default();
        let insert = |sk: &str| json!({ "Statement": "INSERT INTO \"t\" VALUE {'pk':?,'sk':?}", "Parameters": [{"S": "a"}, {"S": sk}] });
        table.execute_batch(&json!({ "Statements": [insert("1")] })).expect("written");
        let (answer, cost) =
            table.execute_batch(&json!({ "Statements": [insert("1"), insert("2")] })).expect("an answer");
        assert_eq!(answer["Responses"][0]["Error"]["Code"], "DuplicateItem");
        assert_eq!((&answer["Responses"][1]["Error"], cost.write_units), (&Value::Null, 2.0));
        assert!(table.items.contains_key(&("a".to_owned(), "2".to_owned())));
        let delete = json!({ "Statements": [{ "Statement": "DELETE FROM \"t\"" }] });
        assert!(table.execute_batch(&delete).is_err());
    }
}
