//! Adds the header `server-timing` (W3C Server Timing) to each answer: how long the page took, in milliseconds.
//! Browsers show it beside the request. The time that Lambda and API Gateway take is not included.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderValue;
use tokio::time::Instant;

pub async fn tell(request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let mut response = next.run(request).await;
    let took = begun.elapsed().as_secs_f64() * 1_000.0;
    if let Ok(value) = HeaderValue::from_str(&format!("total;dur={took:.1}")) {
        response.headers_mut().insert("server-timing", value);
    }
    response
}
