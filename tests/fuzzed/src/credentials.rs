//! `credentials`: signing secrets, API keys, links and tokens, alone and in the header of a request; and whether they are left
//! out of texts that are shown.

use std::sync::{Arc, LazyLock};

use authorizer::{Deps, handle};
use aws_lambda_events::event::apigw::ApiGatewayV2CustomAuthorizerV2Request;
use domain::access::{ApiKey, PresentedKey, PresentedLink, PresentedSession, Role};
use domain::attempt::SigningSecret;
use domain::value::{KeyId, without_secrets};
use http::{HeaderValue, header};
use lambda_runtime::LambdaEvent;
use ports::{Accounts, ApiKeys};
use testing::{MemoryStore, TestClock, account};
use tokio::runtime::{Builder, Runtime};

use crate::input::{now, text};

/// The only key that there is.
static KEY: LazyLock<(ApiKey, String)> = LazyLock::new(|| {
    let name = "sample".to_owned().try_into().expect("a name");
    let (key, text) = ApiKey::issue(KeyId::from_entropy([0; 10]), account("acme"), name, Role::Editor, [7; 32], now());
    (key, text.to_string())
});

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Builder::new_current_thread().build().expect("a runtime"));

static STORE: LazyLock<Arc<MemoryStore>> = LazyLock::new(|| {
    let store = Arc::new(MemoryStore::default());
    RUNTIME.block_on(store.create_account(&account("acme"), now())).expect("an account");
    RUNTIME.block_on(store.create_key(&KEY.0)).expect("a key");
    store
});

pub(crate) fn check(input: &[u8]) {
    if let Some(text) = text(input) {
        forms(text);
        left_out(text);
    }
    if let Ok(value) = HeaderValue::from_bytes(input) {
        presented(value);
    }
}

fn forms(text: &str) {
    if let Ok(secret) = text.parse::<SigningSecret>() {
        assert!((24..=64).contains(&secret.key().len()));
        assert_eq!(secret.reveal().as_str(), text, "there is one text for a secret");
        assert_eq!(format!("{secret:?}"), "SigningSecret(redacted)");
    }
    if let Ok(key) = text.parse::<PresentedKey>() {
        let begins = format!("whk_{}.{}.", key.account, key.key.as_str().trim_start_matches(KeyId::PREFIX));
        assert!(text.starts_with(&begins) && text.len() == begins.len() + 43);
        assert!(!KEY.0.accepts(&key) || text == KEY.1, "there is one text for a key");
        assert!(!format!("{key:?}").contains(&text[begins.len()..]));
    }
    if let Ok(link) = text.parse::<PresentedLink>() {
        assert!(text.starts_with("whl_") && format!("{link:?}").ends_with(", redacted)"));
    }
    if let Ok(session) = text.parse::<PresentedSession>() {
        assert!(text.starts_with("whs_") && format!("{session:?}").ends_with(", redacted)"));
    }
}

/// Nothing that can be used is left in a text that is shown, wherever it was.
fn left_out(text: &str) {
    let shown = without_secrets(text);
    assert_eq!(without_secrets(&shown), shown);
    assert!(shown.len() <= text.len() + 3 * text.matches('_').count());
    for part in shown.split(|c: char| !(c.is_ascii_alphanumeric() || "+/=._-".contains(c))) {
        let usable = part.parse::<SigningSecret>().is_ok()
            || part.parse::<PresentedKey>().is_ok()
            || part.parse::<PresentedLink>().is_ok()
            || part.parse::<PresentedSession>().is_ok();
        assert!(!usable, "{shown}");
    }
}

/// Whoever is let in has presented the only key, in one of the ways that the scheme allows.
fn presented(value: HeaderValue) {
    let mut request = ApiGatewayV2CustomAuthorizerV2Request::default();
    request.headers.insert(header::AUTHORIZATION, value.clone());
    let deps = Deps {
        accounts: STORE.clone(),
        keys: STORE.clone(),
        sessions: STORE.clone(),
        clock: Arc::new(TestClock::new()),
    };
    let decided = RUNTIME.block_on(handle(Arc::new(deps), LambdaEvent::new(request, Default::default())));
    let decision = decided.expect("a decision");
    if decision.is_authorized {
        let (scheme, key) = value.to_str().expect("text").split_once(' ').expect("a scheme");
        assert!(scheme.eq_ignore_ascii_case("bearer") && key.trim() == KEY.1);
        assert!(decision.context.is_some_and(|caller| caller.account == "acme" && caller.role == "editor"));
    }
    STORE.take_calls();
}
