//! Runs a function's program as Lambda does: a process that asks a runtime API for its next invocation and posts its answer
//! there.

use std::collections::VecDeque;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::sync::{Notify, watch};

use crate::Result;
use crate::server::{Request, Response, listen};

/// How long an invocation may take, and how long a program may take to start. A processor's share may be small.
const PATIENCE: Duration = Duration::from_secs(60);
/// How much of what a function logged last is kept, to tell why it failed.
const KEPT_LOG: usize = 8_192;

#[derive(Default)]
struct State {
    waiting: VecDeque<Vec<u8>>,
    /// When the invocation under way was handed over.
    begun: Option<Instant>,
    answers: VecDeque<Answered>,
    first_poll: Option<Instant>,
    log: Vec<u8>,
    log_bytes: u64,
}

/// How an invocation ended.
pub(crate) struct Answered {
    pub(crate) body: Vec<u8>,
    pub(crate) took: Duration,
    pub(crate) at: Instant,
    failed: bool,
}

struct Shared {
    state: Mutex<State>,
    /// There is another invocation, or another answer.
    told: Notify,
    polls: watch::Sender<u64>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running instance of a function. It ends with this value.
pub(crate) struct Function {
    child: Child,
    name: String,
    spawned: Instant,
    shared: Arc<Shared>,
    invocations: u64,
}

impl Function {
    /// Starts a program, in the group of processes `group` if there is one.
    pub(crate) async fn start(program: &Path, environment: &[(String, String)], group: Option<&Path>) -> Result<Self> {
        let (polls, _) = watch::channel(0);
        let shared = Arc::new(Shared { state: Mutex::default(), told: Notify::new(), polls });
        let answering = Arc::clone(&shared);
        let (port, _) = listen(move |request| answer(Arc::clone(&answering), request)).await?;
        let mut command = match group {
            None => Command::new(program),
            // The process joins the group itself, so that all it does counts.
            Some(group) => {
                let mut command = Command::new("/bin/sh");
                command.args(["-c", "echo $$ > \"$1/cgroup.procs\" && exec \"$0\""]).arg(program).arg(group);
                command
            }
        };
        command.env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
        command.env("AWS_LAMBDA_RUNTIME_API", format!("127.0.0.1:{port}"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let spawned = Instant::now();
        let mut child = command.spawn().map_err(|error| format!("{}: {error}", program.display()))?;
        listen_to(child.stdout.take(), &shared);
        listen_to(child.stderr.take(), &shared);
        let directory = program.parent().and_then(Path::file_name).unwrap_or_default();
        let name = directory.to_string_lossy().into_owned();
        Ok(Self { child, name, spawned, shared, invocations: 0 })
    }

    /// Invokes it, waits until it has answered and asked for more, and returns its answer, unless it failed.
    pub(crate) async fn invoke(&mut self, payload: Vec<u8>) -> Result<Answered> {
        self.shared.state().waiting.push_back(payload);
        self.shared.told.notify_waiters();
        self.invocations += 1;
        let mut polls = self.shared.polls.subscribe();
        let asked_again = polls.wait_for(|polls| *polls > self.invocations);
        let in_time = tokio::time::timeout(PATIENCE, asked_again).await;
        let answered = self.shared.state().answers.pop_front();
        match (in_time, answered) {
            (Ok(Ok(_)), Some(answered)) if !answered.failed => Ok(answered),
            (_, answered) => {
                let answer = answered.map(|answered| String::from_utf8_lossy(&answered.body).into_owned());
                Err(format!("an invocation of {} failed: {answer:?}\n{}", self.name, self.log()).into())
            }
        }
    }

    /// How long it took from its start until it asked for its first invocation.
    pub(crate) async fn first_poll(&self) -> Result<Duration> {
        let mut polls = self.shared.polls.subscribe();
        let asked = tokio::time::timeout(PATIENCE, polls.wait_for(|polls| *polls > 0)).await;
        let at = self.shared.state().first_poll;
        match (asked, at) {
            (Ok(Ok(_)), Some(at)) => Ok(at - self.spawned),
            _ => Err(format!("{} did not start:\n{}", self.name, self.log()).into()),
        }
    }

    pub(crate) fn since_start(&self, at: Instant) -> Duration {
        at - self.spawned
    }

    /// The time of a processor that all its threads have taken. Read it while it waits.
    pub(crate) fn processor_time(&self) -> Result<Duration> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.id()?))?;
        let mut nanoseconds = 0;
        for task in tasks {
            // A thread may end meanwhile.
            let stat = std::fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
            nanoseconds += stat.split(' ').next().and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// The most memory that it has had, in MiB.
    pub(crate) fn peak_memory(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()?))?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = peak.and_then(|peak| peak.split_whitespace().next()).and_then(|kib| kib.parse::<f64>().ok());
        Ok(kib.ok_or("a process without a peak of memory")? / 1_024.0)
    }

    /// The end of what it logged.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&self.shared.state().log).into_owned()
    }

    pub(crate) fn log_bytes(&self) -> f64 {
        self.shared.state().log_bytes as f64
    }

    fn id(&self) -> Result<u32> {
        self.child.id().ok_or_else(|| format!("{} has ended", self.name).into())
    }

    /// Ends it, and waits until it is gone.
    pub(crate) async fn end(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }
}

/// Counts what it logs.
fn listen_to(output: Option<impl AsyncRead + Unpin + Send + 'static>, shared: &Arc<Shared>) {
    let (Some(mut output), shared) = (output, Arc::clone(shared)) else { return };
    tokio::spawn(async move {
        let mut part = [0; 4_096];
        while let Ok(length @ 1..) = output.read(&mut part).await {
            let mut state = shared.state();
            state.log_bytes += length as u64;
            state.log.extend_from_slice(&part[..length]);
            let excess = state.log.len().saturating_sub(KEPT_LOG);
            state.log.drain(..excess);
        }
    });
}

async fn answer(shared: Arc<Shared>, request: Request) -> Response {
    if request.path.ends_with("/invocation/next") {
        return next(&shared).await;
    }
    let mut state = shared.state();
    let begun = state.begun.take().unwrap_or_else(Instant::now);
    let at = Instant::now();
    // Everything else is an error, of the program's start or of an invocation.
    let failed = !request.path.ends_with("/response");
    state.answers.push_back(Answered { body: request.body, took: at - begun, at, failed });
    Response::of(202, "{}")
}

async fn next(shared: &Shared) -> Response {
    shared.state().first_poll.get_or_insert_with(Instant::now);
    shared.polls.send_modify(|polls| *polls += 1);
    loop {
        let told = shared.told.notified();
        tokio::pin!(told);
        told.as_mut().enable();
        let waiting = shared.state().waiting.pop_front();
        if let Some(payload) = waiting {
            shared.state().begun = Some(Instant::now());
            let deadline = crate::world::now_ms() + 60_000;
            let mut answer = Response::of(200, payload);
            answer.headers = vec![
                ("content-type", "application/json".to_owned()),
                ("lambda-runtime-aws-request-id", "00000000-0000-4000-8000-000000000000".to_owned()),
                ("lambda-runtime-deadline-ms", deadline.to_string()),
                ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:123456789012:function:f".to_owned()),
                ("lambda-runtime-trace-id", "Root=1-00000000-000000000000000000000000;Sampled=0".to_owned()),
            ];
            return answer;
        }
        told.await;
    }
}

/// The answer of a function behind API Gateway: its status and its body, which is JSON.
pub(crate) fn reply(answered: &Answered) -> Result<(u64, Value)> {
    let answer: Value = serde_json::from_slice(&answered.body)?;
    let status = answer["statusCode"].as_u64().ok_or("an answer without a status")?;
    let body = answer["body"].as_str().unwrap_or_default();
    Ok((status, serde_json::from_str(body).unwrap_or_default()))
}
