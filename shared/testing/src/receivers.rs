//! Receivers that follow a script.

#![expect(clippy::panic, reason = "one of the scripted receivers makes the sender panic")]

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use domain::attempt::{Answer, Exchange, Outcome};
use domain::delivery::SignedRequest;
use ports::{HttpSender, PortError, PortResult};

use super::outside::lock;

/// What a scripted receiver does with one request.
#[derive(Debug, Clone)]
pub enum Step {
    Answer(u16),
    AnswerRetryAfter(u16, Duration),
    AnswerInFull(Answer),
    /// Answers after a delay, or not at all if the attempt's time limit is shorter.
    AnswerAfter(u16, Duration),
    /// Lets the attempt run into its timeout.
    Hang,
    /// Is never called, because its address is refused.
    Blocked,
    Unreachable,
    Panic,
    /// Fails on our side before anything is sent.
    Fail,
}

/// Receivers by URL, each with a script. A receiver answers 200 if it has no script or its script is over.
#[derive(Default)]
pub struct ScriptedSender {
    scripts: Mutex<BTreeMap<String, VecDeque<Step>>>,
    requests: Mutex<Vec<SignedRequest>>,
}

impl ScriptedSender {
    pub fn script(&self, url: &str, steps: impl IntoIterator<Item = Step>) {
        lock(&self.scripts).insert(url.to_owned(), steps.into_iter().collect());
    }

    pub fn requests(&self) -> Vec<SignedRequest> {
        lock(&self.requests).clone()
    }
}

#[async_trait]
impl HttpSender for ScriptedSender {
    async fn exchange(&self, request: &SignedRequest) -> PortResult<Exchange> {
        let step = lock(&self.scripts).get_mut(&request.url.to_string()).and_then(VecDeque::pop_front);
        let step = step.unwrap_or(Step::Answer(200));
        if matches!(step, Step::Fail) {
            return Err(PortError::transient("sending", "a failure was asked for"));
        }
        lock(&self.requests).push(request.clone());
        let without_answer = |outcome| Exchange { outcome, answer: None };
        Ok(match step {
            Step::Answer(status) => answered(empty(status), None),
            Step::AnswerRetryAfter(status, wait) => answered(empty(status), Some(wait)),
            Step::AnswerInFull(answer) => answered(answer, None),
            Step::AnswerAfter(status, wait) if wait < request.timeout => {
                tokio::time::sleep(wait).await;
                answered(empty(status), None)
            }
            Step::Hang | Step::Fail | Step::AnswerAfter(..) => {
                tokio::time::sleep(request.timeout).await;
                without_answer(Outcome::TimedOut)
            }
            Step::Blocked => without_answer(Outcome::Blocked { host: "internal.example".to_owned(), address: None }),
            Step::Unreachable => without_answer(Outcome::Unreachable { reason: "connection refused".to_owned() }),
            Step::Panic => panic!("a panic was asked for"),
        })
    }
}

fn empty(status: u16) -> Answer {
    Answer::new(status, std::iter::empty(), Vec::new(), false)
}

fn answered(answer: Answer, retry_after: Option<Duration>) -> Exchange {
    let excerpt = answer.text().unwrap_or_default().to_owned();
    Exchange { outcome: Outcome::from_answer(answer.status, retry_after, excerpt), answer: Some(answer) }
}
