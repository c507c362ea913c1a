//! Measures how much memory the worst permitted input takes, and, on a deployment: how much one destination, a hostile
//! account and bad neighbours delay others, how exactly a rate limit is kept, and how long the pages of the portal
//! take. `make bench` runs it against its own deployment.
//!
//! Only ratios within one run are judged. The milliseconds depend on the machine, and on the local AWS more than on our
//! code.

#![expect(clippy::disallowed_methods, reason = "this code is outside of the system and has no ports")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool")]

mod hanging;
mod hostile;
mod memory;
mod neighbours;
mod pages;
mod rate;
mod visitor;
mod worst;

use std::process::ExitCode;

use harness::{Deployment, Failure, Result};

const PARTS: [&str; 6] = ["memory", "rate", "hanging", "hostile", "neighbours", "pages"];

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
    // The rate comes first, so that the retries of the next part do not disturb its result.
    if is_asked("rate") {
        all &= rate::measure(&deployment).await?;
    }
    if is_asked("hanging") {
        all &= hanging::measure(&deployment).await?;
    }
    if is_asked("hostile") {
        all &= hostile::measure(&deployment).await?;
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

/// The smallest of the values that `percent` of them do not exceed.
fn percentile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (values.len() * percent).div_ceil(100);
    values.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}
