//! One permission on trial: it is taken away, something is done that needs it, and its function says what it was denied.

use std::cell::Cell;
use std::sync::Mutex;
use std::time::Duration;

use harness::eventually::eventually;
use harness::iam::Iam;
use harness::{Deployment, Failure, Result};
use serde_json::Value;
use tests::function;
use tests::world::World;
use time::OffsetDateTime;
use tokio::time::Instant;

use crate::owed::Owed;
use crate::permissions::{Permission, functions};
use crate::requests::Shop;

/// How long a denial may take to be in the log.
pub const SOON: Duration = Duration::from_secs(60);

/// What all trials share. It is made while every permission is there.
pub struct Bench {
    pub deployment: Deployment,
    pub iam: Iam,
    pub shop: Shop,
    /// An account whose deliveries can be lost and recovered.
    pub old: World,
    /// When the destinations of an account that is being deleted were closed.
    pub deletion: Instant,
    /// What was pushed while a permission was missing, and has to arrive in the end.
    pub owed: Mutex<Vec<Owed>>,
}

/// The trial of one permission.
pub struct Trial<'a> {
    pub bench: &'a Bench,
    pub permission: &'a Permission,
    /// When it was taken away, in milliseconds of Unix time.
    since: Cell<i64>,
}

impl<'a> Trial<'a> {
    pub fn of(bench: &'a Bench, permission: &'a Permission) -> Self {
        Self { bench, permission, since: Cell::new(i64::MAX) }
    }

    pub async fn take_away(&self) -> Result<()> {
        self.take_away_with(None).await
    }

    /// Takes `also` another action away.
    pub async fn take_away_with(&self, also: Option<&str>) -> Result<()> {
        self.permission.take_away(&self.bench.iam, also).await?;
        self.since.set(i64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000).unwrap_or_default());
        Ok(())
    }

    pub async fn put_back(&self) -> Result<()> {
        self.permission.put_back(&self.bench.iam).await
    }

    /// The deployed name of the function on trial.
    pub fn function(&self) -> &str {
        let of = |(name, _): &(&str, _)| *name == self.permission.holder;
        functions(&self.bench.deployment).into_iter().find(of).map_or("", |(_, function)| function)
    }

    /// Whether the function has logged, as a warning or an error, that it was denied the action.
    pub async fn is_denied(&self) -> Result<bool> {
        let lines = function::logs_since(&self.bench.deployment, self.function(), self.since.get()).await?;
        let names = self.permission.names();
        Ok(lines.iter().any(|line| names.iter().any(|name| says_denied(line, name))))
    }

    /// Waits for that. If it does not come, nothing needed the permission.
    pub async fn await_denial(&self) -> Result<()> {
        self.await_denial_while(async || Ok(())).await
    }

    /// The same, and does something again and again until then.
    pub async fn await_denial_while(&self, again: impl AsyncFn() -> Result<()>) -> Result<()> {
        let denied = eventually("a denial in the log", SOON, async || {
            again().await?;
            Ok(self.is_denied().await?.then_some(()))
        });
        denied.await.map_err(|failure| {
            let (permission, place) = (self.permission, "tests/e2e/least_privilege");
            let advice = format!("take it out of template.yaml, or change in {place} what needs it");
            Failure::new(format!("nothing fails without {permission}: {advice} ({failure:?})"))
        })
    }

    /// Starts the function's processes anew, so that they remember nothing.
    pub async fn restart(&self) -> Result<()> {
        let stamp = OffsetDateTime::now_utc().unix_timestamp_nanos().to_string();
        function::set_variable(&self.bench.deployment, self.function(), STAMP, Some(&stamp)).await
    }
}

/// A variable that means nothing: a function whose environment is changed starts anew.
pub const STAMP: &str = "RESTARTED_AT";

fn says_denied(line: &str, action: &str) -> bool {
    let Ok(line) = serde_json::from_str::<Value>(line) else { return false };
    let told = ["WARN", "ERROR"].iter().any(|level| line["level"] == *level);
    told && line.to_string().contains(&format!("is not authorized to perform: {action} "))
}
