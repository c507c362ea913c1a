//! The names and descriptions that people give to things.

use serde::{Deserialize, Serialize};

/// A name that people gave to something: 1 to 128 characters, no control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Label(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to 128 characters, none of them a control character, and more than white space")]
pub struct LabelError;

impl TryFrom<String> for Label {
    type Error = LabelError;
    fn try_from(text: String) -> Result<Self, LabelError> {
        let fits = (1..=128).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if fits && !text.trim().is_empty() { Ok(Self(text)) } else { Err(LabelError) }
    }
}

impl From<Label> for String {
    fn from(label: Label) -> String {
        label.0
    }
}

impl Label {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the name contains `part`, ignoring case.
    pub fn has(&self, part: &str) -> bool {
        self.0.to_lowercase().contains(&part.to_lowercase())
    }
}

/// Free text about something: at most 1,024 characters, no control characters other than line breaks and tabs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Description(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have at most 1024 characters, none of them a control character other than line breaks and tabs")]
pub struct DescriptionError;

impl TryFrom<String> for Description {
    type Error = DescriptionError;
    fn try_from(text: String) -> Result<Self, DescriptionError> {
        let odd = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
        if text.chars().count() <= 1_024 && !text.chars().any(odd) { Ok(Self(text)) } else { Err(DescriptionError) }
    }
}

impl From<Description> for String {
    fn from(description: Description) -> String {
        description.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_may_be_empty_and_have_lines() {
        for text in ["", "a\nb\tc", &"é".repeat(1_024)] {
            assert!(Description::try_from(text.to_owned()).is_ok(), "{text}");
        }
        for text in ["\u{0}", &"x".repeat(1_025)] {
            assert_eq!(Description::try_from(text.to_owned()), Err(DescriptionError));
        }
    }

    #[test]
    fn a_part_of_a_label_is_found_in_capitals_or_not() {
        let label = Label::try_from("Billing of Ärzte".to_owned()).expect("a label");
        for (part, expected) in [("", true), ("BILL", true), ("ärzte", true), ("of Ä", true), ("bills", false)] {
            assert_eq!(label.has(part), expected, "{part}");
        }
    }

    #[test]
    fn a_label_is_more_than_white_space() {
        assert!(Label::try_from("Billing (é)".to_owned()).is_ok());
        for text in ["", "  ", "a\nb", &"x".repeat(129)] {
            assert_eq!(Label::try_from(text.to_owned()), Err(LabelError), "{text}");
        }
    }
}
