//! Who may call which routes: the operator's routes accept AWS credentials that allow `execute-api:Invoke` on them. An
//! account's routes accept its keys until they are revoked, and page sessions that were opened with a link.
//!
//! AWS's own library makes the signatures, and the local AWS verifies them. What the routes do is tested elsewhere.

use aws_sdk_sqs::config::Credentials;
use harness::api_client::Operator;
use harness::iam::element;
use harness::unique::unique;
use harness::{Deployment, Result};
use http::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn only_credentials_with_the_permission_are_let_in() -> Result<()> {
    let deployment = Deployment::from_env()?;
    let allowed = create_user(&deployment, "Allow").await?;
    let denied = create_user(&deployment, "Deny").await?;
    let wrong_secret = Credentials::new(allowed.access_key_id(), "wrong", None, None, "test");

    assert_eq!(status_for(&deployment, allowed).await?, 201);
    assert_eq!(status_for(&deployment, denied).await?, 403);
    assert_eq!(status_for(&deployment, wrong_secret).await?, 403);
    Ok(())
}

/// The status of registering an account with these credentials.
async fn status_for(deployment: &Deployment, credentials: Credentials) -> Result<u16> {
    let operator = Operator::new(deployment.http()?.with_credentials(credentials), deployment.api_url());
    let body = json!({"id": unique("operator-access")});
    Ok(operator.call(Method::POST, "/admin/v1/accounts", Some(&body)).await?.status)
}

/// Creates a user whose only policy has this effect on the operator's routes.
async fn create_user(deployment: &Deployment, effect: &str) -> Result<Credentials> {
    let name = unique("operator");
    let resource = format!("arn:aws:execute-api:*:*:{}/*/*/admin/v1/*", deployment.outputs.api_id);
    let statement = json!({"Effect": effect, "Action": "execute-api:Invoke", "Resource": resource});
    let policy = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();

    let iam = deployment.iam()?;
    iam.call("CreateUser", &[("UserName", &name)]).await?;
    let put = [("UserName", name.as_str()), ("PolicyName", "operator"), ("PolicyDocument", &policy)];
    iam.call("PutUserPolicy", &put).await?;
    let key = iam.call("CreateAccessKey", &[("UserName", &name)]).await?;
    Ok(Credentials::new(element(&key, "AccessKeyId")?, element(&key, "SecretAccessKey")?, None, None, "test"))
}

#[tokio::test]
async fn keys_show_the_day_of_their_use_and_a_revoked_one_is_refused() -> Result<()> {
    let deployment = Deployment::from_env()?;
    let operator = deployment.operator()?;
    let customer = operator.register(&unique("keys")).await?;
    let body = json!({"name": "fresh", "role": "admin"});
    let path = format!("/admin/v1/accounts/{}/keys", customer.account());
    let unused = operator.call(Method::POST, &path, Some(&body)).await?.expect_status(201)?;
    let unused = unused["key"].as_str().unwrap_or_default();
    customer.get("/v1/destinations").await?.expect_status(200)?;

    let listed = operator.call(Method::GET, &path, None).await?.expect_status(200)?;
    let used = |name: &str| {
        let mut keys = listed["data"].as_array().into_iter().flatten();
        keys.find(|key| key["name"] == name).cloned().unwrap_or_default()
    };
    assert_eq!(used("demo")["last_used_at"].as_str().map(str::len), Some("2026-11-23".len()), "{listed}");
    assert_eq!(used("fresh")["last_used_at"], Value::Null, "{listed}");

    let revoked = format!("{path}/{}", used("fresh")["id"].as_str().unwrap_or_default());
    operator.call(Method::DELETE, &revoked, None).await?.expect_status(204)?;
    assert_eq!(customer.clone().with_key(unused).get("/v1/destinations").await?.status, 403);
    assert_eq!(customer.get("/v1/destinations").await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn a_page_session_is_opened_once_by_its_link_and_lets_in_with_its_role() -> Result<()> {
    let deployment = Deployment::from_env()?;
    let operator = deployment.operator()?;
    let customer = operator.register(&unique("session")).await?;
    let path = format!("/admin/v1/accounts/{}/sessions", customer.account());
    let offered = operator.call(Method::POST, &path, Some(&json!({"role": "viewer"}))).await?.expect_status(201)?;
    let link = offered["url"].as_str().and_then(|url| url.split_once("/open#")).map(|(_, token)| token);
    let body = json!({ "token": link });
    let opened = operator.stranger().post("/v1/sessions", &body).await?.expect_status(201)?;
    let again = operator.stranger().post("/v1/sessions", &body).await?;
    assert_eq!((again.status, &again.body["code"]), (410, &json!("link_used")), "{}", again.body);

    let token = opened["token"].as_str().unwrap_or_default();
    let page = customer.clone().with_key(token);
    assert_eq!(page.get("/v1/destinations").await?.status, 200);
    let created = page.post("/v1/destinations", &json!({"name": "no", "url": "https://example.com/"})).await?;
    assert_eq!((created.status, &created.body["code"]), (403, &json!("forbidden")), "{}", created.body);
    assert_eq!(customer.clone().with_key(link.unwrap_or_default()).get("/v1/destinations").await?.status, 403);

    // Neither is in the table.
    let rows = format!("{:?}", deployment.rows().await?);
    for secret in [token, link.unwrap_or_default()] {
        let secret = secret.rsplit('.').next().unwrap_or_default();
        assert!(secret.len() == 43 && !rows.contains(secret));
    }

    // At once, whatever answer API Gateway has cached.
    let listed = customer.list("/v1/sessions").await?;
    let revoked = format!("/v1/sessions/{}", listed[0]["id"].as_str().unwrap_or_default());
    assert_eq!(page.get("/v1/destinations").await?.status, 200);
    customer.delete(&revoked).await?.expect_status(204)?;
    let status = page.get("/v1/destinations").await?.status;
    assert!([401, 403].contains(&status), "it is answered {status}");
    Ok(())
}
