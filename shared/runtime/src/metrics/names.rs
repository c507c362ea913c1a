//! The names of all metrics that functions write. Each costs $0.30 a month while it gets figures; `tools/alarms_test.py`
//! reads them from here for the sum in `docs/cost.md`, and `docs/monitoring.md` says what each means.

macro_rules! names {
    ($(#[$doc:meta])* $kind:ident { $($(#[$of:meta])* $name:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $kind { $($(#[$of])* $name),* }

        impl $kind {
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The name of the metric.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),* }
            }
        }
    };
}

names!(
    /// What is counted.
    Count {
        /// Events that were sealed: those that matched and those that did not.
        EventsAccepted,
        EventsMatched,
        EventsUnmatched,
        /// Events of accounts that nobody registered.
        EventsIgnored,
        /// Events that came again.
        EventsDuplicate,
        /// Deliveries that events owed when they were sealed.
        DeliveriesOwed,
        DeliveriesDelivered,
        /// Failed attempts after which another one follows by schedule.
        DeliveriesRetried,
        /// Deliveries that were set aside because nothing may be sent to their destination now.
        DeliveriesParked,
        DeliveriesExhausted,
        /// Deliveries that the audit found owed and without a row after the horizon.
        PendingPastHorizon,
        /// Instances that were started. Those of `redrive` are not counted: nobody waits for them.
        ColdStarts,
        /// Look-ups of accounts, destinations and subscriptions that the container remembered.
        CacheHits,
        CacheMisses,
    }
);

names!(
    /// What is measured. Each value counts, so CloudWatch has percentiles.
    Time {
        /// From when an event was sent to its queue until it was first received.
        EventQueueWait,
        /// From when a new delivery was sent to its queue until it was first received.
        DeliveryQueueWait,
        /// From when something occurred until the first attempt to tell a destination.
        EventLag,
        /// How long requests to receivers took.
        AttemptLatency,
    }
);
