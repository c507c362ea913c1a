//! A URL is accepted as it was typed, or refused. The URL Standard corrects many mistakes silently (it drops tabs and line
//! breaks, reads `\` as `/`, needs no `//`, reads `0x7f.1` as an address). The request would then go to a URL that nobody
//! typed.
//!
//! Other spellings of the same URL are accepted: capitals in scheme and host, a host in other scripts, characters that have
//! to be percent-encoded, the scheme's default port, and an empty path without its `/`.
//!
//! Invariant: what is accepted is called as it was typed (tests: `what_would_be_mended_in_silence_is_refused`,
//! `what_is_only_written_otherwise_is_accepted`).

use std::net::Ipv6Addr;

use url::{Host, Url};

use crate::value::is_invisible;

/// The longest host name, in bytes, and the longest of its labels (RFC 1035).
const MAX_NAME_BYTES: usize = 253;
const MAX_LABEL_BYTES: usize = 63;

/// Checks that `url`, which was parsed from `text`, is what was typed.
pub(super) fn check(text: &str, url: &Url) -> Result<(), String> {
    if text.chars().any(|c| c.is_control() || c.is_whitespace() || is_invisible(c)) {
        return Err(
            "has a space, a control character or an invisible character; leave it out, or percent-encode it".to_owned()
        );
    }
    let instead = || format!("would be called as {}, which is not what was typed", shown(url));
    let rest = text.get(url.scheme().len()..).and_then(|rest| rest.strip_prefix("://")).ok_or_else(instead)?;
    let (rest, _query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let as_typed = !rest.contains('\\') && is_authority(authority, url) && !path.split('/').any(is_dots);
    if as_typed { Ok(()) } else { Err(instead()) }
}

/// Whether a host and port are those of the URL, and nothing else.
fn is_authority(typed: &str, url: &Url) -> bool {
    let (host, port) = match typed.rfind(':').filter(|at| !typed[*at..].contains(']')) {
        Some(at) => (&typed[..at], Some(&typed[at + 1..])),
        None => (typed, None),
    };
    let port = port.is_none_or(|typed| url.port_or_known_default().is_some_and(|port| port.to_string() == typed));
    port && match url.host() {
        Some(Host::Ipv6(ip)) => {
            let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
            inner.and_then(|text| text.parse::<Ipv6Addr>().ok()) == Some(ip)
        }
        // A host in another script is converted to ASCII. A host in ASCII must be the same, except for capitals.
        Some(other) => !host.contains('%') && (!host.is_ascii() || host.eq_ignore_ascii_case(&other.to_string())),
        None => false,
    }
}

/// Whether a segment of a path is `.` or `..`, which lead to another path.
pub(super) fn is_dots(segment: &str) -> bool {
    let plain = segment.to_ascii_lowercase().replace("%2e", ".");
    plain == "." || plain == ".."
}

/// The beginning of a URL, without its query.
fn shown(url: &Url) -> String {
    let whole = url.as_str();
    let end = whole.find('?').unwrap_or(whole.len());
    whole[..end].chars().take(100).collect()
}

/// Whether DNS can carry a host name. It may end with the dot of the root.
pub(super) fn check_host_name(name: &str) -> Result<(), &'static str> {
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.len() > MAX_NAME_BYTES {
        return Err("it has more than 253 bytes");
    }
    match name.split('.').map(str::len).find(|length| !(1..=MAX_LABEL_BYTES).contains(length)) {
        Some(0) => Err("two of its dots have nothing between them"),
        Some(_) => Err("a part between its dots has more than 63 bytes"),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_typed(text: &str, expected: bool) {
        let url = Url::parse(text).expect("a URL that is mended");
        assert_eq!(check(text, &url).is_ok(), expected, "{text:?} is read as {url}");
    }

    #[test]
    fn what_would_be_mended_in_silence_is_refused() {
        for text in [
            "https:/example.com/",
            "https:example.com/",
            "https:///example.com/",
            "https:////example.com/",
            "https:\\\\example.com\\",
            "https:/\\example.com/",
            "https://example.com\\hooks",
            "https://example.com/a\\b",
            "ht\ttps://example.com/",
            "https://exa\nmple.com/",
            "https://example.com/a\r\nb",
            "https://example.com/?a\tb",
            " https://example.com/",
            "https://example.com/\u{0}",
            "https://example.com/ ",
            "https://example.com/a b",
            "https://exa\u{ad}mple.com/",
            "https://example\u{200b}.com/",
            "https://example.com/\u{202e}gpj",
            "https://@example.com/",
            "https://:@example.com/",
            "https://example.com:/",
            "https://example.com:0443/",
            "https://example.com/a/../b",
            "https://example.com/%2e%2E",
            "https://example.com/./a",
            "https://example.com/a/.",
            "https://ex%61mple.com/",
            "https://8.8.2056/",
            "https://134744072/",
            "https://8.8.8.8./",
        ] {
            check_typed(text, false);
        }
    }

    #[test]
    fn what_is_only_written_otherwise_is_accepted() {
        for text in [
            "https://example.com",
            "HTTPS://Example.COM/Hooks",
            "https://example.com:443/",
            "https://example.com:8443?a=b",
            "https://example.com/a//b/...?x=../y\\z&u=https:/a",
            "https://example.com/é?ü",
            "https://bücher.example/",
            "https://[2606:4700:0:0::1]/",
            "https://[2606:4700::1]:8443",
            "https://8.8.8.8:444/",
            "https://example.com./",
        ] {
            check_typed(text, true);
        }
    }
}
