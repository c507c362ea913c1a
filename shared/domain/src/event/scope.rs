//! A place in the customer's tree of connections, tables and insights: where an event happened, or what a subscription
//! listens to. A scope only names a place; only the platform knows whether the place exists.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// `*`, `connection/xero`, `connection/xero/endpoint/invoices` or `connection/xero/insight/cash-flow`.
///
/// Each name consists of 1 to 128 characters of `[A-Za-z0-9_.-]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Scope {
    Everything,
    Connection(Name),
    Endpoint { connection: Name, endpoint: Name },
    Insight { connection: Name, insight: Name },
}

/// One name in a scope.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Name(String);

impl Name {
    fn parse(text: &str) -> Result<Self, ScopeError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
        if (1..=128).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ScopeError::Name(text.chars().take(130).collect()))
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    #[error("must be `*`, `connection/<id>`, `connection/<id>/endpoint/<id>` or `connection/<id>/insight/<id>`")]
    Form,
    #[error("the name {0:?} must have 1 to 128 characters of A-Z, a-z, 0-9, `_`, `.` and `-`")]
    Name(String),
}

impl Scope {
    /// This scope and every wider one, narrowest first. The last is always `*`.
    pub fn and_wider(&self) -> Vec<Scope> {
        let mut scopes = vec![self.clone()];
        if let Scope::Endpoint { connection, .. } | Scope::Insight { connection, .. } = self {
            scopes.push(Scope::Connection(connection.clone()));
        }
        if *self != Scope::Everything {
            scopes.push(Scope::Everything);
        }
        scopes
    }

    /// Whether a subscription at this scope receives events about `place`.
    pub fn contains(&self, place: &Scope) -> bool {
        match (self, place) {
            (Scope::Everything, _) => true,
            (
                Scope::Connection(mine),
                Scope::Connection(connection) | Scope::Endpoint { connection, .. } | Scope::Insight { connection, .. },
            ) => mine == connection,
            (mine, place) => mine == place,
        }
    }
}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        let mut parts = text.split('/');
        let parts = [parts.next(), parts.next(), parts.next(), parts.next(), parts.next()];
        match parts {
            [Some("*"), None, ..] => Ok(Scope::Everything),
            [Some("connection"), Some(connection), None, ..] => Ok(Scope::Connection(Name::parse(connection)?)),
            [Some("connection"), Some(connection), Some("endpoint"), Some(endpoint), None] => {
                Ok(Scope::Endpoint { connection: Name::parse(connection)?, endpoint: Name::parse(endpoint)? })
            }
            [Some("connection"), Some(connection), Some("insight"), Some(insight), None] => {
                Ok(Scope::Insight { connection: Name::parse(connection)?, insight: Name::parse(insight)? })
            }
            _ => Err(ScopeError::Form),
        }
    }
}

impl TryFrom<String> for Scope {
    type Error = ScopeError;
    fn try_from(text: String) -> Result<Self, ScopeError> {
        text.parse()
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> String {
        scope.to_string()
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::Everything => f.write_str("*"),
            Scope::Connection(connection) => write!(f, "connection/{connection}"),
            Scope::Endpoint { connection, endpoint } => write!(f, "connection/{connection}/endpoint/{endpoint}"),
            Scope::Insight { connection, insight } => write!(f, "connection/{connection}/insight/{insight}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&[&str], ScopeError>) {
        let got = text.parse::<Scope>().map(|s| s.and_wider().iter().map(Scope::to_string).collect::<Vec<_>>());
        assert_eq!(got, expected.map(|e| e.iter().map(|s| (*s).to_owned()).collect()), "{text}");
    }

    #[test]
    fn a_scope_and_its_wider_scopes() {
        check("*", Ok(&["*"]));
        check("connection/xero", Ok(&["connection/xero", "*"]));
        check("connection/xero/endpoint/invoices", Ok(&["connection/xero/endpoint/invoices", "connection/xero", "*"]));
        check("connection/xero/insight/cash-flow", Ok(&["connection/xero/insight/cash-flow", "connection/xero", "*"]));
    }

    #[test]
    fn what_is_not_a_scope_is_refused() {
        for text in [
            "",
            "xero",
            "*/connection/xero",
            "connection/a/table/b",
            "connection/a/endpoint",
            "connection/a/endpoint/b/c",
        ] {
            check(text, Err(ScopeError::Form));
        }
        check("connection/", Err(ScopeError::Name(String::new())));
        check("connection/a b", Err(ScopeError::Name("a b".into())));
        check("connection/a/insight/#", Err(ScopeError::Name("#".into())));
    }

    fn any_scope() -> impl Strategy<Value = Scope> {
        let name = "[a-b]{1,2}";
        prop_oneof![
            Just("*".to_owned()),
            name.prop_map(|c| format!("connection/{c}")),
            (name, name).prop_map(|(c, e)| format!("connection/{c}/endpoint/{e}")),
            (name, name).prop_map(|(c, i)| format!("connection/{c}/insight/{i}")),
        ]
        .prop_map(|text| text.parse().expect("a scope"))
    }

    proptest! {
        #[test]
        fn a_scope_contains_a_place_exactly_when_it_is_one_of_the_places_wider_scopes(a in any_scope(), b in any_scope()) {
            prop_assert_eq!(a.contains(&b), b.and_wider().contains(&a));
        }

        #[test]
        fn a_scope_is_read_back_as_it_was_written(scope in any_scope()) {
            prop_assert_eq!(scope.to_string().parse::<Scope>(), Ok(scope));
        }
    }
}
