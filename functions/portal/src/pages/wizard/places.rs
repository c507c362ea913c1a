//! The places to choose from. The API answers a tree of connections, tables and insights at which events were seen. It
//! becomes a list of rows here, cut to what a page can hold.

use domain::event::Scope;
use serde::Deserialize;

/// The greatest number of places that are shown.
const SHOWN: usize = 60;

/// The tree of places, as the API answers it.
#[derive(Deserialize)]
pub struct Tree {
    data: Vec<Connection>,
}

#[derive(Deserialize)]
struct Connection {
    name: String,
    service: String,
    scope: String,
    endpoints: Vec<Part>,
    insights: Vec<Part>,
}

/// A table or an insight.
#[derive(Deserialize)]
struct Part {
    name: String,
    #[serde(default)]
    table: Option<String>,
    scope: String,
}

/// A place to choose.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    pub scope: String,
    pub name: String,
    /// The kind of place, with its name in the database.
    pub kind: String,
    /// The name of the connection that it is below.
    pub connection: Option<String>,
}

/// The part of the tree that is shown.
pub struct Places {
    /// The chosen place, if it is in the tree or came with a link. It is shown above the list, where it is seen at once.
    pub chosen: Option<Row>,
    /// The other places. Their list scrolls.
    pub rows: Vec<Row>,
    /// The number of other places that match.
    pub hidden: usize,
    /// Whether there are so many that a search field helps.
    pub many: bool,
}

impl Places {
    /// The rows with `find` in their name or scope. The connection of the chosen place comes first. `chosen` is a scope, or
    /// empty.
    pub fn of(tree: Tree, chosen: &str, find: &str) -> Self {
        let mut connections = tree.data;
        let here = |connection: &Connection| {
            chosen.strip_prefix(&connection.scope).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        connections.sort_by_key(|connection| !here(connection));
        let mut all: Vec<Row> = connections.into_iter().flat_map(rows).collect();
        let many = all.len() > SHOWN;
        let at = all.iter().position(|row| row.scope == chosen);
        let chosen = match at {
            Some(at) => Some(all.remove(at)),
            None => chosen.parse().ok().and_then(|scope| unseen(&scope)),
        };
        let find = find.to_lowercase();
        let wanted = |row: &Row| row.name.to_lowercase().contains(&find) || row.scope.to_lowercase().contains(&find);
        let mut found: Vec<Row> = all.into_iter().filter(wanted).collect();
        let hidden = found.len().saturating_sub(SHOWN);
        found.truncate(SHOWN);
        Self { chosen, rows: found, hidden, many }
    }
}

fn rows(connection: Connection) -> Vec<Row> {
    let Connection { name, service, scope, endpoints, insights } = connection;
    let kind = format!("Connection to {service}: all of its tables and insights");
    let first = Row { scope, name: name.clone(), kind, connection: None };
    let below =
        |part: Part, kind: String| Row { scope: part.scope, name: part.name, kind, connection: Some(name.clone()) };
    let endpoints = endpoints.into_iter().map(|mut part| {
        let kind = part.table.take().map_or_else(|| "Table".to_owned(), |table| format!("Table {table}"));
        below(part, kind)
    });
    let insights = insights.into_iter().map(|part| below(part, "Insight".to_owned()));
    std::iter::once(first).chain(endpoints).chain(insights).collect()
}

/// The row of a place at which no event was seen yet. Everywhere has no row.
fn unseen(scope: &Scope) -> Option<Row> {
    let kind = match scope {
        Scope::Everything => return None,
        Scope::Endpoint { .. } => "Table without a run so far",
        Scope::Insight { .. } => "Insight without a population so far",
        Scope::Connection(_) => "Connection without events so far",
    };
    Some(Row { scope: scope.to_string(), name: scope.to_string(), kind: kind.to_owned(), connection: None })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tree(tables: usize) -> Tree {
        let table = |n: usize| json!({ "name": format!("Table {n}"), "table": format!("t_{n}"), "scope": format!("connection/xero/endpoint/t{n}") });
        let data = json!({ "data": [
            { "name": "HubSpot", "service": "hubspot", "scope": "connection/hubspot", "endpoints": [], "insights": [] },
            { "name": "Xero", "service": "xero", "scope": "connection/xero", "endpoints": (0..tables).map(table).collect::<Vec<_>>(),
              "insights": [{ "name": "Cash flow", "scope": "connection/xero/insight/cash-flow" }] },
        ] });
        serde_json::from_value(data).expect("a tree")
    }

    fn shown(places: &Places) -> Vec<&str> {
        places.rows.iter().map(|row| row.scope.as_str()).collect()
    }

    #[test]
    fn the_chosen_place_stands_by_itself_and_its_connection_comes_first() {
        let places = Places::of(tree(1), "connection/xero/insight/cash-flow", "");
        let chosen = places.chosen.as_ref().expect("the chosen place");
        assert_eq!((chosen.name.as_str(), chosen.connection.as_deref()), ("Cash flow", Some("Xero")));
        assert_eq!(shown(&places), ["connection/xero", "connection/xero/endpoint/t0", "connection/hubspot"]);
        assert!(!places.many);
        for everywhere in ["*", ""] {
            let places = Places::of(tree(1), everywhere, "");
            assert_eq!((places.chosen.is_none(), places.rows.len()), (true, 4));
        }
    }

    #[test]
    fn a_chosen_place_is_shown_whether_or_not_anything_was_seen_there() {
        let kind = |places: &Places| places.chosen.as_ref().map(|row| row.kind.clone());
        let places = Places::of(tree(1), "connection/stripe/endpoint/payouts", "");
        assert_eq!(kind(&places).as_deref(), Some("Table without a run so far"));
        let places = Places::of(tree(100), "connection/xero/endpoint/t99", "hubspot");
        assert_eq!((kind(&places).as_deref(), shown(&places)), (Some("Table t_99"), vec!["connection/hubspot"]));
        // A place beyond those that are shown.
        let places = Places::of(tree(5_000), "connection/xero/endpoint/t4999", "");
        assert_eq!(kind(&places).as_deref(), Some("Table t_4999"));
    }

    #[test]
    fn of_many_places_some_are_shown_and_the_others_are_found() {
        let places = Places::of(tree(5_000), "", "");
        assert_eq!((places.rows.len(), places.hidden, places.many), (60, 4_943, true));
        let places = Places::of(tree(5_000), "", "TABLE 4999");
        assert_eq!((shown(&places), places.hidden), (vec!["connection/xero/endpoint/t4999"], 0));
    }
}
