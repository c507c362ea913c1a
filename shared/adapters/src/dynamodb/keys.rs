//! Every key string of the table. There is one table, with the keys `pk` and `sk`:
//!
//! | row | `pk` | `sk` |
//! |---|---|---|
//! | account | `A#<account>` | `ACCOUNT` |
//! | account, listed | `ACCOUNTS` | `ACCOUNT#<account>` |
//! | API key | `A#<account>` | `KEY#<id>` |
//! | page session | `A#<account>` | `SES#<id>` |
//! | destination | `A#<account>` | `DST#<id>` |
//! | subscription | `A#<account>` | `SUB#<id>` |
//! | the name of a destination or subscription | `A#<account>` | `NAME#DST#<name>`, `NAME#SUB#<name>` |
//! | runs remembered for transitions | `A#<account>` | `RUNS#<type>#<scope>` |
//! | awaited run of a place | `A#<account>` | `AWAITED#<type>#<scope>` |
//! | roll-up of a destination's deliveries in the last day | `A#<account>` | `ROLL_UP#<destination>` |
//! | seen scope | `A#<account>` | `SCOPE#<scope>` |
//! | copy of a subscription in a bucket | `B#<account>#<type or *>#<scope>` | `SUB#<id>` |
//! | sealed event | `E#<account>#<event>` | `EVENT` |
//! | further rows of what it owes | `E#<account>#<event>` | `OWED#<seal>#<n>`, `OWED#<n>` if added later |
//! | body of an event, if it is long | `E#<account>#<event>` | `BODY#<name>`: half of its SHA-256 |
//! | progress of sending a wide event | `E#<account>#<event>` | `SENDING` |
//! | delivery | `D#<account>#<destination>` | `DLV#<id>` (sorted by when the event occurred) |
//! | pace: turns handed out at a destination with a rate limit | `PACE#<account>#<destination>` | `PACE` |
//! | health of a destination that has ever failed | `H#<account>#<destination>` | `HEALTH` |
//! | job | `JOB#<id>` | `JOB` |
//! | the pending jobs that an account started | `A#<account>` | `JOBS` |
//! | start of a job by an account | `A#<account>` | `JOB#<created_at in ms, 15 digits>#<id>` |
//! | job, pending | `JOBS` | `<milliseconds from which it may start>#<id>` |
//! | note of seals to audit | `SEALED#<shard of the account>` | `<end>#<begin>#<account>#<begin>#<end>`: the stretches in which events were sealed, and occurred, in ms, 15 digits |
//! | progress of the audit, by shard | `AUDIT` | `SHARDS` |
//! | progress of roll-ups, by shard | `ROLL_UPS` | `SHARDS` |
//! | rejected event | `REJECTED#<day when it was sent>` | `<id>` (sorted by when it was sent) |
//! | the kept part of its text | `REJECTED_BODY#<id>` | `BODY` |
//! | place of a running test | `A#<account>` | `TESTING#<number>` |
//! | what an account has spent of a budget | `A#<account>` | `BUDGET#UNITS`, `BUDGET#EVENTS` |
//! | request with an idempotency key, and its encrypted answer | `A#<account>`, or `ANSWERS` if it is about none | `ANSWER#<name>`: a digest of caller and key |
//! | unregistered account that events named | `UNREGISTERED` | `ACCOUNT#<account>` |
//! | data key | `DATA_KEY#<id>` | `DATA_KEY` |
//! | the data key in use | `DATA_KEY` | `CURRENT` |
//!
//! The index `events-by-account` has one entry for each sealed event and nothing else, because only those rows have its
//! keys: `gsi1pk` is `EV#<account>`, `gsi1sk` is `<occurred_at in ms, 15 digits>#<event>`.
//!
//! The index `waiting` has an entry for each thing that waits for its time. Healthy destinations and delivered
//! deliveries are not in it:
//!
//! | entry of | `gsi2pk` | `gsi2sk` |
//! |---|---|---|
//! | a delivery to be looked at | `DUE#<shard>` | `<when, in ms, 15 digits>` |
//! | a delivery that is parked | `PARKED#<account>#<destination>` | its id (sorted by when the event occurred) |
//! | the health of a destination to be looked at | `WATCH` | `<when, in ms, 15 digits>` |
//! | a roll-up with an hour to be read again | `ROLL_UPS` | `<when, in ms, 15 digits>` |
//! | an awaited run | `AWAITED#<shard>` | `<when, in ms, 15 digits>` |
//!
//! No part can contain `#` except a name, which is always the last part. For each delivery, only the delivery's own row
//! is written.
//!
//! Invariant: the indexes contain few attributes; only `api`, `portal` and `redrive` read the index of events, and only
//! `redrive` reads the one of what waits (tests: `indexes_are_narrow_and_read_by_those_who_need_them_alone`).

use std::fmt;

use domain::access::Spending;
use domain::event::{EventType, Scope};
use domain::routing::Bucket;
use domain::value::{
    AccountId, Day, DeliveryId, DestinationId, EventId, JobId, KeyId, RejectedEventId, SessionId, Span, SubscriptionId,
    Timestamp,
};
use ports::{AwaitedPlace, EventPlace, JobPlace, RequestKey, SHARDS, SealNote};

/// A primary key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) pk: String,
    pub(super) sk: String,
}

fn key(pk: String, sk: impl Into<String>) -> Key {
    Key { pk, sk: sk.into() }
}

pub(super) const ACCOUNTS: &str = "ACCOUNT#";
pub(super) const API_KEYS: &str = "KEY#";
pub(super) const SESSIONS: &str = "SES#";
pub(super) const DESTINATIONS: &str = "DST#";
pub(super) const SUBSCRIPTIONS: &str = "SUB#";
pub(super) const SCOPES: &str = "SCOPE#";
pub(super) const EVENT: &str = "EVENT";
pub(super) const OWED: &str = "OWED#";

/// The partition of everything an account configures.
pub(super) fn account_pk(account: &AccountId) -> String {
    format!("A#{account}")
}

pub(super) fn account(account: &AccountId) -> Key {
    key(account_pk(account), "ACCOUNT")
}

/// The partition that lists all accounts.
pub(super) fn accounts_pk() -> String {
    "ACCOUNTS".to_owned()
}

pub(super) fn listed_account(account: &AccountId) -> Key {
    key(accounts_pk(), format!("{ACCOUNTS}{account}"))
}

/// A place for a running test. No other key of an account begins like this.
pub(super) fn test_place(account: &AccountId, number: u8) -> Key {
    key(account_pk(account), format!("TESTING#{number}"))
}

pub(super) fn budget(account: &AccountId, of: Spending) -> Key {
    let of = match of {
        Spending::Units => "UNITS",
        Spending::Events => "EVENTS",
    };
    key(account_pk(account), format!("BUDGET#{of}"))
}

/// A request with an idempotency key, and its answer.
pub(super) fn kept_answer(request: &RequestKey) -> Key {
    let pk = request.account.as_ref().map_or_else(|| "ANSWERS".to_owned(), account_pk);
    key(pk, format!("ANSWER#{}", request.name))
}

/// The partition that lists unregistered accounts that events named.
pub(super) fn unregistered_pk() -> String {
    "UNREGISTERED".to_owned()
}

pub(super) fn unregistered(account: &AccountId) -> Key {
    key(unregistered_pk(), format!("{ACCOUNTS}{account}"))
}

pub(super) fn api_key(account: &AccountId, id: &KeyId) -> Key {
    key(account_pk(account), format!("{API_KEYS}{id}"))
}

pub(super) fn session(account: &AccountId, id: &SessionId) -> Key {
    key(account_pk(account), format!("{SESSIONS}{id}"))
}

pub(super) fn destination(account: &AccountId, id: &DestinationId) -> Key {
    key(account_pk(account), format!("{DESTINATIONS}{id}"))
}

pub(super) const HEALTH: &str = "HEALTH";

pub(super) fn health(account: &AccountId, id: &DestinationId) -> Key {
    key(format!("H#{account}#{id}"), HEALTH)
}

pub(super) fn subscription(account: &AccountId, id: &SubscriptionId) -> Key {
    key(account_pk(account), format!("{SUBSCRIPTIONS}{id}"))
}

pub(super) fn pace(account: &AccountId, id: &DestinationId) -> Key {
    key(format!("PACE#{account}#{id}"), "PACE")
}

pub(super) const ROLL_UP: &str = "ROLL_UP#";

pub(super) fn roll_up(account: &AccountId, id: &DestinationId) -> Key {
    key(account_pk(account), format!("{ROLL_UP}{id}"))
}

/// The account and the destination whose roll-up has this key.
pub(super) fn rolled_up(pk: &str, sk: &str) -> Option<(AccountId, DestinationId)> {
    Some((pk.strip_prefix("A#")?.parse().ok()?, sk.strip_prefix(ROLL_UP)?.parse().ok()?))
}

/// The partition of the index `waiting` that lists roll-ups, and of the row with their progress.
pub(super) fn roll_ups_pk() -> String {
    "ROLL_UPS".to_owned()
}

pub(super) fn rolled_up_to() -> Key {
    key(roll_ups_pk(), "SHARDS")
}

pub(super) fn destination_name(account: &AccountId, name: &str) -> Key {
    key(account_pk(account), format!("NAME#{DESTINATIONS}{name}"))
}

pub(super) fn subscription_name(account: &AccountId, name: &str) -> Key {
    key(account_pk(account), format!("NAME#{SUBSCRIPTIONS}{name}"))
}

pub(super) fn runs(account: &AccountId, event_type: EventType, place: &Scope) -> Key {
    key(account_pk(account), format!("RUNS#{event_type}#{place}"))
}

pub(super) const AWAITED: &str = "AWAITED#";

pub(super) fn awaited_run(at: &AwaitedPlace) -> Key {
    key(account_pk(&at.account), format!("{AWAITED}{}#{}", at.event_type, at.place))
}

pub(super) fn awaited_pk(shard: u8) -> String {
    format!("{AWAITED}{shard}")
}

/// The place whose awaited run has this key.
pub(super) fn awaited_place(pk: &str, sk: &str) -> Option<AwaitedPlace> {
    let (event_type, place) = sk.strip_prefix(AWAITED)?.split_once('#')?;
    let account = pk.strip_prefix("A#")?.parse().ok()?;
    Some(AwaitedPlace { account, event_type: event_type.parse().ok()?, place: place.parse().ok()? })
}

pub(super) fn seen_scope(account: &AccountId, scope: &Scope) -> Key {
    key(account_pk(account), format!("{SCOPES}{scope}"))
}

/// The prefix of the sort keys of everything that was seen at a scope or below it.
pub(super) fn scopes_within(scope: &Scope) -> String {
    match scope {
        Scope::Everything => SCOPES.to_owned(),
        Scope::Connection(_) => format!("{SCOPES}{scope}/"),
        Scope::Endpoint { .. } | Scope::Insight { .. } => format!("{SCOPES}{scope}"),
    }
}

/// The partition of a bucket, which may be given as text.
pub(super) fn bucket_pk(account: &AccountId, bucket: &impl fmt::Display) -> String {
    format!("B#{account}#{bucket}")
}

pub(super) fn filed_subscription(account: &AccountId, bucket: &Bucket, id: &SubscriptionId) -> Key {
    key(bucket_pk(account, bucket), format!("{SUBSCRIPTIONS}{id}"))
}

pub(super) fn event_pk(account: &AccountId, id: &EventId) -> String {
    format!("E#{account}#{id}")
}

pub(super) fn event(account: &AccountId, id: &EventId) -> Key {
    key(event_pk(account, id), EVENT)
}

/// A body that is not in the event's own row, by the name that the row gives it.
pub(super) fn body(account: &AccountId, id: &EventId, name: &str) -> Key {
    key(event_pk(account, id), format!("BODY#{name}"))
}

/// The progress of sending the deliveries of a wide event.
pub(super) fn sending(account: &AccountId, id: &EventId) -> Key {
    key(event_pk(account, id), "SENDING")
}

/// The index of sealed events, and its two key attributes.
pub(super) const EVENTS_BY_ACCOUNT: &str = "events-by-account";
pub(super) const INDEX_KEYS: [&str; 2] = ["gsi1pk", "gsi1sk"];

pub(super) fn listed_events_pk(account: &AccountId) -> String {
    format!("EV#{account}")
}

/// A bound for listing: events that occurred at `time` or later sort after it in the index, all earlier ones before it.
pub(super) fn listed_events_from(time: Timestamp) -> String {
    format!("{:015}", time.unix_ms())
}

pub(super) fn listed_event_sk(place: &EventPlace) -> String {
    format!("{}#{}", listed_events_from(place.occurred_at), place.id)
}

/// The place that [`listed_event_sk`] wrote.
pub(super) fn listed_event_place(sk: &str) -> Option<EventPlace> {
    let (ms, id) = sk.split_once('#')?;
    Some(EventPlace { occurred_at: Timestamp::from_unix_ms(ms.parse().ok()?), id: id.parse().ok()? })
}

/// A further row of what an event owes. `seal` is the seal that it belongs to, as the event's own row names it.
pub(super) fn owed(account: &AccountId, id: &EventId, seal: Option<&str>, n: usize) -> Key {
    let sk = seal.map_or_else(|| format!("{OWED}{n:05}"), |seal| format!("{OWED}{seal}#{n:05}"));
    key(event_pk(account, id), sk)
}

pub(super) const DELIVERIES: &str = "DLV#";

pub(super) fn deliveries_pk(account: &AccountId, destination: &DestinationId) -> String {
    format!("D#{account}#{destination}")
}

pub(super) fn delivery(account: &AccountId, id: &DeliveryId) -> Key {
    key(deliveries_pk(account, &id.destination()), format!("{DELIVERIES}{id}"))
}

pub(super) fn job(id: &JobId) -> Key {
    key(format!("JOB#{id}"), "JOB")
}

/// The ids of the pending jobs that the account started itself.
pub(super) fn jobs_of_account(account: &AccountId) -> Key {
    key(account_pk(account), "JOBS")
}

/// The prefix of the notes of started jobs.
pub(super) const STARTED_JOBS: &str = "JOB#";

pub(super) fn started_job(account: &AccountId, place: &JobPlace) -> Key {
    key(account_pk(account), format!("{STARTED_JOBS}{:015}#{}", place.created_at.unix_ms(), place.id))
}

/// The place that [`started_job`] wrote.
pub(super) fn started_job_place(sk: &str) -> Option<JobPlace> {
    let (created_at, id) = sk.strip_prefix(STARTED_JOBS)?.split_once('#')?;
    Some(JobPlace { created_at: Timestamp::from_unix_ms(created_at.parse().ok()?), id: id.parse().ok()? })
}

/// The partition of all jobs that have not ended.
pub(super) fn pending_jobs_pk() -> String {
    "JOBS".to_owned()
}

pub(super) fn pending_job(starts_at: Timestamp, id: &JobId) -> Key {
    key(pending_jobs_pk(), format!("{:015}#{id}", starts_at.unix_ms()))
}

/// When a pending job with this sort key may start, and its id.
pub(super) fn pending_job_of(sk: &str) -> Option<(Timestamp, JobId)> {
    let (starts_at, id) = sk.split_once('#')?;
    Some((Timestamp::from_unix_ms(starts_at.parse().ok()?), id.parse().ok()?))
}

/// A bound for listing: pending jobs that may start at `now` sort before it.
pub(super) fn startable_until(now: Timestamp) -> String {
    format!("{:015}#~", now.unix_ms())
}

/// The index of what waits, and its two key attributes.
pub(super) const WAITING: &str = "waiting";
pub(super) const WAITING_KEYS: [&str; 2] = ["gsi2pk", "gsi2sk"];

pub(super) fn due_pk(shard: u8) -> String {
    format!("DUE#{shard}")
}

/// The shard of a delivery, by the last character of its digest.
pub(super) fn shard(id: &DeliveryId) -> u8 {
    id.as_str().bytes().last().unwrap_or_default() % SHARDS
}

pub(super) fn parked_pk(account: &AccountId, destination: &DestinationId) -> String {
    format!("PARKED#{account}#{destination}")
}

pub(super) fn watch_pk() -> String {
    "WATCH".to_owned()
}

/// The sort key of an entry that waits: when it has to be looked at.
pub(super) fn look_at(moment: Timestamp) -> String {
    format!("{:015}", moment.unix_ms())
}

pub(super) fn looked_at(sk: &str) -> Option<Timestamp> {
    sk.parse().ok().map(Timestamp::from_unix_ms)
}

/// The account and the delivery whose row has this key.
pub(super) fn delivery_of(pk: &str, sk: &str) -> Option<(AccountId, DeliveryId)> {
    let account = pk.strip_prefix("D#")?.split_once('#')?.0;
    Some((account.parse().ok()?, sk.strip_prefix(DELIVERIES)?.parse().ok()?))
}

/// The account and the destination whose health is in the row with this key. A health that an older release stored is
/// in the destination's own row until it changes.
pub(super) fn watched_of(pk: &str, sk: &str) -> Option<(AccountId, DestinationId)> {
    let (account, destination) = match sk {
        HEALTH => pk.strip_prefix("H#")?.split_once('#')?,
        _ => (pk.strip_prefix("A#")?, sk.strip_prefix(DESTINATIONS)?),
    };
    Some((account.parse().ok()?, destination.parse().ok()?))
}

pub(super) fn seal_notes_pk(shard: u8) -> String {
    format!("SEALED#{shard}")
}

/// A bound for listing: notes of stretches that ended by `until` sort before it, all later ones after it.
pub(super) fn sealed_until(until: Timestamp) -> String {
    format!("{:015}#~", until.unix_ms())
}

pub(super) fn seal_note(note: &SealNote) -> Key {
    let SealNote { sealed, account, occurred } = note;
    let [until, since, from, to] = [sealed.until, sealed.since, occurred.since, occurred.until].map(Timestamp::unix_ms);
    key(seal_notes_pk(note.shard()), format!("{until:015}#{since:015}#{account}#{from:015}#{to:015}"))
}

/// The note with this sort key.
pub(super) fn seal_note_of(sk: &str) -> Option<SealNote> {
    let mut parts = sk.split('#');
    let mut next = || parts.next();
    let time = |text: Option<&str>| text?.parse().ok().map(Timestamp::from_unix_ms);
    let (until, since, account) = (time(next())?, time(next())?, next()?.parse().ok()?);
    let occurred = Span { since: time(next())?, until: time(next())? };
    Some(SealNote { sealed: Span { since, until }, account, occurred })
}

pub(super) fn audited_until() -> Key {
    key("AUDIT".to_owned(), "SHARDS")
}

/// The partition of the events that were sent on one day and rejected.
pub(super) fn rejected_pk(day: Day) -> String {
    format!("REJECTED#{day}")
}

pub(super) fn rejected_event(id: &RejectedEventId) -> Key {
    key(rejected_pk(Day::of(id.sent_at())), id.as_str())
}

pub(super) fn rejected_body(id: &RejectedEventId) -> Key {
    key(format!("REJECTED_BODY#{id}"), "BODY")
}

pub(super) fn data_key(id: &str) -> Key {
    key(format!("DATA_KEY#{id}"), "DATA_KEY")
}

pub(super) fn current_data_key() -> Key {
    key("DATA_KEY".to_owned(), "CURRENT")
}
