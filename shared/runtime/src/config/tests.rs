//! What is read from the environment, and which mistakes are reported.

use super::*;

fn read<T: FromEnvironment>(variables: &[(&str, &str)]) -> Result<T, ConfigError> {
    T::read(&|name| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned()))
}

#[test]
fn every_mistake_is_reported_at_once() {
    let error = read::<DeliverConfig>(&[
        ("LOG_LEVEL", "INFO"),
        ("METRICS_NAMESPACE", "stack"),
        ("ALLOWED_CIDRS", "10.0.0.0"),
        ("ALLOW_HTTP", "yes"),
        ("OWN_HOSTS", "api.example,own.example"),
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

const API: [(&str, &str); 14] = [
    ("LOG_LEVEL", "INFO"),
    ("METRICS_NAMESPACE", "stack"),
    ("TABLE_NAME", "t"),
    ("EVENTS_QUEUE_URL", "e"),
    ("DELIVERIES_QUEUE_URL", "d"),
    ("SECRETS_KEY_ARN", "k"),
    ("OWN_HOSTS", "api.example,own.example"),
    ("ALLOW_HTTP", "false"),
    ("MAX_DESTINATIONS", "10"),
    ("MAX_SUBSCRIPTIONS", "20"),
    ("ACCOUNT_UNITS_PER_SECOND", "100"),
    ("ACCOUNT_EVENTS_PER_SECOND", "100"),
    ("LEASE_SECONDS", "900"),
    ("PAGE_URL", "https://api.example"),
];

fn framed_by(origins: &str) -> Result<PortalConfig, ConfigError> {
    read(&[API.as_slice(), &[("FRAME_ANCESTORS", origins)]].concat())
}

#[test]
fn a_public_address_is_an_origin_and_no_destination() {
    let known_as = |url: &str| read::<ApiConfig>(&[API.as_slice(), &[("PUBLIC_URL", url)]].concat());
    let public = known_as("https://webhooks.example.com:8443").expect("right");
    assert_eq!(public.public_url.as_deref(), Some("https://webhooks.example.com:8443"));
    assert_eq!(public.page_url, "https://webhooks.example.com:8443");
    for (host, own) in [
        ("webhooks.example.com", true),
        ("api.example", true),
        ("own.example", true),
        ("example.com", false),
        ("", false),
    ] {
        assert_eq!(public.addresses.is_own_host(host), own, "{host}");
    }
    let unknown = known_as("").expect("right");
    assert_eq!((unknown.public_url, unknown.page_url.as_str()), (None, "https://api.example"));
    for wrong in ["webhooks.example.com", "http://webhooks.example.com", "https://webhooks.example.com/"] {
        let mistakes = known_as(wrong).expect_err("a mistake").mistakes;
        assert!(mistakes.len() == 1 && mistakes[0].starts_with("PUBLIC_URL: "), "{mistakes:?}");
    }
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
    let mistakes = read::<PortalConfig>(&[&API[1..], &[("FRAME_ANCESTORS", "*")]].concat()).expect_err("two").mistakes;
    assert_eq!(mistakes[0], "LOG_LEVEL is not set");
    assert_eq!(mistakes.len(), 2, "{mistakes:?}");
}

#[test]
fn a_right_environment_is_read() {
    let config: AuthorizerConfig =
        read(&[("LOG_LEVEL", "INFO"), ("METRICS_NAMESPACE", "stack"), ("TABLE_NAME", "t")]).expect("right");
    assert_eq!(config.table, "t");
}
