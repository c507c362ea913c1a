//! Works around the differences between the local AWS and AWS that would break the stack. This is done after the
//! deployment, so that the template contains only what AWS needs.
//!
//! No work-around allows what AWS would refuse, unless it says so. When a newer local AWS has fixed a difference, its
//! function here can be deleted.

use http::{Method, Request};
use serde_json::{Value, json};

use crate::deployment::Outputs;
use crate::failure::{Failure, OrFailure, Result};
use crate::iam::Iam;
use crate::signed_http::{SignedHttp, endpoint};

/// Works around all differences for a stack that was just deployed.
pub async fn even_out(http: &SignedHttp, port: u16, outputs: &Outputs) -> Result<()> {
    let lambda = Lambda { http, port };
    make_concurrency_a_number(&lambda).await?;
    let iam = Iam::new(http.clone(), port);
    let functions = [
        &outputs.fanout_function_name,
        &outputs.deliver_function_name,
        &outputs.api_function_name,
        &outputs.portal_function_name,
        &outputs.authorizer_function_name,
        &outputs.redrive_function_name,
    ];
    for function in functions {
        let role = lambda.role(function).await?;
        let policies = iam.role_policies(&role).await?;
        for (name, document) in &policies {
            allow_batches(&iam, &role, name, document.clone()).await?;
        }
        if policies.iter().any(|(_, document)| inserts(document)) {
            allow_statements(&iam, &role).await?;
        }
    }
    Ok(())
}

/// CloudFormation passes template parameters on as text. AWS turns a mapping's `MaximumConcurrency` into a number. The
/// local AWS keeps the text, cannot compare it, and then polls no queue at all.
async fn make_concurrency_a_number(lambda: &Lambda<'_>) -> Result<()> {
    let path = "/2015-03-31/event-source-mappings/";
    let list = lambda.call(Method::GET, path, None).await?;
    let mappings = list["EventSourceMappings"].as_array().or_failure(|| format!("no event source mappings: {list}"))?;
    for mapping in mappings {
        let Some(text) = mapping["ScalingConfig"]["MaximumConcurrency"].as_str() else { continue };
        let number: u32 = text.parse().or_failure(|| format!("MaximumConcurrency is {text:?}"))?;
        let id = mapping["UUID"].as_str().or_failure(|| format!("a mapping has no id: {mapping}"))?;
        let change = json!({"ScalingConfig": {"MaximumConcurrency": number}});
        lambda.call(Method::PUT, &format!("{path}{id}"), Some(&change)).await?;
    }
    Ok(())
}

/// On AWS, everyone who may send a message may also send a batch: `sqs:SendMessageBatch` has no permission of its own,
/// like the other batch calls. The local AWS requires a permission with the name of the call.
async fn allow_batches(iam: &Iam, role: &str, name: &str, mut document: Value) -> Result<()> {
    if add_batch_actions(&mut document) {
        let text = document.to_string();
        iam.call("PutRolePolicy", &[("RoleName", role), ("PolicyName", name), ("PolicyDocument", &text)]).await?;
    }
    Ok(())
}

/// On AWS, whoever may insert by a statement may insert by a batch of them: `dynamodb:BatchExecuteStatement` is a call
/// without a permission of its own. The local AWS asks for one with the name of the call, and knows no table for it. It
/// does not read the statements, so here it allows more than AWS would: a test of the functions' roles keeps to inserts.
async fn allow_statements(iam: &Iam, role: &str) -> Result<()> {
    let statement = json!({"Effect": "Allow", "Action": "dynamodb:BatchExecuteStatement", "Resource": "*"});
    let text = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
    let parameters = [("RoleName", role), ("PolicyName", "statements"), ("PolicyDocument", &text)];
    iam.call("PutRolePolicy", &parameters).await.map(drop)
}

/// Whether a policy allows inserts by statements.
fn inserts(document: &Value) -> bool {
    let of = |statement: &Value| match &statement["Action"] {
        Value::Array(actions) => actions.contains(&json!("dynamodb:PartiQLInsert")),
        action => action == "dynamodb:PartiQLInsert",
    };
    document["Statement"].as_array().is_some_and(|statements| statements.iter().any(of))
}

/// Adds the batch form of each action that has one to the same statement. Returns whether it added any.
fn add_batch_actions(document: &mut Value) -> bool {
    const BATCHED: [&str; 4] = ["sqs:SendMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sns:Publish"];
    let mut changed = false;
    for statement in document["Statement"].as_array_mut().into_iter().flatten() {
        let mut actions = match statement["Action"].take() {
            Value::Array(actions) => actions,
            action => vec![action],
        };
        let batches: Vec<Value> = BATCHED
            .iter()
            .filter(|batched| actions.iter().any(|action| action == *batched))
            .map(|batched| json!(format!("{batched}Batch")))
            .collect();
        changed |= !batches.is_empty();
        actions.extend(batches);
        statement["Action"] = Value::Array(actions);
    }
    changed
}

/// The few Lambda calls that are needed here; an SDK is not worth it for them.
struct Lambda<'h> {
    http: &'h SignedHttp,
    port: u16,
}

impl Lambda<'_> {
    /// The name of a function's role.
    async fn role(&self, function: &str) -> Result<String> {
        let path = format!("/2015-03-31/functions/{function}/configuration");
        let configuration = self.call(Method::GET, &path, None).await?;
        let role = configuration["Role"].as_str().and_then(|arn| arn.rsplit('/').next());
        Ok(role.or_failure(|| format!("{function} has no role: {configuration}"))?.to_owned())
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let request = Request::builder().method(method).uri(format!("{}{path}", endpoint(self.port))).body(body);
        let request = request.or_failure(|| format!("no request for {path}"))?;
        let response = self.http.send_signed("lambda", request).await?;
        let text = String::from_utf8_lossy(response.body());
        if response.status().is_success() {
            return serde_json::from_str(&text).or_failure(|| format!("{path} answered no JSON: {text}"));
        }
        Err(Failure::new(format!("{path} answered {}: {text}", response.status())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_allowed_where_single_messages_are_and_nowhere_else() {
        let mut document = json!({"Statement": [
            {"Action": "sqs:SendMessage", "Resource": "one"},
            {"Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage"], "Resource": "two"},
            {"Action": "dynamodb:PutItem", "Resource": "three"},
            {"Action": "sns:Publish", "Resource": "four"},
        ]});
        assert!(add_batch_actions(&mut document));
        let expected = json!({"Statement": [
            {"Action": ["sqs:SendMessage", "sqs:SendMessageBatch"], "Resource": "one"},
            {"Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:DeleteMessageBatch"], "Resource": "two"},
            {"Action": ["dynamodb:PutItem"], "Resource": "three"},
            {"Action": ["sns:Publish", "sns:PublishBatch"], "Resource": "four"},
        ]});
        assert_eq!(document, expected);
        assert!(!add_batch_actions(&mut json!({"Statement": [{"Action": "kms:Decrypt"}]})));
    }

    #[test]
    fn statements_are_allowed_to_who_may_insert_and_to_nobody_else() {
        let of = |action: Value| json!({"Statement": [{"Action": "kms:Decrypt"}, {"Action": action}]});
        assert!(inserts(&of(json!(["dynamodb:PutItem", "dynamodb:PartiQLInsert"]))));
        assert!(inserts(&of(json!("dynamodb:PartiQLInsert"))));
        assert!(!inserts(&of(json!(["dynamodb:PutItem", "dynamodb:PartiQLSelect"]))));
    }
}
