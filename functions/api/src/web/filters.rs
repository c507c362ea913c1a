//! Filters of lists. Each list has one struct, from which come both the parsing (`Deserialize`) and the OpenAPI
//! document (`IntoParams`). All wrong filters are reported at once.

use std::fmt::{self, Display};
use std::mem;
use std::slice;

use axum::extract::{FromRequestParts, Query};
use domain::value::Timestamp;
use http::request::Parts;
use ports::Span;
use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserializer, forward_to_deserialize_any};

use super::problem::Problem;
use super::schemas::Moment;

/// The parameters of a request as a struct `T` whose fields are all optional.
pub struct Filters<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Filters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let Query(mut parameters) = query.map_err(|error| Problem::parameter("query", error.to_string()))?;
        let mut wrong = None::<Problem>;
        loop {
            let there = parameters.len();
            let Fault { parameter, detail } = match T::deserialize(Parameters(&mut parameters)) {
                Ok(known) => return wrong.map_or(Ok(Self(known)), Err),
                Err(fault) => fault,
            };
            let next = Problem::parameter(parameter, detail);
            let told = wrong.map_or(next.clone(), |told| told.and(next));
            // The value that was read is removed, so the next round finds the next wrong one.
            if parameters.len() == there {
                return Err(told);
            }
            wrong = Some(told);
        }
    }
}

/// The span from `since` to `until`. A side that is left out is open.
pub fn span(since: Option<Moment>, until: Option<Moment>) -> Result<Span, Problem> {
    let since = since.map_or(Timestamp::from_unix_ms(0), |Moment(since)| since);
    let until = until.map_or(Timestamp::from_unix_ms(u64::MAX), |Moment(until)| until);
    if since < until { Ok(Span { since, until }) } else { Err(Problem::parameter("until", "must be after `since`")) }
}

/// Reads a struct from the parameters. Each field removes its parameter, in the order of the fields; the other parameters
/// stay.
struct Parameters<'a>(&'a mut Vec<(String, String)>);

impl<'de> Deserializer<'de> for Parameters<'_> {
    type Error = Fault;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_map(Fields { left: fields.iter(), parameters: self.0, value: ("", String::new()) })
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Fault> {
        Err(de::Error::custom("filters are a struct"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct
        seq tuple tuple_struct map enum identifier ignored_any
    }
}

struct Fields<'a> {
    left: slice::Iter<'static, &'static str>,
    parameters: &'a mut Vec<(String, String)>,
    /// The field whose key was read last, and its value.
    value: (&'static str, String),
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        for field in self.left.by_ref() {
            if let Some(place) = self.parameters.iter().position(|(name, _)| name == field) {
                self.value = (field, self.parameters.remove(place).1);
                return seed.deserialize(StrDeserializer::new(field)).map(Some);
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let (parameter, value) = mem::take(&mut self.value);
        seed.deserialize(Text(value)).map_err(|fault| Fault { parameter, ..fault })
    }
}

/// The value of a parameter.
struct Text(String);

impl<'de> Deserializer<'de> for Text {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_string(self.0)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_bool(self.0.parse().map_err(|_| de::Error::custom("must be `true` or `false`"))?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_enum(self.0.into_deserializer())
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct newtype_struct
        seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// What is wrong with a parameter.
#[derive(Debug)]
struct Fault {
    parameter: &'static str,
    detail: String,
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.parameter, self.detail)
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: Display>(detail: T) -> Self {
        Self { parameter: "query", detail: detail.to_string() }
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::custom(format!("must be one of {}", expected.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use http::Request;
    use serde::Deserialize;

    use super::*;
    use crate::web::choices::EventStatus;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Wanted {
        r#type: Option<String>,
        status: Option<EventStatus>,
        test: Option<bool>,
        since: Option<Moment>,
        until: Option<Moment>,
    }

    async fn read(query: &str) -> Result<Wanted, Problem> {
        let (mut parts, ()) = Request::get(format!("/v1/events?{query}")).body(()).expect("a request").into_parts();
        let Filters(wanted) = Filters::<Wanted>::from_request_parts(&mut parts, &()).await?;
        span(wanted.since, wanted.until).map(|_| wanted)
    }

    async fn check(query: &str, expected: &str) {
        let detail = read(query).await.map_err(|problem| problem.detail().to_owned());
        assert_eq!(detail, Err(expected.to_owned()), "{query}");
    }

    #[tokio::test]
    async fn each_field_has_its_parameter_and_others_are_left() {
        let wanted = read("limit=5&test=true&status=unmatched&cursor=x&type=a%2Fb").await.expect("filters");
        let (r#type, status) = (Some("a/b".to_owned()), Some(EventStatus::Unmatched));
        assert_eq!(wanted, Wanted { r#type, status, test: Some(true), since: None, until: None });
    }

    #[tokio::test]
    async fn all_wrong_values_are_told_at_once() {
        let problem = read("test=yes&since=x&status=matched&until=y&type=t").await.expect_err("wrong filters");
        let parameters: Vec<_> = problem.parameters().collect();
        assert_eq!(parameters, ["test", "since", "until"]);
    }

    #[tokio::test]
    async fn a_wrong_value_is_told_in_the_order_of_the_fields() {
        check("status=", "status: must be one of matched, unmatched").await;
        check("test=yes&status=Matched", "status: must be one of matched, unmatched").await;
        check("a=b&test=yes", "test: must be `true` or `false`").await;
        check(
            "since=2026-11-23T09:00:00+01:00",
            "since: must be an RFC 3339 time of 1970 or later, such as 2026-11-23T09:30:00Z (write the `+` of an offset as `%2B`)",
        )
        .await;
        check("since=2026-11-23T09:00:00Z&until=2026-11-23T09:00:00Z", "until: must be after `since`").await;
    }
}
