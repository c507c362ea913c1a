//! Runs that were announced but do not come: what is known about the last run of a watched place, how long the next run is
//! awaited, and what is reported if it does not come. It reads no clock and stores nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::event::{Event, EventType, MAX_AGE_SECONDS, OwnEvent, Scope};
use crate::value::{AccountId, Timestamp};

/// The shortest and longest grace, in seconds.
pub const GRACE_SECONDS: std::ops::RangeInclusive<u64> = 60..=86_400;
/// After an event of a run was accepted, no run is reported as missed for this long, because the next run's event may
/// be behind it in a queue.
pub const SETTLE: Duration = Duration::from_secs(60);

/// How long after its announced time a run may come without being missed, in whole seconds; by default 15 minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Grace(u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be {} to {} whole seconds", GRACE_SECONDS.start(), GRACE_SECONDS.end())]
pub struct GraceError;

impl Default for Grace {
    fn default() -> Self {
        Self(900)
    }
}

impl TryFrom<u64> for Grace {
    type Error = GraceError;
    fn try_from(seconds: u64) -> Result<Self, GraceError> {
        if GRACE_SECONDS.contains(&seconds) { Ok(Self(seconds)) } else { Err(GraceError) }
    }
}

impl From<Grace> for u64 {
    fn from(grace: Grace) -> u64 {
        grace.0
    }
}

/// What is known about the last run of a place and about the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwaitedRun {
    pub account: AccountId,
    /// The type of the events that report such runs.
    pub event_type: EventType,
    pub place: Scope,
    pub last_completed_at: Timestamp,
    /// When the last run became known here.
    pub noted_at: Timestamp,
    /// None if the last run announced no other.
    pub next_run_at: Option<Timestamp>,
    /// What the event about the missed run says about the place and the last run: the text of a JSON object, with the
    /// producer's bytes.
    pub known: String,
    /// The longest grace after which the run was reported as missed.
    pub told: Option<Grace>,
    /// When the next grace ends that was not reported; none if there is no such grace.
    pub look_at: Option<Timestamp>,
}

/// The parts of [`AwaitedRun::known`].
#[derive(Serialize, Deserialize)]
struct Known<'a, LastRun> {
    #[serde(borrow)]
    connection: &'a RawValue,
    #[serde(borrow)]
    endpoint: &'a RawValue,
    last_run: LastRun,
}

/// What a run's event says about its place and itself, as the producer wrote it.
#[derive(Deserialize)]
struct Told<'a> {
    #[serde(borrow)]
    connection: &'a RawValue,
    #[serde(borrow)]
    endpoint: &'a RawValue,
    #[serde(borrow)]
    completed_at: &'a RawValue,
    #[serde(borrow)]
    run_id: &'a RawValue,
    #[serde(borrow)]
    status: &'a RawValue,
}

#[derive(Serialize)]
struct LastRun<'a> {
    completed_at: &'a RawValue,
    run_id: &'a RawValue,
    status: &'a RawValue,
}

/// The data of the event about a missed run. Its fields must stay sorted by name, because the id of the event depends on
/// their order.
#[derive(Serialize)]
struct MissedRun<'a> {
    connection: &'a RawValue,
    endpoint: &'a RawValue,
    expected_at: Option<Timestamp>,
    grace_seconds: Grace,
    last_run: &'a RawValue,
    reason: String,
    status: &'static str,
}

impl AwaitedRun {
    /// The awaited run that this event announces. `data` is the event's, parsed; `shortest` is the shortest grace of the
    /// subscriptions that watch the place.
    pub fn after(event: &Event, data: &Value, shortest: Grace, now: Timestamp) -> Option<Self> {
        let time = |field: &str| serde_json::from_value::<Timestamp>(data[field].clone()).ok();
        let last_completed_at = time("completed_at")?;
        let told: Told<'_> = serde_json::from_str(event.data.get()).ok()?;
        let last_run = LastRun { completed_at: told.completed_at, run_id: told.run_id, status: told.status };
        let known = Known { connection: told.connection, endpoint: told.endpoint, last_run };
        let known = serde_json::to_string(&known).ok()?;
        let awaited = Self {
            account: event.account.clone(),
            event_type: event.event_type,
            place: event.scope.clone(),
            last_completed_at,
            noted_at: now,
            // A run that was announced for a time before the end of this one will not come.
            next_run_at: time("next_run_at").filter(|next| *next > last_completed_at),
            known,
            told: None,
            look_at: None,
        };
        Some(Self { look_at: awaited.deadline(shortest), ..awaited })
    }

    /// When the run counts as missed for subscriptions with this grace.
    fn deadline(&self, grace: Grace) -> Option<Timestamp> {
        let settled = self.noted_at.plus(SETTLE);
        self.next_run_at.map(|next| next.plus(Duration::from_secs(grace.0)).max(settled))
    }

    /// The events to be sent at `now`, one for each grace that has passed and was not reported; and what is known after
    /// that.
    pub fn missed(&self, graces: &BTreeSet<Grace>, now: Timestamp) -> (Vec<OwnEvent>, Self) {
        let mut after = Self { look_at: None, ..self.clone() };
        let mut events = Vec::new();
        let left = graces.iter().filter(|grace| self.told.is_none_or(|told| **grace > told));
        for (grace, deadline) in left.filter_map(|grace| Some((*grace, self.deadline(*grace)?))) {
            if deadline > now {
                after.look_at = Some(after.look_at.map_or(deadline, |earlier| earlier.min(deadline)));
                continue;
            }
            after.told = Some(grace);
            // An older event would be refused for its age.
            if now.since(deadline).as_secs() < MAX_AGE_SECONDS {
                events.extend(self.event(grace, deadline));
            }
        }
        (events, after)
    }

    fn event(&self, grace: Grace, deadline: Timestamp) -> Option<OwnEvent> {
        let Known::<&RawValue> { connection, endpoint, last_run } = serde_json::from_str(&self.known).ok()?;
        let data = MissedRun {
            connection,
            endpoint,
            expected_at: self.next_run_at,
            grace_seconds: grace,
            last_run,
            reason: format!("no run completed by {} seconds after the announced time", grace.0),
            status: "missed",
        };
        let data = serde_json::to_string(&data).ok()?;
        let (account, scope) = (self.account.clone(), self.place.clone());
        let event_type = self.event_type.absence()?.as_str();
        Some(OwnEvent { event_type, account, scope, occurred_at: deadline, data })
    }
}

/// Whether an event with this `data` reports a run that was missed after a grace other than this one.
pub fn is_of_other_grace(event_type: EventType, data: &Value, grace: Grace) -> bool {
    event_type.absence_of().is_some() && data["grace_seconds"] != grace.0
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const COMPLETED_S: u64 = 1_795_426_200;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_ms((COMPLETED_S + seconds) * 1_000)
    }

    fn grace(seconds: u64) -> Grace {
        Grace::try_from(seconds).expect("a grace")
    }

    fn data(event: &OwnEvent) -> Value {
        serde_json::from_str(&event.data).expect("JSON")
    }

    fn event(event_type: EventType, data: String) -> Event {
        Event {
            id: "evt-1".parse().expect("an id"),
            event_type,
            account: "acme".parse().expect("an account"),
            scope: "connection/xero/endpoint/invoices".parse().expect("a scope"),
            occurred_at: at(0),
            data: RawValue::from_string(data).expect("JSON"),
            traceparent: None,
        }
    }

    /// After a run that completed at 0 and was noted at `noted`, the next announced for `next`.
    fn awaited(next: Option<u64>, noted: u64) -> AwaitedRun {
        let completed: EventType = "sync_run.completed".parse().expect("a type");
        let mut data: Value = serde_json::from_str(completed.samples()[0].data.get()).expect("JSON");
        data["completed_at"] = json!(at(0));
        data["next_run_at"] = json!(next.map(at));
        let event = event(completed, data.to_string());
        AwaitedRun::after(&event, &data, Grace::default(), at(noted)).expect("a run")
    }

    #[track_caller]
    fn check_look_at(next: Option<u64>, noted: u64, expected: Option<u64>) {
        assert_eq!(awaited(next, noted).look_at, expected.map(at));
    }

    #[test]
    fn a_run_is_waited_for_until_its_time_and_the_grace_have_passed() {
        check_look_at(Some(3_600), 1, Some(4_500));
        check_look_at(None, 1, None);
        // It was announced for a time before this run ended.
        check_look_at(Some(0), 1, None);
        // The event was late, and the next run's event may be behind it in the queue.
        check_look_at(Some(3_600), 9_000, Some(9_060));
    }

    #[test]
    fn each_grace_is_told_once_when_it_has_passed_and_no_sooner() {
        let graces = [60, 900, 3_600].map(grace).into();
        let told = |run: &AwaitedRun, now: u64| {
            let (events, after) = run.missed(&graces, at(now));
            (
                events.iter().map(|event| data(event)["grace_seconds"].as_u64().expect("a number")).collect::<Vec<_>>(),
                after,
            )
        };
        let (none, waits) = told(&awaited(Some(3_600), 1), 3_659);
        assert_eq!((none, waits.look_at), (vec![], Some(at(3_660))));
        let (first, after) = told(&waits, 3_660);
        assert_eq!((first, after.look_at), (vec![60], Some(at(4_500))));
        assert_eq!(told(&after, 3_661).0, [0; 0]);
        let (both, over) = told(&after, 9_000);
        assert_eq!((both, over.look_at), (vec![900, 3_600], None));
        assert_eq!(told(&over, 99_000).0, [0; 0]);
        assert_eq!(told(&waits, 3_600 + 31 * 86_400).0, [0; 0], "too long ago to be accepted");
        let nobody = waits.missed(&BTreeSet::new(), at(9_000));
        assert_eq!((nobody.0.len(), nobody.1.look_at), (0, None));
    }

    #[test]
    fn what_is_told_is_valid_and_the_same_every_time() {
        let run = awaited(Some(3_600), 1);
        let [now, later] = [5_000, 6_000].map(|now| run.missed(&[Grace::default()].into(), at(now)).0);
        assert_eq!(now, later);
        let event = Event::parse(&now[0].text(), at(6_000)).map_err(|rejection| rejection.detail).expect("valid");
        assert_eq!((event.event_type.as_str(), event.occurred_at), ("sync_run.missed", at(4_500)));
        assert_eq!(event.scope, run.place);
        let data: Value = serde_json::from_str(event.data.get()).expect("JSON");
        assert_eq!(data["last_run"]["status"], "succeeded");
    }

    #[test]
    fn what_a_producer_wrote_is_told_byte_for_byte() {
        let completed: EventType = "sync_run.completed".parse().expect("a type");
        let mut data: Value = serde_json::from_str(completed.samples()[0].data.get()).expect("JSON");
        data["completed_at"] = json!(at(0));
        data["next_run_at"] = json!(at(3_600));
        data["connection"]["extra"] = json!("HERE");
        data["run_id"] = json!("THERE");
        let (numbers, run) = (r#"[12345678901234567890123, 1.10,1E+2,-0 ,1e400,{"é":"\u00e9\/"}]"#, r#""\u0041\/""#);
        let text = data.to_string().replace(r#""HERE""#, numbers).replace(r#""THERE""#, run);
        let event = event(completed, text.clone());
        let data = crate::value::json::value(&text).expect("JSON");
        let run_of = AwaitedRun::after(&event, &data, Grace::default(), at(1)).expect("a run");
        let (missed, _) = run_of.missed(&[Grace::default()].into(), at(5_000));
        let missed = Event::parse(&missed[0].text(), at(5_000)).map_err(|rejection| rejection.detail).expect("valid");
        for part in [numbers, run] {
            assert!(missed.data.get().contains(part), "{}", missed.data);
        }
    }

    #[test]
    fn a_grace_is_a_minute_to_a_day() {
        for (seconds, expected) in [(59, false), (60, true), (86_400, true), (86_401, false)] {
            assert_eq!(Grace::try_from(seconds).is_ok(), expected, "{seconds}");
        }
    }
}
