//! Headers that an owner adds to the requests of a destination. Headers that belong to HTTP or to the signature are
//! refused. So are credentials, because these headers are stored and shown in clear.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How many headers a destination can have.
pub const MAX_HEADERS: usize = 10;
const MAX_NAME_BYTES: usize = 64;
const MAX_VALUE_BYTES: usize = 1_024;

/// At most [`MAX_HEADERS`] headers, with their names in lower case.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>")]
pub struct CustomHeaders(BTreeMap<String, String>);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeadersError {
    #[error("has {0} headers; at most {MAX_HEADERS} are accepted")]
    TooMany(usize),
    #[error("{0:?} is not a header name: use 1 to {MAX_NAME_BYTES} of A-Z a-z 0-9 and !#$%&'*+-.^_`|~")]
    Name(String),
    #[error("{0:?} is there twice; names must differ by more than upper and lower case")]
    Twice(String),
    #[error("{0:?} belongs to HTTP or to the signature and cannot be set")]
    Reserved(String),
    #[error(
        "{0:?} would carry a credential, and these headers are stored and shown in clear; verify the signature instead"
    )]
    Credential(String),
    #[error(
        "the value of {0:?} must have 1 to {MAX_VALUE_BYTES} visible ASCII characters or spaces, and none of the spaces at its ends"
    )]
    Value(String),
}

const RESERVED: [&str; 16] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "forwarded",
];
const CREDENTIALS: [&str; 4] = ["authorization", "cookie", "x-api-key", "x-auth-token"];

impl TryFrom<BTreeMap<String, String>> for CustomHeaders {
    type Error = HeadersError;

    fn try_from(given: BTreeMap<String, String>) -> Result<Self, HeadersError> {
        if given.len() > MAX_HEADERS {
            return Err(HeadersError::TooMany(given.len()));
        }
        let mut headers = BTreeMap::new();
        for (name, value) in Self::canonical(given)? {
            check_value(&name, &value)?;
            headers.insert(name, value);
        }
        Ok(Self(headers))
    }
}

fn check_name(name: &str) -> Result<(), HeadersError> {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if !(1..=MAX_NAME_BYTES).contains(&name.len()) || !name.bytes().all(token) {
        return Err(HeadersError::Name(name.chars().take(MAX_NAME_BYTES).collect()));
    }
    let lower = name.to_ascii_lowercase();
    if CREDENTIALS.contains(&lower.as_str()) {
        return Err(HeadersError::Credential(name.to_owned()));
    }
    let owned = ["webhook-", "proxy-", "x-forwarded-", "x-amz"].iter().any(|prefix| lower.starts_with(prefix));
    if owned || RESERVED.contains(&lower.as_str()) { Err(HeadersError::Reserved(name.to_owned())) } else { Ok(()) }
}

fn check_value(name: &str, value: &str) -> Result<(), HeadersError> {
    let visible = value.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
    let fits = (1..=MAX_VALUE_BYTES).contains(&value.len()) && visible && value.trim() == value;
    if fits { Ok(()) } else { Err(HeadersError::Value(name.to_owned())) }
}

impl CustomHeaders {
    /// The same values under the names in their stored form. Refuses an invalid name, and a name that comes twice.
    pub fn canonical<T>(given: impl IntoIterator<Item = (String, T)>) -> Result<BTreeMap<String, T>, HeadersError> {
        let mut named = BTreeMap::new();
        for (name, value) in given {
            check_name(&name)?;
            if named.insert(name.to_ascii_lowercase(), value).is_some() {
                return Err(HeadersError::Twice(name));
            }
        }
        Ok(named)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(given: &[(&str, &str)], expected: Result<&[(&str, &str)], HeadersError>) {
        let map: BTreeMap<_, _> = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let got = CustomHeaders::try_from(map);
        let got = got.as_ref().map(|headers| headers.iter().collect::<Vec<_>>()).map_err(Clone::clone);
        assert_eq!(got, expected.map(<[_]>::to_vec), "{given:?}");
    }

    #[test]
    fn names_are_kept_in_lower_case_and_each_once() {
        check(&[], Ok(&[]));
        check(&[("X-Team", "data platform")], Ok(&[("x-team", "data platform")]));
        check(&[("X-Team", "a"), ("x-team", "b")], Err(HeadersError::Twice("x-team".into())));
    }

    #[test]
    fn what_http_or_the_signature_owns_is_refused() {
        for name in
            ["Host", "content-length", "Content-Type", "webhook-id", "Webhook-Anything", "user-agent", "X-Amz-Date"]
        {
            check(&[(name, "x")], Err(HeadersError::Reserved(name.into())));
        }
        check(&[("Authorization", "Bearer x")], Err(HeadersError::Credential("Authorization".into())));
    }

    #[test]
    fn names_and_values_that_http_cannot_carry_are_refused() {
        check(&[("", "x")], Err(HeadersError::Name(String::new())));
        check(&[("x team", "x")], Err(HeadersError::Name("x team".into())));
        for value in ["", " x", "x\r\ny: z", "é", &"x".repeat(1_025)] {
            check(&[("x-a", value)], Err(HeadersError::Value("x-a".into())));
        }
    }

    #[test]
    fn there_are_at_most_ten() {
        let map = |n: usize| (0..n).map(|n| (format!("x-{n}"), "v".to_owned())).collect::<BTreeMap<_, _>>();
        assert!(CustomHeaders::try_from(map(10)).is_ok());
        assert_eq!(CustomHeaders::try_from(map(11)), Err(HeadersError::TooMany(11)));
    }
}
