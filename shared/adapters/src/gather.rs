//! Gathers what several callers ask for at about the same time into one call: the batch is the unit of I/O, and each
//! record stays the unit of failure. What is asked for, and how, is a [`Together`].
//!
//! The first caller opens a group and the next ones join it. It is asked for once it is full, or once nobody else is
//! expected: callers that are ready have joined after a few rounds of the runtime, and those that still wait for an
//! attempt or a send ([`UnderWay`]) are waited for no longer than [`LONGEST`].
//!
//! The call of a group is a task of its own, which ends with the last caller that waits for it. So a caller that gives
//! up takes nothing from the others, and nothing goes on after an invocation was answered.
//!
//! Invariant: each caller gets the answer to its own request, and no group is larger than allowed (tests:
//! `each_gets_its_own_answer_and_no_group_has_too_much`).
//!
//! Invariant: what a call leaves without an answer is asked for alone, as is everything in a call that is refused for good, so
//! that one request fails alone (tests: `what_is_left_without_an_answer_is_asked_for_alone`,
//! `a_call_that_is_refused_for_good_is_made_for_each_alone`).
//!
//! Invariant: a call that fails for now, or panics, is a passing error of each of its callers (tests:
//! `a_call_that_fails_or_panics_is_a_passing_error_of_each`).
//!
//! Invariant: a caller that gives up takes nothing from the others, and a call that nobody waits for ends (tests:
//! `a_caller_that_gives_up_takes_nothing_from_the_others`, `a_call_ends_with_the_last_that_waits_for_it`).
//!
//! Invariant: nobody waits for others that cannot come, nor for longer than 5 ms for those that may (tests:
//! `who_is_alone_waits_for_nobody`, `a_slow_neighbour_costs_five_milliseconds_and_a_full_group_waits_for_nobody`).

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use ports::{PortError, PortResult};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::under_way::UnderWay;

/// How many rounds of the runtime pass before a group is asked for. Records that are ready run in the first one; one that
/// passes a semaphore or a lock on its way may need another.
const ROUNDS: usize = 3;
/// The longest wait for attempts and sends that are under way. It is what a slow neighbour costs: little beside the attempt,
/// which takes tens of milliseconds, and enough for answers that come at about the same time.
const LONGEST: Duration = Duration::from_millis(5);

/// Requests that can be made in one call.
#[async_trait]
pub(crate) trait Together: Send + Sync + 'static {
    type Request: Send + Sync + 'static;
    type Answer: Send + 'static;

    /// How many requests one call may have.
    const MOST: usize;
    /// How many bytes the requests of one call may have together. One with more is made alone.
    const MOST_BYTES: usize;

    fn bytes(request: &Self::Request) -> usize;

    /// Makes one request.
    async fn alone(&self, request: Self::Request) -> PortResult<Self::Answer>;

    /// Makes all requests with one call. The answers are in the order of the requests; none stands for one that has to be
    /// made alone.
    async fn together(&self, requests: &[Self::Request]) -> PortResult<Vec<Option<Self::Answer>>>;
}

/// Makes requests of a [`Together`] in groups.
pub(crate) struct Gather<T: Together> {
    calls: Arc<T>,
    under_way: UnderWay,
    open: Arc<Mutex<Open<T>>>,
}

/// The group that callers can join, if there is one.
struct Open<T: Together> {
    group: Option<Group<T>>,
    /// The number of the latest group.
    number: u64,
}

struct Group<T: Together> {
    number: u64,
    members: Vec<Member<T>>,
    bytes: usize,
    /// Begins the call with these members.
    close: oneshot::Sender<Vec<Member<T>>>,
    task: Arc<Task>,
}

struct Member<T: Together> {
    request: T::Request,
    reply: oneshot::Sender<Reply<T>>,
}

enum Reply<T: Together> {
    Answer(T::Answer),
    /// The request, which its caller has to make alone.
    Alone(T::Request),
    Failed(Arc<PortError>),
}

/// The task of a group, which ends when nobody waits for it any more.
struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<T: Together> Gather<T> {
    /// Groups wait for what is `under_way`.
    pub(crate) fn new(calls: T, under_way: UnderWay) -> Self {
        let open = Open { group: None, number: 0 };
        Self { calls: Arc::new(calls), under_way, open: Arc::new(Mutex::new(open)) }
    }

    /// What makes the calls.
    pub(crate) fn calls(&self) -> &T {
        &self.calls
    }

    /// The answer to this request, which is made together with what others ask for now.
    pub(crate) async fn ask(&self, request: T::Request) -> PortResult<T::Answer> {
        let (reply, replied) = oneshot::channel();
        let task = self.join(Member { request, reply });
        let reply = replied.await;
        drop(task);
        match reply {
            Ok(Reply::Answer(answer)) => Ok(answer),
            Ok(Reply::Alone(request)) => self.calls.alone(request).await,
            Ok(Reply::Failed(error)) => Err(PortError::transient(doing(&error), error)),
            Err(panicked) => Err(PortError::transient("making several requests with one call", panicked)),
        }
    }

    /// Adds the member to the open group, or to a new one if it does not fit.
    fn join(&self, member: Member<T>) -> Arc<Task> {
        let bytes = T::bytes(&member.request);
        let mut open = lock(&self.open);
        if let Some(full) = open.group.take_if(|group| group.bytes.saturating_add(bytes) > T::MOST_BYTES) {
            full.begin();
        }
        let mut group = match open.group.take() {
            Some(group) => group,
            None => self.opened(&mut open.number),
        };
        group.bytes += bytes;
        group.members.push(member);
        let task = Arc::clone(&group.task);
        if group.members.len() >= T::MOST {
            group.begin();
        } else {
            open.group = Some(group);
        }
        task
    }

    fn opened(&self, latest: &mut u64) -> Group<T> {
        *latest += 1;
        let (number, (close, closed)) = (*latest, oneshot::channel());
        let (calls, under_way, open) = (Arc::clone(&self.calls), self.under_way.clone(), Arc::clone(&self.open));
        let task = tokio::spawn(async move {
            if let Some(members) = complete(&open, number, &under_way, closed).await {
                call(&*calls, members).await;
            }
        });
        Group { number, members: Vec::new(), bytes: 0, close, task: Arc::new(Task(task.abort_handle())) }
    }
}

impl<T: Together> Group<T> {
    fn begin(self) {
        // The task ends early only if nobody waits for it.
        let _ = self.close.send(self.members);
    }
}

fn lock<T: Together>(open: &Mutex<Open<T>>) -> MutexGuard<'_, Open<T>> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

fn doing(error: &PortError) -> &'static str {
    match error {
        PortError::Transient { doing, .. } | PortError::Permanent { doing, .. } => doing,
    }
}

/// The members of a group, once it is full or nobody else is expected.
async fn complete<T: Together>(
    open: &Mutex<Open<T>>,
    number: u64,
    under_way: &UnderWay,
    mut closed: oneshot::Receiver<Vec<Member<T>>>,
) -> Option<Vec<Member<T>>> {
    let nobody_expected = async {
        // If it takes too long, the group does without what is still under way.
        let _ = tokio::time::timeout(LONGEST, under_way.ended()).await;
        for _ in 0..ROUNDS {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        members = &mut closed => return members.ok(),
        () = nobody_expected => {}
    }
    let mine = lock(open).group.take_if(|group| group.number == number);
    match mine {
        Some(group) => Some(group.members),
        None => closed.await.ok(),
    }
}

/// Makes the requests of those who still wait.
async fn call<T: Together>(calls: &T, members: Vec<Member<T>>) {
    let waiting = members.into_iter().filter(|member| !member.reply.is_closed());
    let (requests, replies): (Vec<_>, Vec<_>) = waiting.map(|member| (member.request, member.reply)).unzip();
    let answers = match requests.len() {
        0 => return,
        1 => Ok(Vec::new()),
        _ => calls.together(&requests).await,
    };
    let mut answers = match answers {
        Ok(answers) => answers.into_iter(),
        // Which of the requests it was refused for is not known.
        Err(PortError::Permanent { .. }) => Vec::new().into_iter(),
        Err(error) => {
            let error = Arc::new(error);
            for reply in replies {
                let _ = reply.send(Reply::Failed(Arc::clone(&error)));
            }
            return;
        }
    };
    for (request, reply) in requests.into_iter().zip(replies) {
        // Whoever gave up in the meantime needs no reply.
        let _ = reply.send(match answers.next().flatten() {
            Some(answer) => Reply::Answer(answer),
            None => Reply::Alone(request),
        });
    }
}
