//! The operator `wildcard`: `*` stands for any text, including none; `\*` and `\\` stand for the character itself. It
//! matches in one pass, without backtracking.

use std::fmt;

/// The literal texts between the `*`, one after the other, and where each but the last ends. So a `*` takes two bytes.
#[derive(Clone)]
pub(super) struct Wildcard {
    text: Box<str>,
    ends: Box<[u16]>,
}

impl Wildcard {
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let (mut literals, mut ends) = (String::new(), Vec::new());
        let mut characters = text.chars();
        let mut after_star = false;
        while let Some(character) = characters.next() {
            let literal = match character {
                '*' if after_star => return Err(r"has two `*` in a row: one of them is enough, `\*` is an asterisk"),
                '*' => None,
                '\\' => match characters.next() {
                    Some(escaped @ ('*' | '\\')) => Some(escaped),
                    _ => return Err(r"has a `\` before something other than `*` or `\`: write `\\` for a backslash"),
                },
                plain => Some(plain),
            };
            after_star = literal.is_none();
            match literal {
                Some(character) => literals.push(character),
                None => ends.push(u16::try_from(literals.len()).map_err(|_| "is too long")?),
            }
        }
        Ok(Self { text: literals.into(), ends: ends.into() })
    }

    /// The literals in their order: one more than there are `*`.
    fn literals(&self) -> impl DoubleEndedIterator<Item = &str> {
        let end = |n: usize| self.ends.get(n).map_or(self.text.len(), |end| usize::from(*end));
        (0..=self.ends.len()).map(move |n| self.text.get(n.checked_sub(1).map_or(0, end)..end(n)).unwrap_or_default())
    }

    pub(super) fn stars(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        let mut literals = self.literals();
        let (first, last) = (literals.next().unwrap_or_default(), literals.next_back());
        let Some(last) = last else { return first == text };
        let Some(text) = text.strip_prefix(first) else { return false };
        let Some(mut text) = text.strip_suffix(last) else { return false };
        // The leftmost match leaves the most text for the rest.
        literals.all(|literal| match text.split_once(literal) {
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
        let escape = |literal: &str| literal.replace('\\', r"\\").replace('*', r"\*");
        write!(f, "\"{}\"", self.literals().map(escape).collect::<Vec<_>>().join("*"))
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
