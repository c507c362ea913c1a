//! Why a pattern is refused, and where in it.

use serde_json::Value;

use crate::value::excerpt;

pub(super) use crate::value::place::child;

/// Why a pattern is refused, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{pointer}`: {detail}")]
pub struct PatternError {
    /// RFC 6901, relative to the pattern; empty for the whole pattern.
    pub pointer: String,
    pub detail: String,
}

pub(super) fn refused(pointer: &str, detail: impl Into<String>) -> PatternError {
    PatternError { pointer: pointer.to_owned(), detail: detail.into() }
}

/// A part of a pattern as it was given, to be quoted in a reason.
pub(super) fn given(value: &Value) -> String {
    excerpt(&value.to_string()).into_owned()
}

impl PatternError {
    /// The error as a text, because serde passes on nothing else. The pointer is quoted, because it can contain any
    /// character.
    pub(super) fn carried(&self) -> String {
        format!("{}: {}", Value::from(self.pointer.as_str()), self.detail)
    }

    /// Reads the error from such a text.
    pub fn of_carried(text: &str) -> Option<Self> {
        let mut parts = serde_json::Deserializer::from_str(text).into_iter::<String>();
        let pointer = parts.next()?.ok()?;
        let detail = text.get(parts.byte_offset()..)?.strip_prefix(": ")?;
        let is_pointer = pointer.is_empty() || pointer.starts_with('/');
        is_pointer.then(|| refused(&pointer, detail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_passes_through_serde_whatever_its_pointer_is() {
        for pointer in ["", "/a", "/a`: b/~1", "/\"", "/\"}: \\"] {
            let error = refused(pointer, "is wrong: x");
            assert_eq!(PatternError::of_carried(&error.carried()), Some(error));
        }
        for other in ["", "must be", "\"a\": b", "\"/a\" is there twice", "\"/a", "7: x"] {
            assert_eq!(PatternError::of_carried(other), None, "{other}");
        }
    }
}
