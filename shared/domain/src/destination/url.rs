//! Where requests go: a destination's URL, and the path a subscription appends to it.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::address::AddressPolicy;
use super::typed_url;

/// An absolute `http(s)` URL without credentials or fragment, which is called as it was typed. It has at most 2,048 bytes,
/// both as it was given and in its written form: in ASCII, with other characters percent-encoded.
/// [`DestinationUrl::check`] tells whether its address may be called; the HTTP adapter checks again on every connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DestinationUrl(Url);

const MAX_URL_BYTES: usize = 2_048;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    #[error("is not an absolute URL such as https://example.com/hooks")]
    NotAbsolute,
    #[error("has {0} bytes; at most 2048 are accepted")]
    TooLong(usize),
    #[error("has {0} bytes once it is percent-encoded; at most 2048 are accepted")]
    TooLongEncoded(usize),
    #[error("has the scheme {0:?}; use https")]
    Scheme(String),
    #[error("has a user name or password in it; leave them out, the signature tells who is calling")]
    Credentials,
    #[error("has a fragment (#…); leave it out, it is never sent")]
    Fragment,
    #[error("is plain http; use https")]
    PlainHttp,
    #[error("{0}")]
    NotAsTyped(String),
    #[error("has an invalid host name: {0}")]
    HostName(&'static str),
    #[error("has the port 0; leave the port out, or give the port that the receiver listens on")]
    PortZero,
    #[error("points to {0}, an address that is never called (private, reserved or this service itself)")]
    Blocked(String),
}

impl DestinationUrl {
    /// Whether the policy allows the scheme and the host, judged by the text alone. Checks that earlier releases lacked are
    /// made here and not on reading, so that stored URLs can still be read.
    pub fn check(&self, policy: &AddressPolicy) -> Result<(), UrlError> {
        if self.0.scheme() == "http" && !policy.allow_http {
            return Err(UrlError::PlainHttp);
        }
        if self.0.port() == Some(0) {
            return Err(UrlError::PortZero);
        }
        if let Some(name) = self.domain() {
            typed_url::check_host_name(name).map_err(UrlError::HostName)?;
        }
        match self.0.host() {
            Some(Host::Ipv4(ip)) if !policy.permits(ip.into()) => Err(UrlError::Blocked(ip.to_string())),
            Some(Host::Ipv6(ip)) if !policy.permits(ip.into()) => Err(UrlError::Blocked(ip.to_string())),
            Some(Host::Domain(host)) if policy.is_own_host(host) => Err(UrlError::Blocked(host.to_owned())),
            _ => Ok(()),
        }
    }

    /// The host if it is a name and not a literal address.
    pub fn domain(&self) -> Option<&str> {
        self.0.domain()
    }

    /// The port, written or implied.
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or(443)
    }

    pub fn as_url(&self) -> &Url {
        &self.0
    }

    /// This URL with `path` appended to its own path. Scheme, host, port and query stay the same. It has at most 2,304
    /// bytes, and is for sending: it is not stored.
    pub fn join(&self, path: Option<&DeliveryPath>) -> DestinationUrl {
        let mut url = self.0.clone();
        if let Some(DeliveryPath(path)) = path {
            let joined = format!("{}{path}", url.path().trim_end_matches('/'));
            url.set_path(&joined);
        }
        DestinationUrl(url)
    }
}

impl TryFrom<String> for DestinationUrl {
    type Error = UrlError;

    fn try_from(text: String) -> Result<Self, UrlError> {
        if text.len() > MAX_URL_BYTES {
            return Err(UrlError::TooLong(text.len()));
        }
        let url = Url::parse(&text).map_err(|_| UrlError::NotAbsolute)?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(UrlError::Scheme(url.scheme().chars().take(20).collect()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlError::Credentials);
        }
        if url.fragment().is_some() {
            return Err(UrlError::Fragment);
        }
        typed_url::check(&text, &url).map_err(UrlError::NotAsTyped)?;
        // The written form is stored, so it must fit as well: otherwise it could never be read again.
        match url.as_str().len() {
            encoded if encoded > MAX_URL_BYTES => Err(UrlError::TooLongEncoded(encoded)),
            _ => Ok(Self(url)),
        }
    }
}

impl From<DestinationUrl> for String {
    fn from(url: DestinationUrl) -> String {
        url.0.into()
    }
}

impl fmt::Display for DestinationUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

/// The path that a subscription appends to its destination's URL: `/` and at most 255 bytes, without query or dot
/// segments.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeliveryPath(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must begin with `/`, have at most 256 characters of A-Z a-z 0-9 - . _ ~ % ! $ & ' ( ) * + , ; = : @ / and no `.` or `..` segment"
)]
pub struct PathError;

impl DeliveryPath {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for DeliveryPath {
    type Error = PathError;

    fn try_from(text: String) -> Result<Self, PathError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:@/".contains(&b);
        let fits = text.starts_with('/') && text.len() <= 256 && text.bytes().all(allowed);
        if fits && !text.split('/').any(typed_url::is_dots) { Ok(Self(text)) } else { Err(PathError) }
    }
}

impl From<DeliveryPath> for String {
    fn from(path: DeliveryPath) -> String {
        path.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Result<DestinationUrl, UrlError> {
        text.to_owned().try_into()
    }

    #[track_caller]
    fn check(text: &str, policy: &AddressPolicy, expected: Result<(), UrlError>) {
        assert_eq!(url(text).and_then(|u| u.check(policy)), expected, "{text}");
    }

    #[test]
    fn a_url_that_can_never_be_right_is_refused() {
        let policy = AddressPolicy::default();
        check("https://example.com/hooks?tenant=1", &policy, Ok(()));
        check("", &policy, Err(UrlError::NotAbsolute));
        check("/hooks", &policy, Err(UrlError::NotAbsolute));
        check("https://", &policy, Err(UrlError::NotAbsolute));
        check("ftp://example.com/", &policy, Err(UrlError::Scheme("ftp".into())));
        check("https://user@example.com/", &policy, Err(UrlError::Credentials));
        check("https://:pw@example.com/", &policy, Err(UrlError::Credentials));
        check("https://example.com/#top", &policy, Err(UrlError::Fragment));
        check("http://example.com/", &policy, Err(UrlError::PlainHttp));
        let long = format!("https://example.com/{}", "x".repeat(2_048));
        check(&long, &policy, Err(UrlError::TooLong(2_068)));
    }

    #[test]
    fn a_literal_private_address_is_refused_in_every_spelling() {
        let policy = AddressPolicy::default();
        for (text, address) in [
            ("https://10.0.0.1/", "10.0.0.1"),
            ("https://[::1]/", "::1"),
            ("https://[0:0:0:0:0:0:0:1]/", "::1"),
            ("https://１２７.0.0.1/", "127.0.0.1"),
            ("https://[::ffff:169.254.169.254]/", "::ffff:169.254.169.254"),
        ] {
            check(text, &policy, Err(UrlError::Blocked(address.into())));
        }
        check("https://8.8.8.8/", &policy, Ok(()));
        for text in ["https://0x7f.1/", "https://2130706433/", "https://127.1/", "https://0177.0.0.1/"] {
            let refused = url(text);
            assert!(
                matches!(&refused, Err(UrlError::NotAsTyped(told)) if told.contains("https://127.0.0.1/")),
                "{refused:?}"
            );
        }
    }

    #[test]
    fn a_name_that_dns_cannot_carry_and_port_0_are_refused_but_read_from_a_row() {
        let (label, name) = ("a".repeat(63), format!("{0}.{0}.{0}", "a".repeat(63)));
        for host in
            [label.clone(), format!("{name}.{}", "a".repeat(61)), format!("{name}."), "xn--bcher-kva.example".into()]
        {
            check(&format!("https://{host}/"), &AddressPolicy::default(), Ok(()));
        }
        for host in
            [format!("{label}a"), format!("{name}.{}", "a".repeat(62)), "a..b".into(), ".a".into(), "a..".into()]
        {
            let read = url(&format!("https://{host}/"));
            let refused = read.expect("what a row has is read").check(&AddressPolicy::default());
            assert!(matches!(refused, Err(UrlError::HostName(_))), "{host}: {refused:?}");
        }
        check("https://example.com:0/", &AddressPolicy::default(), Err(UrlError::PortZero));
        check("https://[2606:4700::1]:0/", &AddressPolicy::default(), Err(UrlError::PortZero));
        check("https://example.com:65535/", &AddressPolicy::default(), Ok(()));
    }

    #[test]
    fn the_operator_can_allow_http_and_loopback() {
        let policy = AddressPolicy::new("127.0.0.0/8", true, vec!["api.example".into()]).expect("a policy");
        check("http://127.0.0.1:8080/", &policy, Ok(()));
        check("https://API.example/v1", &policy, Err(UrlError::Blocked("api.example".into())));
    }

    #[track_caller]
    fn check_join(base: &str, path: &str, expected: &str) {
        let path = DeliveryPath::try_from(path.to_owned()).expect("a path");
        assert_eq!(url(base).expect("a URL").join(Some(&path)).to_string(), expected);
    }

    #[test]
    fn a_path_is_appended_and_changes_nothing_else() {
        check_join("https://example.com", "/a", "https://example.com/a");
        check_join("https://example.com/hooks/", "/a/b", "https://example.com/hooks/a/b");
        check_join("https://example.com:8443/hooks?k=v", "/a", "https://example.com:8443/hooks/a?k=v");
        check_join("https://example.com/x", "//evil.example/", "https://example.com/x//evil.example/");
        check_join("https://example.com/x", "/@evil.example", "https://example.com/x/@evil.example");
    }

    #[test]
    fn a_path_that_could_lead_elsewhere_is_refused() {
        for text in [
            "",
            "a",
            "/..",
            "/a/../b",
            "/%2e%2E/b",
            "/./a",
            "/a?b",
            "/a#b",
            "/a b",
            "/a\\b",
            &format!("/{}", "a".repeat(256)),
        ] {
            assert_eq!(DeliveryPath::try_from(text.to_owned()), Err(PathError), "{text}");
        }
    }
}
