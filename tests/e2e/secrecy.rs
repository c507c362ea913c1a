//! No secret, key or token ever appears in clear in a log, an error, a list or the table. The functions log at TRACE here.

#![expect(clippy::expect_used, reason = "helpers of tests may fail them")]

use harness::api_client::{Customer, NewSubscription, Operator};
use harness::eventually::eventually;
use harness::receiver::{Answer, Receiver};
use harness::unique::unique;
use harness::{Deployment, Result};
use http::Method;
use serde_json::{Value, json};
use tests::function;

/// What must not appear anywhere, each with a name for the failure message.
struct Secrets(Vec<(&'static str, String)>);

impl Secrets {
    /// Adds the secret part of a value: the last part of a key or token, or what follows the prefix of a signing
    /// secret.
    fn add(&mut self, what: &'static str, text: &Value) {
        let text = text.as_str().expect("a secret");
        let secret = text.rsplit('.').next().expect("its last part").trim_start_matches("whsec_");
        assert!(secret.len() >= 32, "{what} is too short to be told from other text");
        self.0.push((what, secret.to_owned()));
    }

    #[track_caller]
    fn check(&self, place: &str, text: &str) {
        for (what, secret) in &self.0 {
            assert!(!text.contains(secret), "{what} is in {place}");
        }
    }
}

#[tokio::test]
async fn nothing_secret_is_in_a_log_an_error_a_list_or_the_table() -> Result<()> {
    let deployment = Deployment::from_env()?;
    let operator = deployment.operator()?;
    let customer = operator.register(&unique("secrecy")).await?;
    let mut secrets = Secrets(Vec::new());
    make(&operator, &customer, &mut secrets).await?;
    use_them(&deployment, &customer).await?;

    for reply in errors(&operator, &customer, &secrets).await? {
        assert!(reply.starts_with('4'), "no error: {reply}");
        secrets.check("an error", &reply);
    }
    for path in ["/v1/destinations", "/v1/subscriptions", "/v1/events", "/v1/deliveries"] {
        let list = customer.get(path).await?.expect_status(200)?;
        assert!(!list["data"].as_array().expect("a list").is_empty(), "{path} is empty");
        secrets.check(path, &list.to_string());
    }
    let keys = format!("/admin/v1/accounts/{}/keys", customer.account());
    secrets.check("the list of keys", &operator.call(Method::GET, &keys, None).await?.body.to_string());
    check_table(&deployment, &secrets).await?;
    check_logs(&deployment, &secrets).await
}

/// Makes one of each: keys; signing secrets that are given, generated and rotated; a link, and the token that it opens.
async fn make(operator: &Operator, customer: &Customer, secrets: &mut Secrets) -> Result<()> {
    secrets.add("an API key", &json!(customer.key()));
    let generated = customer.create_destination("generated", "http://127.0.0.1:9/").await?;
    secrets.add("a generated secret", &generated.body["secret"]);
    let given = json!({"name": "given", "url": "http://127.0.0.1:9/", "secret": format!("whsec_{}", "C2FVsBQIhrscChlQIMV+b5sSYspob7oD".repeat(2))});
    let given = customer.post("/v1/destinations", &given).await?.expect_status(201)?;
    secrets.add("a given secret", &given["secret"]);
    let rotate = format!("/v1/destinations/{}/secrets/rotate", generated.id);
    let rotated = customer.post(&rotate, &json!({})).await?.expect_status(200)?;
    secrets.add("a rotated secret", &rotated["secret"]);
    let path = format!("/admin/v1/accounts/{}/sessions", customer.account());
    let offered = operator.call(Method::POST, &path, Some(&json!({}))).await?.expect_status(201)?;
    let url = offered["url"].as_str().expect("a link");
    secrets.add("a link's token", &offered["url"]);
    let token = url.split_once('#').map(|(_, token)| token).expect("a token");
    let opened = customer.post("/v1/sessions", &json!({"token": token})).await?.expect_status(201)?;
    secrets.add("a session's token", &opened["token"]);
    customer
        .clone()
        .with_key(opened["token"].as_str().expect("a token"))
        .get("/v1/destinations")
        .await?
        .expect_status(200)?;
    Ok(())
}

/// Makes a delivery that is signed and refused, so that every function has handled the secrets, and some have logged.
async fn use_them(deployment: &Deployment, customer: &Customer) -> Result<()> {
    let receiver = Receiver::start().await?;
    receiver.answer("/refuses", [Answer::status(500), Answer::status(200)]);
    let created = customer.create_destination("used", &receiver.url("/refuses")).await?;
    customer.subscribe(&NewSubscription::to_everything(&created.id)).await?;
    let event = harness::producer::numbered_samples("demo-sync-run-succeeded", customer.account(), 1)?;
    deployment.producer().push_all(&event).await?;
    eventually("the delivery", std::time::Duration::from_secs(60), async || {
        let ledger = deployment.ledger(customer.account()).await?;
        Ok((ledger.count("delivered") == 1).then_some(()))
    })
    .await
}

/// The answers to invalid requests that carry secrets: status and body.
async fn errors(operator: &Operator, customer: &Customer, secrets: &Secrets) -> Result<Vec<String>> {
    let mut replies = Vec::new();
    for (_, secret) in &secrets.0 {
        let wrong = json!({"name": "x", "url": "http://127.0.0.1:9/", "secret": format!("whsec-{secret}")});
        replies.push(customer.post("/v1/destinations", &wrong).await?);
        let link = json!({"token": format!("whl_{}.0000000000000000.{secret}", customer.account())});
        replies.push(customer.post("/v1/sessions", &link).await?);
        let key = format!("whk_{}.0000000000000000.{secret}", customer.account());
        replies.push(customer.clone().with_key(&key).get("/v1/destinations").await?);
        let account = json!({"id": format!("{secret}!")});
        let refused = operator.call(Method::POST, "/admin/v1/accounts", Some(&account)).await?;
        assert_eq!(refused.status, 422);
    }
    Ok(replies.into_iter().map(|reply| format!("{} {}", reply.status, reply.body)).collect())
}

async fn check_table(deployment: &Deployment, secrets: &Secrets) -> Result<()> {
    let rows = format!("{:?}", deployment.rows().await?);
    secrets.check("the table", &rows);
    for (what, secret) in &secrets.0 {
        let encodings = [data_encoding::BASE64, data_encoding::BASE64URL_NOPAD];
        let decoded = encodings.iter().filter_map(|encoding| encoding.decode(secret.as_bytes()).ok());
        for bytes in decoded {
            // A blob is shown as a list of numbers.
            let listed = bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
            assert!(!rows.contains(&listed), "{what} lies in the table as bytes");
        }
    }
    Ok(())
}

async fn check_logs(deployment: &Deployment, secrets: &Secrets) -> Result<()> {
    let outputs = &deployment.outputs;
    let functions = [
        &outputs.fanout_function_name,
        &outputs.deliver_function_name,
        &outputs.api_function_name,
        &outputs.authorizer_function_name,
        &outputs.portal_function_name,
        &outputs.redrive_function_name,
    ];
    let mut all = String::new();
    for function in functions {
        all.push_str(&function::logs(deployment, function).await?.join("\n"));
    }
    assert!(all.contains("an attempt did not deliver"), "the logs of the functions are not here");
    secrets.check("a log", &all);
    Ok(())
}
