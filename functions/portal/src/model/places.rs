//! The names of the places where events happen, for lists and pages: there the API returns only scopes.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;
use serde::Deserialize;

use crate::markup::address::query;
use crate::model::Listed;
use crate::web::failure::Failure;
use crate::web::inner::Api;

/// The limit of places below a connection when its name is looked up.
const ASKED: &str = "25";

/// A connection in the API's tree of places, as far as it is used here.
#[derive(Deserialize)]
struct Connection {
    name: String,
    scope: String,
    endpoints: Vec<Part>,
    insights: Vec<Part>,
}

#[derive(Deserialize)]
struct Part {
    name: String,
    scope: String,
}

/// Names by scope, of the places that events have named.
#[derive(Default)]
pub struct Places(BTreeMap<String, String>);

impl Places {
    /// Looks up the names of all `scopes`. Each costs half a read unit, a connection up to ten.
    pub async fn find<'a>(api: &Api, scopes: impl Iterator<Item = &'a str>) -> Result<Self, Failure> {
        let scopes: BTreeSet<&str> = scopes.filter(|scope| *scope != "*").collect();
        let found = try_join_all(scopes.into_iter().map(|scope| name_of(api, scope))).await?;
        Ok(Self(found.into_iter().flatten().collect()))
    }

    /// The name of a place, if it is known.
    pub fn of(&self, scope: &str) -> Option<&str> {
        if scope == "*" { Some("everywhere") } else { self.0.get(scope).map(String::as_str) }
    }
}

async fn name_of(api: &Api, scope: &str) -> Result<Option<(String, String)>, Failure> {
    let path = format!("/v1/scopes{}", query([("scope", scope), ("limit", ASKED)]));
    let tree: Listed<Connection> = api.get(&path).await?;
    let name = tree.data.into_iter().find_map(|connection| connection.called(scope));
    Ok(name.map(|name| (scope.to_owned(), name)))
}

impl Connection {
    fn called(self, scope: &str) -> Option<String> {
        if self.scope == scope {
            return Some(self.name);
        }
        let part = self.endpoints.into_iter().chain(self.insights).find(|part| part.scope == scope)?;
        Some(format!("{} › {}", self.name, part.name))
    }
}
