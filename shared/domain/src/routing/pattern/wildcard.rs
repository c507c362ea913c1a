//! The operator `wildcard`: `*` stands for any text, including none; `\*` and `\\` stand for the character itself. It
//! matches in one pass, without backtracking.

use std::fmt;

/// The literal texts between the `*`. There is one more of them than there are `*`.
#[derive(Clone)]
pub(super) struct Wildcard(Vec<String>);

impl Wildcard {
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let mut literals = vec![String::new()];
        let mut characters = text.chars();
        let mut after_star = false;
        while let Some(character) = characters.next() {
            let literal = match character {
                '*' if after_star => return Err(r"has two `*` in a row: one of them is enough, `\*` is an asterisk"),
                '*' => None,
                '\\' => match characters.next() {
                    Some(escaped @ ('*' | '\\')) => Some(escaped),
                    _ => return Err(r"has a `\` before something else than `*` or `\`: write `\\` for a backslash"),
                },
                plain => Some(plain),
            };
            after_star = literal.is_none();
            match (literal, literals.last_mut()) {
                (Some(character), Some(last)) => last.push(character),
                _ => literals.push(String::new()),
            }
        }
        Ok(Self(literals))
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        let [first, between @ .., last] = self.0.as_slice() else {
            return self.0.first().is_some_and(|whole| whole == text);
        };
        let Some(text) = text.strip_prefix(first.as_str()) else { return false };
        let Some(mut text) = text.strip_suffix(last.as_str()) else { return false };
        // The leftmost match leaves the most text for the rest.
        between.iter().all(|literal| match text.split_once(literal.as_str()) {
            Some((_, rest)) => {
                text = rest;
                true
            }
            None => false,
        })
    }
}

impl fmt::Debug for Wildcard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let escape = |literal: &String| literal.replace('\\', r"\\").replace('*', r"\*");
        write!(f, "\"{}\"", self.0.iter().map(escape).collect::<Vec<_>>().join("*"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(wildcard: &str, text: &str, expected: bool) {
        assert_eq!(Wildcard::parse(wildcard).expect("a wildcard").matches(text), expected, "{wildcard} {text}");
    }

    #[test]
    fn a_star_stands_for_any_text() {
        check("", "", true);
        check("", "a", false);
        check("a", "a", true);
        check("a", "ab", false);
        check("*", "", true);
        check("*", "a\nb", true);
        check("a*", "a", true);
        check("a*", "ba", false);
        check("*a", "ba", true);
        check("a*a", "a", false);
        check("a*a", "aa", true);
        check("*ab*b", "abab", true);
        check("*ab*ab", "ab", false);
        check("a*b*c", "a-b-b-c", true);
        check("a*b*c", "a-c-b", false);
        check("é*", "été", true);
    }

    #[test]
    fn a_backslash_takes_the_meaning_from_a_star() {
        check(r"a\*", "a*", true);
        check(r"a\*", "ab", false);
        check(r"a\\*", r"a\b", true);
        check(r"\**", "*x", true);
        check(r"*\*", "x*", true);
    }

    #[test]
    fn what_is_no_wildcard_is_refused() {
        for text in ["**", "a**b", r"\", r"a\b", r"*\"] {
            assert!(Wildcard::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn many_stars_take_no_time() {
        let wildcard = "a*".repeat(500) + "b";
        check(&wildcard, &"a".repeat(200_000), false);
    }

    /// Tries every length for every `*`.
    fn naive(wildcard: &[char], text: &[char]) -> bool {
        match wildcard {
            [] => text.is_empty(),
            ['*', rest @ ..] => (0..=text.len()).any(|n| naive(rest, &text[n..])),
            ['\\', c, rest @ ..] | [c, rest @ ..] => text.first() == Some(c) && naive(rest, &text[1..]),
        }
    }

    proptest! {
        #[test]
        fn it_agrees_with_trying_everything(
            wildcard in r"(\*?(a|b|\\\*|\\\\)){0,5}\*?", text in r"[ab*\\]{0,8}"
        ) {
            let characters = |text: &str| text.chars().collect::<Vec<_>>();
            let parsed = Wildcard::parse(&wildcard).expect("a wildcard");
            prop_assert_eq!(parsed.matches(&text), naive(&characters(&wildcard), &characters(&text)));
            prop_assert_eq!(format!("{parsed:?}"), format!("\"{wildcard}\""));
        }
    }
}
