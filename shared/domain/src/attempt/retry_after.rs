//! The header `Retry-After` of a receiver's answer: seconds, or a date (RFC 9110, 10.2.3).

use std::time::{Duration, UNIX_EPOCH};

use crate::value::Timestamp;

/// How long a receiver asks to be left alone. A number that is too large for our type still counts as a long wait, and a date
/// that has passed as no wait. None if the text is neither a whole number nor a date.
pub fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(date.saturating_sub(Duration::from_millis(now.unix_ms())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempt::Outcome;

    #[track_caller]
    fn check(text: &str, expected: Option<u64>) {
        let found = retry_after(text, Timestamp::from_unix_ms(1_795_426_200_000));
        let Outcome::Refused { retry_after, .. } = Outcome::from_answer(503, found, String::new()) else {
            panic!("delivered")
        };
        assert_eq!(retry_after, expected.map(Duration::from_secs), "{text}");
    }

    #[test]
    fn a_wait_beyond_all_numbers_is_the_longest_there_is_and_no_number_is_none() {
        for most in ["86400", "86401", "18446744073709551616", "99999999999999999999", &"9".repeat(5_000)] {
            check(most, Some(86_400));
        }
        check("Fri, 31 Dec 9999 23:59:59 GMT", Some(86_400));
        for (text, wait) in [
            ("0", 0),
            (" 7 ", 7),
            ("007", 7),
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Mon, 23 Nov 2026 09:31:00 GMT", 60),
        ] {
            check(text, Some(wait));
        }
        for text in
            ["", " ", "-1", "+7", "1.5", "1e9", "7s", "7, 8", "soon", "Fri, 31 Dec 99999 23:59:59 GMT", "\u{0667}"]
        {
            check(text, None);
        }
    }
}
