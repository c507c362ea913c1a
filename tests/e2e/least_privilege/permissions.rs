//! The permissions of the deployed stack, one by one: an action on a resource, in a policy of a role or of a topic.
//!
//! They are read from the local AWS, so a permission that is added to the template is found here without a word. What the
//! harness adds for the local AWS alone is left out.

use harness::failure::OrFailure;
use harness::iam::Iam;
use harness::{Deployment, Failure, Result, differences};
use serde_json::{Value, json};
use tests::function;

/// Whose policy it is.
#[derive(Clone)]
enum Place {
    Role { role: String, policy: String },
    Topic(String),
}

/// An action that somebody may do on a resource.
#[derive(Clone)]
pub struct Permission {
    /// The short name of a function, or whoever else has the permission.
    pub holder: String,
    pub action: String,
    /// The resource, in short: `table`, `index/waiting`, `events`, `key`.
    pub on: String,
    /// Whether it is in the policy of a topic.
    pub by_topic: bool,
    place: Place,
    /// The whole policy.
    document: Value,
    statement: usize,
    resource: String,
}

impl std::fmt::Display for Permission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let by = if self.by_topic { " (by the topic's policy)" } else { "" };
        write!(f, "{} {} on {}{by}", self.holder, self.action, self.on)
    }
}

/// The functions by their short names.
pub fn functions(deployment: &Deployment) -> [(&'static str, &str); 6] {
    let outputs = &deployment.outputs;
    [
        ("fanout", &outputs.fanout_function_name),
        ("deliver", &outputs.deliver_function_name),
        ("api", &outputs.api_function_name),
        ("portal", &outputs.portal_function_name),
        ("authorizer", &outputs.authorizer_function_name),
        ("redrive", &outputs.redrive_function_name),
    ]
}

/// All permissions of all roles, and of the policies of topics.
pub async fn all(deployment: &Deployment) -> Result<Vec<Permission>> {
    let (iam, outputs) = (deployment.iam()?, &deployment.outputs);
    let mut holders = Vec::new();
    for (name, function) in functions(deployment) {
        holders.push((function::role(deployment, function).await?, name));
    }
    let mut found = Vec::new();
    for role in iam.roles().await? {
        let holder = holders.iter().find(|(of, _)| *of == role).map_or("schedule", |(_, name)| name);
        for (policy, document) in iam.role_policies(&role).await? {
            let place = Place::Role { role: role.clone(), policy };
            found.extend(single(&place, &document, |_| holder.to_owned())?);
        }
    }
    for topic in [&outputs.alerts_topic_arn, &outputs.receiver_alerts_topic_arn, &outputs.work_topic_arn] {
        let document = iam.topic_policy(topic).await?;
        found.extend(single(&Place::Topic(topic.clone()), &document, |statement| {
            let named = statement["Principal"]["AWS"].as_str().and_then(|arn| arn.rsplit('/').next());
            let holder = holders.iter().find(|(role, _)| Some(role.as_str()) == named);
            let service = statement["Principal"]["Service"].as_str().unwrap_or("others");
            holder.map_or(service, |(_, name)| name).to_owned()
        })?);
    }
    Ok(found)
}

fn single(place: &Place, document: &Value, holder: impl Fn(&Value) -> String) -> Result<Vec<Permission>> {
    let mut found = Vec::new();
    for (number, statement) in document["Statement"].as_array().into_iter().flatten().enumerate() {
        let by_topic = matches!(place, Place::Topic(_));
        // A condition is a permission of its own to be tried.
        if !by_topic && !statement["Condition"].is_null() {
            return Err(Failure::new(format!(
                "this test tries no conditions yet, and a statement has one: {statement}"
            )));
        }
        for action in texts(&statement["Action"]).filter(|action| !differences::is_local(action)) {
            for resource in texts(&statement["Resource"]) {
                found.push(Permission {
                    holder: holder(statement),
                    action: action.to_owned(),
                    on: in_short(resource)?,
                    by_topic,
                    place: place.clone(),
                    document: document.clone(),
                    statement: number,
                    resource: resource.to_owned(),
                });
            }
        }
    }
    Ok(found)
}

/// The texts of a list, or of a single text.
fn texts(value: &Value) -> impl Iterator<Item = &str> {
    let one = value.as_str().into_iter();
    one.chain(value.as_array().into_iter().flatten().filter_map(Value::as_str))
}

fn in_short(resource: &str) -> Result<String> {
    let (_, rest) = resource.split_once("arn:aws:").or_failure(|| format!("{resource} is no ARN"))?;
    let (service, rest) = rest.split_once(':').unwrap_or((rest, ""));
    Ok(match service {
        "dynamodb" => rest.split_once("/index/").map_or("table".to_owned(), |(_, index)| format!("index/{index}")),
        "kms" => "key".to_owned(),
        "logs" => "logs".to_owned(),
        // Account and region stand before the name, and the name of the stack is the beginning of it.
        _ => rest.rsplit(':').next().unwrap_or(rest).trim_start_matches("synchub-webhooks-").to_owned(),
    })
}

impl Permission {
    /// Takes it away from the policy, and `also` another action of the same policy, if a fault of that kind is needed.
    pub async fn take_away(&self, iam: &Iam, also: Option<&str>) -> Result<()> {
        self.put(iam, self.without(also)).await
    }

    /// Puts the whole policy back.
    pub async fn put_back(&self, iam: &Iam) -> Result<()> {
        self.put(iam, self.document.clone()).await
    }

    /// The names by which the local AWS may deny it.
    pub fn names(&self) -> Vec<String> {
        std::iter::once(self.action.clone()).chain(differences::together(&self.action)).collect()
    }

    async fn put(&self, iam: &Iam, document: Value) -> Result<()> {
        match &self.place {
            Place::Role { role, policy } => differences::put_role_policy(iam, role, policy, document).await,
            Place::Topic(topic) => differences::put_topic_policy(iam, topic, document).await,
        }
    }

    /// The policy without it: its statement keeps all other actions, and this one on all other resources.
    fn without(&self, also: Option<&str>) -> Value {
        let mut statements = Vec::new();
        for (number, statement) in self.document["Statement"].as_array().into_iter().flatten().enumerate() {
            let is_gone = |action: &str| Some(action) == also || differences::is_local(action);
            let part = |actions: Vec<&str>, resources: Vec<&str>| {
                let mut part = statement.clone();
                (part["Action"], part["Resource"]) = (json!(actions), json!(resources));
                (!actions.is_empty() && !resources.is_empty()).then_some(part)
            };
            let actions = || texts(&statement["Action"]);
            let resources = || texts(&statement["Resource"]);
            if number != self.statement {
                statements.extend(part(actions().filter(|action| !is_gone(action)).collect(), resources().collect()));
                continue;
            }
            let others = actions().filter(|action| *action != self.action && !is_gone(action));
            statements.extend(part(others.collect(), resources().collect()));
            statements.extend(part(vec![&self.action], resources().filter(|on| *on != self.resource).collect()));
        }
        json!({"Version": "2012-10-17", "Statement": statements})
    }
}
