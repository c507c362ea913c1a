//! The few IAM calls of the harness; an SDK is not worth it for them.
//!
//! IAM answers in XML, which is not parsed: the harness reads single elements that are known to contain plain text.

use http::Request;
use serde_json::Value;
use url::form_urlencoded;

use crate::failure::{Failure, OrFailure, Result};
use crate::signed_http::{SignedHttp, endpoint};

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
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs([("Action", action), ("Version", "2010-05-08")]).extend_pairs(parameters);
        let request = Request::post(endpoint(self.port))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.finish().into_bytes());
        let response = self.http.send_signed("iam", request.or_failure(|| format!("no request for {action}"))?).await?;
        let text = String::from_utf8_lossy(response.body()).into_owned();
        if response.status().is_success() {
            return Ok(text);
        }
        Err(Failure::new(format!("{action} answered {}: {text}", response.status())))
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
