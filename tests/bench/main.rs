//! What one destination costs the others, and how exactly a rate limit is kept: measured on a deployment, from the push of an event
//! to its arrival at a receiver; and what the pages of the portal take. `make bench` runs it against a deployment of its own.
//!
//! Only ratios within one run are judged; the milliseconds are this machine's, and the local AWS's more than ours.

#![expect(clippy::disallowed_methods, reason = "this is the world outside the system: it has no ports")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool")]

mod hanging;
mod pages;
mod rate;
mod table;

use std::process::ExitCode;

use harness::{Deployment, Failure, Result};

const PARTS: [&str; 3] = ["rate", "hanging", "pages"];

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match measure().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("failed: {failure:?}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything is within its bounds, or the part that is named.
async fn measure() -> Result<bool> {
    let only = std::env::args().nth(1);
    if let Some(other) = only.as_deref().filter(|only| !PARTS.contains(only)) {
        return Err(Failure::new(format!(
            "there is no {other} to measure: name one of {}, or none for all",
            PARTS.join(", ")
        )));
    }
    let is_asked = |name: &str| only.as_deref().is_none_or(|only| only == name);
    let deployment = Deployment::from_env()?;
    let mut all = true;
    // The rate first: what the next one leaves to be retried would not disturb it, but need not be explained either.
    if is_asked("rate") {
        all &= rate::measure(&deployment).await?;
    }
    if is_asked("hanging") {
        all &= hanging::measure(&deployment).await?;
    }
    if is_asked("pages") {
        all &= pages::measure(&deployment).await?;
    }
    Ok(all)
}

/// The verdict as a word.
fn verdict(is_within: bool) -> &'static str {
    if is_within { "within bounds" } else { "OUT OF BOUNDS" }
}
