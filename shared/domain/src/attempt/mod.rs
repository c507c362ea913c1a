//! One HTTP request to a receiver: what signs it, how it ended, and what follows.
//!
//! This chapter knows neither destinations nor deliveries, so that both can use it: a destination has secrets and a
//! retry policy, and a delivery has attempts.

mod attempt;
mod latencies;
pub mod outcome;
pub mod retry;
mod retry_after;
mod secret;
pub mod signature;

pub use self::attempt::Attempt;
pub use self::latencies::Latencies;
pub use self::outcome::{Answer, Exchange, Outcome};
pub use self::retry::{Jitter, NextStep, RetryChoice, RetryPolicy, RetryPolicyError};
pub use self::retry_after::retry_after;
pub use self::secret::{SealedSecret, SecretError, SigningSecret};
