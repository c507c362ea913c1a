//! How the message groups of our queues protect accounts and destinations from each other, in a simulation of fair
//! queues: a group with far more messages in flight than others is a noisy neighbour, and messages of other groups are
//! received before its own (Amazon SQS Developer Guide, "Amazon SQS fair queues").
//!
//! What "far more" means is not documented. Here it means more than a tenth of all messages in flight, and more than
//! the average group has.

#![expect(clippy::expect_used, reason = "helpers of tests may fail them")]

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::time::Duration;

use domain::delivery::{DeliveryState, OutgoingDelivery, Purpose};
use domain::value::{AccountId, DestinationId};
use serde_json::value::RawValue;

/// How many messages are handled at once.
const AT_ONCE: usize = 100;

struct Message {
    group: String,
    comes_ms: u64,
    takes_ms: u64,
    /// Whether its wait counts.
    counts: bool,
}

/// The longest time that a message that counts waits until it is received.
fn longest_wait(mut messages: Vec<Message>) -> Duration {
    messages.sort_by_key(|message| message.comes_ms);
    let mut to_come: VecDeque<_> = messages.into();
    let mut waiting: BTreeMap<String, VecDeque<Message>> = BTreeMap::new();
    let mut under_way: BTreeMap<String, usize> = BTreeMap::new();
    let mut ends: BinaryHeap<Reverse<(u64, String)>> = BinaryHeap::new();
    let (mut now, mut longest) = (0, 0);
    loop {
        while let Some(message) = to_come.pop_front_if(|message| message.comes_ms <= now) {
            waiting.entry(message.group.clone()).or_default().push_back(message);
        }
        while ends.len() < AT_ONCE
            && let Some(group) = next_group(&waiting, &under_way, ends.len())
        {
            let queue = waiting.get_mut(&group).expect("a group that waits");
            let message = queue.pop_front().expect("a message");
            if queue.is_empty() {
                waiting.remove(&group);
            }
            if message.counts {
                longest = longest.max(now - message.comes_ms);
            }
            *under_way.entry(group.clone()).or_default() += 1;
            ends.push(Reverse((now + message.takes_ms, group)));
        }
        let end = ends.peek().map(|Reverse((end, _))| *end);
        let Some(next) = end.into_iter().chain(to_come.front().map(|message| message.comes_ms)).min() else {
            return Duration::from_millis(longest);
        };
        now = next;
        while ends.peek().is_some_and(|Reverse((end, _))| *end <= now) {
            let Some(Reverse((_, group))) = ends.pop() else { break };
            let count = under_way.get_mut(&group).expect("a group under way");
            *count -= 1;
            if *count == 0 {
                under_way.remove(&group);
            }
        }
    }
}

/// The group of the oldest message, where quiet groups come before noisy ones.
fn next_group(
    waiting: &BTreeMap<String, VecDeque<Message>>,
    under_way: &BTreeMap<String, usize>,
    all: usize,
) -> Option<String> {
    let is_noisy = |group: &String| {
        let its = under_way.get(group).copied().unwrap_or_default();
        its * 10 > all && its * under_way.len().max(2) > all
    };
    let oldest = |queue: &VecDeque<Message>| queue.front().map(|message| message.comes_ms);
    waiting.iter().min_by_key(|(group, queue)| (is_noisy(group), oldest(queue))).map(|(group, _)| group.clone())
}

fn account(name: &str) -> AccountId {
    name.parse().expect("an account")
}

/// The group of a delivery of an account to its destination `n`.
fn group(account: &AccountId, n: u64, purpose: Purpose) -> String {
    let mut bytes = [0; 10];
    bytes[..8].copy_from_slice(&n.to_be_bytes());
    let mut destination = testing::destination(account, 1, "https://receiver.example/");
    destination.id = DestinationId::from_entropy(bytes);
    let delivery = testing::record(&destination, "evt", 1, DeliveryState::Parked).delivery;
    let body = RawValue::from_string("{}".to_owned()).expect("a body");
    OutgoingDelivery { delivery: &delivery, purpose, body: &body, delay: Duration::ZERO }.group().to_owned()
}

/// One message a second for ten minutes, whose waits count.
fn quiet(group: impl Fn(u64) -> String) -> impl Iterator<Item = Message> {
    (0..600).map(move |n| Message { group: group(n), comes_ms: n * 1_000, takes_ms: 50, counts: true })
}

fn backlog(count: u64, takes_ms: u64, group: impl Fn(u64) -> String) -> impl Iterator<Item = Message> {
    (0..count).map(move |n| Message { group: group(n), comes_ms: 0, takes_ms, counts: false })
}

#[test]
fn an_account_with_a_thousand_destinations_is_one_neighbour() {
    let (big, small) = (account("big"), account("small"));
    let wait = |purpose| {
        let groups: Vec<String> = (0..1_000).map(|n| group(&big, n, purpose)).collect();
        let many = backlog(8_000, 50, |n| groups[usize::try_from(n % 1_000).expect("few")].clone());
        longest_wait(many.chain(quiet(|_| group(&small, 0, purpose))).collect())
    };
    assert!(wait(Purpose::New) < Duration::from_secs(1));
    // A group for each destination would make it a thousand quiet neighbours.
    assert!(wait(Purpose::Again) > Duration::from_secs(2));
}

#[test]
fn a_destination_that_hangs_is_one_neighbour_of_its_account_s_others() {
    let big = account("big");
    let hanging = |purpose| {
        longest_wait(
            backlog(2_000, 15_000, |_| group(&big, 0, purpose))
                .chain(quiet(|_| group(&big, 1, Purpose::New)))
                .collect(),
        )
    };
    // All places are taken when the first comes; it has the first that becomes free.
    assert!(hanging(Purpose::Again) <= Duration::from_secs(15));
    assert!(hanging(Purpose::New) > Duration::from_secs(60));
}

#[test]
fn a_backfill_of_events_delays_another_account_s_by_less_than_a_second() {
    let events = |groups: bool| {
        let name = |name: &str| if groups { name.to_owned() } else { String::new() };
        longest_wait(backlog(100_000, 20, |_| name("big")).chain(quiet(|_| name("small"))).collect())
    };
    assert!(events(true) < Duration::from_secs(1));
    assert!(events(false) > Duration::from_secs(15), "without groups they wait for the backlog");
}
