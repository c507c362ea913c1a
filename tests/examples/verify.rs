//! Verifies one webhook request, given as JSON {"secret", "headers", "body"} on standard input.
//!
//! Prints "verified", or says why not and exits with 1. It needs the crates standardwebhooks, http, serde and
//! serde_json. In a receiver, `body` is the request's bytes exactly as they arrived: verify first, parse afterwards.

#![expect(clippy::print_stdout, reason = "a command line tool")]

use std::collections::HashMap;
use std::error::Error;

use http::HeaderMap;
use serde::Deserialize;
use standardwebhooks::Webhook;

#[derive(Deserialize)]
struct Request {
    secret: String,
    headers: HashMap<String, String>,
    body: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    let request: Request = serde_json::from_reader(std::io::stdin())?;
    let headers: HeaderMap = (&request.headers).try_into()?;
    // An error means: answer with 401.
    Webhook::new(&request.secret)?.verify(request.body.as_bytes(), &headers)?;
    println!("verified");
    Ok(())
}
