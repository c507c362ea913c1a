//! What one destination costs the others, and how exactly a rate limit is kept: measured on a deployment, from the push of an event
//! to its arrival at a receiver; and what the pages of the portal take. `make bench` runs it against a deployment of its own.
//!
//! Only ratios within one run are judged; the milliseconds are this machine's, and the local AWS's more than ours.

#![expect(clippy::disallowed_methods, reason = "this is the world outside the system: it has no ports")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool")]

mod hanging;
mod pages;
mod rate;

use std::process::ExitCode;

use tests::{Deployment, Result};

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

/// Whether everything is within its bounds.
async fn measure() -> Result<bool> {
    let deployment = Deployment::from_env()?;
    // The rate first: what the other one leaves to be retried would not disturb it, but need not be explained either.
    let rate = rate::measure(&deployment).await?;
    let hanging = hanging::measure(&deployment).await?;
    let pages = pages::measure(&deployment).await?;
    Ok(rate && hanging && pages)
}

/// The verdict as a word.
fn verdict(is_within: bool) -> &'static str {
    if is_within { "within bounds" } else { "OUT OF BOUNDS" }
}
