//! Plays a sync job: pushes events to a queue.
//!
//! It does not check events, because some tests push invalid ones.

use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use crate::checkout;
use crate::failure::{Failure, OrFailure, Result};
use crate::queue::Queue;
use crate::unique::unique;

/// The most messages that SQS takes in one call.
const BATCH: usize = 10;

#[derive(Debug, Clone)]
pub struct Producer {
    queue: Queue,
}

impl Producer {
    pub fn new(queue: Queue) -> Self {
        Self { queue }
    }

    /// Pushes one event.
    pub async fn push(&self, event: &Value) -> Result<()> {
        let request = self.queue.sqs().send_message().queue_url(self.queue.url()).message_body(event.to_string());
        request.set_message_group_id(group(event)).send().await.or_failure(|| "cannot push an event")?;
        Ok(())
    }

    /// Pushes a text that need not be an event.
    pub async fn push_text(&self, text: &str) -> Result<()> {
        let request = self.queue.sqs().send_message().queue_url(self.queue.url()).message_body(text);
        request.send().await.or_failure(|| "cannot push an event")?;
        Ok(())
    }

    /// Pushes events in batches. Fails if SQS refused any of them.
    pub async fn push_all(&self, events: &[Value]) -> Result<()> {
        for batch in events.chunks(BATCH) {
            let mut request = self.queue.sqs().send_message_batch().queue_url(self.queue.url());
            for (number, event) in batch.iter().enumerate() {
                let entry = SendMessageBatchRequestEntry::builder().id(number.to_string());
                let entry = entry.message_body(event.to_string()).set_message_group_id(group(event));
                request = request.entries(entry.build().or_failure(|| "cannot build a batch entry")?);
            }
            let answer = request.send().await.or_failure(|| "cannot push a batch of events")?;
            if !answer.failed().is_empty() {
                return Err(Failure::new(format!(
                    "SQS refused {} events: {:?}",
                    answer.failed().len(),
                    answer.failed()
                )));
            }
        }
        Ok(())
    }
}

/// The message group: the event's account, if it names one.
fn group(event: &Value) -> Option<String> {
    event["account"].as_str().filter(|account| !account.is_empty()).map(str::to_owned)
}

/// A sample from `events/`, as if it had happened now in `account`, with a unique id.
pub fn fresh_sample(name: &str, account: &str) -> Result<Value> {
    past_sample(name, account, Duration::ZERO)
}

/// A sample, as if it had happened in `account` this long `ago`, with a unique id.
pub fn past_sample(name: &str, account: &str, ago: Duration) -> Result<Value> {
    let mut event = checkout::sample_event(name)?;
    event["id"] = json!(unique("evt"));
    event["account"] = json!(account);
    move_to(&mut event, (OffsetDateTime::now_utc() - ago).truncate_to_second())
        .or_failure(|| format!("events/{name}.json has a time that cannot be moved"))?;
    Ok(event)
}

/// `count` copies of a fresh sample, with the ids `evt-0`, `evt-1`, ….
pub fn numbered_samples(name: &str, account: &str, count: usize) -> Result<Vec<Value>> {
    let sample = fresh_sample(name, account)?;
    let numbered = |number: usize| {
        let mut event = sample.clone();
        event["id"] = json!(format!("evt-{number}"));
        event
    };
    Ok((0..count).map(numbered).collect())
}

/// Sets `occurred_at` to `now`, and moves every other time of the event by the same amount.
fn move_to(event: &mut Value, now: OffsetDateTime) -> Result<()> {
    let by = now - read_time(&event["occurred_at"])?;
    move_time(&mut event["occurred_at"], by)?;
    for field in ["started_at", "completed_at", "next_run_at"] {
        if !event["data"][field].is_null() {
            move_time(&mut event["data"][field], by)?;
        }
    }
    Ok(())
}

fn move_time(field: &mut Value, by: Duration) -> Result<()> {
    let moved = read_time(field)? + by;
    *field = json!(moved.format(&Rfc3339).or_failure(|| "cannot write a time")?);
    Ok(())
}

fn read_time(field: &Value) -> Result<OffsetDateTime> {
    let text = field.as_str().or_failure(|| format!("{field} is not a time"))?;
    OffsetDateTime::parse(text, &Rfc3339).or_failure(|| format!("{text:?} is not a time"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_keeps_its_distances_when_it_is_moved() {
        let mut event = json!({
            "occurred_at": "2026-01-01T10:00:00Z",
            "data": {"started_at": "2026-01-01T09:58:00Z", "completed_at": "2026-01-01T10:00:00Z", "next_run_at": null}
        });
        let now = OffsetDateTime::parse("2027-03-01T00:01:00Z", &Rfc3339).expect("a time");
        move_to(&mut event, now).expect("movable");
        let expected = json!({
            "occurred_at": "2027-03-01T00:01:00Z",
            "data": {"started_at": "2027-02-28T23:59:00Z", "completed_at": "2027-03-01T00:01:00Z", "next_run_at": null}
        });
        assert_eq!(event, expected);
    }
}
