//! The API as API Gateway calls it: the authorizer is asked first, and its answer is passed on. Every answer is
//! recorded.

use aws_lambda_events::event::apigw::ApiGatewayV2CustomAuthorizerV2Request;
use axum::body::Body;
use harness::checkout::sample_event;
use http::HeaderMap;
use http_body_util::BodyExt;
use lambda_runtime::LambdaEvent;
use ports::Clock;
use serde_json::{Map, Value, json};
use tower::ServiceExt;

use crate::text::sorted;
use crate::world::World;

#[derive(Default)]
pub struct Answers(Vec<Value>);

/// The caller.
#[derive(Debug, Clone)]
pub enum Who {
    Operator,
    /// The holder of this key or session.
    Bearer(String),
    Nobody,
}

pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answers {
    pub fn into_value(self) -> Value {
        self.0.into()
    }
}

impl World {
    /// Sends `POST /v1/…` with a body, unless it is `null`; returns the body of the answer.
    pub async fn ask(&mut self, who: &Who, request: &str, body: Value) -> Value {
        let text = (!body.is_null()).then(|| sorted(body).to_string());
        let answer = self.ask_with(who, request, &[], text.as_deref()).await;
        serde_json::from_str(&answer.text).unwrap_or(Value::Null)
    }

    /// The same with more headers, and any text as the body.
    pub async fn ask_with(&mut self, who: &Who, request: &str, headers: &[(&str, &str)], body: Option<&str>) -> Answer {
        let (method, path) = request.split_once(' ').expect("a method and a path");
        let mut event = self.gateway_event(method, path, headers, body);
        let authorizer = self.authorize(who, &event).await;
        event["requestContext"]["authorizer"] = authorizer.clone();
        let sent = lambda_http::request::from_str(&event.to_string()).expect("an event").map(Body::new);
        let answer = read(self.api.clone().oneshot(sent).await.expect("an answer")).await;
        let mut told = json!({
            "request": request, "at": self.clock.now(), "caller": authorizer["lambda"]["role"], "body": body.map(shown),
            "status": answer.status, "headers": lines(&answer.headers), "answer": shown(&answer.text),
        });
        if path.ends_with("/test") || path == "/v1/setups" {
            forget_durations(&mut told["answer"]);
        }
        if !headers.is_empty() {
            told["with"] = json!(headers);
        }
        self.answers.0.push(told);
        answer
    }

    fn gateway_event(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&str>) -> Value {
        let mut event = sample_event("api-create-destination").expect("a sample");
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        event["rawPath"] = json!(path);
        event["rawQueryString"] = json!(query);
        event["requestContext"]["timeEpoch"] = json!(self.clock.now().unix_ms());
        event["requestContext"]["http"]["method"] = json!(method);
        event["requestContext"]["http"]["path"] = json!(path);
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        event["queryStringParameters"] =
            pairs.map(|(name, value)| (name.to_owned(), json!(value))).collect::<Map<_, _>>().into();
        event["body"] = json!(body);
        for (name, value) in headers {
            event["headers"][*name] = json!(value);
        }
        event
    }

    /// What API Gateway tells the function about the caller. It says nothing if there is no key and no session.
    async fn authorize(&self, who: &Who, event: &Value) -> Value {
        match who {
            Who::Operator => {
                let sample = sample_event("api-create-account").expect("a sample");
                sample["requestContext"]["authorizer"].clone()
            }
            Who::Nobody => Value::Null,
            Who::Bearer(token) => {
                let mut asked = sample_event("authorizer-api-key").expect("a sample");
                let header = format!("Bearer {token}");
                asked["rawPath"] = event["rawPath"].clone();
                asked["headers"]["authorization"] = json!(header);
                asked["identitySource"] = json!([header]);
                let asked: ApiGatewayV2CustomAuthorizerV2Request = serde_json::from_value(asked).expect("a request");
                let decided = authorizer::handle(self.authorizer.clone(), LambdaEvent::new(asked, Default::default()));
                let decided = serde_json::to_value(decided.await.expect("a decision")).expect("JSON");
                if decided["isAuthorized"] == true { json!({ "lambda": decided["context"] }) } else { Value::Null }
            }
        }
    }
}

pub async fn read(response: http::Response<Body>) -> Answer {
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.expect("a body").to_bytes();
    let text = String::from_utf8(bytes.into()).expect("UTF-8");
    Answer { status: parts.status.as_u16(), headers: parts.headers, text }
}

/// All headers, sorted by name, without the duration and without what the body says anyway.
pub fn lines(headers: &HeaderMap) -> Vec<String> {
    let told = headers.iter().filter(|(name, _)| !matches!(name.as_str(), "server-timing" | "content-length"));
    let mut lines: Vec<_> = told.map(|(name, value)| format!("{name}: {}", value.to_str().expect("text"))).collect();
    lines.sort();
    lines
}

/// A test payload is timed by the real clock.
fn forget_durations(answer: &mut Value) {
    match answer {
        Value::Array(items) => items.iter_mut().for_each(forget_durations),
        Value::Object(members) => {
            for (name, member) in members {
                if name == "duration_ms" && member.is_number() {
                    *member = json!("not recorded");
                }
                forget_durations(member);
            }
        }
        _ => {}
    }
}

/// JSON as it is, any other text by its lines.
fn shown(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.lines().collect())
}
