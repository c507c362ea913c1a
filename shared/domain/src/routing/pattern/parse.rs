//! Reads the structure of a pattern: objects, lists and `$or`, within the limits. `operators` reads what is in a list.

use std::sync::Arc;

use serde_json::Value;

use super::error::{PatternError, child, given, refused};
use super::matches::{Alternatives, At, Field, FieldTest, ObjectTest, ValueTest};
use super::operators::{self, OPERATORS};
use super::{MAX_BYTES, MAX_COMBINATIONS, MAX_DEPTH};

pub(super) const OR: &str = "$or";

pub(super) fn parse(value: &Value) -> Result<ObjectTest, PatternError> {
    let size = value.to_string().len();
    if size > MAX_BYTES {
        return Err(refused("", format!("is too large: {size} bytes without white space; at most {MAX_BYTES}")));
    }
    let test = object(value, "", None, 1, false)?;
    match combinations(value) {
        too_many if too_many > MAX_COMBINATIONS => Err(refused(
            "",
            format!("has {too_many} combinations of `$or`; at most {MAX_COMBINATIONS}: use fewer or shorter lists"),
        )),
        _ => Ok(test),
    }
}

/// `in_or` says that the object is in an alternative of a `$or`, where EventBridge reserves the names of operators.
fn object(
    value: &Value,
    pointer: &str,
    at: Option<&Arc<At>>,
    depth: usize,
    in_or: bool,
) -> Result<ObjectTest, PatternError> {
    let Value::Object(object) = value else {
        return Err(refused(pointer, r#"must be an object, such as {"status": ["failed"]}"#));
    };
    if object.is_empty() {
        return Err(refused(pointer, r#"is empty: name at least one field, such as {"status": ["failed"]}"#));
    }
    if depth > MAX_DEPTH {
        return Err(refused(pointer, format!("is nested too deeply: at most {MAX_DEPTH} levels")));
    }
    let mut test = ObjectTest::default();
    test.fields.reserve_exact(object.len());
    for (name, value) in object {
        let (pointer, at) = (child(pointer, name), At::below(at, name));
        if name == OR {
            test.alternatives = Some(Box::new(alternatives(value, &pointer, at, depth)?));
        } else if in_or && OPERATORS.contains(&name.as_str()) {
            return Err(misplaced(name, value, &pointer));
        } else {
            let found = field(&at, value, &pointer, depth, in_or)?;
            test.fields.push(Field { at, test: found });
        }
    }
    Ok(test)
}

fn field(at: &Arc<At>, value: &Value, pointer: &str, depth: usize, in_or: bool) -> Result<FieldTest, PatternError> {
    let name = &*at.name;
    match value {
        Value::Object(fields) => {
            // The brackets were forgotten: as fields, these could hardly ever match.
            if let Some(name) = ["numeric", "anything-but"].into_iter().find(|name| fields.contains_key(*name))
                && fields.len() == 1
            {
                return Err(refused(
                    pointer,
                    format!("must be a list, as `{name}` is an operator: write [{}]", given(value)),
                ));
            }
            object(value, pointer, Some(at), depth + 1, in_or).map(|test| FieldTest::Object(Arc::new(test)))
        }
        Value::Array(accepted) if accepted.is_empty() => {
            Err(refused(pointer, r#"is empty and can never match: list the values to accept, such as ["failed"]"#))
        }
        Value::Array(accepted) => {
            let test = |(index, value): (usize, &Value)| operators::test(value, &child(pointer, &index.to_string()));
            let tests = accepted.iter().enumerate().map(test).collect::<Result<_, _>>()?;
            Ok(FieldTest::Values(Arc::new(ValueTest::new(tests))))
        }
        bare if OPERATORS.contains(&name) => Err(misplaced(name, bare, pointer)),
        bare => Err(refused(pointer, format!("must be a list of the values to accept: write [{}]", given(bare)))),
    }
}

fn alternatives(value: &Value, pointer: &str, at: Arc<At>, depth: usize) -> Result<Alternatives, PatternError> {
    let wanted = r#"must be a list of two or more objects, such as [{"status": ["failed"]}, {"attempts": [3]}]"#;
    let branches = value.as_array().filter(|list| list.len() >= 2).ok_or_else(|| refused(pointer, wanted))?;
    let branch = |(index, value): (usize, &Value)| {
        let index = index.to_string();
        object(value, &child(pointer, &index), Some(&At::below(Some(&at), &index)), depth + 1, true)
    };
    let branches = branches.iter().enumerate().map(branch).collect::<Result<_, _>>()?;
    Ok(Alternatives { at, branches })
}

fn misplaced(operator: &str, operand: &Value, pointer: &str) -> PatternError {
    let detail = format!(
        "is an operator where a field is expected: write {{\"<field>\": [{{\"{operator}\": {}}}]}}",
        given(operand)
    );
    refused(pointer, detail)
}

/// The product of the lengths of all `$or` lists below `value`.
fn combinations(value: &Value) -> usize {
    let Value::Object(object) = value else { return 1 };
    let below = |(name, value): (&String, &Value)| match value {
        Value::Array(branches) if name == OR => {
            branches.iter().map(combinations).fold(branches.len(), usize::saturating_mul)
        }
        _ => combinations(value),
    };
    object.iter().map(below).fold(1, usize::saturating_mul)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn combinations_are_the_product_of_all_or_lists() {
        let two = json!([{"a": [1]}, {"b": [1]}]);
        assert_eq!(combinations(&json!({"x": [1]})), 1);
        assert_eq!(combinations(&json!({"$or": two, "x": {"$or": two}})), 4);
        assert_eq!(combinations(&json!({"$or": [{"a": {"$or": two}}, {"b": [1]}, {"$or": two}]})), 12);
    }
}
