//! The configuration as text, in JSON or YAML: reading it with a limit, and writing it with an entity tag. `yaml`
//! reads YAML into the JSON it stands for, so the same rules and pointers apply.

use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use data_encoding::HEXLOWER;
use domain::routing::Configuration;
use http::{HeaderMap, header};
use ports::PortError;
use sha2::{Digest, Sha256};

use super::yaml::read_yaml;
use crate::web::body;
use crate::web::problem::{Code, Problem};

/// The greatest size of a response in bytes: Lambda's limit, less the envelope for API Gateway.
const MAX_CARRIED_BYTES: usize = 6_000_000;

const JSON: &str = "application/json";
const YAML: &str = "application/yaml";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Json,
    Yaml,
}

impl Format {
    /// The format that the caller prefers; JSON if it names none.
    pub fn accepted(headers: &HeaderMap) -> Self {
        let ranges = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let ranges: Vec<_> = ranges.flat_map(|value| value.split(',')).map(range).collect();
        let quality = |names: &[&str]| {
            let named = |name: &&str| ranges.iter().find(|(range, _)| range.eq_ignore_ascii_case(name));
            names.iter().find_map(named).map_or(0.0, |(_, quality)| *quality)
        };
        if quality(&[YAML]) > quality(&[JSON, "application/*", "*/*"]) { Format::Yaml } else { Format::Json }
    }

    fn media_type(self) -> &'static str {
        match self {
            Format::Json => JSON,
            Format::Yaml => YAML,
        }
    }
}

/// A media range of an `accept` header, and its quality.
fn range(text: &str) -> (&str, f32) {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default();
    let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    (name, quality.map_or(1.0, |quality| quality.parse().unwrap_or(0.0)))
}

/// The body of a request as a document.
pub struct Document(pub Configuration);

impl<S: Send + Sync> FromRequest<S> for Document {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let media_type = body::media_type(&request);
        match media_type.as_str() {
            JSON => body::parse(&body::bytes(request).await?).map(Self),
            YAML => body::read(read_yaml(&body::bytes(request).await?)?).map(Self),
            _ => {
                let detail = format!("send `content-type: {JSON}` or `{YAML}`");
                Err(Problem::new(Code::UnsupportedMediaType, detail))
            }
        }
    }
}

/// The entity tags of a document, one for each format.
pub fn tags(configuration: &Configuration) -> Result<[String; 2], Problem> {
    let digest = digest(&json(configuration)?);
    Ok([tag(&digest, Format::Json), tag(&digest, Format::Yaml)])
}

fn digest(json: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(json)[..16])
}

fn tag(digest: &str, format: Format) -> String {
    match format {
        Format::Json => format!("\"{digest}\""),
        Format::Yaml => format!("\"{digest}-yaml\""),
    }
}

fn json(configuration: &Configuration) -> Result<String, Problem> {
    let failed = |error| Problem::from(PortError::permanent("writing a configuration", error));
    serde_json::to_string(configuration).map_err(failed)
}

/// The document as a response.
pub fn answer(configuration: &Configuration, format: Format) -> Result<Response, Problem> {
    let json = json(configuration)?;
    let tag = tag(&digest(&json), format);
    let text = match format {
        Format::Json => json,
        Format::Yaml => {
            let failed = |error| Problem::from(PortError::permanent("writing a configuration", error));
            serde_saphyr::to_string(configuration).map_err(failed)?
        }
    };
    if carried(&text) > MAX_CARRIED_BYTES {
        let detail =
            "the document has more than about 5 MB, the most that one response can contain; read the lists in pages";
        return Err(Problem::new(Code::DocumentTooLarge, detail));
    }
    Ok((super::headers(format.media_type(), tag), text).into_response())
}

/// The size in bytes of a text inside the JSON string in which Lambda carries it.
fn carried(text: &str) -> usize {
    text.len() + text.bytes().filter(|byte| matches!(byte, b'"' | b'\\' | b'\n')).count()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check_accept(accept: Option<&'static str>, expected: Format) {
        let headers = accept.map(|text| (header::ACCEPT, HeaderValue::from_static(text))).into_iter().collect();
        assert_eq!(Format::accepted(&headers), expected, "{accept:?}");
    }

    #[test]
    fn yaml_is_answered_to_whoever_would_rather_have_it() {
        check_accept(None, Format::Json);
        check_accept(Some("*/*"), Format::Json);
        check_accept(Some("text/html"), Format::Json);
        check_accept(Some("application/yaml"), Format::Yaml);
        check_accept(Some("Application/YAML; charset=utf-8"), Format::Yaml);
        check_accept(Some("application/yaml, application/json"), Format::Json);
        check_accept(Some("application/json;q=0.5, application/yaml;q=0.9"), Format::Yaml);
        check_accept(Some("application/yaml, */*;q=0.1"), Format::Yaml);
        check_accept(Some("application/yaml;q=0"), Format::Json);
    }

    #[test]
    fn a_document_that_cannot_be_carried_is_refused() {
        let one =
            |n: usize| json!({"name": n.to_string(), "url": "https://example.com/", "description": "\\".repeat(1_000)});
        let answered = |count: usize| {
            let all: Vec<_> = (0..count).map(one).collect();
            let document = serde_json::from_value(json!({"destinations": all, "subscriptions": []}));
            answer(&document.expect("a configuration"), Format::Json).map(|_| ()).map_err(|problem| problem.code())
        };
        assert_eq!(answered(1_300), Ok(()), "about 5 MB are answered");
        assert_eq!(answered(1_500), Err(Code::DocumentTooLarge));
    }

    #[test]
    fn a_document_is_measured_as_it_is_carried() {
        for text in ["", "plain", "\"quoted\"\n", "back\\slash"] {
            assert_eq!(carried(text) + 2, json!(text).to_string().len(), "{text:?}");
        }
    }
}
