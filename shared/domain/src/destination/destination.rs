//! A receiver: where its requests go, how they are sent, and which secrets sign them. Its owner configures it. An
//! endpoint is a table of the customer; a receiver is never called endpoint.
//!
//! Invariant: resuming a destination ends whatever kept it from its deliveries, and resuming it twice does no more than
//! once (tests: `resuming_helps_whatever_kept_it_from_its_deliveries_and_helps_once`,
//! `a_destination_is_paused_and_resumed_and_twice_does_no_harm`).

use std::time::Duration;

use super::health::{Admission, DRAIN_EVERY, Health, HealthState, drained_per_second};
use super::secrets::{DestinationSecret, MAX_SECRETS, TooManySecrets};
use super::settings::DestinationSettings;
use crate::value::{AccountId, DestinationId, Timestamp};

/// A destination as it is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    pub id: DestinationId,
    pub account: AccountId,
    pub settings: DestinationSettings,
    /// Newest first, at most [`MAX_SECRETS`] that are still valid.
    pub secrets: Vec<DestinationSecret>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Counts the changes that its owner made, from 1.
    pub version: u64,
    /// Changes without its owner, has a version of its own, and is stored apart.
    pub health: Health,
}

impl Destination {
    /// The secrets that are valid at `now`, newest first.
    pub fn live_secrets(&self, now: Timestamp) -> impl Iterator<Item = &DestinationSecret> {
        self.secrets.iter().filter(move |secret| secret.expires_at.is_none_or(|end| end > now))
    }

    /// This destination with `new` as its current secret. Older secrets stay valid for `overlap`, or until their own
    /// end if that is earlier.
    pub fn rotated(&self, new: DestinationSecret, overlap: Duration, now: Timestamp) -> Result<Self, TooManySecrets> {
        let end = now.plus(overlap);
        let ending = |secret: &DestinationSecret| DestinationSecret {
            expires_at: Some(secret.expires_at.map_or(end, |own| own.min(end))),
            ..secret.clone()
        };
        let older = self.live_secrets(now).map(ending).filter(|secret| secret.expires_at.is_some_and(|end| end > now));
        let older: Vec<_> = older.collect();
        if older.len() >= MAX_SECRETS {
            // Each of them has an end, because without any there would be room.
            let until = older.iter().filter_map(|secret| secret.expires_at).min().unwrap_or(end);
            return Err(TooManySecrets { until });
        }
        let secrets = std::iter::once(new).chain(older).collect();
        Ok(Self { secrets, updated_at: now, version: self.version + 1, ..self.clone() })
    }

    /// This destination with other settings. If it was paused and is so no longer, this also resumes it.
    pub fn changed(&self, settings: DestinationSettings, now: Timestamp) -> Self {
        let resumed = self.settings.paused && !settings.paused;
        let health = if resumed { self.health.resumed(now) } else { self.health.clone() };
        Self { settings, updated_at: now, version: self.version + 1, health, ..self.clone() }
    }

    /// The destination paused by its owner; none if it is paused already.
    pub fn paused(&self, now: Timestamp) -> Option<Self> {
        let settings = || DestinationSettings { paused: true, ..self.settings.clone() };
        (!self.settings.paused).then(|| self.changed(settings(), now))
    }

    /// The destination resumed by its owner, whatever kept deliveries from it; none if it needs no resuming. If it was
    /// not paused, only its health changes and its version stays.
    pub fn resumed(&self, now: Timestamp) -> Option<Self> {
        if self.settings.paused {
            return Some(self.changed(DestinationSettings { paused: false, ..self.settings.clone() }, now));
        }
        let on_its_way = match self.health.state {
            HealthState::Healthy => self.health.drain.is_some() && !self.health.is_held(now),
            HealthState::Failing { next_probe_at, .. } => next_probe_at <= now,
            HealthState::Disabled { .. } => false,
            HealthState::Closed => true,
        };
        (!on_its_way).then(|| self.with_health(self.health.resumed(now)))
    }

    /// What may be sent to it at `now`.
    pub fn admission(&self, now: Timestamp) -> Admission {
        match self.health.admission() {
            Admission::Closed => Admission::Closed,
            admission if !self.settings.paused && !self.health.is_held(now) => admission,
            _ => Admission::Nothing,
        }
    }

    /// When `redrive` has to look at it: to report a change, to probe, or to drain.
    pub fn look_at(&self) -> Option<Timestamp> {
        self.health.look_at(self.settings.paused)
    }

    /// This destination with another health.
    pub fn with_health(&self, health: Health) -> Self {
        Self { health, ..self.clone() }
    }

    /// How many deliveries a drain sends at once, at most.
    pub fn drain_portion(&self) -> usize {
        let limit = drained_per_second(self.settings.rate_limit.map(u64::from));
        usize::try_from(limit * DRAIN_EVERY.as_secs()).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempt::{RetryChoice, SealedSecret};
    use crate::destination::RateLimit;
    use crate::destination::health::{DisabledReason, Drain};

    const DAY: Duration = Duration::from_secs(86_400);

    fn secret(n: u8, at: u64) -> DestinationSecret {
        DestinationSecret {
            sealed: SealedSecret { key_id: "k".into(), sealed: vec![n] },
            fingerprint: n.to_string(),
            created_at: Timestamp::from_unix_ms(at),
            expires_at: None,
        }
    }

    fn destination() -> Destination {
        let settings = r#"{"name":"d","url":"https://example.com/"}"#;
        Destination {
            id: DestinationId::from_entropy([1; 10]),
            account: "acme".parse().expect("an account"),
            settings: serde_json::from_str(settings).expect("settings"),
            secrets: vec![secret(1, 0)],
            created_at: Timestamp::from_unix_ms(0),
            updated_at: Timestamp::from_unix_ms(0),
            version: 1,
            health: Health::default(),
        }
    }

    fn live(destination: &Destination, at: u64) -> Vec<&str> {
        destination.live_secrets(Timestamp::from_unix_ms(at)).map(|s| s.fingerprint.as_str()).collect()
    }

    #[test]
    fn settings_have_their_defaults() {
        let settings = destination().settings;
        assert!(!settings.paused);
        assert_eq!((u64::from(settings.timeout_seconds), settings.rate_limit), (15, None));
        assert_eq!(settings.retry_policy, RetryChoice::Standard);
        let text = r#"{"name":"d","url":"https://example.com/","colour":"red"}"#;
        assert!(serde_json::from_str::<DestinationSettings>(text).is_err());
    }

    #[test]
    fn a_paused_one_gets_nothing_and_resuming_it_begins_a_drain() {
        let now = Timestamp::from_unix_ms(7);
        let mut settings = destination().settings;
        settings.paused = true;
        let paused = destination().changed(settings, now);
        assert_eq!((paused.admission(now), paused.look_at()), (Admission::Nothing, None));
        let resumed = paused.changed(destination().settings, now);
        assert_eq!((resumed.admission(now), resumed.look_at()), (Admission::Everything, Some(now)));
        let again = resumed.changed(destination().settings, now);
        assert_eq!(again.health, resumed.health);
    }

    /// What a destination of this health is when it is resumed, and that resuming it again changes nothing.
    #[track_caller]
    fn check_resumed(health: Health, admission: Admission, look_at: Option<u64>) {
        let (disabled, now) = (destination().with_health(health), Timestamp::from_unix_ms(7));
        let resumed = disabled.resumed(now).expect("a change");
        assert_eq!((resumed.version, resumed.admission(now)), (1, admission));
        assert_eq!(resumed.look_at(), look_at.map(Timestamp::from_unix_ms));
        assert_eq!(resumed.resumed(now), None);
    }

    #[test]
    fn resuming_helps_whatever_kept_it_from_its_deliveries_and_helps_once() {
        let at = Timestamp::from_unix_ms;
        let with = |state| Health { state, ..Health::default() };
        let (since, reason) = (at(1), DisabledReason::Gone);
        check_resumed(with(HealthState::Disabled { since, reason }), Admission::Everything, Some(7));
        check_resumed(
            with(HealthState::Failing { since, probes: 3, next_probe_at: at(99), half_open: false }),
            Admission::Probes,
            Some(7),
        );
        check_resumed(Health::default(), Admission::Everything, Some(7));
        let drain = Some(Drain { since: at(99), next_at: at(99) });
        let held = Health { held_until: Some(at(99)), drain, ..Health::default() };
        assert_eq!(destination().with_health(held.clone()).admission(at(7)), Admission::Nothing);
        check_resumed(held, Admission::Everything, Some(7));
        assert_eq!(destination().with_health(with(HealthState::Closed)).resumed(at(7)), None);
        let paused = destination().paused(at(7)).expect("a change");
        assert_eq!((paused.version, paused.admission(at(8)), paused.paused(at(8))), (2, Admission::Nothing, None));
        let resumed = paused.resumed(at(8)).expect("a change");
        assert_eq!(
            (resumed.version, resumed.admission(at(9)), resumed.resumed(at(9))),
            (3, Admission::Everything, None)
        );
    }

    #[test]
    fn a_drain_keeps_to_the_rate_limit() {
        let mut limited = destination();
        assert_eq!(limited.drain_portion(), 1_200);
        limited.settings.rate_limit = RateLimit::try_from(2).ok();
        assert_eq!(limited.drain_portion(), 120);
    }

    #[test]
    fn an_old_secret_is_valid_until_the_overlap_ends_and_not_after() {
        let rotated = destination().rotated(secret(2, 1_000), DAY, Timestamp::from_unix_ms(1_000)).expect("rotated");
        assert_eq!(rotated.version, 2);
        assert_eq!(live(&rotated, 1_000), ["2", "1"]);
        assert_eq!(live(&rotated, 86_400_999), ["2", "1"]);
        assert_eq!(live(&rotated, 86_401_000), ["2"]);
    }

    #[test]
    fn without_an_overlap_the_old_secret_ends_at_once() {
        let now = Timestamp::from_unix_ms(1_000);
        let rotated = destination().rotated(secret(2, 1_000), Duration::ZERO, now).expect("rotated");
        assert_eq!(rotated.secrets.len(), 1);
        assert_eq!(live(&rotated, 1_000), ["2"]);
    }

    #[test]
    fn a_second_rotation_never_lengthens_what_was_ending() {
        let first = destination().rotated(secret(2, 0), Duration::from_secs(10), Timestamp::from_unix_ms(0));
        let second =
            first.expect("rotated").rotated(secret(3, 0), DAY, Timestamp::from_unix_ms(5_000)).expect("rotated");
        assert_eq!(live(&second, 5_000), ["3", "2", "1"]);
        assert_eq!(live(&second, 10_000), ["3", "2"]);
    }

    #[test]
    fn at_most_three_secrets_are_valid_and_an_ended_one_makes_room() {
        let now = Timestamp::from_unix_ms(0);
        let mut full = destination();
        for n in [2, 3] {
            full = full.rotated(secret(n, 0), DAY, now).expect("rotated");
        }
        let refused = full.rotated(secret(4, 0), DAY, now).map_err(|e| e.until);
        assert_eq!(refused, Err(now.plus(DAY)));
        assert!(full.rotated(secret(4, 0), DAY, now.plus(DAY)).is_ok());
        assert!(full.rotated(secret(4, 0), Duration::ZERO, now).is_ok(), "none of the old ones stays");
    }
}
