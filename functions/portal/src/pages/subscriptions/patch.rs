//! Computes the merge patch (RFC 7396) that turns one JSON value into another. The API merges a condition field by
//! field, so fields to remove must be in the patch as `null`.

use serde_json::{Map, Value};

/// The patch that turns `from` into `to`. No field of `to` may be `null`, because a merge patch cannot express that.
pub fn between(from: &Value, to: &Value) -> Value {
    let (Value::Object(from), Value::Object(to)) = (from, to) else { return to.clone() };
    let gone = from.keys().filter(|name| !to.contains_key(*name)).map(|name| (name.clone(), Value::Null));
    let changed = to.iter().filter(|(name, value)| from.get(*name) != Some(value));
    let changed = changed.map(|(name, value)| {
        let before = from.get(name).unwrap_or(&Value::Null);
        (name.clone(), between(before, value))
    });
    Value::Object(gone.chain(changed).collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Applies a merge patch, as in the RFC.
    fn merged(into: &Value, patch: &Value) -> Value {
        let Value::Object(patch) = patch else { return patch.clone() };
        let mut merged_into = into.as_object().cloned().unwrap_or_default();
        for (name, value) in patch {
            if value.is_null() {
                merged_into.remove(name);
            } else {
                let before = merged_into.get(name).cloned().unwrap_or_default();
                merged_into.insert(name.clone(), merged(&before, value));
            }
        }
        merged_into.into()
    }

    #[test]
    fn merging_what_is_between_two_values_makes_one_the_other() {
        let values = [
            Value::Null,
            json!({}),
            json!({"status": ["failed"]}),
            json!({"status": ["failed", null]}),
            json!({"status": {"code": [1]}}),
            json!({"status": {"code": [1], "text": ["a"]}, "records": {"inserted": [{"numeric": [">", 0]}]}}),
            json!({"status": {"text": {"deep": [2]}}, "$or": [{"a": [1]}, {"b": [null]}]}),
            json!({"records": {}}),
            json!(["not", "an object"]),
        ];
        for from in &values {
            for to in &values {
                let patch = between(from, to);
                assert_eq!(merged(from, &patch), *to, "{patch} merged into {from}");
            }
        }
    }
}
