//! The faults of a form, each with the field beside which it is shown. Most come from the API. Only values that cannot be
//! sent to the API are checked here, for example a line that is not a header. The API gets [`UNREADABLE`] in their place:
//! it refuses the form, and reports what is wrong with the other fields.
//!
//! Invariant: all wrong fields of a form are shown at once (tests: `all_wrong_fields_of_a_destination_are_told_at_once`,
//! `all_wrong_fields_of_a_subscription_are_told_at_once`, `all_wrong_fields_of_the_last_step_are_told_at_once`,
//! `all_wrong_fields_of_a_recovery_are_told_at_once`, `all_wrong_filters_are_told_at_once`).
//!
//! Invariant: what the API refuses is shown beside its field, and nothing that was typed is lost (tests:
//! `what_the_api_refuses_stands_by_its_field_and_nothing_is_lost`).

use serde_json::{Value, json};

use crate::web::problem::Problem;

/// What the API gets for a field whose text is no value. It refuses this, because none of these fields is a boolean.
pub const UNREADABLE: Value = Value::Bool(false);

#[derive(Debug, Default)]
pub struct Faults {
    by_field: Vec<(&'static str, String)>,
    /// A fault that belongs to no field.
    pub general: Option<String>,
}

impl Faults {
    /// The faults in a problem of the API. `fields` are the fields of the API's body that the form has under the same
    /// names.
    pub fn of(problem: &Problem, fields: &[&'static str]) -> Self {
        let mut faults = Self::default();
        for fault in &problem.errors {
            let mut steps = fault.pointer.as_deref().unwrap_or_default().split('/').skip(1);
            let field = fields.iter().copied().find(|field| steps.clone().next() == Some(*field));
            steps.next();
            let below: Vec<_> = steps.map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
            match field {
                Some(field) => faults.add(field, format!("{}{}", place(&below), fault.detail)),
                None => faults.general = Some(problem.detail.clone()),
            }
        }
        if problem.errors.is_empty() {
            faults.general = Some(problem.detail.clone());
        }
        faults
    }

    /// These faults, and those that the API found. If a field has both, these are shown.
    pub fn and(mut self, other: Faults) -> Self {
        self.by_field.extend(other.by_field);
        self.general = self.general.or(other.general);
        self
    }

    pub fn add(&mut self, field: &'static str, detail: impl Into<String>) {
        self.by_field.push((field, detail.into()));
    }

    pub fn at(&self, field: &str) -> Option<&str> {
        self.by_field.iter().find(|(name, _)| *name == field).map(|(_, detail)| detail.as_str())
    }

    /// How many of them have a field.
    pub fn count(&self) -> usize {
        self.by_field.len()
    }

    pub fn are_none(&self) -> bool {
        self.by_field.is_empty() && self.general.is_none()
    }

    /// A typed number as JSON; the API checks its range. An empty text is `null`, which means the default. Any other text is
    /// [`UNREADABLE`].
    pub fn number(&mut self, field: &'static str, typed: &str) -> Value {
        match typed.parse::<u64>() {
            Ok(number) => json!(number),
            Err(_) if typed.is_empty() => Value::Null,
            Err(_) => {
                self.add(field, "must be a whole number");
                UNREADABLE
            }
        }
    }
}

/// The place within a field: a number in a list, or the names on the way to it.
fn place(below: &[String]) -> String {
    match below {
        [] => String::new(),
        [index] if index.bytes().all(|byte| byte.is_ascii_digit()) => {
            let number = index.parse::<u64>().unwrap_or_default().saturating_add(1);
            format!("number {number}: ")
        }
        names => format!("{}: ", names.join(" → ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::problem::Fault;

    fn problem(pointers: &[&str]) -> Problem {
        let fault = |pointer: &&str| Fault {
            pointer: Some((*pointer).to_owned()),
            parameter: None,
            detail: "is wrong".to_owned(),
        };
        let errors = pointers.iter().map(fault).collect();
        Problem { status: 422, code: "validation_failed".into(), detail: "all of it".into(), errors }
    }

    #[track_caller]
    fn check(pointer: &str, field: &str, expected: Option<&str>) {
        let faults = Faults::of(&problem(&[pointer]), &["url", "retry_policy", "condition"]);
        assert_eq!(faults.at(field), expected, "{pointer}");
        assert_eq!(faults.general.is_some(), expected.is_none(), "{pointer}");
    }

    #[test]
    fn a_fault_stands_by_its_field_and_says_where_in_it() {
        check("/url", "url", Some("is wrong"));
        check("/retry_policy/2", "retry_policy", Some("number 3: is wrong"));
        check("/condition/a~1b/c/0", "condition", Some("a/b → c → 0: is wrong"));
        check("/urls", "url", None);
        check("", "url", None);
    }

    #[test]
    fn a_problem_without_a_place_is_told_as_a_whole() {
        assert_eq!(Faults::of(&problem(&[]), &["url"]).general.as_deref(), Some("all of it"));
        assert!(Faults::default().are_none());
    }

    #[test]
    fn a_number_is_sent_as_one_and_anything_else_is_told() {
        let mut faults = Faults::default();
        assert_eq!((faults.number("n", "5"), faults.number("n", "")), (json!(5), Value::Null));
        assert!(faults.are_none());
        faults.number("n", "1.5");
        assert_eq!(faults.at("n"), Some("must be a whole number"));
    }
}
