//! Runs the records of one invocation concurrently and independently: a record that fails, panics or is slow is
//! reported by its id and does not affect its neighbours.
//!
//! A record that failed through our fault is received again soon: its message is hidden for 2 s after the first
//! receive, then for 4, 8, 16 s and so on up to 10 minutes, each time up to a fifth longer by chance. The 20 receives
//! before the dead-letter queue thus span at least 1 h 57 min. If hiding fails too, or the whole invocation ends early,
//! the queue's own visibility timeout of 360 s applies.
//!
//! Invariant: records run beside each other, no more at once than allowed, and each on its own (tests:
//! `a_failing_or_panicking_record_is_reported_alone`, `a_slow_record_does_not_delay_its_neighbours`,
//! `no_more_records_run_at_once_than_allowed`).
//!
//! Invariant: a record that failed or panicked is hidden for a short time that grows with its receives, while its
//! neighbours still run; one that is kept is hidden as its handler chose (tests:
//! `what_failed_or_panicked_is_hidden_for_a_short_growing_time_and_nothing_else_is`,
//! `a_record_is_given_back_while_a_slow_neighbour_still_runs`,
//! `a_record_that_cannot_be_hidden_is_reported_all_the_same`).
//!
//! Invariant: 20 receives outlast an outage of nearly two hours (tests:
//! `twenty_receives_last_as_long_as_those_of_the_queue_alone`).

use std::collections::HashMap;
use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use domain::value::TraceParent;
use ports::{Entropy, EntropyExt, Postpone};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tracing::field::Empty;
use tracing::{Instrument, Span};

use crate::telemetry::ErrorChain;

/// The wait after the first receive, which doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// The longest wait, without the random part.
const LONGEST_WAIT: Duration = Duration::from_secs(600);
/// How long hiding a message may take: the invocation may be about to end.
const HIDING: Duration = Duration::from_secs(2);

/// What should happen to a record's message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is done, and the queue may delete it.
    Acknowledge,
    /// It should be received again. Its handler has said when.
    Keep,
}

/// One record of a batch.
#[derive(Debug)]
pub struct Record<R> {
    /// Identifies it when it is reported.
    pub id: String,
    /// The handle by which its message is hidden.
    pub receipt: String,
    /// How often its message was received, including this time.
    pub receives: u32,
    pub content: R,
}

/// Gives records back that failed through our fault.
#[derive(Clone)]
pub struct GiveBack {
    /// The queue that the records come from.
    pub queue: Arc<dyn Postpone>,
    pub entropy: Arc<dyn Entropy>,
}

impl GiveBack {
    /// Hides the message for a short time. If that fails, the queue's own visibility timeout applies.
    async fn hide(self, id: String, receipt: String, receives: u32) {
        let [chance] = self.entropy.bytes().unwrap_or_default();
        let hidden = tokio::time::timeout(HIDING, self.queue.postpone(&receipt, wait_after(receives, chance))).await;
        match hidden {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!("message.id" = id, error = %ErrorChain(&error), "a record that failed could not be given back early");
            }
            Err(error) => {
                tracing::warn!("message.id" = id, %error, "a record that failed could not be given back early");
            }
        }
    }
}

/// How long a message is hidden after our failure. `chance` lengthens that by up to a fifth, so that messages which
/// failed together do not come back together.
fn wait_after(receives: u32, chance: u8) -> Duration {
    let doubled = 2_u32.saturating_pow(receives.saturating_sub(1));
    let wait = FIRST_WAIT.saturating_mul(doubled).min(LONGEST_WAIT);
    wait + wait * u32::from(chance) / (5 * u32::from(u8::MAX))
}

/// Puts the producer's trace that a record belongs to, if there is one, into each line that is logged from here on while it
/// is handled.
pub fn log_trace(producers: Option<TraceParent>) {
    if let Some(traceparent) = producers {
        Span::current().record("trace_id", traceparent.trace_id());
    }
}

/// Handles the content of every record with `handle`, at most `at_once` at a time, and returns the ids to be received
/// again: those that are kept, and those that failed or panicked. The latter are given back, and logged here, once,
/// with all their causes. Each line that is logged meanwhile has the trace that Lambda gave the invocation (`lambdas`),
/// under the name that Lambda's runtime uses.
pub async fn run<R, E, F>(
    records: Vec<Record<R>>,
    at_once: usize,
    give_back: &GiveBack,
    lambdas: Option<&str>,
    handle: impl Fn(R) -> F + Clone + Send + 'static,
) -> Vec<String>
where
    R: Send + 'static,
    E: Error + Send + 'static,
    F: Future<Output = Result<Verdict, E>> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(at_once));
    let (mut running, mut hiding) = (JoinSet::new(), JoinSet::new());
    let mut messages = HashMap::new();
    for Record { id, receipt, receives, content } in records {
        let (places, handle) = (Arc::clone(&places), handle.clone());
        let span = tracing::info_span!("record", "message.id" = %id, "delivery.id" = Empty, trace_id = Empty, xrayTraceId = lambdas);
        let work = async move {
            // The semaphore is never closed. Without a permit, the record would simply run unlimited.
            let _place = places.acquire_owned().await.ok();
            handle(content).await
        };
        messages.insert(running.spawn(work.instrument(span)).id(), (id, receipt, receives));
    }
    let mut again = Vec::new();
    while let Some(ended) = running.join_next_with_id().await {
        let task = ended.as_ref().map_or_else(tokio::task::JoinError::id, |(task, _)| *task);
        let Some((id, receipt, receives)) = messages.remove(&task) else { continue };
        let failed = match ended {
            Ok((_, Ok(Verdict::Acknowledge))) => continue,
            Ok((_, Ok(Verdict::Keep))) => false,
            Ok((_, Err(error))) => {
                tracing::error!(counted = "failed_record", "message.id" = id, error = %ErrorChain(&error), "a record failed and will be received again");
                true
            }
            Err(panic) => {
                tracing::error!(counted = "failed_record", "message.id" = id, error = %panic, "a record panicked and will be received again");
                true
            }
        };
        if failed {
            hiding.spawn(give_back.clone().hide(id.clone(), receipt, receives));
        }
        again.push(id);
    }
    while hiding.join_next().await.is_some() {}
    again.sort();
    again
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, Ordering};

    use async_trait::async_trait;
    use ports::{PortError, PortResult};

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("broken")]
    struct Broken;

    /// Notes what is hidden, and for how long.
    #[derive(Default)]
    struct Hidden {
        seen: Mutex<Vec<(String, Duration)>>,
        failing: AtomicBool,
    }

    #[async_trait]
    impl Postpone for Hidden {
        async fn postpone(&self, receipt: &str, wait: Duration) -> PortResult<()> {
            self.seen.lock().expect("a lock").push((receipt.to_owned(), wait));
            if self.failing.load(Ordering::SeqCst) {
                return Err(PortError::transient("postponing", "a failure was asked for"));
            }
            Ok(())
        }
    }

    impl Hidden {
        fn take(&self) -> Vec<(String, Duration)> {
            let mut seen = std::mem::take(&mut *self.seen.lock().expect("a lock"));
            seen.sort();
            seen
        }
    }

    struct NoChance;

    impl Entropy for NoChance {
        fn fill(&self, _bytes: &mut [u8]) -> PortResult<()> {
            Err(PortError::permanent("drawing", "there is no chance"))
        }
    }

    fn give_back() -> (Arc<Hidden>, GiveBack) {
        let queue = Arc::new(Hidden::default());
        (queue.clone(), GiveBack { queue, entropy: Arc::new(NoChance) })
    }

    fn record<R>(id: impl ToString, receives: u32, content: R) -> Record<R> {
        Record { id: id.to_string(), receipt: format!("receipt-{}", id.to_string()), receives, content }
    }

    fn numbered() -> Vec<Record<u64>> {
        (0..10).map(|n| record(n, 1, n)).collect()
    }

    async fn handle(name: &str) -> Result<Verdict, Broken> {
        match name {
            "ok" => Ok(Verdict::Acknowledge),
            "keep" => Ok(Verdict::Keep),
            "fail" => Err(Broken),
            _ => panic!("boom"),
        }
    }

    #[tokio::test]
    async fn a_failing_or_panicking_record_is_reported_alone() {
        let records = ["ok", "keep", "fail", "panic"].map(|name| record(name, 1, name)).into();
        assert_eq!(run(records, 2, &give_back().1, None, handle).await, ["fail", "keep", "panic"]);
    }

    #[tokio::test]
    async fn what_failed_or_panicked_is_hidden_for_a_short_growing_time_and_nothing_else_is() {
        let (queue, give_back) = give_back();
        for (receives, seconds) in [(1, 2), (2, 4), (3, 8), (9, 512), (10, 600), (20, 600), (u32::MAX, 600)] {
            let records = ["ok", "keep", "fail", "panic"].map(|name| record(name, receives, name)).into();
            run(records, 10, &give_back, None, handle).await;
            let wait = Duration::from_secs(seconds);
            assert_eq!(queue.take(), [("receipt-fail".to_owned(), wait), ("receipt-panic".to_owned(), wait)]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_record_is_given_back_while_a_slow_neighbour_still_runs() {
        let (queue, give_back) = give_back();
        let records = vec![record("fail", 1, true), record("slow", 1, false)];
        let running = run(records, 10, &give_back, None, |fails| async move {
            if fails {
                return Err(Broken);
            }
            tokio::time::sleep(Duration::from_secs(15)).await;
            Ok(Verdict::Acknowledge)
        });
        tokio::pin!(running);
        assert!(tokio::time::timeout(Duration::from_secs(1), &mut running).await.is_err());
        assert_eq!(queue.take().len(), 1);
        assert_eq!(running.await, ["fail"]);
    }

    #[tokio::test]
    async fn a_record_that_cannot_be_hidden_is_reported_all_the_same() {
        let (queue, give_back) = give_back();
        queue.failing.store(true, Ordering::SeqCst);
        assert_eq!(run(vec![record("fail", 1, "fail")], 10, &give_back, None, handle).await, ["fail"]);
    }

    #[test]
    fn twenty_receives_last_as_long_as_those_of_the_queue_alone() {
        let between = |chance| (1..20).map(|receives| wait_after(receives, chance)).sum::<Duration>();
        assert_eq!(between(0), Duration::from_secs(7_022), "1 h 57 min at least");
        assert!(between(0) >= 19 * Duration::from_secs(360));
        assert_eq!(between(u8::MAX).as_secs(), 8_426, "2 h 20 min at most");
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_record_does_not_delay_its_neighbours() {
        let started = tokio::time::Instant::now();
        run(numbered(), 10, &give_back().1, None, |_| async {
            tokio::time::sleep(Duration::from_secs(15)).await;
            Ok::<_, Broken>(Verdict::Acknowledge)
        })
        .await;
        assert_eq!(started.elapsed().as_secs(), 15);
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_records_run_at_once_than_allowed() {
        let started = tokio::time::Instant::now();
        run(numbered(), 5, &give_back().1, None, |_| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok::<_, Broken>(Verdict::Acknowledge)
        })
        .await;
        assert_eq!(started.elapsed().as_secs(), 2);
    }
}
