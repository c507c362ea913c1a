//! Lists in pages: `{data, next_cursor, has_more}`. A cursor is opaque to the caller and names the last item seen.

use std::str::FromStr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::extract::Query;
use data_encoding::BASE64URL_NOPAD;
use http::request::Parts;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Deps;
use crate::problem::Problem;

const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 100;

/// Which page is asked for.
pub struct PageRequest {
    limit: usize,
    cursor: Option<String>,
}

/// One page of a list.
#[derive(Serialize, ToSchema)]
pub struct Page<T> {
    /// The items.
    data: Vec<T>,
    /// What to send as `cursor` for the next page; `null` on the last one.
    #[schema(required)]
    next_cursor: Option<String>,
    /// Whether there is a next page.
    has_more: bool,
}

impl<T> Page<T> {
    /// A list that always is one page.
    pub fn whole(data: Vec<T>) -> Self {
        Self { data, next_cursor: None, has_more: false }
    }
}

#[derive(Deserialize)]
struct Parameters {
    limit: Option<String>,
    cursor: Option<String>,
}

impl FromRequestParts<Arc<Deps>> for PageRequest {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, deps: &Arc<Deps>) -> Result<Self, Problem> {
        let query = Query::<Parameters>::from_request_parts(parts, deps).await;
        let Query(parameters) = query.map_err(|error| Problem::parameter("limit", error.to_string()))?;
        let limit = match parameters.limit.as_deref().map(str::parse) {
            None => DEFAULT_LIMIT,
            Some(Ok(limit)) if (1..=MAX_LIMIT).contains(&limit) => limit,
            Some(_) => return Err(Problem::parameter("limit", format!("must be a number from 1 to {MAX_LIMIT}"))),
        };
        Ok(Self { limit, cursor: parameters.cursor })
    }
}

impl PageRequest {
    /// How many items to read: one more than asked for tells whether there are more.
    pub fn to_read(&self) -> usize {
        self.limit + 1
    }

    /// The id after which the page begins.
    pub fn after<Id: FromStr>(&self) -> Result<Option<Id>, Problem> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let text = BASE64URL_NOPAD.decode(cursor.as_bytes()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let id = text.and_then(|text| text.parse().ok());
        id.map(Some).ok_or_else(|| Problem::parameter("cursor", "is not a `next_cursor` of this list"))
    }

    /// The page made of the items read.
    pub fn page<T, V>(&self, mut items: Vec<T>, id: impl Fn(&T) -> String, view: impl Fn(T) -> V) -> Page<V> {
        let has_more = items.len() > self.limit;
        items.truncate(self.limit);
        let last = items.last().filter(|_| has_more);
        let next_cursor = last.map(|item| BASE64URL_NOPAD.encode(id(item).as_bytes()));
        Page { data: items.into_iter().map(view).collect(), next_cursor, has_more }
    }
}
