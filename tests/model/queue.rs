//! A queue like SQS: at least once, without order, with receipts, visibility and a dead-letter queue. Now and then it
//! lets two processes have a message at once, and it can be told to lose some.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lambda_events::event::sqs::SqsMessage;
use domain::value::Timestamp;
use ports::{PortError, PortResult};

use crate::chaos::{Chaos, SimClock};

const VISIBILITY: Duration = Duration::from_secs(360);
/// Within how many milliseconds a message is received once more.
const LATER_MS: [u64; 3] = [1, 200, 15_000];
const MAX_RECEIVES: u32 = 20;

#[derive(Debug, Clone)]
pub struct Message {
    pub id: u64,
    pub body: String,
    pub sent_at: Timestamp,
    pub visible_at: Timestamp,
    pub receives: u32,
    /// Each time it is received, it gets another one.
    pub receipt: u64,
}

#[derive(Default)]
struct State {
    messages: BTreeMap<u64, Message>,
    dead: Vec<Message>,
    next: u64,
    lost: usize,
}

pub struct SimQueue {
    state: Mutex<State>,
    clock: Arc<SimClock>,
    /// One message out of this many is lost; none if it is zero.
    losing: u64,
    /// One message in so many is received again while it is in hand.
    repeating: u64,
}

impl SimQueue {
    pub fn new(clock: Arc<SimClock>, losing: u64) -> Self {
        Self { state: Mutex::default(), clock, losing, repeating: 50 }
    }

    pub fn repeating(self, repeating: u64) -> Self {
        Self { repeating, ..self }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn send(&self, body: String, delay: Duration, chaos: Option<&Chaos>) {
        let mut state = self.lock();
        let calm = chaos.is_none_or(|chaos| chaos.calm.load(std::sync::atomic::Ordering::SeqCst));
        if !calm && self.losing > 0 && chaos.is_some_and(|chaos| chaos.dice.once_in(self.losing)) {
            state.lost += 1;
            return;
        }
        let (now, id) = (self.clock.real(), state.next);
        state.next += 1;
        let visible_at = now.plus(delay);
        state.messages.insert(id, Message { id, body, sent_at: now, visible_at, receives: 0, receipt: id });
    }

    /// Up to ten of the visible messages, in random order.
    pub fn receive(&self, chaos: &Chaos) -> Vec<Message> {
        let (now, mut state) = (self.clock.real(), self.lock());
        let mut visible: Vec<u64> = state.messages.values().filter(|m| m.visible_at <= now).map(|m| m.id).collect();
        let (most, mut received) = (1 + chaos.dice.below(10), Vec::new());
        while !visible.is_empty() && (received.len() as u64) < most {
            let place = usize::try_from(chaos.dice.below(visible.len() as u64)).unwrap_or_default();
            let id = visible.swap_remove(place);
            let receipt = state.next;
            state.next += 1;
            let Some(message) = state.messages.get_mut(&id) else { continue };
            message.receives += 1;
            message.receipt = receipt;
            if message.receives > MAX_RECEIVES {
                let dead = state.messages.remove(&id);
                state.dead.extend(dead);
                continue;
            }
            // Now and then two processes receive the same message, at once or while the first one is busy with it.
            let again = !chaos.calm.load(std::sync::atomic::Ordering::SeqCst) && chaos.dice.once_in(self.repeating);
            let soon = || Duration::from_millis(1 + chaos.dice.below(chaos.dice.pick(&LATER_MS)));
            message.visible_at = now.plus(if again { soon() } else { VISIBILITY });
            received.push(message.clone());
        }
        received
    }

    /// The number of messages that were received and are hidden.
    #[cfg(test)]
    pub fn in_flight(&self) -> usize {
        let now = self.clock.real();
        self.lock().messages.values().filter(|message| message.receives > 0 && message.visible_at > now).count()
    }

    /// Deletes a message that was received. With a receipt that is not its latest one, SQS deletes nothing.
    pub fn delete(&self, received: &Message) {
        let mut state = self.lock();
        if state.messages.get(&received.id).is_some_and(|message| message.receipt == received.receipt) {
            state.messages.remove(&received.id);
        }
    }

    pub fn postpone(&self, receipt: &str, wait: Duration) -> PortResult<()> {
        let id: u64 = receipt.parse().map_err(|error| PortError::permanent("postponing", error))?;
        let now = self.clock.real();
        if let Some(message) = self.lock().messages.get_mut(&id) {
            message.visible_at = now.plus(wait);
        }
        Ok(())
    }

    /// Redrives the dead letters, as an operator does after fixing their cause.
    pub fn redrive_dead_letters(&self) -> usize {
        let (now, mut state) = (self.clock.real(), self.lock());
        let dead = std::mem::take(&mut state.dead);
        for message in &dead {
            let redriven = Message { receives: 0, visible_at: now, sent_at: now, ..message.clone() };
            state.messages.insert(message.id, redriven);
        }
        dead.len()
    }

    pub fn next_visible(&self) -> Option<Timestamp> {
        self.lock().messages.values().map(|message| message.visible_at).min()
    }

    pub fn loses(&self) -> bool {
        self.losing > 0
    }

    pub fn lost(&self) -> usize {
        self.lock().lost
    }
}

/// A message as Lambda passes it on.
pub fn record(message: &Message) -> SqsMessage {
    let mut record = SqsMessage::default();
    record.message_id = Some(message.id.to_string());
    record.receipt_handle = Some(message.id.to_string());
    record.body = Some(message.body.clone());
    record.attributes.insert("ApproximateReceiveCount".into(), message.receives.to_string());
    record.attributes.insert("SentTimestamp".into(), message.sent_at.unix_ms().to_string());
    record
}
