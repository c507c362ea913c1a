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

/// Actions whose batch form has the same permission on AWS, and another one on the local AWS.
const BATCHED: [&str; 4] = ["sqs:SendMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sns:Publish"];
const INSERT: &str = "dynamodb:PartiQLInsert";
/// What the local AWS asks for instead, and the policy that allows it.
const BY_STATEMENT: &str = "dynamodb:BatchExecuteStatement";
const STATEMENTS: &str = "statements";

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
        for (name, document) in iam.role_policies(&role).await? {
            put_role_policy(&iam, &role, &name, document).await?;
        }
    }
    for topic in [&outputs.alerts_topic_arn, &outputs.receiver_alerts_topic_arn, &outputs.work_topic_arn] {
        put_topic_policy(&iam, topic, iam.topic_policy(topic).await?).await?;
    }
    Ok(())
}

/// Puts the policy of a role in the words of the local AWS, so that it allows what it would allow on AWS.
pub async fn put_role_policy(iam: &Iam, role: &str, name: &str, mut document: Value) -> Result<()> {
    add_batch_actions(&mut document);
    iam.set_role_policy(role, name, &document).await?;
    let policies = iam.role_policies(role).await?;
    if policies.iter().any(|(_, document)| inserts(document)) {
        return allow_statements(iam, role).await;
    }
    if policies.iter().any(|(name, _)| name == STATEMENTS) {
        iam.call("DeleteRolePolicy", &[("RoleName", role), ("PolicyName", STATEMENTS)]).await?;
    }
    Ok(())
}

/// The same for the policy of a topic.
pub async fn put_topic_policy(iam: &Iam, topic: &str, mut document: Value) -> Result<()> {
    add_batch_actions(&mut document);
    iam.set_topic_policy(topic, &document).await
}

/// The name under which the local AWS asks for a permission when calls are made together, if that is another one.
pub fn together(action: &str) -> Option<String> {
    match action {
        INSERT => Some(BY_STATEMENT.to_owned()),
        action => BATCHED.contains(&action).then(|| format!("{action}Batch")),
    }
}

/// Whether a policy has this action only because of the local AWS.
pub fn is_local(action: &str) -> bool {
    action == BY_STATEMENT || BATCHED.iter().any(|batched| action.strip_suffix("Batch") == Some(batched))
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

/// On AWS, whoever may insert by a statement may insert by a batch of them: `dynamodb:BatchExecuteStatement` is a call
/// without a permission of its own. The local AWS asks for one with the name of the call, and knows no table for it. It
/// does not read the statements, so here it allows more than AWS would: a test of the functions' roles keeps to inserts.
async fn allow_statements(iam: &Iam, role: &str) -> Result<()> {
    let statement = json!({"Effect": "Allow", "Action": BY_STATEMENT, "Resource": "*"});
    iam.set_role_policy(role, STATEMENTS, &json!({"Version": "2012-10-17", "Statement": [statement]})).await
}

/// Whether a policy allows inserts by statements.
fn inserts(document: &Value) -> bool {
    let of = |statement: &Value| match &statement["Action"] {
        Value::Array(actions) => actions.contains(&json!(INSERT)),
        action => action == INSERT,
    };
    document["Statement"].as_array().is_some_and(|statements| statements.iter().any(of))
}

/// On AWS, everyone who may send a message may also send a batch: `sqs:SendMessageBatch` has no permission of its own,
/// like the other batch calls. The local AWS requires a permission with the name of the call, so this adds it to the same
/// statement.
fn add_batch_actions(document: &mut Value) {
    for statement in document["Statement"].as_array_mut().into_iter().flatten() {
        let mut actions = match statement["Action"].take() {
            Value::Array(actions) => actions,
            action => vec![action],
        };
        let batches = BATCHED.iter().filter(|batched| actions.iter().any(|action| action == *batched));
        let batches: Vec<Value> = batches.map(|batched| json!(format!("{batched}Batch"))).collect();
        actions.retain(|action| !batches.contains(action));
        actions.extend(batches);
        statement["Action"] = Value::Array(actions);
    }
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
        add_batch_actions(&mut document);
        let expected = json!({"Statement": [
            {"Action": ["sqs:SendMessage", "sqs:SendMessageBatch"], "Resource": "one"},
            {"Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:DeleteMessageBatch"], "Resource": "two"},
            {"Action": ["dynamodb:PutItem"], "Resource": "three"},
            {"Action": ["sns:Publish", "sns:PublishBatch"], "Resource": "four"},
        ]});
        assert_eq!(document, expected);
        add_batch_actions(&mut document);
        assert_eq!(document, expected, "once is enough");
    }

    #[test]
    fn what_only_the_local_aws_asks_for_is_known() {
        assert_eq!(together("sqs:SendMessage").as_deref(), Some("sqs:SendMessageBatch"));
        assert_eq!(together("dynamodb:PartiQLInsert").as_deref(), Some("dynamodb:BatchExecuteStatement"));
        assert_eq!(together("dynamodb:PutItem"), None);
        assert!(is_local("sns:PublishBatch") && is_local("dynamodb:BatchExecuteStatement"));
        assert!(!is_local("sns:Publish") && !is_local("dynamodb:BatchGetItem"));
    }

    #[test]
    fn statements_are_allowed_to_who_may_insert_and_to_nobody_else() {
        let of = |action: Value| json!({"Statement": [{"Action": "kms:Decrypt"}, {"Action": action}]});
        assert!(inserts(&of(json!(["dynamodb:PutItem", "dynamodb:PartiQLInsert"]))));
        assert!(inserts(&of(json!("dynamodb:PartiQLInsert"))));
        assert!(!inserts(&of(json!(["dynamodb:PutItem", "dynamodb:PartiQLSelect"]))));
    }
}
