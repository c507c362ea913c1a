//! Removes secrets from texts that are shown: people paste keys into the wrong field, and the answer must not repeat them.

use std::borrow::Cow;

/// The prefixes of our own secrets: signing secrets, API keys, links and tokens of page sessions.
const BEGINNINGS: [&str; 4] = ["whsec_", "whk_", "whl_", "whs_"];

/// The same text, in which everything that looks like one of our secrets is cut after its prefix.
pub fn without_secrets(text: &str) -> Cow<'_, str> {
    let (mut written, mut left) = (String::new(), text);
    while let Some((at, beginning)) = first(left) {
        let (before, secret) = left.split_at(at + beginning.len());
        let rest = secret.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "+/=._-%~".contains(c));
        written.push_str(before);
        if rest.len() < secret.len() {
            written.push('…');
        }
        left = rest;
    }
    if written.is_empty() {
        return Cow::Borrowed(text);
    }
    written.push_str(left);
    Cow::Owned(written)
}

/// The first prefix of a secret in a text, in upper or lower case, and its position.
fn first(text: &str) -> Option<(usize, &'static str)> {
    let lower = text.to_ascii_lowercase();
    BEGINNINGS.into_iter().filter_map(|beginning| Some((lower.find(beginning)?, beginning))).min()
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
    }
}
