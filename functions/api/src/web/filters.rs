//! What a list is filtered by. A parameter that the list does not know is refused: a misspelt filter that is
//! ignored would answer with what was not asked for.

use axum::extract::{FromRequestParts, Query};
use domain::value::Timestamp;
use http::request::Parts;
use ports::Span;
use std::str::FromStr;

use crate::web::problem::Problem;

/// The parameters of a request that are not the page's.
pub struct Filters(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Filters {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let Query(mut parameters) = query.map_err(|error| Problem::parameter("query", error.to_string()))?;
        parameters.retain(|(name, _)| !matches!(name.as_str(), "limit" | "cursor"));
        Ok(Self(parameters))
    }
}

impl Filters {
    /// Takes the value of a parameter, read by its own rules.
    pub fn take<T: FromStr<Err: ToString>>(&mut self, name: &'static str) -> Result<Option<T>, Problem> {
        self.take_by(name, |text| text.parse().map_err(|error: T::Err| error.to_string()))
    }

    /// Takes the value of a parameter that is one of a few words.
    pub fn take_word(&mut self, name: &'static str, words: &[&'static str]) -> Result<Option<&'static str>, Problem> {
        let known = |text: &str| words.iter().copied().find(|word| *word == text);
        self.take_by(name, |text| known(text).ok_or_else(|| format!("must be one of {}", words.join(", "))))
    }

    /// Takes `since` and `until`.
    pub fn take_span(&mut self) -> Result<Span, Problem> {
        let since = self.take_time("since")?.unwrap_or(Timestamp::from_unix_ms(0));
        let until = self.take_time("until")?.unwrap_or(Timestamp::from_unix_ms(u64::MAX));
        if since < until {
            Ok(Span { since, until })
        } else {
            Err(Problem::parameter("until", "must be after `since`"))
        }
    }

    /// Takes a moment.
    pub fn take_time(&mut self, name: &'static str) -> Result<Option<Timestamp>, Problem> {
        self.take_by(name, |text| {
            let hint = if text.contains(' ') { " (write the `+` of an offset as `%2B`)" } else { "" };
            Timestamp::parse(text).map_err(|error| format!("{error}{hint}"))
        })
    }

    /// Refuses what nobody took.
    pub fn finish(self) -> Result<(), Problem> {
        match self.0.into_iter().next() {
            None => Ok(()),
            Some((name, _)) => Err(Problem::parameter(name, "is not a parameter of this list, or is given twice")),
        }
    }

    fn take_by<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Problem> {
        let Some(position) = self.0.iter().position(|(given, _)| given == name) else { return Ok(None) };
        let (_, value) = self.0.remove(position);
        read(&value).map(Some).map_err(|reason| Problem::parameter(name, reason))
    }
}
