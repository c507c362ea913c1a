//! The environment of each function, read once at cold start. Every mistake is reported, not just the first.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::domain::address::AddressPolicy;
use crate::domain::horizon::Horizon;
use crate::domain::retry::RetryPolicy;

/// What is wrong with the environment, one line each.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the function's environment is wrong: {}", .mistakes.join("; "))]
pub struct ConfigError {
    pub mistakes: Vec<String>,
}

/// Reads variables and collects what is wrong with them.
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

    /// Origins, separated by spaces; none if the variable is not set.
    fn origins(&mut self, name: &str) -> String {
        let text = (self.lookup)(name).unwrap_or_default();
        for origin in text.split(' ').filter(|_| !text.is_empty()) {
            let is_origin = url::Url::parse(origin).is_ok_and(|url| {
                matches!(url.scheme(), "https" | "http") && url.origin().ascii_serialization() == origin
            });
            if !is_origin {
                self.mistakes.push(format!("{name}: must be origins such as https://app.example, not {origin:?}"));
            }
        }
        text
    }

    fn finish<T>(self, config: T) -> Result<T, ConfigError> {
        if self.mistakes.is_empty() { Ok(config) } else { Err(ConfigError { mistakes: self.mistakes }) }
    }
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

        impl FromEnvironment for $name {
            fn read(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
                let mut reader = Reader { lookup, mistakes: Vec::new() };
                let config = $name { $($field: { let $reader = &mut reader; $read }),* };
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
        deliveries_queue: String = |r| r.text("DELIVERIES_QUEUE_URL"),
        rejected_events_queue: String = |r| r.text("REJECTED_EVENTS_QUEUE_URL"),
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
        horizon: Horizon = |r| r.parsed("HORIZON_SECONDS"),
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
        horizon: Horizon = |r| r.parsed("HORIZON_SECONDS"),
        page_url: String = |r| r.text("PAGE_URL"),
    }
);
/// `portal`: what `api` needs, and who may show the page in a frame.
#[derive(Debug)]
pub struct PortalConfig {
    pub api: ApiConfig,
    pub frame_ancestors: String,
}

impl FromEnvironment for PortalConfig {
    fn read(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut reader = Reader { lookup, mistakes: Vec::new() };
        let frame_ancestors = reader.origins("FRAME_ANCESTORS");
        match (ApiConfig::read(lookup), reader.finish(frame_ancestors)) {
            (Ok(api), Ok(frame_ancestors)) => Ok(Self { api, frame_ancestors }),
            (api, ancestors) => {
                let mistakes = [api.err(), ancestors.err()].into_iter().flatten().flat_map(|error| error.mistakes);
                Err(ConfigError { mistakes: mistakes.collect() })
            }
        }
    }
}

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
        deliveries_queue: String = |r| r.text("DELIVERIES_QUEUE_URL"),
        horizon: Horizon = |r| r.parsed("HORIZON_SECONDS"),
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
            ("HORIZON_SECONDS", "1h"),
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
            "HORIZON_SECONDS",
        ] {
            assert_eq!(mistakes.iter().filter(|m| m.starts_with(name)).count(), 1, "{name} in {mistakes:?}");
        }
        assert_eq!(mistakes.len(), 7, "{mistakes:?}");
    }

    #[test]
    fn what_api_needs_and_who_may_frame_the_page_is_read_together() {
        let mut variables = vec![
            ("LOG_LEVEL", "INFO"),
            ("TABLE_NAME", "t"),
            ("EVENTS_QUEUE_URL", "q"),
            ("DELIVERIES_QUEUE_URL", "q"),
            ("SECRETS_KEY_ARN", "k"),
            ("OWN_HOST", "api.example"),
            ("ALLOW_HTTP", "false"),
            ("MAX_DESTINATIONS", "1"),
            ("MAX_SUBSCRIPTIONS", "1"),
            ("HORIZON_SECONDS", "3600"),
            ("PAGE_URL", "https://api.example"),
        ];
        assert_eq!(read::<PortalConfig>(&variables).expect("right").frame_ancestors, "");
        variables.push(("FRAME_ANCESTORS", "https://app.example http://localhost:3000"));
        let config: PortalConfig = read(&variables).expect("right");
        assert_eq!(config.frame_ancestors, "https://app.example http://localhost:3000");
        for wrong in [
            "*",
            "https://app.example/",
            "app.example",
            "https://a.example; script-src *",
            "https://a.example  https://b.example",
        ] {
            variables.retain(|(name, _)| !matches!(*name, "FRAME_ANCESTORS" | "TABLE_NAME"));
            variables.push(("FRAME_ANCESTORS", wrong));
            let mistakes = read::<PortalConfig>(&variables).expect_err("mistakes").mistakes;
            assert!(mistakes.iter().any(|m| m.starts_with("TABLE_NAME")), "{mistakes:?}");
            assert!(mistakes.iter().any(|m| m.starts_with("FRAME_ANCESTORS")), "{wrong}: {mistakes:?}");
        }
    }

    #[test]
    fn a_right_environment_is_read() {
        let config: AuthorizerConfig = read(&[("LOG_LEVEL", "INFO"), ("TABLE_NAME", "t")]).expect("right");
        assert_eq!(config.table, "t");
    }
}
