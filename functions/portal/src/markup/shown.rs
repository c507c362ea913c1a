//! Cuts long texts to the room that a page has for them.
//!
//! Invariant: a page has less than 50 KB of HTML, however long the texts are that it shows (tests:
//! `no_page_grows_over_50_kb_with_what_is_as_long_as_it_may_be`, `a_page_of_twenty_busy_destinations_is_small`).

/// The beginning of a text, or all of it if it is short.
pub struct Excerpt {
    pub text: String,
    /// Whether this is the whole text.
    pub whole: bool,
}

impl Excerpt {
    /// Takes as much of the text as fits into `bytes` after escaping.
    pub fn of(text: &str, bytes: usize) -> Self {
        let mut room = bytes;
        let end = text.char_indices().find(|(_, c)| {
            let needed = escaped_len(*c);
            let fits = needed <= room;
            room = room.saturating_sub(needed);
            !fits
        });
        let end = end.map_or(text.len(), |(at, _)| at);
        Self { text: text.get(..end).unwrap_or_default().to_owned(), whole: end == text.len() }
    }

    /// Its size on the page, in bytes after escaping.
    pub fn room(&self) -> usize {
        escaped_bytes(&self.text)
    }
}

/// The size of a text in bytes after escaping.
pub fn escaped_bytes(text: &str) -> usize {
    text.chars().map(escaped_len).sum()
}

fn escaped_len(c: char) -> usize {
    match c {
        '&' | '<' | '>' | '"' | '\'' => 5,
        _ => c.len_utf8(),
    }
}

/// Cuts a text for a table cell to `characters` characters and an ellipsis.
pub fn cut(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use askama::filters::{Escaper, Html};

    use super::*;

    #[track_caller]
    fn check(text: &str, bytes: usize, expected: &str) {
        let shown = Excerpt::of(text, bytes);
        assert_eq!((shown.text.as_str(), shown.whole), (expected, expected == text));
        assert!(escaped_bytes(&shown.text) <= bytes);
    }

    #[test]
    fn an_excerpt_takes_no_more_room_than_it_has_when_it_is_escaped() {
        check("", 0, "");
        check("abc", 3, "abc");
        check("abc", 2, "ab");
        check("é!", 1, "");
        check("a<b>", 6, "a<");
        check("a<b>", 5, "a");
        check("a<b>", 12, "a<b>");
    }

    #[test]
    fn what_escaping_takes_is_counted_as_templates_escape() {
        let text = "plain & <b>\"'é\n";
        let mut escaped = String::new();
        Html.write_escaped_str(&mut escaped, text).expect("written");
        assert_eq!(escaped_bytes(text), escaped.len());
    }

    #[test]
    fn a_line_is_cut_between_characters() {
        assert_eq!(cut("éé", 2), "éé");
        assert_eq!(cut("ééé", 2), "éé…");
    }
}
