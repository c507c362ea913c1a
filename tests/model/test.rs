//! Runs `fanout`, `deliver` and `redrive` together on in-memory ports, under thousands of random schedules: crashes at
//! every call, lost, repeated and reordered messages, failing writes, wrong clocks, and receivers that fail, hang, lie
//! and recover. In the end, everything owed is delivered, or it is visible that it is not.
//!
//! `make soak DURATION=<seconds>` plays more schedules, `make soak SEED=<seed>` plays one that failed again.

#![expect(clippy::expect_used, clippy::panic, reason = "a model that cannot be set up is a broken test")]

mod api;
mod chaos;
mod custody;
mod doubles;
mod lag;
#[expect(dead_code, reason = "nothing is measured here")]
mod meter;
mod outage;
mod processes;
mod queue;
mod receivers;
mod requests;
mod schedule;
mod table;
mod ways;
mod witness;

/// How many schedules a test plays.
const SCHEDULES: u64 = 2_000;
const THREADS: u64 = 2;

#[test]
fn whatever_goes_wrong_everything_owed_is_delivered_or_visibly_not() {
    let play = |thread: u64| {
        let mut total = schedule::Report::default();
        for seed in (thread..SCHEDULES).step_by(usize::try_from(THREADS).expect("a few")) {
            match schedule::play(seed) {
                Ok(report) => total.add(report),
                Err(wrong) => panic!("seed {seed}: {wrong}"),
            }
        }
        total
    };
    let threads: Vec<_> = (0..THREADS).map(|thread| std::thread::spawn(move || play(thread))).collect();
    let mut total = schedule::Report::default();
    for thread in threads {
        total.add(thread.join().expect("every schedule closes"));
    }
    // Checks that the schedules had the faults that they are made for.
    assert!(total.delivered > 0 && total.exhausted > 0 && total.recovered > 0, "{total:?}");
    // A delivery that the audit recovered is still marked when it has ended.
    assert!(
        total.recovered > 0 && total.told > 0 && total.lost > 0 && total.crashes > 0 && total.attempts > total.owed,
        "{total:?}"
    );
    assert!(total.calls > 0 && total.failed_calls > 0 && total.cancelled > 0 && total.deleted > 0, "{total:?}");
    assert!(total.poisoned > 0 && total.races.late > 0 && total.races.overtaken > 0, "{total:?}");
    assert_eq!(total.owed, total.delivered + total.exhausted + total.cancelled);
}

#[test]
fn a_seed_always_plays_the_same() {
    for seed in 0..20 {
        let play = || format!("{:?}", schedule::play(seed).expect("it closes"));
        assert_eq!(play(), play(), "seed {seed}");
    }
}
