//! Measures what `fanout` and `deliver` cost: the programs that are deployed, run by a stand-in for Lambda, with stand-ins for
//! the table, the queues, the key and the receivers, all of them in this process and on this machine. Beside them, in the same
//! run, the floor: a minimal loop that signs the same bytes and posts them.
//!
//! It counts the processor time of the functions' processes alone, so what the stand-ins take does not matter. Where elapsed
//! time is told, they share this machine with the functions. They answer at once, or after `LATENCY_MS`. `make bench ONLY=engine`
//! runs it; it writes `target/bench/engine.json` and ends with an error where a goal is missed. A third argument names a part
//! that is measured alone.

#![expect(clippy::disallowed_methods, reason = "this is the world outside the system: it has no ports")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool")]

mod account;
mod allocations;
mod aws;
mod batches;
mod cold;
mod crowds;
mod dollars;
mod due;
mod failing;
mod fleet;
mod floor;
mod goals;
mod growth;
mod isolation;
mod lambda;
mod ledger;
mod load;
mod parts;
mod receiver;
mod redrive;
mod report;
mod requests;
mod server;
mod stats;
mod table;
mod tls;
mod world;

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use serde_json::json;

use crate::dollars::Prices;
use crate::world::{World, root};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

const KB: usize = 1_024;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    match measure().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("failed: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns whether no goal is missed.
async fn measure() -> Result<bool> {
    let mut arguments = std::env::args().skip(1);
    let paths = (arguments.next().map(PathBuf::from), arguments.next().map(PathBuf::from));
    let part = arguments.next().filter(|part| !part.is_empty());
    let is_known = part.as_ref().is_none_or(|part| parts::PARTS.contains(&part.as_str()));
    let (Some(programs), Some(hello), true) = (paths.0, paths.1, is_known) else {
        let known = parts::PARTS.join(", ");
        let usage = "usage: engine <the functions, such as target/lambda> <the program hello> [a part]";
        return Err(format!("{usage}, where a part is one of {known}").into());
    };
    let latency = std::env::var("LATENCY_MS").ok().and_then(|ms| ms.parse().ok()).unwrap_or_default();
    let output = root().join("target/bench");
    std::fs::create_dir_all(&output)?;
    let mut world = World::new(programs, &output, Duration::from_millis(latency)).await?;
    let prices = Prices::read()?;
    let figures = parts::measure(&mut world, part.as_deref(), &hello, &prices).await?;
    let goals = figures.goals();
    report::print(&figures, &goals, &prices);
    let file = output.join("engine.json");
    let all = json!({
        "commit": commit(), "machine": machine(), "latency_ms": latency, "prices": prices.checked,
        "goals": goals, "figures": figures
    });
    std::fs::write(&file, serde_json::to_string_pretty(&all)? + "\n")?;
    println!("commit {}, {}; all figures: target/bench/engine.json", commit(), machine());
    Ok(!goals.iter().any(goals::Goal::is_missed))
}

fn commit() -> String {
    let output = Command::new("git").args(["describe", "--always", "--dirty"]).current_dir(root()).output();
    output.map_or_else(|_| "unknown".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    model.map_or_else(|| "an unknown processor".to_owned(), |(_, name)| name.trim().to_owned())
}
