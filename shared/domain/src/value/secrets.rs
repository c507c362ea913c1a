//! Removes secrets from texts that are shown: people paste keys into the wrong field, and the answer must not repeat them.

use std::borrow::Cow;

/// The prefixes of our own secrets: signing secrets, API keys, links and tokens of page sessions.
const BEGINNINGS: [&str; 4] = ["whsec_", "whk_", "whl_", "whs_"];

/// What all of these begin with.
const ALL_BEGIN: &str = "wh";

/// The same text, in which everything that looks like one of our secrets is cut after its prefix.
pub fn without_secrets(text: &str) -> Cow<'_, str> {
    let lower = text.to_ascii_lowercase();
    let (mut written, mut done) = (String::new(), 0);
    while let Some(begin) = first_end(&lower, done) {
        let secret = &text[begin..];
        let rest = secret.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "+/=._-%~".contains(c));
        written.push_str(&text[done..begin]);
        if rest.len() < secret.len() {
            written.push('…');
        }
        done = text.len() - rest.len();
    }
    if written.is_empty() {
        return Cow::Borrowed(text);
    }
    written.push_str(&text[done..]);
    Cow::Owned(written)
}

/// Where the first prefix of a secret ends that begins at this position or later. The text is gone through once, however many
/// prefixes it has.
fn first_end(lower: &str, mut from: usize) -> Option<usize> {
    loop {
        let at = from + lower[from..].find(ALL_BEGIN)?;
        if let Some(beginning) = BEGINNINGS.into_iter().find(|beginning| lower[at..].starts_with(beginning)) {
            return Some(at + beginning.len());
        }
        from = at + ALL_BEGIN.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(without_secrets(text), expected);
    }

    #[test]
    fn what_looks_like_a_secret_is_left_out() {
        check("", "");
        check("must begin with whsec_ and have 24 bytes", "must begin with whsec_ and have 24 bytes");
        check("unknown field `whsec_MfKQ9r8GKY+/w==`, expected `a`", "unknown field `whsec_…`, expected `a`");
        check(r#""whk_acme.0123.abc-_D" or WHL_acme.x.y"#, r#""whk_…" or WHL_…"#);
        check("/whs_a.b.c~1d: whk_é", "/whs_…: whk_é");
        check("whsec_whsec_abc whsec_", "whsec_… whsec_");
        check("wwhk_a wh whwhs_\u{e9}", "wwhk_… wh whwhs_\u{e9}");
    }

    #[test]
    fn a_long_text_of_prefixes_is_gone_through_once() {
        let text = "whk_ ".repeat(200_000);
        assert_eq!(without_secrets(&text), text);
    }
}
