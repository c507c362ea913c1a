//! The few calls of IAM, and of topics' policies, that the harness makes; an SDK is not worth it for them.
//!
//! Both services answer in XML, which is not parsed: the harness reads single elements that are known to contain plain
//! text.

use http::Request;
use serde_json::Value;
use url::form_urlencoded;

use crate::failure::{Failure, OrFailure, Result};
use crate::signed_http::{SignedHttp, endpoint};

/// The service that has topics, and the version of its calls.
const TOPICS: (&str, &str) = ("sns", "2010-03-31");

/// IAM of one local AWS.
#[derive(Debug, Clone)]
pub struct Iam {
    http: SignedHttp,
    port: u16,
}

impl Iam {
    pub fn new(http: SignedHttp, port: u16) -> Self {
        Self { http, port }
    }

    /// Calls `action` and returns the answer's XML.
    pub async fn call(&self, action: &str, parameters: &[(&str, &str)]) -> Result<String> {
        self.ask(("iam", "2010-05-08"), action, parameters).await
    }

    async fn ask(&self, service: (&str, &str), action: &str, parameters: &[(&str, &str)]) -> Result<String> {
        let (service, version) = service;
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs([("Action", action), ("Version", version)]).extend_pairs(parameters);
        let request = Request::post(endpoint(self.port))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.finish().into_bytes());
        let request = request.or_failure(|| format!("no request for {action}"))?;
        let response = self.http.send_signed(service, request).await?;
        let text = String::from_utf8_lossy(response.body()).into_owned();
        if response.status().is_success() {
            return Ok(text);
        }
        Err(Failure::new(format!("{action} answered {}: {text}", response.status())))
    }

    /// The names of all roles.
    pub async fn roles(&self) -> Result<Vec<String>> {
        let list = self.call("ListRoles", &[]).await?;
        Ok(elements(&list, "RoleName").map(str::to_owned).collect())
    }

    /// The inline policies of a role, each with its name and document.
    pub async fn role_policies(&self, role: &str) -> Result<Vec<(String, Value)>> {
        let list = self.call("ListRolePolicies", &[("RoleName", role)]).await?;
        let mut policies = Vec::new();
        for name in elements(&list, "member") {
            let answer = self.call("GetRolePolicy", &[("RoleName", role), ("PolicyName", name)]).await?;
            let encoded = element(&answer, "PolicyDocument")?;
            // A document is URL-encoded, as one value of a query would be.
            let query = format!("document={}", encoded.replace('+', "%2B"));
            let (_, text) = form_urlencoded::parse(query.as_bytes()).next().or_failure(|| "an empty policy")?;
            let document = serde_json::from_str(&text).or_failure(|| format!("policy {name} of {role} is not JSON"))?;
            policies.push((name.to_owned(), document));
        }
        Ok(policies)
    }

    /// Sets an inline policy of a role.
    pub async fn set_role_policy(&self, role: &str, name: &str, document: &Value) -> Result<()> {
        let text = document.to_string();
        let parameters = [("RoleName", role), ("PolicyName", name), ("PolicyDocument", &text)];
        self.call("PutRolePolicy", &parameters).await.map(drop)
    }

    /// The policy of a topic.
    pub async fn topic_policy(&self, topic: &str) -> Result<Value> {
        let answer = self.ask(TOPICS, "GetTopicAttributes", &[("TopicArn", topic)]).await?;
        let entry = answer.split("<key>Policy</key>").nth(1).or_failure(|| format!("{topic} has no policy"))?;
        let text = element(entry, "value")?.replace("&quot;", "\"").replace("&amp;", "&");
        serde_json::from_str(&text).or_failure(|| format!("the policy of {topic} is not JSON: {text}"))
    }

    /// Sets the policy of a topic.
    pub async fn set_topic_policy(&self, topic: &str, document: &Value) -> Result<()> {
        let text = document.to_string();
        let parameters = [("TopicArn", topic), ("AttributeName", "Policy"), ("AttributeValue", text.as_str())];
        self.ask(TOPICS, "SetTopicAttributes", &parameters).await.map(drop)
    }
}

/// The text of the first element with this name.
pub fn element<'x>(xml: &'x str, name: &str) -> Result<&'x str> {
    elements(xml, name).next().or_failure(|| format!("no {name} in {xml}"))
}

fn elements<'x>(xml: &'x str, name: &str) -> impl Iterator<Item = &'x str> {
    let start = format!("<{name}>");
    let after_start = xml.split(&start).skip(1).collect::<Vec<_>>();
    after_start.into_iter().filter_map(|rest| rest.split("</").next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found_by_name() {
        let xml = "<A><Names><member>first</member><member>second</member></Names><B>text</B></A>";
        assert_eq!(elements(xml, "member").collect::<Vec<_>>(), ["first", "second"]);
        assert_eq!(element(xml, "B").expect("a B"), "text");
        assert_eq!(element(xml, "C").expect_err("no C").to_string(), format!("no C in {xml}"));
    }
}
