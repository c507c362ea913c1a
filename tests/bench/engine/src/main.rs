//! Measures what `fanout` and `deliver` cost: the programs that are deployed, run by a stand-in for Lambda, with stand-ins for
//! the table, the queues, the key and the receivers, all of them in this process and on this machine. Beside them, in the same
//! run, the floor: a minimal loop that signs the same bytes and posts them.
//!
//! It counts the processor time of the functions' processes alone, so what the stand-ins take does not matter. They answer at
//! once, or after `LATENCY_MS`. `make bench ONLY=engine` runs it; it writes `target/bench/engine.json` and ends with an error
//! where a goal is missed.

#![expect(clippy::disallowed_methods, reason = "this is the world outside the system: it has no ports")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool")]

mod aws;
mod cold;
mod dollars;
mod floor;
mod goals;
mod lambda;
mod load;
mod receiver;
mod report;
mod server;
mod stats;
mod table;
mod world;

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use serde_json::json;

use crate::dollars::Prices;
use crate::goals::Figures;
use crate::load::Load;
use crate::world::{Account, World, root};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

const KB: usize = 1_024;

/// An account, and the sizes of events, with the batches of a sample of each function.
const LOADS: [(Account, usize, usize, usize); 14] = [
    (Account::http(1), KB, 40, 40),
    (Account::http(3), KB, 40, 40),
    (Account::http(10), KB, 20, 40),
    (Account::http(100), KB, 3, 40),
    (Account::http(1), 16 * KB, 20, 20),
    (Account::http(3), 16 * KB, 20, 20),
    (Account::http(10), 16 * KB, 10, 20),
    (Account::http(1), 200 * KB, 4, 4),
    (Account::http(10), 200 * KB, 2, 10),
    (Account::https(1), KB, 40, 40),
    (Account::https(10), KB, 10, 40),
    (Account::https(1), 16 * KB, 20, 20),
    (Account::https(10), 16 * KB, 10, 20),
    (Account::https(10), 200 * KB, 2, 10),
];

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
    let mut arguments = std::env::args().skip(1).map(PathBuf::from);
    let (Some(programs), Some(hello)) = (arguments.next(), arguments.next()) else {
        return Err("usage: engine <the functions, such as target/lambda> <the program hello>".into());
    };
    let latency = std::env::var("LATENCY_MS").ok().and_then(|ms| ms.parse().ok()).unwrap_or_default();
    let output = root().join("target/bench");
    std::fs::create_dir_all(&output)?;
    let mut world = World::new(programs, &output, Duration::from_millis(latency)).await?;
    let over_http = [1, 3, 10, 100].map(Account::http);
    let over_https = [1, 10].map(Account::https);
    world.create(&[&over_http[..], &over_https].concat()).await?;
    let body = world.events(Account::http(1), KB, 1)?.concat().into_bytes();
    let floor = floor::measure(&world.receivers, body).await?;
    let mut loads = Vec::new();
    for (account, bytes, fanout_batches, deliver_batches) in LOADS {
        eprintln!("measuring {} with events of {} KB, fan-out {} …", account.scheme(), bytes / KB, account.fan_out);
        loads.push(load::measure(&mut world, Load { account, bytes, fanout_batches, deliver_batches }).await?);
    }
    eprintln!("measuring cold starts …");
    let cold_starts = cold::measure(&mut world, &hello).await?;
    let prices = Prices::read()?;
    let is_priced = |load: &&load::Measured| load.scheme == "http" && load.fan_out <= 10 && load.bytes <= 16 * KB;
    let bills = loads.iter().filter(is_priced).map(|load| prices.bill(load)).collect();
    let figures = Figures { floor, loads, cold_starts, bills };
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
