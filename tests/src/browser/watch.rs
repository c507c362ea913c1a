//! Finds in a browser's logs what no page may cause: requests to other origins, and complaints.

use serde_json::Value;
use thirtyfour::BrowserLogEntry;

/// Describes everything that is wrong. `network` is chromedriver's log of the DevTools protocol; `expected` are the
/// failure statuses that the test caused on purpose.
pub(super) fn complaints(
    origin: &str,
    network: &[BrowserLogEntry],
    console: &[BrowserLogEntry],
    expected: &[u16],
) -> Vec<String> {
    let requests: Vec<String> = network.iter().filter_map(requested).collect();
    let mut complaints = Vec::new();
    if !requests.iter().any(|url| is_ours(origin, url)) {
        complaints.push(format!("no request went to {origin}, so nothing was watched"));
    }
    let elsewhere = requests.iter().filter(|url| !is_ours(origin, url) && !is_local(url));
    complaints.extend(elsewhere.map(|url| format!("it sent a request to another origin: {url}")));
    let said = console.iter().filter(|entry| matches!(entry.level.as_str(), "SEVERE" | "WARNING"));
    let said = said.filter(|entry| !expected.iter().any(|status| tells_of(entry, *status)));
    complaints.extend(said.map(|entry| format!("{}: {}", entry.source.as_deref().unwrap_or("it says"), entry.message)));
    complaints
}

/// The address of a request or of another kind of connection; `None` for other entries.
fn requested(entry: &BrowserLogEntry) -> Option<String> {
    let entry: Value = serde_json::from_str(&entry.message).ok()?;
    let (method, parameters) = (entry["message"]["method"].as_str()?, &entry["message"]["params"]);
    let url = match method {
        "Network.requestWillBeSent" => &parameters["request"]["url"],
        "Network.webSocketCreated" | "Network.webTransportCreated" => &parameters["url"],
        _ => return None,
    };
    url.as_str().map(str::to_owned)
}

fn is_ours(origin: &str, url: &str) -> bool {
    url.strip_prefix(origin).is_some_and(|path| path.starts_with('/'))
}

/// Whether an address needs no network: the browser's own pages, and images that are embedded in pages.
fn is_local(url: &str) -> bool {
    ["about:", "chrome:", "chrome-untrusted:", "data:"].iter().any(|scheme| url.starts_with(scheme))
}

/// Whether an entry only says that something was answered with this status.
fn tells_of(entry: &BrowserLogEntry, status: u16) -> bool {
    let words = format!("the server responded with a status of {status} ");
    entry.source.as_deref() == Some("network") && entry.message.contains(&words)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ORIGIN: &str = "http://abc.execute-api.localhost:4566";

    fn entry(level: &str, source: &str, message: &str) -> BrowserLogEntry {
        let entry = json!({"level": level, "source": source, "message": message, "timestamp": 0});
        serde_json::from_value(entry).expect("an entry")
    }

    fn request(url: &str) -> BrowserLogEntry {
        let message = json!({"message": {"method": "Network.requestWillBeSent", "params": {"request": {"url": url}}}});
        entry("INFO", "", &message.to_string())
    }

    fn ours() -> BrowserLogEntry {
        request(&format!("{ORIGIN}/configure"))
    }

    #[track_caller]
    fn check(network: &[BrowserLogEntry], console: &[BrowserLogEntry], expected: &[u16], words: &[&str]) {
        let complaints = complaints(ORIGIN, network, console, expected);
        assert_eq!(complaints.len(), words.len(), "{complaints:?}");
        for (complaint, words) in complaints.iter().zip(words) {
            assert!(complaint.contains(words), "{complaint}");
        }
    }

    #[test]
    fn a_quiet_page_of_one_origin_is_no_cause_for_complaint() {
        check(&[ours(), request("data:image/png;base64,"), request("about:blank")], &[], &[], &[]);
        check(&[ours()], &[entry("INFO", "console-api", "hello")], &[], &[]);
    }

    #[test]
    fn a_request_to_another_origin_is_complained_about() {
        check(&[ours(), request("https://fonts.example/a.woff2")], &[], &[], &["https://fonts.example/a.woff2"]);
        // An origin of which ours is only a prefix.
        check(&[ours(), request(&format!("{ORIGIN}0/"))], &[], &[], &["45660/"]);
        let socket =
            json!({"message": {"method": "Network.webSocketCreated", "params": {"url": "wss://elsewhere.example"}}});
        check(&[ours(), entry("INFO", "", &socket.to_string())], &[], &[], &["wss://elsewhere.example"]);
    }

    #[test]
    fn a_session_that_saw_nothing_is_complained_about() {
        check(&[request("about:blank")], &[], &[], &["so nothing was watched"]);
    }

    #[test]
    fn violations_and_errors_are_complained_about() {
        let violation = entry("SEVERE", "security", "Applying inline style violates the following directive");
        check(&[ours()], &[violation], &[], &["security: Applying"]);
        check(&[ours()], &[entry("WARNING", "console-api", "beware")], &[], &["console-api: beware"]);
    }

    #[test]
    fn a_status_is_complained_about_unless_it_was_expected() {
        let message =
            format!("{ORIGIN}/x - Failed to load resource: the server responded with a status of 404 (Not Found)");
        let answered = || entry("SEVERE", "network", &message);
        check(&[ours()], &[answered()], &[410], &["404"]);
        check(&[ours()], &[answered()], &[410, 404], &[]);
    }
}
