//! What is written when, and that it is what CloudWatch reads.

use std::future::pending;

use serde_json::{Value, json};
use testing::{MetricLines, TestClock};

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn metrics() -> (Metrics, MetricLines) {
    let lines = MetricLines::default();
    (Metrics::new("stack", Arc::new(TestClock::new()), lines.sink()), lines)
}

/// Everything that can be counted, with so many values of each time.
fn count_everything(metrics: &Metrics, values: usize) {
    Count::ALL.iter().for_each(|count| metrics.add(*count, 7));
    for _ in 0..values {
        Time::ALL.iter().for_each(|time| metrics.took(*time, Duration::from_millis(12_345)));
    }
}

#[test]
fn every_line_follows_the_rules_of_the_format() {
    let (metrics, lines) = metrics();
    count_everything(&metrics, 99);
    metrics.write();
    let [line] = lines.take().try_into().expect("one line");
    assert_eq!((&line["level"], &line["message"]), (&Value::from("INFO"), &Value::from("metrics")));
    assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Namespace"], "stack");
    assert_eq!(lines.names(&line).len(), Count::ALL.len() + Time::ALL.len());
    let at = line["timestamp"].as_str().and_then(|text| domain::value::Timestamp::parse(text).ok());
    assert_eq!(at.map(|at| at.unix_ms()), line["_aws"]["Timestamp"].as_u64());
}

#[tokio::test]
async fn an_invocation_writes_one_line_and_one_without_figures_writes_none() {
    let (metrics, lines) = metrics();
    metrics.of_invocation(MINUTE, async { metrics.add(Count::EventsIgnored, 0) }).await;
    assert_eq!(lines.take(), Vec::<Value>::new());
    for nth in 1..3 {
        let work = async {
            metrics.add(Count::EventsMatched, 2);
            tokio::task::yield_now().await;
            metrics.add(Count::EventsMatched, nth);
            metrics.took(Time::EventLag, Duration::from_millis(5));
        };
        metrics.of_invocation(MINUTE, work).await;
        let [line] = lines.take().try_into().expect("one line");
        assert_eq!((&line["EventsMatched"], &line["EventLag"]), (&Value::from(2 + nth), &json!([5])));
    }
}

#[tokio::test]
async fn what_was_counted_is_written_however_the_work_ends() {
    let (metrics, lines) = metrics();
    let metrics = Arc::new(metrics);
    let panicking = Arc::clone(&metrics);
    let ended = tokio::spawn(async move {
        let work = async {
            panicking.add(Count::EventsMatched, 1);
            panic!("boom");
        };
        panicking.of_invocation::<()>(MINUTE, work).await;
    });
    ended.await.expect_err("a panic");
    assert_eq!(lines.sum("EventsMatched"), 1);
    let dropped = async {
        metrics.add(Count::EventsMatched, 2);
        pending::<()>().await;
    };
    let given_up = timeout(Duration::from_millis(1), metrics.of_invocation(MINUTE, dropped)).await;
    given_up.expect_err("it never ends");
    assert_eq!(lines.sum("EventsMatched"), 3);
}

#[tokio::test(start_paused = true)]
async fn what_outlasts_the_invocation_is_written_before_it_ends() {
    let (metrics, lines) = metrics();
    let work = metrics.of_invocation(MINUTE, async {
        metrics.add(Count::EventsMatched, 1);
        pending::<()>().await;
    });
    let mut work = pin!(work);
    assert!(timeout(Duration::from_millis(58_999), work.as_mut()).await.is_err());
    assert_eq!(lines.sum("EventsMatched"), 0);
    assert!(timeout(Duration::from_millis(500), work.as_mut()).await.is_err());
    assert_eq!(lines.sum("EventsMatched"), 1, "half a second is left");
}

#[test]
fn the_hundredth_value_writes_a_line_so_that_no_metric_grows_without_bound() {
    let (metrics, lines) = metrics();
    for ms in 0..250 {
        metrics.took(Time::AttemptLatency, Duration::from_millis(ms));
    }
    metrics.write();
    let lengths =
        lines.take().iter().map(|line| line["AttemptLatency"].as_array().map_or(0, Vec::len)).collect::<Vec<_>>();
    assert_eq!(lengths, [100, 100, 50]);
    assert_eq!(lines.values("AttemptLatency"), (0..250).collect::<Vec<_>>());
}
