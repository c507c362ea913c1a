//! The deployed alarms, and whether what happens would set them off. CloudWatch's part is played here, because the local AWS
//! neither applies metric filters nor publishes the metrics of AWS that the alarms look at.
//!
//! The filters, thresholds, comparisons and numbers of periods are the deployed ones. Only the length of a period is not:
//! in each, a trial lets the ill show itself once, so that it need not wait for minutes. When the state of an alarm
//! changes, the local AWS is told, which then sends what the alarm sends.

use std::time::Duration;

use harness::eventually::eventually;
use harness::failure::OrFailure;
use harness::signed_http::endpoint;
use harness::{Failure, Result};
use http::Request;
use serde_json::Value;
use tests::function;

use crate::bench::{Bench, STACK, now};
use crate::pattern::Pattern;

/// How long a line may take to be in the log.
const SOON: Duration = Duration::from_secs(60);

/// One alarm, from the beginning of a trial on.
pub struct Watch<'b> {
    bench: &'b Bench,
    pub name: String,
    alarm: Value,
    filters: Vec<Filter>,
    since: i64,
    /// What the alarm's statistic is in each period so far; `None` without data.
    periods: Vec<Option<f64>>,
    /// How many lines at most are counted in one period.
    at_once: usize,
    /// One of these stands for so many of what the alarm counts.
    scale: f64,
}

/// A metric filter that feeds the alarm's metric.
struct Filter {
    function: String,
    pattern: Pattern,
    /// `1`, or the property of the line that is the value.
    value: String,
    /// How many lines were counted in earlier periods.
    counted: usize,
}

impl<'b> Watch<'b> {
    pub fn on(bench: &'b Bench, name: &str) -> Result<Self> {
        let full = format!("{}-{name}", STACK);
        let alarm = bench.alarms.iter().find(|alarm| alarm["AlarmName"] == *full);
        let alarm = alarm.or_failure(|| format!("no alarm {full} is deployed"))?.clone();
        let mut filters = Vec::new();
        for filter in &bench.filters {
            for metric in filter["metricTransformations"].as_array().into_iter().flatten() {
                if metric["metricName"] == alarm["MetricName"] && metric["metricNamespace"] == alarm["Namespace"] {
                    filters.push(Filter::of(filter, metric)?);
                }
            }
        }
        if filters.is_empty() == (alarm["Namespace"] == STACK) {
            return Err(Failure::new(format!("{full} has {} filters: {alarm}", filters.len())));
        }
        Ok(Self {
            bench,
            name: name.to_owned(),
            alarm,
            filters,
            since: now(),
            periods: Vec::new(),
            at_once: usize::MAX,
            scale: 1.0,
        })
    }

    /// One second, message or millisecond of the trial stands for `scale` of the alarm's.
    #[must_use]
    pub fn scaled(self, scale: f64) -> Self {
        Self { scale, ..self }
    }

    /// Counts what was logged since then.
    #[must_use]
    pub fn since(self, since: i64) -> Self {
        Self { since, ..self }
    }

    /// Takes one line for what comes in one period.
    #[must_use]
    pub fn line_by_line(self) -> Self {
        Self { at_once: 1, ..self }
    }

    /// The threshold, in what the trial measures.
    pub fn threshold(&self) -> f64 {
        self.alarm["Threshold"].as_f64().unwrap_or(f64::NAN) / self.scale
    }

    /// Whether the alarm looks at this metric of AWS, of the resource with this name.
    pub fn looks_at(&self, namespace: &str, metric: &str, resource: &str) -> Result<()> {
        let is_it = self.alarm["Namespace"] == namespace
            && self.alarm["MetricName"] == metric
            && self.alarm["Dimensions"][0]["Value"] == resource;
        if is_it { Ok(()) } else { Err(Failure::new(format!("not {metric} of {resource}: {}", self.alarm))) }
    }

    /// Lets the ill show itself, once in each period, until the alarm is on. `ill` returns what it measured, if the alarm
    /// looks at a metric of AWS; otherwise a line of the log is waited for.
    pub async fn goes_off(&mut self, mut ill: impl AsyncFnMut() -> Result<Option<f64>>) -> Result<()> {
        for _ in 0..self.count("EvaluationPeriods") {
            let measured = ill().await?;
            let value = if self.filters.is_empty() { measured } else { Some(self.await_lines().await?) };
            self.periods.push(value);
            if self.is_on() {
                return self.tell("ALARM").await;
            }
        }
        Err(Failure::new(format!("{} did not go off: {:?}, {}", self.name, self.periods, self.alarm)))
    }

    /// Lets all be well, once in each period, until the alarm is off.
    pub async fn goes_ok(&mut self, mut well: impl AsyncFnMut() -> Result<Option<f64>>) -> Result<()> {
        // What was logged until the ill was mended does not count.
        self.at_once = usize::MAX;
        self.new_values().await?;
        for _ in 0..=self.count("EvaluationPeriods") {
            let measured = well().await?;
            let new = self.new_values().await?;
            self.periods.push(if self.filters.is_empty() { measured } else { self.statistic(&new) });
            if !self.is_on() {
                return self.tell("OK").await;
            }
        }
        Err(Failure::new(format!("{} stays on: {:?}, {}", self.name, self.periods, self.alarm)))
    }

    fn count(&self, name: &str) -> usize {
        self.alarm[name].as_u64().and_then(|count| count.try_into().ok()).unwrap_or_default()
    }

    fn is_on(&self) -> bool {
        let (of, all) = (self.count("EvaluationPeriods"), self.count("DatapointsToAlarm"));
        let needed = if all == 0 { of } else { all };
        let last = &self.periods[self.periods.len().saturating_sub(of)..];
        last.iter().filter(|value| self.is_breaching(**value)).count() >= needed
    }

    fn is_breaching(&self, value: Option<f64>) -> bool {
        let Some(value) = value else { return self.alarm["TreatMissingData"] == "breaching" };
        match self.alarm["ComparisonOperator"].as_str() {
            Some("GreaterThanThreshold") => value > self.threshold(),
            Some("LessThanThreshold") => value < self.threshold(),
            _ => false,
        }
    }

    async fn await_lines(&mut self) -> Result<f64> {
        let what = format!("a line in the log that {} counts", self.name);
        let lines = eventually(&what, SOON, async || {
            let new = self.new_values().await?;
            Ok(self.statistic(&new))
        });
        lines.await
    }

    fn statistic(&self, values: &[f64]) -> Option<f64> {
        let most = values.iter().copied().reduce(f64::max);
        if self.alarm["Statistic"] == "Maximum" { most } else { most.map(|_| values.iter().sum()) }
    }

    async fn new_values(&mut self) -> Result<Vec<f64>> {
        let mut values = Vec::new();
        for filter in &mut self.filters {
            let lines = function::logs_since(&self.bench.deployment, &filter.function, self.since).await?;
            let all: Vec<Value> = lines.iter().filter_map(|line| filter.pattern.matching(line)).collect();
            let property = filter.value.strip_prefix("$.").unwrap_or_default();
            let value = |line: &Value| filter.value.parse().ok().or_else(|| line[property].as_f64());
            let new = all.iter().skip(filter.counted).take(self.at_once);
            filter.counted += new.len();
            values.extend(new.filter_map(value));
        }
        Ok(values)
    }

    /// Sets the alarm's state, as CloudWatch does.
    async fn tell(&self, state: &str) -> Result<()> {
        let name = format!("{}-{}", STACK, self.name);
        let form =
            [("Action", "SetAlarmState"), ("Version", "2010-08-01"), ("AlarmName", &name), ("StateValue", state)];
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        let body = body.extend_pairs(form).append_pair("StateReason", "a trial of the runbook").finish();
        let request = Request::post(endpoint(self.bench.deployment.port))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.into_bytes());
        let request = request.or_failure(|| "no request for CloudWatch")?;
        let response = self.bench.deployment.http()?.send_signed("monitoring", request).await?;
        if response.status().is_success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(response.body());
        Err(Failure::new(format!("CloudWatch answered {}: {text}", response.status())))
    }
}

impl Filter {
    fn of(filter: &Value, metric: &Value) -> Result<Self> {
        let group = filter["logGroupName"].as_str().and_then(|group| group.strip_prefix("/aws/lambda/"));
        let pattern = Pattern::parse(filter["filterPattern"].as_str().unwrap_or_default())?;
        Ok(Self {
            function: group.or_failure(|| format!("of no function: {filter}"))?.to_owned(),
            pattern,
            value: metric["metricValue"].as_str().unwrap_or_default().to_owned(),
            counted: 0,
        })
    }
}
