//! Where something is in a JSON value. A place is a list of steps. Steps are written as a text, but never read from one,
//! because a key may contain any character that separates steps in the text.
//!
//! Invariant: a place leads to one value, whatever characters its keys have (tests: `every_step_is_escaped_by_itself`, for
//! events `a_refusal_points_at_the_field`).

use std::borrow::Cow;
use std::fmt;

use jsonptr::{PointerBuf, Token};
use serde_path_to_error::{Path, Segment};

use super::excerpt::excerpt;

/// The longest pointer that is shown, in bytes. A longer one ends at the last step that fits.
const MAX_POINTER_BYTES: usize = 1_000;

/// The steps from the outermost value to this one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Field(String),
    Item(usize),
}

impl Place {
    /// The place of a field of the outermost value.
    pub fn of(name: &str) -> Self {
        Self::default().field(name)
    }

    /// The place of a field of the object at this place.
    pub fn field(mut self, name: &str) -> Self {
        self.0.push(Step::Field(name.to_owned()));
        self
    }

    /// The place of an item of the list at this place.
    pub fn item(mut self, index: usize) -> Self {
        self.0.push(Step::Item(index));
        self
    }

    /// This place in a value that is itself at `outer`.
    pub fn within(self, mut outer: Place) -> Self {
        outer.0.extend(self.0);
        outer
    }

    /// As a JSON pointer (RFC 6901); empty for the outermost value.
    pub fn pointer(&self) -> String {
        let mut pointer = PointerBuf::new();
        for step in &self.0 {
            let token = match step {
                Step::Field(name) => Token::new(name.as_str()),
                Step::Item(index) => Token::from(*index),
            };
            if pointer.as_str().len() + token.encoded().len() >= MAX_POINTER_BYTES {
                break;
            }
            pointer.push_back(token);
        }
        pointer.to_string()
    }
}

/// The pointer to `name` in the value at `pointer`.
pub fn child(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", Token::new(name).encoded())
}

impl From<&Path> for Place {
    fn from(path: &Path) -> Self {
        let step = |segment: &Segment| match segment {
            Segment::Seq { index } => Some(Step::Item(*index)),
            Segment::Map { key } => Some(Step::Field(key.clone())),
            Segment::Enum { .. } | Segment::Unknown => None,
        };
        Self(path.iter().filter_map(step).collect())
    }
}

/// For people: `data.records[2].name`. A long key is cut.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        for step in &self.0 {
            match step {
                Step::Field(name) => write!(f, "{between}{}", excerpt(name))?,
                Step::Item(index) => write!(f, "[{index}]")?,
            }
            between = ".";
        }
        Ok(())
    }
}

/// A place for people. A long one is cut at its beginning, because its end says more.
pub(crate) fn told(place: &Place) -> String {
    let text = place.to_string();
    let surplus = text.chars().count().saturating_sub(200);
    let cut: Cow<'_, str> = match text.char_indices().nth(surplus) {
        Some((at, _)) if surplus > 0 => Cow::Owned(format!("…{}", &text[at..])),
        _ => Cow::Borrowed(&text),
    };
    cut.into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(place: &Place, pointer: &str, told: &str) {
        assert_eq!((place.pointer().as_str(), place.to_string().as_str()), (pointer, told));
    }

    #[test]
    fn every_step_is_escaped_by_itself() {
        check(&Place::default(), "", "");
        check(&Place::of("a.b/c~d"), "/a.b~1c~0d", "a.b/c~d");
        check(&Place::of("").field("~1").item(3).field("0"), "//~01/3/0", ".~1[3].0");
        check(&Place::of("é").item(0).within(Place::of("data")), "/data/é/0", "data.é[0]");
        assert_eq!(child("/a", "b/c~d"), "/a/b~1c~0d");
    }

    #[test]
    fn a_long_place_is_cut_between_its_steps() {
        let long = "x".repeat(5_000);
        let place = Place::of("data").field("a").field(&long).field("b");
        assert_eq!(place.pointer(), "/data/a");
        assert!(told(&place).chars().count() <= 201, "{}", told(&place));
        assert!(told(&place).ends_with(".b"));
    }
}
