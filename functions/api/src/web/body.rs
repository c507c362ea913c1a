//! JSON bodies: read up to a limit, and refused with a pointer to the field that is wrong. No key may come twice.
//!
//! Invariant: a patch is held to the rules itself, and not only what comes of it (tests:
//! `a_patch_names_a_header_in_any_case`, `a_patch_is_refused_for_what_it_names_even_where_that_would_change_nothing`).

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use domain::routing::PatternError;
use domain::value::{Place, json};
use http::header;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use ports::PortError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::web::problem::{Code, Problem};

/// The largest body of a request, in bytes.
pub const MAX_BODY_BYTES: usize = 256 * 1024;

/// The body of a request as a `T`.
pub struct Json<T>(pub T);

/// A merge patch (RFC 7396): fields that it names are replaced, and those that are `null` fall back to their defaults.
pub struct MergePatch(Map<String, Value>);

/// What can be patched. Its JSON has all of its fields.
pub trait Patched: Serialize + DeserializeOwned {
    /// Writes the keys of a patch as they are kept, and refuses those that can never be.
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
        // Merging would pass over it.
        let unknown = |(name, value): &(&String, &Value)| value.is_null() && changed.get(name.as_str()).is_none();
        if let Some((unknown, _)) = self.0.iter().find(unknown) {
            return Err(Problem::at(Code::ValidationFailed, &Place::of(unknown).pointer(), "is no field of it"));
        }
        let mut patch = self.0.clone();
        T::canonical(&mut patch)?;
        json_patch::merge(&mut changed, &Value::Object(patch));
        read(changed)
    }
}

/// The media type of a request's body, in lower case.
pub fn media_type(request: &Request) -> String {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The body, up to the limit.
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

/// Reads a JSON value as a `T`. A problem points at the fault.
pub fn read<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    if value.is_array() {
        return Err(Problem::at(Code::ValidationFailed, "", "must be a JSON object, not an array"));
    }
    serde_path_to_error::deserialize(value)
        .map_err(|error| fault(&Place::from(error.path()), &json::reason(error.inner())))
}

/// The problem of a wrong value at `place`. Conditions find faults deeper inside themselves.
fn fault(place: &Place, reason: &str) -> Problem {
    let pointer = place.pointer();
    match PatternError::of_carried(reason) {
        Some(below) => Problem::at(Code::ValidationFailed, &format!("{pointer}{}", below.pointer), below.detail),
        None => Problem::at(Code::ValidationFailed, &pointer, reason),
    }
}

/// Reads a JSON text as a `T`. A problem points at the fault.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // In place of an object, serde would also accept an array of its values.
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(Problem::at(Code::ValidationFailed, "", "must be a JSON object, not an array"));
    }
    if let Err(repeated) = str::from_utf8(bytes).map_or(Ok(()), json::check_keys) {
        return Err(Problem::at(Code::ValidationFailed, &repeated.place.pointer(), repeated.to_string()));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let parsed = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        if error.inner().is_data() {
            fault(&Place::from(error.path()), &json::reason(error.inner()))
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
}
