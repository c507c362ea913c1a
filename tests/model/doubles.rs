//! The ports of one process: those of the table, with possible faults at every call.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::access::Account;
use domain::attempt::{SealedSecret, SigningSecret};
use domain::delivery::{Delivery, DeliveryRecord, DeliveryResult, Job, Lease, RollUp, Sending, Settlement};
use domain::destination::{Destination, Health, Pace, Reserved, Wish};
use domain::event::{EventType, Scope, SeenScope};
use domain::operational::Alert;
use domain::routing::{AwaitedRun, Bucket, History, Listeners, Subscription};
use domain::value::{AccountId, DeliveryId, DestinationId, EventId, JobId, Label, SubscriptionId, Timestamp};
use ports::*;

use crate::chaos::Chaos;

pub struct Shaken<S> {
    pub chaos: Arc<Chaos>,
    pub inner: Arc<S>,
}

/// An answer. A list has as many items as its length, anything else has one.
struct Answer<'a, T>(&'a T);

trait ItemsOfList {
    fn items(&self) -> usize;
}

impl<T> ItemsOfList for Answer<'_, Vec<T>> {
    fn items(&self) -> usize {
        self.0.len()
    }
}

trait ItemsOfAny {
    fn items(&self) -> usize;
}

/// The compiler prefers an implementation without a further reference, so this one is used for everything that is not a
/// list.
impl<T> ItemsOfAny for &Answer<'_, T> {
    fn items(&self) -> usize {
        1
    }
}

macro_rules! shaken {
    ($($port:ident { $(fn $call:ident($($name:ident: $type:ty),*) -> $answer:ty;)* })*) => {
        $(
            #[async_trait]
            impl<S: $port> $port for Shaken<S> {
                $(
                    async fn $call(&self, $($name: $type),*) -> PortResult<$answer> {
                        let answer = self.chaos.around(self.inner.$call($($name),*)).await;
                        if let Some(meter) = &self.chaos.meter {
                            let items = answer.as_ref().map_or(1, |answer| (&Answer(answer)).items());
                            meter.spend(stringify!($call), items).await;
                        }
                        answer
                    }
                )*
            }
        )*
    };
}

shaken! {
    Alerts {
        fn publish(alert: &Alert) -> ();
    }
    AwaitRuns {
        fn await_run(run: &AwaitedRun) -> ();
    }
    AwaitedRuns {
        fn overdue_runs(shard: u8, until: Timestamp, after: Option<&(Timestamp, AwaitedPlace)>, limit: usize)
            -> Vec<(Timestamp, AwaitedPlace)>;
        fn find_awaited_run(at: &AwaitedPlace) -> Option<AwaitedRun>;
        fn update_awaited_run(before: &AwaitedRun, after: &AwaitedRun) -> bool;
    }
    FindAccount {
        fn find_account(account: &AccountId) -> Option<Timestamp>;
    }
    FindListeners {
        fn find_listeners(account: &AccountId, buckets: &[Bucket]) -> Vec<Arc<Listeners>>;
    }
    FindSubscriptions {
        fn find_subscriptions(account: &AccountId, bucket: &Bucket, after: Option<&SubscriptionId>, most: usize)
            -> Vec<Subscription>;
    }
    Subscriptions {
        fn create_subscription(subscription: &Subscription, most: u32) -> CreatedSubscription;
        fn update_subscription(before: &Subscription, after: &Subscription) -> UpdatedSubscription;
        fn find_subscription(account: &AccountId, id: &SubscriptionId) -> Option<Subscription>;
        fn find_subscription_named(account: &AccountId, name: &Label) -> Option<SubscriptionId>;
        fn list_subscriptions(account: &AccountId, order: Order, after: Option<&SubscriptionId>, limit: usize)
            -> Vec<Subscription>;
        fn delete_subscription(account: &AccountId, id: &SubscriptionId, version: Option<u64>) -> DeletedSubscription;
    }
    Transitions {
        fn find_runs(account: &AccountId, event_type: EventType, place: &Scope) -> Remembered;
        fn store_runs(account: &AccountId, event_type: EventType, place: &Scope, before: &Remembered, history: &History,
            expires_at: Timestamp) -> bool;
    }
    Events {
        fn find_event(account: &AccountId, id: &EventId) -> Option<SealedEvent>;
        fn find_event_with(account: &AccountId, id: &EventId, most: usize) -> Option<(SealedEvent, usize)>;
        fn find_body(account: &AccountId, id: &EventId) -> Option<String>;
        fn seal_event(event: &SealedEvent) -> Sealed;
    }
    WideEvents {
        fn find_seal(account: &AccountId, id: &EventId) -> Option<Seal>;
        fn seal_plan(event: &SealedEvent) -> Sealed;
        fn find_sending(account: &AccountId, id: &EventId) -> Option<Sending>;
        fn note_sending(account: &AccountId, id: &EventId, before: Option<&Sending>, after: &Sending,
            expires_at: Timestamp) -> bool;
    }
    SealNotes {
        fn note_seal(note: &SealNote, expires_at: Timestamp) -> ();
    }
    Accounts {
        fn create_account(account: &AccountId, now: Timestamp) -> CreatedAccount;
        fn read_account(account: &AccountId) -> Option<Account>;
        fn list_accounts(after: Option<&AccountId>, limit: usize) -> Vec<Account>;
        fn start_deletion(account: &AccountId, job: &Job, replacing: Option<&JobId>) -> bool;
    }
    AccountPurge {
        fn close_destinations(account: &AccountId) -> u64;
        fn purge_account(account: &AccountId, limit: usize) -> Purged;
        fn end_deletion(account: &AccountId, job: &Job, lease: &Lease) -> Held;
    }
    OweMore {
        fn add_owed(known: &SealedEvent, more: &[Delivery], now: Timestamp) -> bool;
    }
    ListDeliveries {
        fn list_deliveries(account: &AccountId, destination: &DestinationId, span: Span, order: Order,
            after: Option<&DeliveryId>, limit: usize) -> Vec<DeliveryRecord>;
    }
    Destinations {
        fn create_destination(destination: &Destination, most: u32) -> CreatedDestination;
        fn update_destination(before: &Destination, after: &Destination) -> UpdatedDestination;
        fn find_destination_named(account: &AccountId, name: &Label) -> Option<DestinationId>;
        fn list_destinations(account: &AccountId, order: Order, after: Option<&DestinationId>, limit: usize) -> Vec<Destination>;
        fn list_settings(account: &AccountId, after: Option<&DestinationId>, limit: usize) -> Vec<Destination>;
        fn delete_destination(account: &AccountId, id: &DestinationId, version: Option<u64>) -> DeletedDestination;
        fn find_searched(account: &AccountId, id: &DestinationId) -> Option<SubscriptionId>;
        fn note_searched(account: &AccountId, id: &DestinationId, after: Option<&SubscriptionId>) -> ();
    }
    StartJob {
        fn start_job(job: &Job, most: u32) -> Option<Job>;
        fn list_jobs(account: &AccountId, order: Order, after: Option<&JobPlace>, limit: usize) -> Vec<ListedJob>;
    }
    FindDestination {
        fn find_destination(account: &AccountId, id: &DestinationId) -> Option<Destination>;
    }
    DestinationHealth {
        fn find_destination_anew(account: &AccountId, id: &DestinationId) -> Option<Destination>;
        fn update_health(before: &Destination, health: &Health) -> bool;
        fn forget_health(account: &AccountId, id: &DestinationId) -> ();
    }
    Deliveries {
        fn find_delivery(account: &AccountId, id: &DeliveryId) -> Option<DeliveryRecord>;
        fn find_deliveries(ids: &[(AccountId, DeliveryId)]) -> Vec<DeliveryRecord>;
        fn create_delivery(record: &DeliveryRecord) -> bool;
        fn replace_delivery(before: &DeliveryRecord, after: &DeliveryRecord) -> bool;
    }
    Paces {
        fn reserve(account: &AccountId, destination: &DestinationId, known: Pace, wish: &Wish) -> Reserved;
        fn clear_lines(account: &AccountId, destination: &DestinationId) -> ();
    }
    Waiting {
        fn due_deliveries(shard: u8, until: Timestamp, after: Option<&Due>, limit: usize) -> Vec<Due>;
        fn parked_deliveries(account: &AccountId, destination: &DestinationId, after: Option<&DeliveryId>,
            limit: usize) -> Vec<DeliveryId>;
        fn watched_destinations(until: Timestamp, after: Option<&Watched>, limit: usize) -> Vec<Watched>;
    }
    ListEvents {
        fn list_events(account: &AccountId, span: Span, order: Order, after: Option<&EventPlace>, limit: usize) -> Vec<ListedEvent>;
    }
    Audit {
        fn audited_until() -> ByShard<Timestamp>;
        fn set_audited_until(shards: &ByShard<Timestamp>) -> ();
        fn seal_notes(shard: u8, ended: Span, after: Option<&SealNote>, limit: usize)
            -> Vec<ListedNote>;
        fn move_old_notes(slot: Duration, until: Timestamp) -> ();
        fn note_progress(note: &SealNote, to: &EventPlace) -> ();
        fn note_settled(note: &SealNote, settled: &Settlement) -> ();
        fn forget_note(note: &SealNote) -> ();
    }
    Reckoning {
        fn find_owed(account: &AccountId, events: &[EventId]) -> Vec<(EventId, Vec<DeliveryId>)>;
        fn find_first_owed(account: &AccountId, events: &[EventId]) -> Vec<(EventId, OwedRow)>;
        fn find_further_owed(account: &AccountId, event: &EventId, nth: usize) -> Option<OwedRow>;
        fn find_standings(account: &AccountId, ids: &[DeliveryId]) -> Vec<DeliveryStanding>;
        fn find_standings_in_ranges(account: &AccountId, ids: &[DeliveryId]) -> Vec<DeliveryStanding>;
    }
    FindRollUp {
        fn find_roll_up(account: &AccountId, destination: &DestinationId) -> Option<RollUp>;
    }
    RollUps {
        fn store_roll_up(before: Option<Timestamp>, after: &RollUp, look_at: Option<Timestamp>) -> bool;
        fn forget_roll_up(account: &AccountId, destination: &DestinationId) -> ();
        fn due_roll_ups(until: Timestamp, after: Option<&DueRollUp>, limit: usize) -> Vec<DueRollUp>;
        fn list_results(account: &AccountId, destination: &DestinationId, span: Span, after: Option<&DeliveryId>,
            limit: usize) -> Vec<DeliveryResult>;
        fn rolled_up_to() -> ByShard<RolledUpTo>;
        fn set_rolled_up_to(shards: &ByShard<RolledUpTo>) -> ();
    }
    FindJob {
        fn find_job(id: &JobId) -> Option<Job>;
    }
    Jobs {
        fn pending_jobs_after(now: Timestamp, after: Option<&PendingJob>, limit: usize) -> Vec<PendingJob>;
        fn take_job(id: &JobId, lease: &Lease, now: Timestamp) -> Option<Job>;
        fn record_progress(job: &Job, lease: &Lease) -> Held;
        fn end_job(job: &Job, lease: &Lease) -> Held;
    }
    Vault {
        fn seal(account: &AccountId, destination: &DestinationId, secret: &SigningSecret) -> SealedSecret;
        fn open(account: &AccountId, destination: &DestinationId, sealed: &SealedSecret) -> SigningSecret;
    }
    SeenScopes {
        fn note_scope(seen: &SeenScope) -> ();
        fn list_scopes(account: &AccountId, within: &Scope, after: Option<&Scope>, limit: usize) -> Vec<SeenScope>;
    }
}
