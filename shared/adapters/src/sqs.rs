//! The queues that functions write to: deliveries and events.
//!
//! The batches of a send go out side by side, ten at once over all sends of a process. That many are in memory, with
//! 1 MiB of messages each at most. Messages of a batch that is not full go out together with those of other sends: each
//! batch has its place all the same, so no more is in memory and a wide event is nobody's bottleneck.
//!
//! Invariant: no more than ten batches are made or sent at once, however many are waiting (tests:
//! `ten_batches_are_sent_at_once_over_all_sends_of_a_process_and_no_more_are_made`).
//!
//! Invariant: a send succeeds only if all its batches do, and stops at the first that fails (tests:
//! `a_batch_that_fails_fails_the_send_and_the_rest_is_not_begun`).
//!
//! Invariant: batches hold no more entries and bytes than SQS takes, and every message is in one (tests:
//! `batches_keep_every_message_in_order_and_the_limits`).
//!
//! Invariant: sends that are made at once fill batches together, and a message that is not taken fails only its own send
//! (tests: `sends_fill_batches_together_and_one_that_is_not_taken_fails_alone`, `what_is_too_large_together_goes_out_apart`,
//! `a_call_that_fails_is_a_passing_error_of_each_send`).

#[cfg(test)]
mod tests;

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{BatchResultErrorEntry, MessageAttributeValue, SendMessageBatchRequestEntry};
use domain::delivery::OutgoingDelivery;
use domain::value::{AccountId, TRACEPARENT, TraceParent};
use futures_util::future::try_join_all;
use futures_util::stream::{self, TryStreamExt};
use ports::{DeliveryQueue, EventQueue, PortError, PortResult, Postpone};
use tokio::sync::Semaphore;

use super::aws::{AwsClients, build_error, port_error};
use super::gather::{Gather, Together};
use super::under_way::UnderWay;

/// The number of entries in one batch call, a limit of the service.
const BATCH_ENTRIES: usize = 10;
/// The number of bytes in one message or batch call, a limit of the service (1 MiB).
const BATCH_BYTES: usize = 1_048_576;
/// How many batches are sent at once. One takes tens of milliseconds, so that is some thousand messages a second.
const BATCHES_AT_ONCE: usize = 10;
/// How often entries that the service did not accept are offered again at once.
const ROUNDS: usize = 3;
/// The longest delay of a new message, in seconds, a limit of the service.
const LONGEST_DELAY: u128 = 900;
/// The longest wait for a received message, a limit of the service: 12 hours from its receipt, minus the time that
/// handling it has taken.
const LONGEST_WAIT: Duration = Duration::from_secs(43_100);

pub struct SqsDeliveryQueue {
    client: Client,
    url: String,
    /// A place for each batch that is sent.
    places: Semaphore,
    messages: Gather<Messages>,
}

/// A message ready to be sent.
#[derive(Clone)]
struct Outgoing {
    body: String,
    group: String,
    delay: Duration,
}

impl Outgoing {
    fn bytes(&self) -> usize {
        self.body.len() + self.group.len()
    }
}

/// Messages that are sent together, within the service's limits on entries and bytes.
#[derive(Default)]
struct Batch {
    messages: Vec<Outgoing>,
    bytes: usize,
}

impl Batch {
    /// Adds a message. If it does not fit, the previous messages are returned, to be sent first.
    fn add(&mut self, message: Outgoing) -> Option<Vec<Outgoing>> {
        let bytes = self.bytes + message.bytes();
        if self.messages.is_empty() || (self.messages.len() < BATCH_ENTRIES && bytes <= BATCH_BYTES) {
            self.bytes = bytes;
            self.messages.push(message);
            return None;
        }
        self.bytes = message.bytes();
        Some(std::mem::replace(&mut self.messages, vec![message]))
    }
}

/// Messages as batches, each made when it is asked for: an event with a large body may be owed to thousands.
struct Batches<'a, 'b> {
    rest: std::slice::Iter<'a, OutgoingDelivery<'b>>,
    batch: Batch,
}

impl<'a, 'b> Batches<'a, 'b> {
    fn of(messages: &'a [OutgoingDelivery<'b>]) -> Self {
        Self { rest: messages.iter(), batch: Batch::default() }
    }
}

impl Iterator for Batches<'_, '_> {
    type Item = PortResult<Vec<Outgoing>>;

    fn next(&mut self) -> Option<Self::Item> {
        for message in self.rest.by_ref() {
            let body = match serde_json::to_string(message) {
                Ok(body) => body,
                Err(error) => return Some(Err(PortError::permanent("writing a message", error))),
            };
            let group = message.group().to_owned();
            if let Some(full) = self.batch.add(Outgoing { body, group, delay: message.delay }) {
                return Some(Ok(full));
            }
        }
        let last = std::mem::take(&mut self.batch).messages;
        (!last.is_empty()).then_some(Ok(last))
    }

    /// Only whether there is another batch is exact.
    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.rest.len() + self.batch.messages.len();
        (left.min(1), Some(left))
    }
}

/// Sends batches side by side. Each is made only once it has a place, of which there are as many as may be in memory.
async fn side_by_side<B, F>(
    batches: impl Iterator<Item = PortResult<B>>,
    places: &Semaphore,
    send: impl Fn(B) -> F,
) -> PortResult<()>
where
    F: Future<Output = PortResult<()>>,
{
    let placed = stream::try_unfold(batches, |mut batches| async move {
        // Who has sent everything waits for no place.
        if batches.size_hint().1 == Some(0) {
            return Ok(None);
        }
        // The semaphore is never closed. Without a place the batch would simply be sent.
        let place = places.acquire().await.ok();
        Ok(batches.next().transpose()?.map(|batch| ((place, batch), batches)))
    });
    placed
        .try_for_each_concurrent(None, |(place, batch)| {
            let sent = send(batch);
            // It is moved several times, and as large as a call of the SDK.
            Box::pin(async move {
                let _place = place;
                sent.await
            })
        })
        .await
}

impl SqsDeliveryQueue {
    pub fn new(aws: &AwsClients, url: String) -> Self {
        Self::of(aws.sqs(), url)
    }

    fn of(client: Client, url: String) -> Self {
        let messages = Messages { client: client.clone(), url: url.clone() };
        let messages = Gather::new(messages, UnderWay::default());
        Self { client, url, places: Semaphore::new(BATCHES_AT_ONCE), messages }
    }

    /// Sends a batch, together with messages of other sends if there is room for them.
    async fn send(&self, batch: Vec<Outgoing>) -> PortResult<()> {
        if batch.len() >= BATCH_ENTRIES {
            return self.messages.calls().send_batch(batch).await;
        }
        try_join_all(batch.into_iter().map(|message| self.messages.ask(message))).await.map(drop)
    }
}

/// Messages that go into one batch, of whatever sends.
struct Messages {
    client: Client,
    url: String,
}

#[async_trait]
impl Together for Messages {
    type Request = Outgoing;
    type Answer = ();
    const MOST: usize = BATCH_ENTRIES;
    const MOST_BYTES: usize = BATCH_BYTES;

    fn bytes(message: &Outgoing) -> usize {
        message.bytes()
    }

    async fn alone(&self, message: Outgoing) -> PortResult<()> {
        self.send_batch(vec![message]).await
    }

    /// An answer for each message that was taken.
    async fn together(&self, batch: &[Outgoing]) -> PortResult<Vec<Option<()>>> {
        let failures = self.send_once(batch).await?;
        let failed = |n: usize| failures.iter().any(|failure| failure.id == n.to_string());
        Ok((0..batch.len()).map(|n| (!failed(n)).then_some(())).collect())
    }
}

impl Messages {
    /// Sends one batch, and offers again what the service reports as failed.
    async fn send_batch(&self, mut batch: Vec<Outgoing>) -> PortResult<()> {
        let mut failures = Vec::new();
        for _ in 0..ROUNDS {
            failures = self.send_once(&batch).await?;
            if failures.is_empty() {
                return Ok(());
            }
            let failed = |n: &usize| failures.iter().any(|failure| failure.id == n.to_string());
            batch = batch.into_iter().enumerate().filter(|(n, _)| failed(n)).map(|(_, message)| message).collect();
        }
        let reason = failures.first().map_or_else(String::new, |f| f.code.clone());
        Err(PortError::transient("sending deliveries", format!("{} were not taken: {reason}", batch.len())))
    }

    async fn send_once(&self, batch: &[Outgoing]) -> PortResult<Vec<BatchResultErrorEntry>> {
        let entries = batch.iter().enumerate().map(|(n, message)| {
            let entry = SendMessageBatchRequestEntry::builder().id(n.to_string());
            let entry = entry.message_body(&message.body).message_group_id(&message.group);
            let delay = message.delay.as_millis().div_ceil(1_000).min(LONGEST_DELAY);
            let entry = if delay > 0 { entry.delay_seconds(i32::try_from(delay).unwrap_or_default()) } else { entry };
            entry.build().map_err(build_error)
        });
        let entries = entries.collect::<PortResult<Vec<_>>>()?;
        let call = self.client.send_message_batch().queue_url(&self.url).set_entries(Some(entries));
        let answer = call.send().await.map_err(|error| port_error("sending deliveries", error))?;
        Ok(answer.failed)
    }
}

#[async_trait]
impl DeliveryQueue for SqsDeliveryQueue {
    async fn send_deliveries(&self, messages: &[OutgoingDelivery<'_>]) -> PortResult<()> {
        side_by_side(Batches::of(messages), &self.places, |batch| self.send(batch)).await
    }
}

#[async_trait]
impl Postpone for SqsDeliveryQueue {
    async fn postpone(&self, receipt: &str, wait: Duration) -> PortResult<()> {
        postpone(&self.client, &self.url, "postponing a delivery", receipt, wait).await
    }
}

async fn postpone(client: &Client, url: &str, doing: &'static str, receipt: &str, wait: Duration) -> PortResult<()> {
    let seconds = i32::try_from(wait.min(LONGEST_WAIT).as_millis().div_ceil(1000)).unwrap_or(i32::MAX);
    let call = client.change_message_visibility().queue_url(url).receipt_handle(receipt).visibility_timeout(seconds);
    call.send().await.map(drop).map_err(|error| port_error(doing, error))
}

pub struct SqsEventQueue {
    client: Client,
    url: String,
}

impl SqsEventQueue {
    pub fn new(aws: &AwsClients, url: String) -> Self {
        Self { client: aws.sqs(), url }
    }
}

#[async_trait]
impl EventQueue for SqsEventQueue {
    async fn send_event(&self, account: &AccountId, text: &str, traceparent: Option<TraceParent>) -> PortResult<()> {
        let call = self.client.send_message().queue_url(&self.url).message_body(text);
        let mut call = call.message_group_id(account.as_str());
        if let Some(traceparent) = traceparent {
            let value = MessageAttributeValue::builder().data_type("String").string_value(traceparent.to_string());
            call = call.message_attributes(TRACEPARENT, value.build().map_err(build_error)?);
        }
        call.send().await.map(|_| ()).map_err(|error| port_error("sending an event", error))
    }
}

#[async_trait]
impl Postpone for SqsEventQueue {
    async fn postpone(&self, receipt: &str, wait: Duration) -> PortResult<()> {
        postpone(&self.client, &self.url, "postponing an event", receipt, wait).await
    }
}
