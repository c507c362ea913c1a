//! Who may use the operator's routes: AWS credentials with `execute-api:Invoke` on them, and nobody else.
//!
//! Signatures are made by AWS's own library and verified by the local AWS. What the routes do is deliberately tested elsewhere.

use aws_sdk_sqs::config::Credentials;
use http::Method;
use serde_json::json;
use tests::api_client::Operator;
use tests::iam::element;
use tests::unique::unique;
use tests::{Deployment, Result};

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
