//! Tells with each answer how long it took to make, in the header that browsers show beside a request (W3C Server Timing). What
//! Lambda and API Gateway take is not in it.

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
