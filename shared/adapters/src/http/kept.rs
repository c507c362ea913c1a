//! Connections that are kept for the next request to the same place. A handshake costs many times what a request does, so
//! containers that work without a pause make few of them.
//!
//! A container freezes between invocations, and what idled meanwhile goes stale. So nothing is kept for longer than two
//! seconds, by two clocks: one of them may stand still while the container does. What the receiver closed within that time
//! costs one more connection and no attempt ([`super::connector`]).
//!
//! Invariant: requests one after the other share a connection, and one that idled for two seconds, is older than
//! [`LONGEST_USE`] or was not answered to the end carries no more (tests: `requests_in_a_row_share_a_connection`,
//! `an_idle_or_an_old_connection_is_not_used_again`, `what_was_not_read_to_its_end_is_not_kept`).
//!
//! Invariant: a delivery never fails because of a kept connection (tests:
//! `a_kept_connection_that_was_closed_costs_no_attempt`).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::value::Timestamp;
use ports::Clock;
use tokio::time::Instant;

use super::connection::{Connection, Origin};

/// How long a connection may idle. Most receivers wait five seconds and more before they close one.
const LONGEST_IDLE: Duration = Duration::from_secs(2);
/// How old a connection may be when a request begins on it. After that, the receiver's name is looked up again.
const LONGEST_USE: Duration = Duration::from_secs(20);
/// How many connections are kept; the oldest give way. Each takes some tens of kilobytes and one of the 1,024 files that a
/// function may open.
const MOST: usize = 100;

struct Idle {
    connection: Connection,
    since: Instant,
    since_by_clock: Timestamp,
}

pub(super) struct Kept {
    clock: Arc<dyn Clock>,
    /// The one that was used last is at the end.
    idle: Mutex<VecDeque<Idle>>,
}

impl Kept {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, idle: Mutex::default() }
    }

    /// The connection to this place that was used last, if there is one. All that are too old are dropped.
    pub(super) fn take(&self, origin: &Origin) -> Option<Connection> {
        let (now, by_clock) = (Instant::now(), self.clock.now());
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|kept| kept.is_fresh(now, by_clock));
        let found = idle.iter().rposition(|kept| kept.connection.origin == *origin && kept.connection.is_ready())?;
        idle.remove(found).map(|kept| kept.connection)
    }

    pub(super) fn put(&self, connection: Connection) {
        let kept = Idle { connection, since: Instant::now(), since_by_clock: self.clock.now() };
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() >= MOST {
            idle.pop_front();
        }
        idle.push_back(kept);
    }
}

impl Idle {
    fn is_fresh(&self, now: Instant, by_clock: Timestamp) -> bool {
        let idle = now.duration_since(self.since).max(by_clock.since(self.since_by_clock));
        // A clock that was set back says nothing.
        let known = by_clock >= self.since_by_clock;
        known
            && idle < LONGEST_IDLE
            && now.duration_since(self.connection.opened) < LONGEST_USE
            && !self.connection.is_closed()
    }
}
