//! The model test for any length of time: `soak <seconds>` plays schedules that no run has played before, and stops at
//! the first that fails, printing its seed. `soak seed <seed>` plays one again.

#![expect(clippy::expect_used, reason = "a model that cannot be set up is a broken test")]
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a command line tool")]

mod chaos;
mod doubles;
mod processes;
mod queue;
mod receivers;
mod schedule;

use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["seed", seed] => match seed.parse() {
            Ok(seed) => report(seed, schedule::play(seed)),
            Err(_) => usage(),
        },
        [seconds] => seconds.parse().map_or_else(|_| usage(), |seconds| soak(Duration::from_secs(seconds))),
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    println!("usage: soak <seconds> | soak seed <seed>");
    ExitCode::FAILURE
}

fn soak(limit: Duration) -> ExitCode {
    let began = Instant::now();
    let first = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    let first = u64::try_from(first).unwrap_or_default();
    let (mut total, mut told) = (schedule::Report::default(), Duration::ZERO);
    for n in 0.. {
        let seed = first.wrapping_add(n);
        match schedule::play(seed) {
            Ok(report) => total.add(report),
            wrong => return report(seed, wrong),
        }
        if began.elapsed() >= limit {
            println!("{} schedules closed: {total:?}", n + 1);
            break;
        }
        if began.elapsed() - told >= Duration::from_secs(10) {
            told = began.elapsed();
            println!("{} schedules, {} s", n + 1, told.as_secs());
        }
    }
    ExitCode::SUCCESS
}

fn report(seed: u64, played: Result<schedule::Report, String>) -> ExitCode {
    match played {
        Ok(report) => {
            println!("seed {seed}: {report:?}");
            ExitCode::SUCCESS
        }
        Err(wrong) => {
            println!("seed {seed}: {wrong}");
            ExitCode::FAILURE
        }
    }
}
