//! Calls the API within this process, as one account. It is the same router that the function `api` serves, so the page
//! gets the same answers as any program. Only the caller's identity differs: it comes from the session, not from API
//! Gateway.
//!
//! Invariant: data of another account is never found (tests: `what_belongs_to_another_account_is_not_there`,
//! `two_accounts_never_see_each_others`).
//!
//! Invariant: a request that matches no route of the API gets the API's own answer, and does nothing (tests:
//! `what_no_route_of_the_api_took_is_answered_as_the_api_does`).

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use domain::access::Session;
use http::{HeaderValue, Method, StatusCode, header};
use http_body_util::BodyExt;
use lambda_http::aws_lambda_events::apigw::{ApiGatewayRequestAuthorizer, ApiGatewayV2httpRequestContext};
use lambda_http::request::RequestContext;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::web::failure::Failure;

/// Answers requests for paths of the API. API Gateway sends those here that match none of the API's routes, for example
/// because of a line break in the path. They get the API's own answer for an unknown path, and nothing is done. So does a
/// path that normalizes to another one.
pub async fn no_such_resource(State(router): State<Router>, request: Request, next: Next) -> Response {
    let of_the_api = ["/v1/", "/admin/v1/"].iter().any(|prefix| request.uri().path().starts_with(prefix));
    if !of_the_api && api::is_as_sent(&request) {
        return next.run(request).await;
    }
    let mut nothing = Request::new(Body::empty());
    if let Some(context) = request.extensions().get::<RequestContext>() {
        nothing.extensions_mut().insert(context.clone());
    }
    let Ok(response) = router.oneshot(nothing).await;
    response
}

/// The API as one caller sees it.
pub struct Api {
    router: Router,
    context: ApiGatewayV2httpRequestContext,
}

/// An answer of the API with a status below 400.
pub struct Answer {
    pub etag: Option<String>,
    body: Bytes,
}

impl Answer {
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.body).map_err(Failure::Unreadable)
    }
}

impl Api {
    /// The API as the holder of a session sees it, or nobody.
    pub fn new(router: Router, context: Option<&RequestContext>, caller: Option<&Session>) -> Self {
        let mut context = match context {
            Some(RequestContext::ApiGatewayV2(context)) => context.clone(),
            _ => ApiGatewayV2httpRequestContext::default(),
        };
        context.authorizer = caller.map(|session| {
            let mut authorizer = ApiGatewayRequestAuthorizer::default();
            let fields = [
                ("account", json!(session.account)),
                ("role", json!(session.role)),
                ("session_id", json!(session.id)),
                ("subject", json!(session.subject)),
            ];
            authorizer.fields.extend(fields.map(|(name, value)| (name.to_owned(), value)));
            authorizer
        });
        Self { router, context }
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.call(Method::GET, path, None, None).await?.read()
    }

    /// Like [`Api::get`], but `None` if the API answers 404.
    pub async fn find<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Failure> {
        match self.get(path).await {
            Err(Failure::Problem(problem)) if problem.status == 404 => Ok(None),
            found => found.map(Some),
        }
    }

    /// Like [`Api::get`], with the ETag of the answer.
    pub async fn get_versioned<T: DeserializeOwned>(&self, path: &str) -> Result<(T, String), Failure> {
        let answer = self.call(Method::GET, path, None, None).await?;
        Ok((answer.read()?, answer.etag.unwrap_or_default()))
    }

    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer, Failure> {
        self.call(Method::POST, path, None, Some(body)).await
    }

    /// Sends a `POST` without a body.
    pub async fn act(&self, path: &str) -> Result<Answer, Failure> {
        self.call(Method::POST, path, None, None).await
    }

    pub async fn call(
        &self,
        method: Method,
        path: &str,
        if_match: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Answer, Failure> {
        let text = body.map(Value::to_string).unwrap_or_default();
        let mut request =
            http::Request::builder().method(method).uri(path).body(Body::from(text)).map_err(Failure::NoSuchPath)?;
        if body.is_some() {
            request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(tag) = if_match.and_then(|tag| HeaderValue::from_str(tag).ok()) {
            request.headers_mut().insert(header::IF_MATCH, tag);
        }
        // The budget has already let in the page as a whole.
        request.extensions_mut().insert(api::Admitted);
        request.extensions_mut().insert(RequestContext::ApiGatewayV2(self.context.clone()));
        let Ok(response) = self.router.clone().oneshot(request).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map_err(Failure::Cut)?.to_bytes();
        let etag = parts.headers.get(header::ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        if parts.status < StatusCode::BAD_REQUEST {
            Ok(Answer { etag, body })
        } else {
            Err(serde_json::from_slice(&body).map_or_else(Failure::Unreadable, Failure::Problem))
        }
    }
}
