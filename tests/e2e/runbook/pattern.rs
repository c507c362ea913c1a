//! Filter patterns of CloudWatch Logs, as far as the template and the runbook use them: one property of a JSON line that
//! equals a text, or begins with the text before a `*`. The local AWS takes every line for a match.

use harness::failure::OrFailure;
use harness::{Failure, Result};
use serde_json::Value;

/// A pattern such as `{ $.counted = "rejected" }`.
#[derive(Debug, Clone)]
pub struct Pattern {
    property: String,
    wanted: String,
}

impl Pattern {
    pub fn parse(text: &str) -> Result<Self> {
        let unknown = || format!("this test does not know the pattern {text}");
        let inner = text.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).or_failure(unknown)?;
        let (property, wanted) = inner.split_once(" = ").or_failure(unknown)?;
        let property = property.trim().strip_prefix("$.").or_failure(unknown)?;
        let wanted = wanted.trim().strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).or_failure(unknown)?;
        let is_plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "_.*".contains(c));
        if property.contains('*')
            || !is_plain(property)
            || !is_plain(wanted)
            || wanted.trim_end_matches('*').contains('*')
        {
            return Err(Failure::new(unknown()));
        }
        Ok(Self { property: property.to_owned(), wanted: wanted.to_owned() })
    }

    /// The pattern that stands in single quotes in a command.
    pub fn of_command(command: &str) -> Result<Self> {
        let quoted = command.split('\'').find(|part| part.starts_with('{'));
        Self::parse(quoted.or_failure(|| format!("{command} has no pattern"))?)
    }

    /// The line as JSON, if it matches.
    pub fn matching(&self, line: &str) -> Option<Value> {
        let line: Value = serde_json::from_str(line).ok()?;
        let text = line[&self.property].as_str()?;
        let is_it = match self.wanted.strip_suffix('*') {
            Some(beginning) => text.starts_with(beginning),
            None => text == self.wanted,
        };
        is_it.then_some(line)
    }
}

#[test]
fn a_pattern_compares_one_property_with_a_text() {
    let matches = |pattern: &str, line: &str| Pattern::parse(pattern).map(|p| p.matching(line).is_some()).ok();
    let line = r#"{"counted": "rejected", "status": "502"}"#;
    assert_eq!(matches(r#"{ $.counted = "rejected" }"#, line), Some(true));
    assert_eq!(matches(r#"{ $.counted = "reject" }"#, line), Some(false));
    assert_eq!(matches(r#"{ $.counted = "rejected" }"#, "no JSON"), Some(false));
    assert_eq!(matches(r#"{ $.status = "5*" }"#, line), Some(true));
    assert_eq!(matches(r#"{ $.status = "4*" }"#, line), Some(false));
    assert_eq!(matches(r#"{ $.status = "*" }"#, line), Some(true));
    assert_eq!(matches(r#"{ $.missing = "*" }"#, line), Some(false));
    assert_eq!(matches(r"[a, b]", line), None);
}
