//! What can happen in a schedule, apart from the faults of calls.

use std::time::Duration;

use domain::value::{AccountId, Horizon};

use crate::receivers::Mood;

#[derive(Debug, Clone)]
pub(super) enum Happening {
    /// An event's account, id and text.
    Push(AccountId, String, String),
    Mood(usize, Mood),
    /// Its owner pauses it, or ends that.
    SetPaused(usize, bool),
    Clock(i64),
    Call(Asked),
    /// Another subscription to a destination, at a path of its own.
    Subscribe(usize),
    Poison(Poisoned),
    Throttle(Throttled, Duration),
    Horizon(Horizon),
    Calm,
}

/// What is asked of the API. Which delivery or event it is about is drawn when it happens.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asked {
    Resend,
    Cancel,
    Pause(usize),
    Resume(usize),
    Recover(usize),
    Replay,
    Delete,
}

/// What cannot be read, or written, until the operator mends it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Poisoned {
    DeliveryRead,
    DeliveryWrite,
    EventRead,
    EventWrite,
    Health(usize),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Throttled {
    Account,
    Shard(u8),
}
