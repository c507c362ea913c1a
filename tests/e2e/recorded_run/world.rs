//! All functions over one table of the local AWS, run one after another. What would be random or slow is in memory, so
//! that every id, time and byte is the same in each run. Everything that is sent is recorded.

use std::sync::Arc;
use std::time::Duration;

use adapters::DynamoStore;
use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use axum::Router;
use domain::delivery::DeliveryMessage;
use domain::value::Timestamp;
use harness::Deployment;
use lambda_runtime::{Context, LambdaEvent};
use ports::Clock;
use serde_json::Value;
use testing::{ScriptedSender, TestClock, TestEntropy};

use crate::answers::Answers;
use crate::aws::{DELIVERIES, EVENTS, FakeAws};
use crate::deps::Ports;
use crate::messages::Messages;
use crate::sender::TimedSender;
use crate::table::Table;

const MINUTE: Duration = Duration::from_secs(60);
/// Longer than a container of `fanout` or `deliver` uses what it has cached.
const CACHED: Duration = Duration::from_secs(10);

pub struct World {
    pub table: Table,
    pub store: Arc<DynamoStore>,
    pub clock: Arc<TestClock>,
    pub sender: Arc<ScriptedSender>,
    pub api: Router,
    pub portal: Router,
    pub authorizer: Arc<authorizer::Deps>,
    pub answers: Answers,
    pub messages: Messages,
    aws: FakeAws,
    fanout: Arc<fanout::Deps>,
    deliver: Arc<deliver::Deps>,
    redrive: Arc<redrive::Deps>,
    /// The messages in the deliveries queue.
    waiting: Vec<Waiting>,
}

struct Waiting {
    /// The time from which on it can be received.
    from: Timestamp,
    body: String,
    receives: u32,
}

impl World {
    pub fn new(deployment: &Deployment, table: Table) -> Self {
        let (aws, store, clock) = (FakeAws::default(), table.store(), Arc::new(TestClock::new()));
        let (sender, entropy) = (Arc::new(ScriptedSender::default()), Arc::new(TestEntropy::default()));
        let timed = Arc::new(TimedSender::new(sender.clone(), clock.clone()));
        let (clients, store_too, clock_too) = (aws.clients(deployment), store.clone(), clock.clone());
        let ports = Ports { aws: clients, store: store_too, sender: timed, clock: clock_too, entropy };
        Self {
            api: api::router(ports.api()),
            portal: portal::router(ports.api(), ""),
            authorizer: Arc::new(ports.authorizer()),
            fanout: Arc::new(ports.fanout()),
            deliver: Arc::new(ports.deliver()),
            redrive: Arc::new(ports.redrive()),
            answers: Answers::default(),
            messages: Messages::default(),
            waiting: Vec::new(),
            table,
            store,
            clock,
            sender,
            aws,
        }
    }

    /// Pushes an event as a sync job does, and handles everything that follows at once.
    pub async fn push(&mut self, text: &str) {
        self.push_together(&[text.to_owned()]).await;
    }

    /// The same with several events at the same time.
    pub async fn push_together(&mut self, texts: &[String]) {
        self.clock.advance(CACHED);
        for text in texts {
            self.fan_out(text, 1).await;
        }
        self.work().await;
    }

    /// The same with one event, but its messages are lost.
    pub async fn push_and_lose(&mut self, text: &str) {
        self.clock.advance(CACHED);
        let before = self.waiting.len();
        self.fan_out(text, 1).await;
        self.collect();
        self.waiting.truncate(before);
    }

    /// The queue delivers an event for the second time.
    pub async fn push_again(&mut self, text: &str) {
        self.clock.advance(CACHED);
        self.fan_out(text, 2).await;
        self.work().await;
    }

    /// Time passes, and then the schedule runs `redrive`.
    pub async fn later(&mut self, by: Duration) {
        self.clock.advance(by);
        self.work().await;
        let event = LambdaEvent::new(Value::Object(Default::default()), self.context());
        redrive::handle(self.redrive.clone(), event).await.expect("a run");
        self.work().await;
    }

    /// This many runs of the schedule, one each minute.
    pub async fn minutes(&mut self, count: u32) {
        for _ in 0..count {
            self.later(MINUTE).await;
        }
    }

    /// Handles everything in both queues.
    pub async fn work(&mut self) {
        loop {
            let events = self.collect();
            for event in &events {
                self.fan_out(event, 1).await;
            }
            let now = self.clock.now();
            if let Some(next) = self.waiting.iter().position(|waiting| waiting.from <= now) {
                let next = self.waiting.remove(next);
                self.deliver(next.body, next.receives + 1).await;
            } else if events.is_empty() {
                return;
            }
        }
    }

    /// Records what was sent since the last time, and returns the events among it.
    fn collect(&mut self) -> Vec<String> {
        let (now, mut events) = (self.clock.now(), Vec::new());
        for call in self.aws.take() {
            self.messages.add(now, &call);
            let body = call.text("MessageBody").to_owned();
            match (call.operation.as_str(), call.text("QueueUrl")) {
                ("SendMessage", EVENTS) => events.push(body),
                ("SendMessageBatch", DELIVERIES) => {
                    let delay = Duration::from_secs(call.input["DelaySeconds"].as_u64().unwrap_or_default());
                    self.waiting.push(Waiting { from: now.plus(delay), body, receives: 0 });
                }
                _ => {}
            }
        }
        events
    }

    async fn fan_out(&mut self, text: &str, receives: u32) {
        let batch = self.batch(text.to_owned(), "receipt", receives);
        let answer = fanout::handle(self.fanout.clone(), batch).await.expect("an answer");
        assert!(answer.batch_item_failures.is_empty(), "to be received again: {text}");
    }

    async fn deliver(&mut self, body: String, receives: u32) {
        let message: DeliveryMessage = serde_json::from_str(&body).expect("a message");
        let receipt = format!("receipt of {}", message.delivery.id);
        let batch = self.batch(body.clone(), &receipt, receives);
        let answer = deliver::handle(self.deliver.clone(), batch).await.expect("an answer");
        if answer.batch_item_failures.is_empty() {
            return;
        }
        let now = self.clock.now();
        let calls = self.aws.take();
        calls.iter().for_each(|call| self.messages.add(now, call));
        let postponed = calls.iter().find(|call| call.operation == "ChangeMessageVisibility");
        let wait = postponed.and_then(|call| call.input["VisibilityTimeout"].as_u64());
        let wait = wait.unwrap_or_else(|| panic!("to be received again, and not postponed: {body}"));
        self.waiting.push(Waiting { from: now.plus(Duration::from_secs(wait)), body, receives });
    }

    fn batch(&self, body: String, receipt: &str, receives: u32) -> LambdaEvent<SqsEvent> {
        let mut message = SqsMessage::default();
        message.message_id = Some("message-1".to_owned());
        message.receipt_handle = Some(receipt.to_owned());
        let sent = self.clock.now().unix_ms().to_string();
        let received = [("ApproximateReceiveCount", receives.to_string()), ("SentTimestamp", sent)];
        message.attributes = received.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        message.body = Some(body);
        let mut event = SqsEvent::default();
        event.records = vec![message];
        LambdaEvent::new(event, self.context())
    }

    fn context(&self) -> Context {
        let mut context = Context::default();
        context.deadline = self.clock.now().plus(MINUTE).unix_ms();
        context
    }
}
