//! Lists in pages: `{data, next_cursor, has_more}`. A cursor is opaque to the caller. It names the last item seen, and
//! contains a digest of the path and of all parameters except `limit` and `cursor`, so it is valid only for the query
//! and the order that it came from.
//!
//! Invariant: a cursor is valid only for its own query (tests: `a_cursor_is_good_for_its_own_query_only`).
//!
//! Invariant: no list reads more than a bounded part of the ledger for one page (tests:
//! `a_filter_that_leaves_little_reads_no_more_than_a_bounded_part`,
//! `a_filter_that_leaves_little_looks_at_no_more_than_a_bounded_part`,
//! `a_filter_that_leaves_little_looks_at_no_more_than_a_bounded_part_of_them`).

use axum::extract::FromRequestParts;
use axum::extract::Query;
use data_encoding::BASE64URL_NOPAD;
use http::request::Parts;
use ports::{PortResult, read_units};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::str::FromStr;
use utoipa::{IntoParams, ToSchema};

use crate::web::choices::Order;
use crate::web::problem::Problem;

const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 100;
/// Size in bytes of the query's digest in a cursor. It only has to detect mistakes.
const DIGEST_BYTES: usize = 8;
/// The greatest number of items that a filtered list examines for one page.
const MOST_LOOKED_AT: usize = 1_000;
/// The greatest cost of a step of such a list, in read units: 250 rows of 3 KiB, read consistently.
const STEP_UNITS: usize = 190;

/// The requested page, and its query. `DEFAULT` and `MOST` are the default and the greatest `limit`.
pub struct PageRequest<const DEFAULT: usize = DEFAULT_LIMIT, const MOST: usize = MAX_LIMIT> {
    limit: usize,
    /// Where the previous page ended.
    place: Option<String>,
    query: [u8; DIGEST_BYTES],
}

/// The parameters that select a page of a list: `params(PageParameters)`.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes what `PageRequest` reads, and is never a value")]
pub struct PageParameters {
    /// The greatest number of items on the page.
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: Option<u8>,
    /// The `next_cursor` of the previous page. Leave it out for the first page.
    cursor: Option<String>,
}

/// The order of a list that has no filters: `params(PageParameters, OrderParameter)`.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OrderParameter {
    /// The order of the items. Default: `desc`, newest first.
    pub order: Option<Order>,
}

/// One page of a list.
#[derive(Serialize, ToSchema)]
pub struct Page<T> {
    /// The items.
    data: Vec<T>,
    /// The `cursor` of the next page; `null` on the last page.
    #[schema(required)]
    next_cursor: Option<String>,
    /// Whether there is a next page.
    has_more: bool,
}

impl<T> Page<T> {
    pub fn data(&self) -> &[T] {
        &self.data
    }

    /// The same page, with each item converted by `view`.
    pub fn map<V>(self, view: impl Fn(T) -> V) -> Page<V> {
        let data = self.data.into_iter().map(view).collect();
        Page { data, next_cursor: self.next_cursor, has_more: self.has_more }
    }
}

impl<S: Send + Sync, const DEFAULT: usize, const MOST: usize> FromRequestParts<S> for PageRequest<DEFAULT, MOST> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let Query(parameters) = query.map_err(|error| Problem::parameter("limit", error.to_string()))?;
        Self::new(parts.uri.path(), parameters)
    }
}

impl<const DEFAULT: usize, const MOST: usize> PageRequest<DEFAULT, MOST> {
    fn new(path: &str, mut parameters: Vec<(String, String)>) -> Result<Self, Problem> {
        let limit = match take(&mut parameters, "limit").as_deref().map(str::parse) {
            None => DEFAULT,
            Some(Ok(limit)) if (1..=MOST).contains(&limit) => limit,
            Some(_) => return Err(Problem::parameter("limit", format!("must be a number from 1 to {MOST}"))),
        };
        let cursor = take(&mut parameters, "cursor");
        let query = query_digest(path, parameters);
        let place = cursor.map(|cursor| read_cursor(&cursor, &query)).transpose()?;
        Ok(Self { limit, place, query })
    }

    /// The greatest number of items on the page.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// How many items to read: one more than the page has, which shows whether there is a next page.
    pub fn to_read(&self) -> usize {
        self.limit + 1
    }

    /// The place after which the page begins, such as an id; `None` for the first page.
    pub fn after<Place: FromStr>(&self) -> Result<Option<Place>, Problem> {
        self.place.as_ref().map(|place| place.parse().map_err(|_| not_a_cursor())).transpose()
    }

    /// The cursor of the page that begins after `place`.
    pub fn cursor(&self, place: impl ToString) -> String {
        BASE64URL_NOPAD.encode(&[&self.query, place.to_string().as_bytes()].concat())
    }

    /// A page that ends at this place, unless it is the last one.
    pub fn ending_at<V>(&self, data: Vec<V>, next: Option<impl ToString>) -> Page<V> {
        Page { data, has_more: next.is_some(), next_cursor: next.map(|place| self.cursor(place)) }
    }
}

impl PageRequest {
    /// The page with the items that were read.
    pub fn page<T, V>(&self, mut items: Vec<T>, id: impl Fn(&T) -> String, view: impl Fn(T) -> V) -> Page<V> {
        let has_more = items.len() > self.limit;
        items.truncate(self.limit);
        let next = items.last().filter(|_| has_more).map(id);
        self.ending_at(items.into_iter().map(view).collect(), next)
    }

    /// A page of the items that `keep` accepts, for filters without an index: items are read `step` at a time until the
    /// page is full or [`MOST_LOOKED_AT`] items were examined.
    pub async fn sift<T, Place, Reading, V>(
        &self,
        step: usize,
        read: impl Fn(Option<Place>) -> Reading,
        place: impl Fn(&T) -> Place,
        keep: impl Fn(T) -> Option<V>,
    ) -> Result<Page<V>, Problem>
    where
        Place: FromStr + ToString,
        Reading: Future<Output = PortResult<Vec<T>>>,
    {
        let (mut after, mut sieve) = (self.after()?, self.sieve());
        loop {
            let items = read(after).await?;
            let last = items.len() < step;
            after = items.last().map(&place);
            for item in items {
                if !sieve.offer(place(&item), keep(item)) {
                    return Ok(sieve.page());
                }
            }
            if last {
                return Ok(sieve.page());
            }
            if read_units::left_for(STEP_UNITS) == 0 {
                sieve.stop();
                return Ok(sieve.page());
            }
        }
    }

    /// The same for items that are not read from a single list.
    pub fn sieve<T>(&self) -> Sieve<'_, T> {
        Sieve { page: self, found: Vec::new(), last: None, looked_at: 0, has_more: false }
    }
}

/// Takes items in order until the page is full or [`MOST_LOOKED_AT`] items were examined.
pub struct Sieve<'a, T> {
    page: &'a PageRequest,
    found: Vec<T>,
    /// The last item that was examined.
    last: Option<String>,
    looked_at: usize,
    has_more: bool,
}

impl<T> Sieve<'_, T> {
    /// Takes the next item, or `None` for one that does not match. Returns whether to continue.
    pub fn offer(&mut self, place: impl ToString, item: Option<T>) -> bool {
        self.has_more = self.looked_at == MOST_LOOKED_AT || (item.is_some() && self.found.len() == self.page.limit);
        if self.has_more {
            return false;
        }
        self.found.extend(item);
        self.looked_at += 1;
        self.last = Some(place.to_string());
        true
    }

    /// Ends the page here although more may follow, because the request has read enough.
    pub fn stop(&mut self) {
        self.has_more = self.last.is_some();
    }

    pub fn page(self) -> Page<T> {
        let next = self.last.filter(|_| self.has_more);
        self.page.ending_at(self.found, next)
    }
}

/// Removes a parameter and returns it.
fn take(parameters: &mut Vec<(String, String)>, name: &str) -> Option<String> {
    let place = parameters.iter().position(|(given, _)| given == name)?;
    Some(parameters.remove(place).1)
}

fn query_digest(path: &str, mut parameters: Vec<(String, String)>) -> [u8; DIGEST_BYTES] {
    parameters.sort();
    let mut digest = Sha256::new();
    for text in [path].into_iter().chain(parameters.iter().flat_map(|(name, value)| [name.as_str(), value])) {
        digest.update(text.len().to_be_bytes());
        digest.update(text.as_bytes());
    }
    let digest: [u8; 32] = digest.finalize().into();
    let mut short = [0; DIGEST_BYTES];
    short.copy_from_slice(&digest[..DIGEST_BYTES]);
    short
}

fn not_a_cursor() -> Problem {
    Problem::parameter("cursor", "is not a `next_cursor` of this list")
}

fn read_cursor(cursor: &str, query: &[u8; DIGEST_BYTES]) -> Result<String, Problem> {
    let bytes = BASE64URL_NOPAD.decode(cursor.as_bytes()).map_err(|_| not_a_cursor())?;
    let (digest, place) = bytes.split_first_chunk::<DIGEST_BYTES>().ok_or_else(not_a_cursor)?;
    if digest != query {
        let detail = "belongs to another query; send it with the parameters of the request that returned it (only `limit` may change)";
        return Err(Problem::parameter("cursor", detail));
    }
    String::from_utf8(place.to_vec()).map_err(|_| not_a_cursor())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(path: &str, query: &[(&str, &str)]) -> Result<PageRequest, Problem> {
        PageRequest::new(path, query.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect())
    }

    fn cursor(path: &str, query: &[(&str, &str)]) -> String {
        let page = request(path, query).expect("a request").ending_at(Vec::<u8>::new(), Some("place"));
        page.next_cursor.expect("a cursor")
    }

    #[track_caller]
    fn check(path: &str, query: &[(&str, &str)], expected: Option<&str>) {
        let cursor = cursor("/v1/events", &[("type", "a"), ("scope", "b"), ("limit", "1")]);
        let all: Vec<_> = query.iter().copied().chain([("cursor", cursor.as_str())]).collect();
        let place = request(path, &all).ok().and_then(|request| request.place);
        assert_eq!(place.as_deref(), expected, "{path} {query:?}");
    }

    #[test]
    fn a_cursor_is_good_for_its_own_query_only() {
        check("/v1/events", &[("type", "a"), ("scope", "b")], Some("place"));
        check("/v1/events", &[("scope", "b"), ("limit", "7"), ("type", "a")], Some("place"));
        check("/v1/events", &[("type", "a")], None);
        check("/v1/events", &[("type", "a"), ("scope", "c")], None);
        check("/v1/events", &[("type", "b"), ("scope", "a")], None);
        check("/v1/events", &[("type", "a"), ("scope", "b"), ("status", "")], None);
        check("/v1/deliveries", &[("type", "a"), ("scope", "b")], None);
    }

    #[test]
    fn a_page_is_full_or_has_looked_at_enough() {
        let page = request("/v1/events", &[("limit", "2")]).expect("a request");
        let sieve = |matching: &dyn Fn(usize) -> bool, items: usize| {
            let mut sieve = page.sieve();
            let taken = (0..items).take_while(|n| sieve.offer(n, matching(*n).then_some(*n))).count();
            let last = sieve.last.clone();
            let page = sieve.page();
            (taken, page.data, page.has_more.then_some(last).flatten())
        };
        assert_eq!(sieve(&|_| true, 2), (2, vec![0, 1], None));
        assert_eq!(sieve(&|_| true, 3), (2, vec![0, 1], Some("1".into())));
        assert_eq!(sieve(&|n| n > 4, 6), (6, vec![5], None));
        assert_eq!(sieve(&|n| n % 2 == 0, 9), (4, vec![0, 2], Some("3".into())));
        assert_eq!(sieve(&|_| false, 1_000), (1_000, vec![], None));
        assert_eq!(sieve(&|_| false, 1_001), (1_000, vec![], Some("999".into())));
    }
}
