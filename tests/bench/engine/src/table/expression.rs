//! Conditions as DynamoDB writes them. What is not known here is an error, so that no condition is taken for met.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::units::Item;

/// An expression with what its placeholders stand for, read from the left.
pub(super) struct Expression<'a> {
    tokens: Vec<&'a str>,
    at: usize,
    names: Option<&'a Map<String, Value>>,
    values: Option<&'a Map<String, Value>>,
}

pub(super) type Read<T> = Result<T, String>;

impl<'a> Expression<'a> {
    pub(super) fn new(text: &'a str, asked: &'a Value) -> Self {
        let of = |name| asked[name].as_object();
        let (names, values) = (of("ExpressionAttributeNames"), of("ExpressionAttributeValues"));
        Self { tokens: tokens(text), at: 0, names, values }
    }

    pub(super) fn peek(&self) -> Option<&'a str> {
        self.tokens.get(self.at).copied()
    }

    pub(super) fn next(&mut self) -> Read<&'a str> {
        let token = self.peek().ok_or("the expression ends too soon")?;
        self.at += 1;
        Ok(token)
    }

    /// Whether this comes next, which is then read.
    pub(super) fn eat(&mut self, word: &str) -> bool {
        let is = self.peek().is_some_and(|token| token.eq_ignore_ascii_case(word));
        self.at += usize::from(is);
        is
    }

    pub(super) fn expect(&mut self, word: &str) -> Read<()> {
        if self.eat(word) { Ok(()) } else { Err(format!("{word} is missing before {:?}", self.peek())) }
    }

    /// Whether the item meets the condition.
    pub(super) fn holds(mut self, item: Option<&Item>) -> Read<bool> {
        let holds = self.any(item)?;
        match self.peek() {
            None => Ok(holds),
            Some(rest) => Err(format!("{rest:?} is not known here")),
        }
    }

    fn any(&mut self, item: Option<&Item>) -> Read<bool> {
        let mut holds = self.all(item)?;
        while self.eat("OR") {
            holds |= self.all(item)?;
        }
        Ok(holds)
    }

    fn all(&mut self, item: Option<&Item>) -> Read<bool> {
        let mut holds = self.one(item)?;
        while self.eat("AND") {
            holds &= self.one(item)?;
        }
        Ok(holds)
    }

    fn one(&mut self, item: Option<&Item>) -> Read<bool> {
        if self.eat("NOT") {
            return Ok(!self.one(item)?);
        }
        if self.eat("(") {
            let holds = self.any(item)?;
            return self.expect(")").map(|()| holds);
        }
        let function = self.peek().unwrap_or_default();
        if ["attribute_exists", "attribute_not_exists", "attribute_type", "begins_with"].contains(&function) {
            self.next()?;
            return self.function(function, item);
        }
        let left = self.operand(item)?;
        if self.eat("BETWEEN") {
            let from = self.operand(item)?;
            self.expect("AND")?;
            let to = self.operand(item)?;
            let within = |bound: &Option<Value>, wanted: Ordering| {
                compare(left.as_ref(), bound.as_ref()).is_some_and(|found| found == wanted || found == Ordering::Equal)
            };
            return Ok(within(&from, Ordering::Greater) && within(&to, Ordering::Less));
        }
        if self.eat("IN") {
            self.expect("(")?;
            let mut holds = false;
            loop {
                let one = self.operand(item)?;
                holds |= left.is_some() && left == one;
                if !self.eat(",") {
                    return self.expect(")").map(|()| holds);
                }
            }
        }
        let sign = self.next()?;
        let right = self.operand(item)?;
        let found = compare(left.as_ref(), right.as_ref());
        match sign {
            "=" => Ok(left.is_some() && (left == right || found == Some(Ordering::Equal))),
            "<>" => Ok(left != right && found != Some(Ordering::Equal)),
            "<" => Ok(found == Some(Ordering::Less)),
            "<=" => Ok(found.is_some_and(Ordering::is_le)),
            ">" => Ok(found == Some(Ordering::Greater)),
            ">=" => Ok(found.is_some_and(Ordering::is_ge)),
            other => Err(format!("{other:?} compares nothing")),
        }
    }

    fn function(&mut self, name: &str, item: Option<&Item>) -> Read<bool> {
        self.expect("(")?;
        let found = self.operand(item)?;
        let second = if self.eat(",") { self.operand(item)? } else { None };
        self.expect(")")?;
        let text = |value: &Option<Value>| value.as_ref().and_then(|value| value["S"].as_str()).map(str::to_owned);
        Ok(match name {
            "attribute_exists" => found.is_some(),
            "attribute_not_exists" => found.is_none(),
            "attribute_type" => found.as_ref().zip(text(&second)).is_some_and(|(found, kind)| !found[kind].is_null()),
            _ => text(&found).zip(text(&second)).is_some_and(|(found, prefix)| found.starts_with(&prefix)),
        })
    }

    /// A value that was given, or what the item has there.
    pub(super) fn operand(&mut self, item: Option<&Item>) -> Read<Option<Value>> {
        let token = self.next()?;
        if token.starts_with(':') {
            let value = self.values.and_then(|values| values.get(token));
            return value.cloned().map(Some).ok_or_else(|| format!("{token} has no value"));
        }
        if token.eq_ignore_ascii_case("size") && self.eat("(") {
            let found = self.operand(item)?;
            self.expect(")")?;
            return Ok(found.as_ref().and_then(size));
        }
        let path = self.path(token)?;
        Ok(item.and_then(|item| find(item, &path)).cloned())
    }

    /// The names of a path, such as `health.#version`.
    pub(super) fn path(&self, token: &str) -> Read<Vec<String>> {
        let part = |part: &str| match part.strip_prefix('#') {
            None => Ok(part.to_owned()),
            Some(_) => {
                let name = self.names.and_then(|names| names.get(part)).and_then(Value::as_str);
                name.map(str::to_owned).ok_or_else(|| format!("{part} has no name"))
            }
        };
        token.split('.').map(part).collect()
    }
}

fn tokens(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || "_#:.-".contains(c);
        let length = match first {
            c if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            _ if ["<=", ">=", "<>"].iter().any(|sign| rest.starts_with(sign)) => 2,
            c => c.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        found.push(token);
        rest = after.trim_start();
    }
    found
}

fn find<'i>(item: &'i Item, path: &[String]) -> Option<&'i Value> {
    let (first, rest) = path.split_first()?;
    let found = item.get(first)?;
    if rest.is_empty() { Some(found) } else { find(found["M"].as_object()?, rest) }
}

fn size(value: &Value) -> Option<Value> {
    let (_, value) = value.as_object()?.iter().next()?;
    let size = match value {
        Value::String(text) => text.len(),
        Value::Array(elements) => elements.len(),
        Value::Object(fields) => fields.len(),
        _ => return None,
    };
    Some(serde_json::json!({ "N": size.to_string() }))
}

/// The order of two values of one kind that has an order.
pub(super) fn compare(left: Option<&Value>, right: Option<&Value>) -> Option<Ordering> {
    let (left, right) = (left?, right?);
    let number = |value: &Value| value["N"].as_str().and_then(|number| number.parse::<f64>().ok());
    match (number(left), number(right)) {
        (Some(left), Some(right)) => left.partial_cmp(&right),
        _ => Some(left["S"].as_str()?.cmp(right["S"].as_str()?)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Read<bool>) {
        let item =
            json!({"pk": {"S": "a"}, "n": {"N": "10"}, "health": {"M": {"version": {"N": "2"}}}, "l": {"L": [1]}});
        let asked = json!({
            "ExpressionAttributeNames": {"#version": "version"},
            "ExpressionAttributeValues": {":two": {"N": "2"}, ":nine": {"N": "9"}, ":a": {"S": "a"}, ":N": {"S": "N"}}
        });
        assert_eq!(Expression::new(text, &asked).holds(item.as_object()), expected, "{text}");
    }

    #[test]
    fn a_condition_is_met_or_not() {
        for met in [
            "attribute_not_exists(x)",
            "attribute_exists(pk) AND (attribute_not_exists(x) OR x <= :two)",
            "health.#version = :two",
            "n > :nine AND NOT n < :nine",
            "pk BETWEEN :a AND :a",
            "pk IN (:N, :a)",
            "attribute_type(n, :N) AND begins_with(pk, :a)",
            "size(l) < :two",
            "x <> :a",
        ] {
            check(met, Ok(true));
        }
        for not_met in ["attribute_not_exists(pk)", "x = :two", "n < :nine", "x < :two", "x IN (:a)"] {
            check(not_met, Ok(false));
        }
    }

    #[test]
    fn what_is_not_known_is_never_met() {
        for text in ["contains(pk, :a)", "pk = :unknown", "#unknown = :a", "pk = :a pk"] {
            let item = json!({"pk": {"S": "a"}});
            let asked = json!({"ExpressionAttributeValues": {":a": {"S": "a"}}});
            assert!(Expression::new(text, &asked).holds(item.as_object()).is_err(), "{text}");
        }
    }
}
