//! Refuses unknown query parameters. If a misspelt filter were ignored, the response would contain unwanted items; if a
//! misspelt `dry_run` were ignored, the change would be made.
//!
//! Invariant: no operation accepts a query parameter that its description does not have, or that is given twice (tests:
//! `every_operation_refuses_parameters_that_it_has_not`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;
use utoipa::openapi::OpenApi;
use utoipa::openapi::path::ParameterIn;

use crate::web::described;
use crate::web::problem::Problem;

/// The query parameters of each operation, by path and method.
pub struct Described(BTreeMap<String, BTreeMap<&'static str, BTreeSet<String>>>);

impl Described {
    pub fn of(document: &OpenApi) -> Self {
        let mut described: BTreeMap<String, BTreeMap<_, _>> = BTreeMap::new();
        for (method, path, operation) in described::operations(document) {
            let of_the_query = described::parameters(operation).filter(|one| one.parameter_in == ParameterIn::Query);
            let names = of_the_query.map(|parameter| parameter.name.clone()).collect();
            described.entry(path.to_owned()).or_default().insert(method, names);
        }
        Self(described)
    }

    /// `HEAD` is treated like `GET`.
    fn names(&self, method: &str, path: &str) -> Option<&BTreeSet<String>> {
        self.0.get(path)?.get(if method == "HEAD" { "GET" } else { method })
    }
}

/// Middleware that refuses a query parameter that the operation does not have, or that is given twice.
pub async fn refuse_unknown(State(described): State<Arc<Described>>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let known = path.and_then(|path| described.names(request.method().as_str(), path));
    let wrong = known.and_then(|known| wrong(known, request.uri().query()?));
    match wrong {
        Some(problem) => problem.into_response(),
        None => next.run(request).await,
    }
}

fn wrong(known: &BTreeSet<String>, query: &str) -> Option<Problem> {
    let mut given = BTreeSet::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let name = part.split('=').next().unwrap_or_default().replace('+', " ");
        let name = percent_decode_str(&name).decode_utf8_lossy().into_owned();
        if !known.contains(&name) {
            return Some(Problem::parameter(name, "is not a parameter of this operation"));
        }
        if !given.insert(name.clone()) {
            return Some(Problem::parameter(name, "is given twice"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(query: &str, expected: Option<&str>) {
        let known = ["limit", "a b"].map(str::to_owned).into();
        let found = wrong(&known, query);
        assert_eq!(found.as_ref().map(Problem::detail), expected, "{query}");
    }

    #[test]
    fn each_parameter_is_known_and_there_once() {
        check("", None);
        check("limit=1&a+b=x&", None);
        check("limit&a%20b", None);
        check("l%69mit=1", None);
        check("limit=1&Limit=2", Some("Limit: is not a parameter of this operation"));
        check("=", Some(": is not a parameter of this operation"));
        check("limit=1&l%69mit=2", Some("limit: is given twice"));
        check("%FF=1", Some("\u{fffd}: is not a parameter of this operation"));
    }
}
