//! What all lists share: filters that are kept in the URL, and rows that are gathered from pages of the API.

use http::StatusCode;
use ports::read_units;
use serde::de::DeserializeOwned;

use crate::markup::address::query;
use crate::markup::moment::{in_field, utc};
use crate::model::Listed;
use crate::web::failure::Failure;
use crate::web::fields::Fields;
use crate::web::inner::Api;
use crate::web::problem::Problem;

/// The number of rows on a page, unless rows are large.
pub const ROWS: usize = 25;
/// The greatest number of API pages that are read to fill one page. Each covers at most 1,000 rows, of which a filter may
/// leave few.
const ASKED: usize = 4;
/// How many read units the next page of the API may cost. This request pays for all of them.
pub const PAGE_UNITS: usize = 200;
/// How many read units are reserved for looking up the names of the destinations and places on a page.
const KEPT: usize = ROWS * 7;
/// The parameters of lists that are not filters: which page, and what was just done.
const OTHERS: [&str; 2] = ["cursor", "done"];
/// How many ignored parameters are named at most.
const IGNORED: usize = 5;
/// The filters whose values are moments.
const TIMES: [&str; 2] = ["since", "until"];

/// The filters of a list as they were typed, and the problem that the API has with them, if any.
pub struct Filters {
    typed: Fields,
    names: &'static [&'static str],
    problem: Option<Problem>,
}

/// A page of a list. `next` is the cursor of the next page. It can be there although `rows` is empty: then nothing was
/// found yet.
pub struct Listing<T> {
    pub rows: Vec<T>,
    pub next: Option<String>,
}

impl<T> Listing<T> {
    pub fn empty() -> Self {
        Self { rows: Vec::new(), next: None }
    }

    /// Whether there can be rows that are not on this page.
    pub fn is_part(&self, filters: &Filters) -> bool {
        self.next.is_some() || filters.cursor().is_some() || filters.any()
    }
}

impl Filters {
    /// Takes the filters with these names from the query.
    pub fn new(typed: Fields, names: &'static [&'static str]) -> Self {
        Self { typed, names, problem: None }
    }

    pub fn value(&self, name: &str) -> &str {
        self.typed.get(name)
    }

    pub fn is(&self, name: &str, value: &str) -> bool {
        self.value(name) == value
    }

    /// A moment as a date and time input shows it.
    pub fn time(&self, name: &str) -> String {
        in_field(self.value(name))
    }

    /// The fault of one filter, in the API's words.
    pub fn error(&self, name: &str) -> Option<&str> {
        let faults = &self.problem.as_ref()?.errors;
        let fault = faults.iter().find(|fault| fault.parameter.as_deref() == Some(name))?;
        Some(&fault.detail)
    }

    /// The first filter that is wrong, and its fault.
    pub fn wrong(&self) -> Option<(&'static str, &str)> {
        self.names.iter().find_map(|name| Some((*name, self.error(name)?)))
    }

    /// The problem as a whole, if it belongs to none of the filters.
    pub fn other_error(&self) -> Option<&str> {
        let problem = self.problem.as_ref()?;
        self.wrong().is_none().then_some(problem.detail.as_str())
    }

    /// The parameters that have no effect: those that the list does not have, and all but the first of the same name. The
    /// API refuses them; a page only names them.
    pub fn ignored(&self) -> Vec<&str> {
        let mut ignored: Vec<&str> = Vec::new();
        for (name, value) in self.typed.pairs().filter(|(_, value)| !value.trim().is_empty()) {
            let has_effect = OTHERS.contains(&name) || self.names.contains(&name) && value.trim() == self.value(name);
            if !has_effect && !ignored.contains(&name) {
                ignored.push(name);
            }
        }
        ignored.truncate(IGNORED);
        ignored
    }

    pub fn has_error(&self) -> bool {
        self.problem.is_some()
    }

    /// The status of the page.
    pub fn status(&self) -> StatusCode {
        if self.has_error() { StatusCode::BAD_REQUEST } else { StatusCode::OK }
    }

    /// Whether any filter is set.
    pub fn any(&self) -> bool {
        self.names.iter().any(|name| self.typed.some(name).is_some())
    }

    pub fn cursor(&self) -> Option<&str> {
        self.typed.some("cursor")
    }

    /// The parameters for the API. The same filters always give the same parameters, because a cursor is valid only for
    /// those it was made with.
    pub fn parameters(&self) -> Vec<(&'static str, String)> {
        let asked = |name: &&'static str| {
            let value = self.typed.some(name)?;
            Some((*name, if TIMES.contains(name) { utc(value) } else { value.to_owned() }))
        };
        self.names.iter().filter_map(asked).collect()
    }

    /// The address of the first page.
    pub fn first(&self, path: &str) -> String {
        format!("{path}{}", query(self.filled()))
    }

    /// The address of the first page without one of the filters.
    pub fn without(&self, path: &str, left_out: &str) -> String {
        format!("{path}{}", query(self.filled().filter(|(name, _)| *name != left_out)))
    }

    /// The address of the page that begins at a cursor.
    pub fn next(&self, path: &str, cursor: &str) -> String {
        format!("{path}{}", query(self.filled().chain([("cursor", cursor)])))
    }

    fn filled(&self) -> impl Iterator<Item = (&str, &str)> {
        self.names.iter().filter_map(|name| Some((*name, self.typed.some(name)?)))
    }

    /// Keeps the problem that the API has with the filters (400), to be shown beside them. Returns any other failure.
    pub fn blame(&mut self, failure: Failure) -> Result<(), Failure> {
        let problem = failure.problem()?;
        if problem.status != 400 {
            return Err(Failure::Problem(problem));
        }
        self.problem = Some(problem);
        Ok(())
    }

    /// Reads up to `rows` rows from the API at `path`. There are none if a filter is wrong.
    pub async fn list<T: DeserializeOwned>(
        &mut self,
        api: &Api,
        path: &str,
        rows: usize,
    ) -> Result<Listing<T>, Failure> {
        let parameters = self.parameters();
        match read_units::keeping(KEPT, gather(api, path, &parameters, self.cursor(), rows)).await {
            Ok(listing) => Ok(listing),
            Err(failure) => self.blame(failure).map(|()| Listing::empty()),
        }
    }
}

/// Reads pages of the API until there are enough rows for one page here.
async fn gather<T: DeserializeOwned>(
    api: &Api,
    path: &str,
    parameters: &[(&'static str, String)],
    cursor: Option<&str>,
    rows: usize,
) -> Result<Listing<T>, Failure> {
    let mut listing = Listing { rows: Vec::new(), next: cursor.map(str::to_owned) };
    for _ in 0..ASKED {
        let limit = (rows - listing.rows.len()).to_string();
        let filters = parameters.iter().map(|(name, value)| (*name, value.as_str()));
        let after = listing.next.as_deref().map(|cursor| ("cursor", cursor));
        let asked = query(filters.chain([("limit", limit.as_str())]).chain(after));
        let page: Listed<T> = api.get(&format!("{path}{asked}")).await?;
        listing.rows.extend(page.data);
        listing.next = page.next_cursor;
        if listing.next.is_none() || listing.rows.len() >= rows || read_units::left_for(PAGE_UNITS) == 0 {
            break;
        }
    }
    Ok(listing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(typed: &str, asked: &str, shown: &str) {
        let mut fields = Fields::default();
        fields.set("since", typed);
        let filters = Filters::new(fields, &["since"]);
        assert_eq!(filters.parameters(), [("since", asked.to_owned())]);
        assert_eq!(filters.time("since"), shown);
    }

    #[test]
    fn a_moment_without_a_zone_is_of_utc() {
        check("2026-11-23T09:29", "2026-11-23T09:29:00Z", "2026-11-23T09:29:00");
        check("2026-11-23T09:29:05", "2026-11-23T09:29:05Z", "2026-11-23T09:29:05");
        check("2026-11-23T09:29:05.120Z", "2026-11-23T09:29:05.120Z", "2026-11-23T09:29:05.120");
        check("2026-11-23T10:29:00+01:00", "2026-11-23T10:29:00+01:00", "2026-11-23T09:29:00");
        check("yesterday", "yesterday", "yesterday");
    }
}
