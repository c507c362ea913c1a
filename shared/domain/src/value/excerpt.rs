//! Cuts what is repeated in an error: a few words of something foreign, and a reason as a whole.

use std::borrow::Cow;

/// How many characters of something foreign are repeated in a reason.
pub(super) const SHOWN: usize = 100;

/// The longest reason, in characters.
pub(super) const MAX_REASON: usize = 1_000;

/// The beginning of something foreign, for a reason.
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
