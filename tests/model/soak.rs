//! The model test for any length of time. `soak <seconds>` plays schedules that no run has played before, `soak count
//! <n>` those of the seeds from 0 on. Both use all processors, and print how many schedules they played and how fast.
//! Schedules that fail are printed with their seeds; after 20 of them it ends. `soak seed <seed>` plays one again.

#![expect(clippy::expect_used, reason = "a model that cannot be set up is a broken test")]
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a command line tool")]

mod api;
#[expect(dead_code, reason = "every process has faults here")]
mod chaos;
mod custody;
mod doubles;
mod lag;
#[expect(dead_code, reason = "nothing is measured here")]
mod meter;
mod processes;
mod queue;
mod receivers;
mod requests;
mod schedule;
mod table;
mod ways;
mod witness;

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// How many schedules may fail before no further one is played.
const MOST_FAILED: u64 = 20;
const REPORT_EVERY: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["seed", seed] => seed.parse().map_or_else(|_| usage(), again),
        ["count", count] => count.parse().map_or_else(|_| usage(), |count| soak(0, count, Duration::MAX)),
        [seconds] => {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
            let first = u64::try_from(now).unwrap_or_default();
            seconds.parse().map_or_else(|_| usage(), |seconds| soak(first, u64::MAX, Duration::from_secs(seconds)))
        }
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    println!("usage: soak <seconds> | soak count <n> | soak seed <seed>");
    ExitCode::FAILURE
}

/// Plays `count` schedules from the seed `first` on, or as many as the time allows.
fn soak(first: u64, count: u64, limit: Duration) -> ExitCode {
    let (began, next, failed) = (Instant::now(), AtomicU64::new(0), AtomicU64::new(0));
    let rate = |played: u64| played as f64 / began.elapsed().as_secs_f64();
    let play = |is_first: bool| {
        let (mut total, mut told, mut played) = (schedule::Report::default(), Duration::ZERO, 0);
        while began.elapsed() < limit && failed.load(Ordering::SeqCst) < MOST_FAILED {
            let n = next.fetch_add(1, Ordering::SeqCst);
            if n >= count {
                break;
            }
            let seed = first.wrapping_add(n);
            played += 1;
            match schedule::play(seed) {
                Ok(report) => total.add(report),
                Err(wrong) => {
                    failed.fetch_add(1, Ordering::SeqCst);
                    println!("seed {seed}: {wrong}");
                }
            }
            if is_first && began.elapsed() - told >= REPORT_EVERY {
                told = began.elapsed();
                println!("{n} schedules, {} s, {:.0} a second", told.as_secs(), rate(n));
            }
        }
        (total, played)
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (mut total, mut played) = (schedule::Report::default(), 0_u64);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|n| scope.spawn(move || play(n == 0))).collect();
        for thread in threads {
            let (its_total, its_played) = thread.join().expect("no schedule panics");
            total.add(its_total);
            played += its_played;
        }
    });
    let failed = failed.load(Ordering::SeqCst);
    println!(
        "{played} schedules in {} s, {:.0} a second, {failed} failed: {total:?}",
        began.elapsed().as_secs(),
        rate(played)
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn again(seed: u64) -> ExitCode {
    match schedule::play(seed) {
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
