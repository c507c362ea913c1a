//! Update expressions: `SET`, `REMOVE`, `ADD` and `DELETE`.

use serde_json::{Value, json};

use super::expression::{Expression, Read};
use super::units::Item;

/// Changes the item as the expression says.
pub(super) fn apply(text: &str, asked: &Value, item: &mut Item) -> Read<()> {
    let mut expression = Expression::new(text, asked);
    let before = item.clone();
    let mut section = "";
    while expression.peek().is_some() {
        for name in ["SET", "REMOVE", "ADD", "DELETE"] {
            if expression.eat(name) {
                section = name;
            }
        }
        let token = expression.next()?;
        let path = expression.path(token)?;
        match section {
            "SET" => {
                expression.expect("=")?;
                let value = assigned(&mut expression, &before)?;
                set(item, &path, value)?;
            }
            "REMOVE" => remove(item, &path),
            "ADD" => {
                let by = expression.operand(None)?.ok_or("nothing to add")?;
                let [name] = path.as_slice() else { return Err(format!("{path:?} is added to nowhere")) };
                let sum = add(item.get(name), &by)?;
                item.insert(name.clone(), sum);
            }
            "DELETE" => {
                let gone = expression.operand(None)?.ok_or("nothing to delete")?;
                let [name] = path.as_slice() else { return Err(format!("{path:?} has no set")) };
                take_out(item, name, &gone);
            }
            _ => return Err(format!("{text:?} does not say what to do")),
        }
        expression.eat(",");
    }
    Ok(())
}

/// What is set: a value, that of another attribute, or the sum or difference of two.
fn assigned(expression: &mut Expression<'_>, item: &Item) -> Read<Value> {
    let first = term(expression, item)?;
    for (sign, factor) in [("+", 1.0), ("-", -1.0)] {
        if expression.eat(sign) {
            let second = term(expression, item)?;
            return Ok(json!({ "N": (number(&first)? + factor * number(&second)?).to_string() }));
        }
    }
    Ok(first)
}

fn term(expression: &mut Expression<'_>, item: &Item) -> Read<Value> {
    if expression.eat("if_not_exists") {
        expression.expect("(")?;
        let known = expression.operand(Some(item))?;
        expression.expect(",")?;
        let or = expression.operand(Some(item))?;
        expression.expect(")")?;
        return known.or(or).ok_or_else(|| "nothing to set".to_owned());
    }
    expression.operand(Some(item))?.ok_or_else(|| "an attribute that is not there cannot be set".to_owned())
}

fn number(value: &Value) -> Read<f64> {
    value["N"].as_str().and_then(|number| number.parse().ok()).ok_or_else(|| format!("{value} is no number"))
}

fn set(item: &mut Item, path: &[String], value: Value) -> Read<()> {
    let [first, rest @ ..] = path else { return Err("nowhere to set".to_owned()) };
    if rest.is_empty() {
        item.insert(first.clone(), value);
        return Ok(());
    }
    let inner = item.get_mut(first).and_then(|inner| inner.get_mut("M")?.as_object_mut());
    set(inner.ok_or_else(|| format!("{first} has no fields"))?, rest, value)
}

fn remove(item: &mut Item, path: &[String]) {
    match path {
        [name] => drop(item.remove(name)),
        [first, rest @ ..] => {
            if let Some(inner) = item.get_mut(first).and_then(|inner| inner.get_mut("M")?.as_object_mut()) {
                remove(inner, rest);
            }
        }
        [] => {}
    }
}

fn add(known: Option<&Value>, by: &Value) -> Read<Value> {
    let Some(known) = known else { return Ok(by.clone()) };
    for kind in ["SS", "NS", "BS"] {
        if let (Some(known), Some(more)) = (known[kind].as_array(), by[kind].as_array()) {
            let mut all = known.clone();
            all.extend(more.iter().filter(|one| !known.contains(one)).cloned());
            return Ok(json!({ kind: all }));
        }
    }
    Ok(json!({ "N": (number(known)? + number(by)?).to_string() }))
}

fn take_out(item: &mut Item, name: &str, gone: &Value) {
    for kind in ["SS", "NS", "BS"] {
        let Some(left) = item.get_mut(name).and_then(|set| set.get_mut(kind)?.as_array_mut()) else { continue };
        left.retain(|one| !gone[kind].as_array().is_some_and(|gone| gone.contains(one)));
        if left.is_empty() {
            item.remove(name);
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_sets_removes_adds_and_deletes() {
        let asked = json!({"ExpressionAttributeValues": {
            ":one": {"N": "1"}, ":set": {"SS": ["b", "c"]}, ":b": {"SS": ["b"]}, ":t": {"S": "t"}
        }});
        let mut item =
            json!({"n": {"N": "2"}, "s": {"SS": ["a", "b"]}, "gone": {"S": "x"}, "m": {"M": {"v": {"N": "1"}}}});
        let item = item.as_object_mut().expect("an item");
        let text = "SET m.v = m.v + :one, first = if_not_exists(first, :t) REMOVE gone ADD n :one, s :set";
        apply(text, &asked, item).expect("applied");
        apply("DELETE s :b", &asked, item).expect("applied");
        let expected =
            json!({"n": {"N": "3"}, "s": {"SS": ["a", "c"]}, "m": {"M": {"v": {"N": "2"}}}, "first": {"S": "t"}});
        assert_eq!(Value::Object(item.clone()), expected);
        assert!(apply("PUT n :one", &asked, item).is_err());
    }
}
