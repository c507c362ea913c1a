//! The names and descriptions that people give to things.
//!
//! Invariant: every character of a name can be seen, and none changes how its neighbours are shown (tests:
//! `a_name_has_no_character_that_cannot_be_seen`).

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{CodePointMapData, CodePointSetData};
use serde::{Deserialize, Deserializer, Serialize, de};

/// A name that people gave to something: 1 to 128 characters, none of them a control character or [invisible](is_invisible).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Label(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    #[error("must have 1 to 128 characters, none of them a control character, and more than white space")]
    Form,
    #[error("has the character U+{:04X}, which cannot be seen, or changes how others are shown; leave it out", u32::from(*.0))]
    Invisible(char),
}

impl TryFrom<String> for Label {
    type Error = LabelError;
    fn try_from(text: String) -> Result<Self, LabelError> {
        match text.chars().find(|c| is_invisible(*c)) {
            Some(found) => Err(LabelError::Invisible(found)),
            None => Self::kept(text),
        }
    }
}

/// Whether a character is invisible, or changes how others are shown: Unicode's `Default_Ignorable_Code_Point`, and the
/// categories `Cf` (format characters), `Zl` and `Zp` (separators of lines and of paragraphs). They include direction marks,
/// joiners and variation selectors.
pub fn is_invisible(c: char) -> bool {
    let category = CodePointMapData::<GeneralCategory>::new().get(c);
    let (line, paragraph) = (GeneralCategory::LineSeparator, GeneralCategory::ParagraphSeparator);
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
        || category == GeneralCategory::Format
        || category == line
        || category == paragraph
}

impl From<Label> for String {
    fn from(label: Label) -> String {
        label.0
    }
}

impl Label {
    /// A name as earlier releases accepted it, also with invisible characters.
    fn kept(text: String) -> Result<Self, LabelError> {
        let fits = (1..=128).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if fits && !text.trim().is_empty() { Ok(Self(text)) } else { Err(LabelError::Form) }
    }

    /// Reads a name from a row, for `#[serde(deserialize_with)]`.
    pub fn from_row<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::kept(String::deserialize(deserializer)?).map_err(de::Error::custom)
    }

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
            assert_eq!(Label::try_from(text.to_owned()), Err(LabelError::Form), "{text}");
        }
    }

    #[test]
    fn a_name_has_no_character_that_cannot_be_seen() {
        for text in ["Zoë", "财务", "שלום", "مبيعات", "a\u{a0}b", "e\u{301}", "☃ 🦀"] {
            assert!(Label::try_from(text.to_owned()).is_ok(), "{text}");
        }
        let invisible = "\u{ad}\u{34f}\u{61c}\u{115f}\u{180e}\u{200b}\u{200d}\u{200e}\u{202e}\u{2028}\u{2060}\u{2066}\u{3164}\u{feff}\u{fe0f}\u{ffa0}\u{fff9}\u{e0041}\u{e0100}";
        for c in invisible.chars() {
            for text in [format!("{c}"), format!("Billing{c}"), format!("{c}{c} x")] {
                assert_eq!(Label::try_from(text.clone()), Err(LabelError::Invisible(c)), "{c:?}");
            }
            let row = Label::from_row(serde_json::json!(format!("Billing{c}")));
            assert!(row.is_ok(), "what a row has is read: {row:?}");
        }
        let told = LabelError::Invisible('\u{202e}').to_string();
        assert!(told.starts_with("has the character U+202E, "), "{told}");
    }
}
