//! What trials change about a function: the permissions of its role, its environment, its reservation. All of it is put back
//! after each trial, however it ends.

use harness::failure::OrFailure;
use harness::{Deployment, Result, differences};
use serde_json::{Value, json};
use tests::function;

use crate::bench::Bench;

/// A variable that means nothing: a function whose environment is changed starts anew.
const STAMP: &str = "RESTARTED_AT";

/// A function, as it was before the trials.
pub struct Whole {
    pub function: String,
    role: String,
    policies: Vec<(String, Value)>,
    /// Variables that trials change or remove.
    variables: Vec<(&'static str, String)>,
}

impl Whole {
    pub async fn of(bench: &Bench, function: &str) -> Result<Self> {
        let role = function::role(&bench.deployment, function).await?;
        let policies = bench.iam.role_policies(&role).await?;
        let table = function::variable(&bench.deployment, function, "TABLE_NAME").await?;
        let function = function.to_owned();
        Ok(Self { function, role, policies, variables: vec![("TABLE_NAME", table)] })
    }

    /// Takes actions away from the role, on all resources.
    pub async fn without(&self, bench: &Bench, actions: &[&str]) -> Result<()> {
        let mut gone: Vec<String> = actions.iter().map(|&action| action.to_owned()).collect();
        gone.extend(actions.iter().filter_map(|action| differences::together(action)));
        for (name, document) in &self.policies {
            let mut document = document.clone();
            if let Some(statements) = document["Statement"].as_array_mut() {
                for statement in &mut *statements {
                    if let Some(one) = statement["Action"].as_str() {
                        statement["Action"] = json!([one]);
                    }
                    if let Some(all) = statement["Action"].as_array_mut() {
                        all.retain(|action| gone.iter().all(|name| action != name));
                    }
                }
                statements.retain(|statement| statement["Action"] != json!([]));
            }
            if document["Statement"] == json!([]) {
                let whole = [("RoleName", self.role.as_str()), ("PolicyName", name.as_str())];
                bench.iam.call("DeleteRolePolicy", &whole).await?;
            } else {
                bench.iam.set_role_policy(&self.role, name, &document).await?;
            }
        }
        Ok(())
    }

    /// Gives the permission back that this error of the function says is missing, as the page about operations says.
    ///
    /// The local AWS does not name the resource. It is then taken from the policy, as that page says too.
    pub async fn give_back(&self, bench: &Bench, error: &str) -> Result<()> {
        let after = |text: &str, ends: &[char]| -> Result<String> {
            let (_, rest) = error.split_once(text).or_failure(|| format!("no {text} in {error}"))?;
            Ok(rest.split(ends).next().unwrap_or_default().to_owned())
        };
        let (role, action) = (after(":assumed-role/", &['/'])?, after("to perform: ", &[' '])?);
        let resource = match after("on resource: ", &[' ', '"', '\\']) {
            Ok(named) => json!(named),
            Err(_) => self.resources(&action),
        };
        let command = bench.permissions.command("put-role-policy")?;
        let command = command.replace("<role>", &role).replace("<action>", &action);
        bench.operator.run(&command.replace("\"<resource>\"", &resource.to_string())).await.map(drop)
    }

    /// The resources on which its policies allow an action.
    fn resources(&self, action: &str) -> Value {
        let statements =
            self.policies.iter().flat_map(|(_, policy)| policy["Statement"].as_array().into_iter().flatten());
        let allowing = statements.filter(|statement| {
            statement["Action"] == action
                || statement["Action"].as_array().is_some_and(|all| all.contains(&json!(action)))
        });
        let named = allowing.flat_map(|statement| match &statement["Resource"] {
            Value::Array(several) => several.clone(),
            one => vec![one.clone()],
        });
        named.collect()
    }

    /// Removes a variable of its environment without which it cannot run.
    pub async fn broken(&self, bench: &Bench) -> Result<()> {
        function::set_variable(&bench.deployment, &self.function, "TABLE_NAME", None).await
    }

    /// What deploying the last release does: the variable is there again.
    pub async fn deployed_again(&self, deployment: &Deployment) -> Result<()> {
        for (name, value) in &self.variables {
            function::set_variable(deployment, &self.function, name, Some(value)).await?;
        }
        Ok(())
    }

    /// Starts the function's processes anew, so that they remember nothing.
    pub async fn restart(&self, deployment: &Deployment) -> Result<()> {
        let stamp = crate::bench::now().to_string();
        function::set_variable(deployment, &self.function, STAMP, Some(&stamp)).await
    }

    /// Puts everything back.
    pub async fn put_back(&self, bench: &Bench) -> Result<()> {
        for (name, document) in &self.policies {
            bench.iam.set_role_policy(&self.role, name, document).await?;
        }
        let mended = bench.iam.role_policies(&self.role).await?.iter().any(|(name, _)| name.starts_with("mended-"));
        if mended {
            let command = bench.permissions.command("delete-role-policy")?.replace("<role>", &self.role);
            bench.operator.run(&command).await?;
        }
        for (name, value) in &self.variables {
            if function::variable(&bench.deployment, &self.function, name).await? != *value {
                function::set_variable(&bench.deployment, &self.function, name, Some(value)).await?;
            }
        }
        for name in [function::TABLE, STAMP] {
            if !function::variable(&bench.deployment, &self.function, name).await?.is_empty() {
                function::set_variable(&bench.deployment, &self.function, name, None).await?;
            }
        }
        reserve(bench, &self.function, None).await
    }
}

/// Reserves so many instances for a function, or no longer any.
pub async fn reserve(bench: &Bench, function: &str, instances: Option<u32>) -> Result<()> {
    let path = format!("2017-10-31/functions/{function}/concurrency");
    let (method, body) = match instances {
        Some(count) => (http::Method::PUT, json!({"ReservedConcurrentExecutions": count}).to_string()),
        None => (http::Method::DELETE, String::new()),
    };
    let answer = crate::invoke::lambda(&bench.deployment, method, &path, body).await?;
    answer.expect_success().map(drop)
}
