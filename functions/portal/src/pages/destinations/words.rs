//! Describes the settings of a destination in words.

use serde_json::Value;

use crate::markup::html::span;

/// The greatest length of an address in a list, in characters.
const SHOWN: usize = 60;

/// The named retry policies: name, title and description.
pub const RETRIES: [(&str, &str, &str); 3] = [
    ("standard", "Standard", "After 5 s, then at growing intervals: usually 10 attempts over about 75 hours"),
    ("short", "Short", "5 attempts over about 10 minutes, for events that are soon out of date"),
    ("none", "None", "A single attempt"),
];

/// Describes when a failed delivery is attempted again.
pub fn retry_policy(policy: &Value) -> String {
    match policy {
        Value::String(name) => match RETRIES.iter().find(|(known, ..)| known == name) {
            Some((_, title, words)) => format!("{title}. {words}"),
            None => name.to_owned(),
        },
        Value::Array(waits) => {
            let words: Vec<_> = waits.iter().filter_map(Value::as_u64).map(span).collect();
            format!("Custom. {} attempts, after waits of {}", waits.len() + 1, words.join(", "))
        }
        other => other.to_string(),
    }
}

/// Shortens an address for a list: without `https://`, and cut if it is long.
pub fn short_url(url: &str) -> String {
    let address = url.strip_prefix("https://").unwrap_or(url);
    let address = address.strip_suffix('/').unwrap_or(address);
    match address.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &address[..end]),
        None => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check_policy(policy: Value, expected: &str) {
        assert_eq!(retry_policy(&policy), expected);
    }

    #[test]
    fn a_retry_policy_is_told_in_words() {
        check_policy(json!("none"), "None. A single attempt");
        check_policy(json!([10, 60, 5_400]), "Custom. 4 attempts, after waits of 10 s, 1 min, 1 h 30 min");
        check_policy(json!("<b>"), "<b>");
    }

    #[track_caller]
    fn check_url(url: &str, expected: &str) {
        assert_eq!(short_url(url), expected);
    }

    #[test]
    fn a_long_address_is_cut() {
        check_url("https://example.com/", "example.com");
        check_url("http://example.com/a", "http://example.com/a");
        check_url(&format!("https://{}", "ä".repeat(61)), &format!("{}…", "ä".repeat(60)));
    }
}
