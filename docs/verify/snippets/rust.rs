// cargo add axum@0.8.9 standardwebhooks@1.0.1 && cargo add tokio@1 --features full
use std::{env, error::Error, sync::Arc};

use axum::http::{HeaderMap, StatusCode};
use axum::{Router, body::Bytes, extract::State, routing::post};
use standardwebhooks::Webhook;

// `body` has the bytes as they arrived: verify first, parse afterwards.
async fn receive(webhook: State<Arc<Webhook>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    if webhook.verify(&body, &headers).is_err() {
        return StatusCode::UNAUTHORIZED;
    }
    // Delivery is at least once: remember webhook-id, and skip a request whose id you have seen.
    StatusCode::NO_CONTENT
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let secret = env::var("SYNCHUB_WEBHOOK_SECRET").unwrap_or_default();
    if secret.is_empty() {
        return Err("SYNCHUB_WEBHOOK_SECRET is not set".into());
    }
    let webhook = Arc::new(Webhook::new(&secret)?);
    let app = Router::new().route("/hooks", post(receive)).with_state(webhook);
    let port = env::var("PORT").unwrap_or_else(|_| "8000".to_owned());
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    Ok(axum::serve(listener, app).await?)
}
