//! The tables and insights that events were about, with the names in those events. Pickers show them. This is not the
//! platform's own list.

use std::time::Duration;

use serde_json::Value;

use super::event::Event;
use super::scope::{Name, Scope};
use crate::value::{AccountId, Timestamp, json};

/// How long a table or insight is shown after its last event: longer than the interval of any schedule.
pub const KEPT: Duration = Duration::from_secs(400 * 86_400);
/// How many characters of a name are kept.
const NAME_CHARS: usize = 128;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenScope {
    pub account: AccountId,
    pub scope: Scope,
    pub connection: Name,
    pub connection_name: String,
    pub service: String,
    pub place: SeenPlace,
    /// When an event was last noted here. Later events within the hour are not noted.
    pub last_event_at: Timestamp,
    /// When the row may be deleted.
    pub expires_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SeenPlace {
    Endpoint { id: Name, name: String, table: String },
    Insight { id: Name, name: String },
}

impl SeenScope {
    /// What people call `scope`, which is this place or its connection: `Xero › Invoices`, or `Xero`.
    pub fn called(&self, scope: &Scope) -> String {
        let (SeenPlace::Endpoint { name, .. } | SeenPlace::Insight { name, .. }) = &self.place;
        if *scope == self.scope { format!("{} › {name}", self.connection_name) } else { self.connection_name.clone() }
    }
}

/// The beginning of a field that is a text. No event is refused for a field that is missing or no text, and none is lost for
/// another one.
fn text(object: &Value, field: &str) -> Option<String> {
    object[field].as_str().map(|text| text.chars().take(NAME_CHARS).collect())
}

impl SeenScope {
    /// What an event says about its place; none if it is about neither a table nor an insight.
    pub fn of_event(event: &Event, now: Timestamp) -> Option<Self> {
        let data = json::value(event.data.get()).unwrap_or_default();
        let name = |object: &Value, id: &Name| text(object, "name").unwrap_or_else(|| id.to_string());
        let (connection, place) = match &event.scope {
            Scope::Endpoint { connection, endpoint } => {
                let data = &data["endpoint"];
                let table = text(data, "table").unwrap_or_default();
                (connection, SeenPlace::Endpoint { id: endpoint.clone(), name: name(data, endpoint), table })
            }
            Scope::Insight { connection, insight } => {
                let name = name(&data["insight"], insight);
                (connection, SeenPlace::Insight { id: insight.clone(), name })
            }
            Scope::Everything | Scope::Connection(_) => return None,
        };
        let connection_name = name(&data["connection"], connection);
        Some(Self {
            account: event.account.clone(),
            scope: event.scope.clone(),
            connection: connection.clone(),
            connection_name,
            service: text(&data["connection"], "service").unwrap_or_default(),
            place,
            last_event_at: event.occurred_at,
            expires_at: now.plus(KEPT),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    fn seen(scope: &str, data: &str) -> Option<SeenScope> {
        let event = Event {
            id: "evt-1".parse().expect("an id"),
            event_type: "sync_run.completed".parse().expect("a type"),
            account: "acme".parse().expect("an account"),
            scope: scope.parse().expect("a scope"),
            occurred_at: Timestamp::from_unix_ms(1),
            data: RawValue::from_string(data.to_owned()).expect("JSON"),
            traceparent: None,
        };
        SeenScope::of_event(&event, Timestamp::from_unix_ms(2))
    }

    #[track_caller]
    fn check(scope: &str, data: &str, expected: Option<(&str, &str, &str, &str)>) {
        let told = seen(scope, data).map(|seen| {
            let (name, table) = match seen.place {
                SeenPlace::Endpoint { name, table, .. } => (name, table),
                SeenPlace::Insight { name, .. } => (name, "no table".to_owned()),
            };
            (seen.connection_name, seen.service, name, table)
        });
        let expected = expected.map(|(a, b, c, d)| (a.to_owned(), b.to_owned(), c.to_owned(), d.to_owned()));
        assert_eq!(told, expected, "{scope} {data}");
    }

    #[test]
    fn a_place_has_the_names_its_event_gives_or_its_ids() {
        let table = "connection/xero/endpoint/invoices";
        let data = r#"{"connection": {"id": "other", "name": "Xero", "service": "xero", "x": 1},
                       "endpoint": {"id": "other", "name": "Invoices", "table": "xero_invoices"}, "x": {}}"#;
        check(table, data, Some(("Xero", "xero", "Invoices", "xero_invoices")));
        let insight = r#"{"insight": {"name": "Cash flow"}}"#;
        check("connection/xero/insight/cash-flow", insight, Some(("xero", "", "Cash flow", "no table")));
        for data in ["{}", "[]", r#"{"connection": null, "endpoint": {}}"#] {
            check(table, data, Some(("xero", "", "invoices", "")));
        }
        // What else is in the data changes nothing: a number too large for a double, or a field of our names that is no text.
        let odd = r#"{"connection": {"name": "Xero", "table": 7}, "endpoint": {"name": 7, "table": "t"}, "x": 1e999}"#;
        check(table, odd, Some(("Xero", "", "invoices", "t")));
        let seen = seen(table, data).expect("a place");
        assert_eq!(seen.called(&seen.scope), "Xero › Invoices");
        assert_eq!(seen.called(&"connection/xero".parse().expect("a scope")), "Xero");
        check("connection/xero", "{}", None);
        check("*", "{}", None);
        let long = format!(r#"{{"endpoint": {{"name": "{}"}}}}"#, "é".repeat(1_000));
        check(table, &long, Some(("xero", "", &"é".repeat(128), "")));
    }
}
