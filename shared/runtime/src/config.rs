//! The environment of each function, read once at cold start. All mistakes are reported, not only the first.
//!
//! Invariant: only this module reads the environment (checked by `clippy.toml`).
//!
//! Invariant: all mistakes in the environment are reported at once (tests: `every_mistake_is_reported_at_once`).

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

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
        let own_hosts = vec![self.text("OWN_HOST")];
        let allow_http = self.parsed("ALLOW_HTTP");
        AddressPolicy::new(&allowed, allow_http, own_hosts).unwrap_or_else(|error| {
            self.mistakes.push(format!("ALLOWED_CIDRS: {error}"));
            AddressPolicy::default()
        })
    }

    /// Origins separated by spaces, or nothing. They are put into a header, so each must be an origin and nothing else.
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

/// Whether it is `http` or `https`, a host, and optionally a port. A browser compares hosts as text, so nothing is
/// normalized here.
fn is_origin(text: &str) -> bool {
    let Some(authority) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else { return false };
    let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
    let is_host = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    is_host && port.is_none_or(is_port)
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
        table: String = |r| r.text("TABLE_NAME"),
        events_queue: String = |r| r.text("EVENTS_QUEUE_URL"),
        deliveries_queue: String = |r| r.text("DELIVERIES_QUEUE_URL"),
        unregistered: Unregistered = |r| r.parsed("UNREGISTERED_ACCOUNTS"),
        horizon: Horizon = |r| r.parsed("HORIZON_SECONDS"),
        retention: Duration = |r| r.days("RETENTION_DAYS"),
    }
);
config!(
    /// `deliver`
    DeliverConfig {
        log_level: String = |r| r.text("LOG_LEVEL"),
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
        table: String = |r| r.text("TABLE_NAME"),
        events_queue: String = |r| r.text("EVENTS_QUEUE_URL"),
        deliveries_queue: String = |r| r.text("DELIVERIES_QUEUE_URL"),
        secrets_key: String = |r| r.text("SECRETS_KEY_ARN"),
        addresses: AddressPolicy = |r| r.addresses(),
        max_destinations: u32 = |r| r.parsed("MAX_DESTINATIONS"),
        max_subscriptions: u32 = |r| r.parsed("MAX_SUBSCRIPTIONS"),
        lease: MessageLease = |r| r.parsed("LEASE_SECONDS"),
        page_url: String = |r| r.text("PAGE_URL"),
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
        table: String = |r| r.text("TABLE_NAME"),
    }
);
config!(
    /// `redrive`
    RedriveConfig {
        log_level: String = |r| r.text("LOG_LEVEL"),
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
mod tests {
    use super::*;

    fn read<T: FromEnvironment>(variables: &[(&str, &str)]) -> Result<T, ConfigError> {
        T::read(&|name| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn every_mistake_is_reported_at_once() {
        let error = read::<DeliverConfig>(&[
            ("LOG_LEVEL", "INFO"),
            ("ALLOWED_CIDRS", "10.0.0.0"),
            ("ALLOW_HTTP", "yes"),
            ("OWN_HOST", "api.example"),
            ("RETRY_WAITS", "5,x"),
            ("RETENTION_DAYS", ""),
            ("LEASE_SECONDS", "1h"),
            ("DELIVERIES_QUEUE_URL", "q"),
        ]);
        let mistakes = error.expect_err("mistakes").mistakes;
        for name in [
            "TABLE_NAME",
            "SECRETS_KEY_ARN",
            "ALLOWED_CIDRS",
            "ALLOW_HTTP",
            "RETRY_WAITS",
            "RETENTION_DAYS",
            "LEASE_SECONDS",
        ] {
            assert_eq!(mistakes.iter().filter(|m| m.starts_with(name)).count(), 1, "{name} in {mistakes:?}");
        }
        assert_eq!(mistakes.len(), 7, "{mistakes:?}");
    }

    const API: [(&str, &str); 11] = [
        ("LOG_LEVEL", "INFO"),
        ("TABLE_NAME", "t"),
        ("EVENTS_QUEUE_URL", "e"),
        ("DELIVERIES_QUEUE_URL", "d"),
        ("SECRETS_KEY_ARN", "k"),
        ("OWN_HOST", "api.example"),
        ("ALLOW_HTTP", "false"),
        ("MAX_DESTINATIONS", "10"),
        ("MAX_SUBSCRIPTIONS", "20"),
        ("LEASE_SECONDS", "900"),
        ("PAGE_URL", "https://api.example"),
    ];

    fn framed_by(origins: &str) -> Result<PortalConfig, ConfigError> {
        read(&[API.as_slice(), &[("FRAME_ANCESTORS", origins)]].concat())
    }

    #[test]
    fn the_page_may_be_framed_by_origins_and_by_nothing_else() {
        for right in ["", "https://app.example.com", "http://localhost:8080 https://app.example.com:443"] {
            assert_eq!(framed_by(right).expect("right").frame_ancestors, right);
        }
        for (wrong, number) in [
            ("*", 1),
            ("app.example.com", 1),
            ("https://", 1),
            ("https://app.example.com/", 1),
            ("https://app.example.com; script-src *", 3),
            ("https://app.example.com\nx:y", 1),
            ("https://app.example.com:+443", 1),
            ("https://app.example.com:70000", 1),
            ("https://app.example.com  https://b.example", 1),
            (" ", 2),
        ] {
            let mistakes = framed_by(wrong).expect_err(wrong).mistakes;
            assert!(mistakes.iter().all(|mistake| mistake.starts_with("FRAME_ANCESTORS")), "{mistakes:?}");
            assert_eq!(mistakes.len(), number, "{wrong:?}: {mistakes:?}");
        }
    }

    #[test]
    fn the_page_reports_what_is_wrong_for_the_api_inside_as_well() {
        assert_eq!(read::<PortalConfig>(&API).expect("right").frame_ancestors, "");
        let mistakes =
            read::<PortalConfig>(&[&API[1..], &[("FRAME_ANCESTORS", "*")]].concat()).expect_err("two").mistakes;
        assert_eq!(mistakes[0], "LOG_LEVEL is not set");
        assert_eq!(mistakes.len(), 2, "{mistakes:?}");
    }

    #[test]
    fn a_right_environment_is_read() {
        let config: AuthorizerConfig = read(&[("LOG_LEVEL", "INFO"), ("TABLE_NAME", "t")]).expect("right");
        assert_eq!(config.table, "t");
    }
}
