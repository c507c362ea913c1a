//! JSON bodies: read up to a limit, and refused with a pointer to each field that is wrong. No key may occur twice.
//!
//! Invariant: all wrong fields of a body are reported at once (tests: `all_wrong_fields_of_a_body_are_told_at_once`).
//!
//! Invariant: the rules apply to a patch itself, and not only to its result (tests:
//! `a_patch_names_a_header_in_any_case`, `a_patch_is_refused_for_what_it_names_even_where_that_would_change_nothing`).

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use domain::routing::PatternError;
use domain::value::keys::check_keys;
use domain::value::{Place, json};
use http::header;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use ports::PortError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use serde_path_to_error::Segment;

use crate::web::problem::{Code, Problem};

/// The largest body of a request, in bytes.
pub const MAX_BODY_BYTES: usize = 256 * 1024;
/// How many wrong fields are reported at once. Finding each of them takes one more reading of the body.
const MOST_FAULTS: usize = 20;

/// The body of a request as a `T`.
pub struct Json<T>(pub T);

/// A merge patch (RFC 7396): fields that it names are replaced, and those that are `null` fall back to their defaults.
pub struct MergePatch(Map<String, Value>);

/// A resource that can be patched. Its JSON has all of its fields.
pub trait Patched: Serialize + DeserializeOwned {
    /// Writes the keys of a patch in the form in which they are stored, and refuses keys that are never valid.
    fn canonical(_patch: &mut Map<String, Value>) -> Result<(), Problem> {
        Ok(())
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        if media_type(&request) != "application/json" {
            return Err(Problem::new(Code::UnsupportedMediaType, "send `content-type: application/json`"));
        }
        parse(&bytes(request).await?).map(Json)
    }
}

impl<S: Send + Sync> FromRequest<S> for MergePatch {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        if !matches!(media_type(&request).as_str(), "application/merge-patch+json" | "application/json") {
            let detail = "send `content-type: application/merge-patch+json` (or `application/json`)";
            return Err(Problem::new(Code::UnsupportedMediaType, detail));
        }
        match parse(&bytes(request).await?)? {
            Value::Object(patch) => Ok(Self(patch)),
            _ => Err(Problem::at(Code::ValidationFailed, "", "must be a JSON object of the fields to change")),
        }
    }
}

impl MergePatch {
    /// Applies the changes to `current`. The result has to pass the same checks as a new resource.
    pub fn apply<T: Patched>(&self, current: &T) -> Result<T, Problem> {
        let mut changed = serde_json::to_value(current)
            .map_err(|error| Problem::from(PortError::permanent("writing a resource as JSON", error)))?;
        // Merging would ignore it.
        let unknown = |(name, value): &(&String, &Value)| value.is_null() && changed.get(name.as_str()).is_none();
        let is_unknown =
            |name| Problem::at(Code::ValidationFailed, &Place::of(name).pointer(), "is not a field of this resource");
        let unknown = self.0.iter().find(unknown).map(|(name, _)| is_unknown(name));
        let mut patch = self.0.clone();
        let uncanonical = T::canonical(&mut patch).err();
        json_patch::merge(&mut changed, &Value::Object(patch));
        let wrong = [unknown, uncanonical].into_iter().flatten().reduce(Problem::and);
        match (wrong, read(changed)) {
            (None, read) => read,
            (Some(problem), Ok(_)) => Err(problem),
            (Some(problem), Err(more)) => Err(problem.and(more)),
        }
    }
}

/// The media type of a request's body, in lower case.
pub fn media_type(request: &Request) -> String {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The body of a request, up to the limit.
pub async fn bytes(request: Request) -> Result<Bytes, Problem> {
    limited(request.into_body()).await
}

/// A body, up to the limit.
pub async fn limited(body: Body) -> Result<Bytes, Problem> {
    let body = Limited::new(body, MAX_BODY_BYTES).collect().await.map_err(|error| {
        if error.downcast_ref::<LengthLimitError>().is_some() {
            Problem::at(Code::BodyTooLarge, "", format!("has more than {MAX_BODY_BYTES} bytes (256 KiB)"))
        } else {
            Problem::new(Code::MalformedJson, "the body could not be read to its end")
        }
    });
    Ok(body?.to_bytes())
}

/// Reads a JSON value as a `T`. A problem points at the faults.
pub fn read<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    if value.is_array() {
        return Err(Problem::at(Code::ValidationFailed, "", "must be a JSON object, not an array"));
    }
    serde_path_to_error::deserialize(&value).map_err(|first| {
        let again = |left: &Value| serde_path_to_error::deserialize::<_, T>(left).map(drop);
        faults(&first, Some(value.clone()), again)
    })
}

type Unread = serde_path_to_error::Error<serde_json::Error>;

/// The problem of a body: its first fault, and those of its other fields. To find the next fault, the wrong field is
/// removed. A fault of the whole body after that is caused by the removal, unless another field is missing.
fn faults(first: &Unread, body: Option<Value>, again: impl Fn(&Value) -> Result<(), Unread>) -> Problem {
    let told = |error: &Unread| fault(&Place::from(error.path()), &json::reason(error.inner()));
    let (mut problem, mut field, mut taken) = (told(first), outermost(first), Vec::new());
    let Some(mut left) = body else { return problem };
    while let Some(name) = field.take().filter(|_| taken.len() + 1 < MOST_FAULTS)
        && left.as_object_mut().is_some_and(|fields| fields.remove(&name).is_some())
    {
        taken.push(format!("missing field `{name}`"));
        if let Err(next) = again(&left) {
            field = outermost(&next);
            let reason = json::reason(next.inner());
            if field.is_some() || reason.starts_with("missing field `") && !taken.contains(&reason) {
                problem = problem.and(told(&next));
            }
        }
    }
    problem
}

/// The field of the body that a fault is in.
fn outermost(error: &Unread) -> Option<String> {
    match error.path().iter().next() {
        Some(Segment::Map { key }) => Some(key.clone()),
        _ => None,
    }
}

/// The problem of a wrong value at `place`. Conditions find faults deeper inside themselves.
fn fault(place: &Place, reason: &str) -> Problem {
    let pointer = place.pointer();
    match PatternError::of_carried(reason) {
        Some(below) => Problem::at(Code::ValidationFailed, &format!("{pointer}{}", below.pointer), below.detail),
        None => Problem::at(Code::ValidationFailed, &pointer, reason),
    }
}

/// Reads a JSON text as a `T`. A problem points at the faults.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // Instead of an object, serde would also accept an array of its values.
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(Problem::at(Code::ValidationFailed, "", "must be a JSON object, not an array"));
    }
    if let Err(error) = str::from_utf8(bytes).map_or(Ok(()), check_keys) {
        return Err(Problem::at(Code::ValidationFailed, &error.place().pointer(), error.to_string()));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let parsed = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        if error.inner().is_data() {
            // From text again, because some values can be read only from text.
            let again = |left: &Value| {
                let text = left.to_string();
                serde_path_to_error::deserialize::<_, T>(&mut serde_json::Deserializer::from_str(&text)).map(drop)
            };
            faults(&error, serde_json::from_slice(bytes).ok(), again)
        } else {
            Problem::at(Code::MalformedJson, "", format!("is not valid JSON: {}", error.inner()))
        }
    })?;
    let trailing = |error| Problem::at(Code::MalformedJson, "", format!("is not valid JSON: {error}"));
    deserializer.end().map_err(trailing)?;
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let parsed = parse::<BTreeMap<String, Vec<BTreeMap<String, u8>>>>(text.as_bytes());
        let detail = parsed.map_err(|problem| problem.detail().to_owned()).expect_err(text);
        assert!(detail.starts_with(expected), "{detail}");
    }

    #[test]
    fn what_is_wrong_is_pointed_at() {
        check(r#"{"a": 1}"#, "/a: invalid type");
        check(r#"{"a": [{}, {"b": "c"}]}"#, "/a/1/b: invalid type");
        check(r#"{"a~/b": [{"~1": "c"}]}"#, "/a~0~1b/0/~01: invalid type");
        check(r#"{"": [{"é ": "c"}]}"#, "//0/é : invalid type");
        check("1", "the body: invalid type");
        check(r#"{"a": [{}, {"b": 1, "b": 1}]}"#, "/a/1/b: is there twice");
        check(r#"{"a": 1, "a": []}"#, "/a: is there twice");
        check(r#"{"a": [], "b": "hunter2"}"#, "/b: invalid type: string, expected a sequence");
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Settings {
        #[expect(dead_code, reason = "the test only checks whether it can be read")]
        name: String,
        #[expect(dead_code, reason = "the test only checks whether it can be read")]
        url: String,
        #[serde(default)]
        #[expect(dead_code, reason = "the test only checks whether it can be read")]
        waits: Vec<u8>,
    }

    /// Each place once, in any order.
    #[track_caller]
    fn check_faults(text: &str, expected: &[&str]) {
        let value = serde_json::from_str::<Value>(text).expect("JSON");
        for problem in [parse::<Settings>(text.as_bytes()), read::<Settings>(value)] {
            let problem = problem.expect_err(text);
            let mut places: Vec<_> = problem.pointers().collect();
            places.sort_unstable();
            assert_eq!(places, expected, "{text}");
        }
    }

    #[test]
    fn all_wrong_fields_of_a_body_are_told_at_once() {
        check_faults(r#"{"name": 1, "url": 2, "waits": [1, "x"]}"#, &["/name", "/url", "/waits/1"]);
        check_faults(r#"{"name": 1, "url": "u", "odd": 1, "more": 2}"#, &["/more", "/name", "/odd"]);
        // Missing fields are reported as well, except those that were removed because they were wrong.
        check_faults(r#"{"url": "u", "waits": 1}"#, &["", "/waits"]);
        check_faults(r#"{"name": 1, "url": "u"}"#, &["/name"]);
        let many: Map<String, Value> = (0..100).map(|n| (format!("f{n}"), Value::Null)).collect();
        let problem = read::<Settings>(Value::Object(many)).expect_err("unknown fields");
        assert_eq!(problem.pointers().count(), MOST_FAULTS);
    }
}
