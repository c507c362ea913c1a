//! JSON bodies: read with a limit, and refused with a pointer to the field that is wrong.

use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use http::header;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};

use crate::problem::{Code, Problem};
use crate::{Deps, MAX_BODY_BYTES};

/// The body of a request as a `T`.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Arc<Deps>> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Arc<Deps>) -> Result<Self, Problem> {
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media_type = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("application/json") {
            return Err(Problem::new(Code::UnsupportedMediaType, "send `content-type: application/json`"));
        }
        let body = Limited::new(request.into_body(), MAX_BODY_BYTES).collect().await.map_err(|error| {
            if error.downcast_ref::<LengthLimitError>().is_some() {
                Problem::at(Code::BodyTooLarge, "", format!("has more than {MAX_BODY_BYTES} bytes (256 KiB)"))
            } else {
                Problem::new(Code::MalformedJson, "the body could not be read to its end")
            }
        })?;
        parse(&body.to_bytes()).map(Json)
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // Where an object is meant, serde would also take an array of its values.
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(Problem::at(Code::ValidationFailed, "", "must be a JSON object, not an array"));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let parsed = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        if error.inner().is_data() {
            let reason = error.inner().to_string();
            let reason = reason.split(" at line ").next().unwrap_or_default();
            Problem::at(Code::ValidationFailed, &pointer(error.path()), reason)
        } else {
            Problem::at(Code::MalformedJson, "", format!("is not valid JSON: {}", error.inner()))
        }
    })?;
    let trailing = |error| Problem::at(Code::MalformedJson, "", format!("is not valid JSON: {error}"));
    deserializer.end().map_err(trailing)?;
    Ok(parsed)
}

/// The path as a JSON pointer (RFC 6901).
fn pointer(path: &Path) -> String {
    let segment = |segment: &Segment| match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
        Segment::Enum { .. } | Segment::Unknown => String::new(),
    };
    path.iter().map(segment).collect()
}
