//! Measures how much memory the worst permitted input takes, and a deployment: how much one destination and
//! bad neighbours delay others, how exactly a rate limit is kept, and how long the pages of the portal take. `make bench` runs it against a deployment of its own.
//!
//! Only ratios within one run are judged. The milliseconds depend on the machine, and on the local AWS more than on our
//! code.

#![expect(clippy::disallowed_methods, reason = "this is the world outside the system: it has no ports")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool")]

mod hanging;
mod memory;
mod neighbours;
mod pages;
mod rate;
mod table;
mod visitor;
mod worst;

use std::process::ExitCode;

use harness::{Deployment, Failure, Result};

const PARTS: [&str; 5] = ["memory", "rate", "hanging", "neighbours", "pages"];

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

/// Returns whether everything, or the named part, is within its bounds.
async fn measure() -> Result<bool> {
    let only = std::env::args().nth(1);
    if only.as_deref() == Some(memory::MEASURED) {
        return memory::measured().await.map(|()| true);
    }
    if let Some(other) = only.as_deref().filter(|only| !PARTS.contains(only)) {
        return Err(Failure::new(format!(
            "there is no {other} to measure: name one of {}, or none for all",
            PARTS.join(", ")
        )));
    }
    let is_asked = |name: &str| only.as_deref().is_none_or(|only| only == name);
    let mut all = true;
    if is_asked("memory") {
        all &= memory::measure()?;
    }
    if only.as_deref() == Some("memory") {
        return Ok(all);
    }
    let deployment = Deployment::from_env()?;
    // The rate comes first, so that no retries of the next part have to be explained in its result.
    if is_asked("rate") {
        all &= rate::measure(&deployment).await?;
    }
    if is_asked("hanging") {
        all &= hanging::measure(&deployment).await?;
    }
    if is_asked("neighbours") {
        all &= neighbours::measure(&deployment).await?;
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
