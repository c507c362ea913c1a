//! Instances of a function behind a queue, as Lambda runs them: each has one batch at a time. What waits goes in batches to
//! instances that are free; where none is, another one starts, up to a number. What is given back is received again later.
//!
//! Lambda takes longer to start an instance, and adds them more slowly.

use std::collections::{HashSet, VecDeque};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::Result;
use crate::batches::{batch_of, failed};
use crate::lambda::Function;
use crate::world::{BATCH, World};

/// The wait before the second attempt, without its jitter.
const HIDDEN: Duration = Duration::from_secs(5);

struct Message {
    body: String,
    /// How often it was received before.
    received: usize,
}

/// All instances end with this value.
pub(crate) struct Fleet {
    program: PathBuf,
    environment: Vec<(String, String)>,
    most: usize,
    idle: Vec<Function>,
    waiting: VecDeque<Message>,
    hidden: VecDeque<(Instant, Message)>,
    at_work: JoinSet<Result<(Function, Vec<Message>)>>,
    pub(crate) started: usize,
    /// What was in the first batch of an instance.
    firsts: HashSet<String>,
    /// The most that were at work at once, since this was last set.
    pub(crate) most_at_work: usize,
}

impl Fleet {
    pub(crate) fn new(world: &World, function: &str, most: usize) -> Self {
        Self {
            program: world.program(function),
            environment: world.environment(),
            most,
            idle: Vec::new(),
            waiting: VecDeque::new(),
            hidden: VecDeque::new(),
            at_work: JoinSet::new(),
            started: 0,
            firsts: HashSet::new(),
            most_at_work: 0,
        }
    }

    pub(crate) fn send(&mut self, bodies: impl Iterator<Item = String>) -> Result<()> {
        self.waiting.extend(bodies.map(|body| Message { body, received: 0 }));
        self.hand_out()
    }

    /// Whether the message was in an instance's first batch, and so waited until that had started.
    pub(crate) fn waited_for_a_start(&self, body: &str) -> bool {
        self.firsts.contains(body)
    }

    /// Lets instances work until this moment.
    pub(crate) async fn work_until(&mut self, end: Instant) -> Result<()> {
        loop {
            self.hand_out()?;
            let due_at = self.hidden.front().map_or(end, |(due_at, _)| end.min(*due_at));
            tokio::select! {
                Some(ended) = self.at_work.join_next() => {
                    let (instance, given_back) = ended??;
                    self.idle.push(instance);
                    self.hidden.extend(given_back.into_iter().map(|message| (Instant::now() + HIDDEN, message)));
                }
                () = sleep(due_at.saturating_duration_since(Instant::now())) => {
                    let now = Instant::now();
                    while let Some((_, message)) = self.hidden.pop_front_if(|(due_at, _)| *due_at <= now) {
                        self.waiting.push_back(message);
                    }
                    if now >= end {
                        return self.hand_out();
                    }
                }
            }
        }
    }

    fn hand_out(&mut self) -> Result<()> {
        while !self.waiting.is_empty() && self.at_work.len() < self.most {
            let batch: Vec<_> = self.waiting.drain(..BATCH.min(self.waiting.len())).collect();
            let payload = batch_of(batch.iter().map(|message| (message.body.as_str(), message.received + 1)))?;
            let instance = self.idle.pop();
            if instance.is_none() {
                self.started += 1;
                self.firsts.extend(batch.iter().map(|message| message.body.clone()));
            }
            let (program, environment) = (self.program.clone(), self.environment.clone());
            self.at_work.spawn(async move {
                let mut instance = match instance {
                    Some(instance) => instance,
                    None => Function::start(&program, &environment, None).await?,
                };
                let answered = instance.invoke(payload).await?;
                Ok((instance, given_back(&answered.body, batch)?))
            });
            self.most_at_work = self.most_at_work.max(self.at_work.len());
        }
        Ok(())
    }
}

fn given_back(answer: &[u8], batch: Vec<Message>) -> Result<Vec<Message>> {
    let (bodies, received): (Vec<_>, Vec<_>) =
        batch.into_iter().map(|message| (message.body, message.received)).unzip();
    let again = failed(answer, &bodies)?.into_iter().map(|body| {
        let received = bodies.iter().position(|other| *other == body).map_or(0, |at| received[at]);
        Message { body, received: received + 1 }
    });
    Ok(again.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_back_was_received_once_more_than_before() {
        let message = |body: &str, received| Message { body: body.to_owned(), received };
        let answer = br#"{"batchItemFailures":[{"itemIdentifier":"00000000-0000-4000-8000-000000000001"}]}"#;
        let again = given_back(answer, vec![message("a", 0), message("b", 2)]).expect("a list");
        assert_eq!(
            again.iter().map(|message| (message.body.as_str(), message.received)).collect::<Vec<_>>(),
            [("b", 3)]
        );
    }
}
