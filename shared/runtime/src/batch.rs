//! Runs the records of one invocation concurrently and independently: a record that fails, panics or is slow is
//! reported by its id and does not affect its neighbours.
//!
//! Invariant: records run beside each other, no more at once than allowed, and each on its own (tests:
//! `a_failing_or_panicking_record_is_reported_alone`, `a_slow_record_does_not_delay_its_neighbours`,
//! `no_more_records_run_at_once_than_allowed`).

use std::error::Error;
use std::future::Future;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tracing::Instrument;

use crate::telemetry::ErrorChain;

/// What should happen to a record's message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is done, and the queue may delete it.
    Acknowledge,
    /// It should be received again.
    Keep,
}

/// Handles every `(id, record)` with `handle`, at most `at_once` at a time, and returns the ids to be received again:
/// those that are kept, and those that failed or panicked. Failures are logged here, once, with all their causes.
pub async fn run<R, E, F>(
    records: Vec<(String, R)>,
    at_once: usize,
    handle: impl Fn(R) -> F + Clone + Send + 'static,
) -> Vec<String>
where
    R: Send + 'static,
    E: Error + Send + 'static,
    F: Future<Output = Result<Verdict, E>> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(at_once));
    let mut running = JoinSet::new();
    let mut ids = std::collections::HashMap::new();
    for (id, record) in records {
        let (places, handle) = (Arc::clone(&places), handle.clone());
        let span = tracing::info_span!("record", "message.id" = %id, "delivery.id" = tracing::field::Empty);
        let work = async move {
            // The semaphore is never closed. Without a permit the record would simply run without a bound.
            let _place = places.acquire_owned().await.ok();
            handle(record).await
        };
        ids.insert(running.spawn(work.instrument(span)).id(), id);
    }
    let mut again = Vec::new();
    while let Some(ended) = running.join_next_with_id().await {
        let (task, verdict) = match ended {
            Ok((task, Ok(verdict))) => (task, verdict),
            Ok((task, Err(error))) => {
                tracing::error!("message.id" = ids.get(&task), error = %ErrorChain(&error), "a record failed and will be received again");
                (task, Verdict::Keep)
            }
            Err(panic) => {
                tracing::error!("message.id" = ids.get(&panic.id()), error = %panic, "a record panicked and will be received again");
                (panic.id(), Verdict::Keep)
            }
        };
        let id = ids.remove(&task);
        if verdict == Verdict::Keep {
            again.extend(id);
        }
    }
    again.sort();
    again
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("broken")]
    struct Broken;

    #[tokio::test]
    async fn a_failing_or_panicking_record_is_reported_alone() {
        let records = ["ok", "keep", "fail", "panic"].map(|name| (name.to_owned(), name)).to_vec();
        let again = run(records, 2, |name| async move {
            match name {
                "ok" => Ok(Verdict::Acknowledge),
                "keep" => Ok(Verdict::Keep),
                "fail" => Err(Broken),
                _ => panic!("boom"),
            }
        })
        .await;
        assert_eq!(again, ["fail", "keep", "panic"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_record_does_not_delay_its_neighbours() {
        let started = tokio::time::Instant::now();
        let records = (0..10u64).map(|n| (n.to_string(), n)).collect();
        run(records, 10, |_| async {
            tokio::time::sleep(std::time::Duration::from_secs(15)).await;
            Ok::<_, Broken>(Verdict::Acknowledge)
        })
        .await;
        assert_eq!(started.elapsed().as_secs(), 15);
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_records_run_at_once_than_allowed() {
        let started = tokio::time::Instant::now();
        let records = (0..10u64).map(|n| (n.to_string(), n)).collect();
        run(records, 5, |_| async {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            Ok::<_, Broken>(Verdict::Acknowledge)
        })
        .await;
        assert_eq!(started.elapsed().as_secs(), 2);
    }
}
