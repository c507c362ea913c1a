//! Small pieces of HTML that every page uses: times, states, numbers and JSON. Text from producers and receivers is
//! escaped here, just as the templates escape everything else.
//!
//! Invariant: what a producer or a receiver sent is text and never markup (tests: `markup_is_shown_as_text`).

use std::fmt;

use askama::filters::{Escaper, Html, HtmlSafe};
use domain::value::Timestamp;
use serde::de::IgnoredAny;
use serde_json::Value;

/// Markup that templates write without escaping it again.
pub struct Markup(String);

impl fmt::Display for Markup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl HtmlSafe for Markup {}

fn escaped(text: &str) -> String {
    let mut markup = String::with_capacity(text.len());
    // Writing to a string does not fail.
    let _ = Html.write_escaped_str(&mut markup, text);
    markup
}

/// A moment in UTC, to the second. The script replaces it with a relative time; the exact one stays as its title, and
/// the script adds it in the viewer's time zone. Every time on the page is written by this function or the next one.
pub fn time(moment: &Timestamp) -> Markup {
    time_with(moment, "")
}

/// The same for a moment that is not shown as a relative time: the script shows it in the viewer's time zone.
pub fn exact_time(moment: &Timestamp) -> Markup {
    time_with(moment, " data-exact")
}

fn time_with(moment: &Timestamp, attribute: &str) -> Markup {
    let exact = moment.to_string();
    let shown = exact.get(..19).unwrap_or(&exact).replacen('T', " ", 1);
    Markup(format!(r#"<time datetime="{exact}"{attribute} title="{shown} UTC">{shown} UTC</time>"#))
}

/// What a state of a delivery means, for those whose word does not say it.
pub fn meaning(state: &str) -> Option<&'static str> {
    match state {
        "parked" => Some("Set aside: its destination took nothing when it was due."),
        "exhausted" => Some("Given up: its last attempt failed, or its event was no longer kept."),
        _ => None,
    }
}

/// The badges of these states, side by side.
pub fn badges<'a>(states: impl Iterator<Item = &'a str>) -> Markup {
    Markup(states.map(|state| badge(state).0).collect::<Vec<_>>().join(" "))
}

/// A coloured badge for the state of a delivery, the condition of a destination or the outcome of an attempt.
pub fn badge(state: &str) -> Markup {
    let (kind, words) = match state {
        "delivered" | "healthy" | "enabled" | "succeeded" | "passed" | "matched" => ("ok", state),
        "retrying" | "parked" | "draining" | "running" | "partial" => ("warn", state),
        "failing" | "exhausted" | "refused" | "unreachable" | "disabled" | "failed" => ("bad", state),
        "timed_out" => ("bad", "timed out"),
        "blocked_address" => ("bad", "blocked address"),
        "open" => ("ok", "signed in"),
        "offered" => ("warn", "link not opened"),
        "broke" => ("bad", "broke"),
        "recovered" => ("ok", "recovered"),
        _ => ("idle", state),
    };
    let title = meaning(state).map(|words| format!(r#" title="{words}""#)).unwrap_or_default();
    Markup(format!(r#"<span class="badge badge-{kind}"{title}>{}</span>"#, escaped(words)))
}

/// A sentence of the API, with the parts between backticks shown as code.
pub fn with_code(sentence: &(impl fmt::Display + ?Sized)) -> Markup {
    let sentence = sentence.to_string();
    let mut parts = sentence.split('`').map(escaped);
    let mut markup = parts.next().unwrap_or_default();
    while let Some(code) = parts.next() {
        match parts.next() {
            Some(rest) => markup.extend(["<code>", &code, "</code>", &rest]),
            None => markup.extend(["`", &code]),
        }
    }
    Markup(markup)
}

/// A duration in the unit that reads best.
pub fn took(milliseconds: u64) -> String {
    match milliseconds {
        0..1_000 => format!("{milliseconds} ms"),
        1_000..60_000 => format!("{}.{} s", milliseconds / 1_000, milliseconds % 1_000 / 100),
        _ => format!("{} min {} s", milliseconds / 60_000, milliseconds % 60_000 / 1_000),
    }
}

/// A duration in days, hours, minutes and seconds, without rounding.
pub fn span(seconds: u64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let mut left = seconds;
    let mut words = Vec::new();
    for (size, unit) in units {
        if left >= size {
            words.push(format!("{} {unit}", left / size));
            left %= size;
        }
    }
    if words.is_empty() { "0 s".to_owned() } else { words.join(" ") }
}

/// A number in groups of three digits.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// Breaks JSON into indented lines and leaves every token as it was sent. Text that is not JSON stays unchanged.
pub fn pretty(text: &str) -> String {
    if serde_json::from_str::<IgnoredAny>(text).is_err() {
        return text.to_owned();
    }
    let (mut out, mut depth, mut in_string, mut escape) =
        (String::with_capacity(text.len() * 2), 0_usize, false, false);
    let mut characters = text.chars().filter(|c| !c.is_ascii_control()).peekable();
    while let Some(c) = characters.next() {
        if in_string {
            out.push(c);
            (escape, in_string) = (c == '\\' && !escape, c != '"' || escape);
            continue;
        }
        match c {
            ' ' => {}
            '{' | '[' => {
                while characters.next_if_eq(&' ').is_some() {}
                out.push(c);
                if let Some(end) = characters.next_if(|next| matches!(next, '}' | ']')) {
                    out.push(end);
                } else {
                    depth += 1;
                    break_line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                break_line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                break_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            _ => {
                in_string = c == '"';
                out.push(c);
            }
        }
    }
    out
}

fn break_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}

/// A value as JSON in indented lines.
pub fn pretty_value(value: &Value) -> String {
    format!("{value:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_that_nobody_knows_is_shown_as_text() {
        assert_eq!(badge("<b>").to_string(), r#"<span class="badge badge-idle">&#60;b&#62;</span>"#);
    }

    #[track_caller]
    fn check_code(sentence: &str, expected: &str) {
        assert_eq!(with_code(sentence).to_string(), expected);
    }

    #[test]
    fn what_stands_between_backticks_is_code_and_everything_is_escaped() {
        check_code("`status` is <b>", "<code>status</code> is &#60;b&#62;");
        check_code("a `<i>` and `b`.", "a <code>&#60;i&#62;</code> and <code>b</code>.");
        check_code("a ` alone", "a ` alone");
        check_code("", "");
    }

    #[test]
    fn a_moment_is_told_in_utc_and_exactly() {
        let moment = Timestamp::parse("2026-11-23T09:29:00.412Z").expect("a time");
        let expected = r#"<time datetime="2026-11-23T09:29:00.412Z" title="2026-11-23 09:29:00 UTC">2026-11-23 09:29:00 UTC</time>"#;
        assert_eq!(time(&moment).to_string(), expected);
        let expected = expected.replace(" title", " data-exact title");
        assert_eq!(exact_time(&moment).to_string(), expected);
    }

    #[track_caller]
    fn check_took(milliseconds: u64, expected: &str) {
        assert_eq!(took(milliseconds), expected);
    }

    #[test]
    fn a_duration_is_told_in_the_unit_that_reads_best() {
        check_took(0, "0 ms");
        check_took(999, "999 ms");
        check_took(1_040, "1.0 s");
        check_took(59_999, "59.9 s");
        check_took(185_000, "3 min 5 s");
    }

    #[track_caller]
    fn check_span(seconds: u64, expected: &str) {
        assert_eq!(span(seconds), expected);
    }

    #[test]
    fn seconds_are_told_in_the_units_that_are_exact() {
        check_span(0, "0 s");
        check_span(10, "10 s");
        check_span(90, "1 min 30 s");
        check_span(3_600, "1 h");
        check_span(90_061, "1 d 1 h 1 min 1 s");
    }

    #[test]
    fn digits_stand_in_groups_of_three() {
        let shown: Vec<_> = [0, 999, 1_000, 1_234_567].map(grouped).into();
        assert_eq!(shown, ["0", "999", "1\u{202f}000", "1\u{202f}234\u{202f}567"]);
    }

    #[track_caller]
    fn check_pretty(text: &str, expected: &str) {
        assert_eq!(pretty(text), expected);
    }

    #[test]
    fn json_is_broken_into_lines_and_nothing_else_is_changed() {
        check_pretty(
            r#"{"b":1.10,"a":[12345678901234567890123, true ]}"#,
            "{\n  \"b\": 1.10,\n  \"a\": [\n    12345678901234567890123,\n    true\n  ]\n}",
        );
        check_pretty(
            r#"{"a\"{,":"b: \\","e":{ },"l":[]}"#,
            "{\n  \"a\\\"{,\": \"b: \\\\\",\n  \"e\": {},\n  \"l\": []\n}",
        );
        check_pretty("<p>no JSON</p>", "<p>no JSON</p>");
        check_pretty("{} {}", "{} {}");
    }
}
