//! The environment of each function, read once at cold start. All mistakes are reported, not only the first.
//!
//! Invariant: only this module reads the environment (checked by `clippy.toml`).
//!
//! Invariant: all mistakes in the environment are reported at once (tests: `every_mistake_is_reported_at_once`).

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use domain::access::Budget;
use domain::attempt::RetryPolicy;
use domain::delivery::MessageLease;
use domain::destination::AddressPolicy;
use domain::event::Unregistered;
use domain::value::Horizon;

/// The mistakes in the environment, one per line.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the function's environment is wrong: {}", .mistakes.join("; "))]
pub struct ConfigError {
    pub mistakes: Vec<String>,
}

/// Reads variables and collects the mistakes in them.
struct Reader<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    mistakes: Vec<String>,
}

impl Reader<'_> {
    fn text(&mut self, name: &str) -> String {
        match (self.lookup)(name) {
            Some(value) if !value.is_empty() => value,
            _ => {
                self.mistakes.push(format!("{name} is not set"));
                String::new()
            }
        }
    }

    fn parsed<T: FromStr + Default>(&mut self, name: &str) -> T
    where
        T::Err: fmt::Display,
    {
        let text = self.text(name);
        if text.is_empty() {
            return T::default();
        }
        text.parse().unwrap_or_else(|error| {
            self.mistakes.push(format!("{name}: {error}"));
            T::default()
        })
    }

    fn days(&mut self, name: &str) -> Duration {
        Duration::from_secs(u64::from(self.parsed::<u16>(name)) * 86_400)
    }

    fn addresses(&mut self) -> AddressPolicy {
        let allowed = (self.lookup)("ALLOWED_CIDRS").unwrap_or_default();
        let public = self.public_url();
        for wrong in public.iter().filter(|url| !is_origin(url) || !url.starts_with("https://")) {
            self.mistakes
                .push(format!("PUBLIC_URL: {wrong:?} is not an https origin, such as https://webhooks.example.com"));
        }
        let hosts = self.text("OWN_HOSTS");
        let hosts = hosts.split(',').filter(|host| !host.is_empty()).chain(public.as_deref().and_then(host_of));
        let own_hosts = hosts.map(str::to_owned).collect();
        let allow_http = self.parsed("ALLOW_HTTP");
        AddressPolicy::new(&allowed, allow_http, own_hosts).unwrap_or_else(|error| {
            self.mistakes.push(format!("ALLOWED_CIDRS: {error}"));
            AddressPolicy::default()
        })
    }

    /// The public address of the API and the page, if it is not API Gateway's own. `addresses` checks that it is valid.
    fn public_url(&self) -> Option<String> {
        (self.lookup)("PUBLIC_URL").filter(|url| !url.is_empty())
    }

    fn page_url(&mut self) -> String {
        let own = self.text("PAGE_URL");
        self.public_url().unwrap_or(own)
    }

    /// Origins separated by spaces, or an empty text. They go into a header, so nothing but origins is accepted.
    fn origins(&mut self, name: &str) -> String {
        let origins = (self.lookup)(name).unwrap_or_default();
        for wrong in origins.split(' ').filter(|origin| !origins.is_empty() && !is_origin(origin)) {
            self.mistakes.push(format!("{name}: {wrong:?} is not an origin, such as https://app.example.com"));
        }
        origins
    }

    fn finish<T>(self, config: T) -> Result<T, ConfigError> {
        if self.mistakes.is_empty() { Ok(config) } else { Err(ConfigError { mistakes: self.mistakes }) }
    }
}

/// Whether it consists of `http` or `https`, a host, and optionally a port. A browser compares hosts as text, so
/// nothing is normalized here.
fn is_origin(text: &str) -> bool {
    let Some(authority) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else { return false };
    let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
    let is_host = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    is_host && port.is_none_or(is_port)
}

fn host_of(origin: &str) -> Option<&str> {
    origin.split_once("://")?.1.split(':').next()
}

/// A function's configuration, read from its environment.
pub trait FromEnvironment: Sized {
    fn read(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError>;

    /// Reads the process's environment.
    fn from_env() -> Result<Self, ConfigError> {
        #[expect(clippy::disallowed_methods, reason = "this module is the one place that reads the environment")]
        Self::read(&|name| std::env::var(name).ok())
    }
}

macro_rules! config {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty = |$reader:ident| $read:expr),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name { $(pub $field: $type),* }

        impl $name {
            fn read_with(reader: &mut Reader<'_>) -> Self {
                $name { $($field: { let $reader = &mut *reader; $read }),* }
            }
        }

        impl FromEnvironment for $name {
            fn read(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
                let mut reader = Reader { lookup, mistakes: Vec::new() };
                let config = Self::read_with(&mut reader);
                reader.finish(config)
            }
        }
    };
}

config!(
    /// `fanout`
    FanoutConfig {
        log_level: String = |r| r.text("LOG_LEVEL"),
        metrics: String = |r| r.text("METRICS_NAMESPACE"),
        table: String = |r| r.text("TABLE_NAME"),
        events_queue: String = |r| r.text("EVENTS_QUEUE_URL"),
        deliveries_queue: String = |r| r.text("DELIVERIES_QUEUE_URL"),
        unregistered: Unregistered = |r| r.parsed("UNREGISTERED_ACCOUNTS"),
        horizon: Horizon = |r| r.parsed("HORIZON_SECONDS"),
        retention: Duration = |r| r.days("RETENTION_DAYS"),
        compact_events: bool = |r| r.parsed("COMPACT_EVENTS"),
    }
);
config!(
    /// `deliver`
    DeliverConfig {
        log_level: String = |r| r.text("LOG_LEVEL"),
        metrics: String = |r| r.text("METRICS_NAMESPACE"),
        table: String = |r| r.text("TABLE_NAME"),
        deliveries_queue: String = |r| r.text("DELIVERIES_QUEUE_URL"),
        secrets_key: String = |r| r.text("SECRETS_KEY_ARN"),
        addresses: AddressPolicy = |r| r.addresses(),
        retries: RetryPolicy = |r| r.parsed("RETRY_WAITS"),
        lease: MessageLease = |r| r.parsed("LEASE_SECONDS"),
        retention: Duration = |r| r.days("RETENTION_DAYS"),
    }
);
config!(
    /// `api`
    ApiConfig {
        log_level: String = |r| r.text("LOG_LEVEL"),
        metrics: String = |r| r.text("METRICS_NAMESPACE"),
        table: String = |r| r.text("TABLE_NAME"),
        events_queue: String = |r| r.text("EVENTS_QUEUE_URL"),
        deliveries_queue: String = |r| r.text("DELIVERIES_QUEUE_URL"),
        secrets_key: String = |r| r.text("SECRETS_KEY_ARN"),
        addresses: AddressPolicy = |r| r.addresses(),
        max_destinations: u32 = |r| r.parsed("MAX_DESTINATIONS"),
        max_subscriptions: u32 = |r| r.parsed("MAX_SUBSCRIPTIONS"),
        units: Budget = |r| r.parsed("ACCOUNT_UNITS_PER_SECOND"),
        events: Budget = |r| r.parsed("ACCOUNT_EVENTS_PER_SECOND"),
        lease: MessageLease = |r| r.parsed("LEASE_SECONDS"),
        public_url: Option<String> = |r| r.public_url(),
        page_url: String = |r| r.page_url(),
    }
);
config!(
    /// `portal`, which has the API inside
    PortalConfig {
        api: ApiConfig = |r| ApiConfig::read_with(r),
        frame_ancestors: String = |r| r.origins("FRAME_ANCESTORS"),
    }
);
config!(
    /// `authorizer`
    AuthorizerConfig {
        log_level: String = |r| r.text("LOG_LEVEL"),
        metrics: String = |r| r.text("METRICS_NAMESPACE"),
        table: String = |r| r.text("TABLE_NAME"),
    }
);
config!(
    /// `redrive`
    RedriveConfig {
        log_level: String = |r| r.text("LOG_LEVEL"),
        metrics: String = |r| r.text("METRICS_NAMESPACE"),
        table: String = |r| r.text("TABLE_NAME"),
        events_queue: String = |r| r.text("EVENTS_QUEUE_URL"),
        alerts_topic: String = |r| r.text("ALERTS_TOPIC_ARN"),
        work_topic: String = |r| r.text("WORK_TOPIC_ARN"),
        concurrency: u16 = |r| r.parsed("REDRIVE_CONCURRENCY"),
        deliveries_queue: String = |r| r.text("DELIVERIES_QUEUE_URL"),
        horizon: Horizon = |r| r.parsed("HORIZON_SECONDS"),
        lease: MessageLease = |r| r.parsed("LEASE_SECONDS"),
        retention: Duration = |r| r.days("RETENTION_DAYS"),
    }
);

#[cfg(test)]
mod tests;
