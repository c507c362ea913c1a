//! Shortens texts for error messages: quotes of foreign text, and whole reasons.

use std::borrow::Cow;

/// How many characters of a foreign text are quoted in a reason.
pub(super) const SHOWN: usize = 100;

/// The longest reason, in characters.
pub(super) const MAX_REASON: usize = 1_000;

/// The beginning of a foreign text, to be quoted in a reason.
pub fn excerpt(text: &str) -> Cow<'_, str> {
    cut(text, SHOWN)
}

/// A reason, cut if it is too long.
pub fn bounded(text: String) -> String {
    match cut(&text, MAX_REASON) {
        Cow::Borrowed(_) => text,
        Cow::Owned(cut) => cut,
    }
}

fn cut(text: &str, characters: usize) -> Cow<'_, str> {
    match text.char_indices().nth(characters) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}
