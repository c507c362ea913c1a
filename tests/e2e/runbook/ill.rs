//! The alarm that sums up the others, and whom it wakes. The local stack lacks it, so it is made here with the rule of the
//! template.

use harness::eventually::eventually;
use harness::failure::OrFailure;
use harness::receiver::{Received, Receiver};
use harness::{Failure, Result};
use serde_json::Value;

use crate::alike::SOON;
use crate::bench::{Bench, STACK, alarms_of_the_template, resources};

/// Somebody who is woken only by this alarm.
pub struct Pager {
    receiver: Receiver,
}

/// Makes the alarm, and subscribes a pager by the command of the section.
pub async fn subscribe(bench: &Bench) -> Result<Pager> {
    let operator = &bench.operator;
    bench.section("ill")?;
    let topic = &bench.deployment.outputs.alerts_topic_arn;
    // The alarms that the local stack lacks are there for the rule, and do nothing by themselves.
    for name in ["events-dead-letter", "deliveries-dead-letter"] {
        let alarm = format!(
            "aws cloudwatch put-metric-alarm --alarm-name {STACK}-{name} --namespace {STACK} --metric-name {name} --statistic Sum \
             --period 60 --evaluation-periods 1 --threshold 0 --comparison-operator GreaterThanThreshold --alarm-actions {topic}"
        );
        operator.run(&alarm).await?;
    }
    let mut rule = None;
    let resources = resources()?;
    for (name, settings) in alarms_of_the_template()? {
        if name == "ill" {
            rule = settings["AlarmRule"]["Fn::Sub"].as_str().map(str::to_owned);
        }
    }
    let mut rule = rule.or_failure(|| "the template has no alarm that sums up the others")?;
    for (id, resource) in resources.as_object().into_iter().flatten() {
        if let Some(name) = resource["Properties"]["AlarmName"]["Fn::Sub"].as_str() {
            rule = rule.replace(&format!("${{{id}}}"), &name.replace("${AWS::StackName}", STACK));
        }
    }
    let put = format!(
        "aws cloudwatch put-composite-alarm --alarm-name {STACK}-ill --alarm-rule '{rule}' --alarm-actions {topic} --ok-actions {topic}"
    );
    operator.run(&put).await?;

    let receiver = Receiver::start().await?;
    let command = bench.told.command("pager.example.com")?;
    let command = command.replace("https://pager.example.com/hook", &receiver.url("/hook"));
    operator.run(&command.replace("--protocol https", "--protocol http")).await?;
    let asked = |request: &Received| request.json()["Type"] == "SubscriptionConfirmation";
    let requests = receiver.await_requests("to be asked", SOON, |all| all.iter().any(asked)).await?;
    let token = requests.iter().find(|request| asked(request)).map(|request| request.json()["Token"].clone());
    let token = token.as_ref().and_then(Value::as_str).or_failure(|| "no token")?;
    operator.run(&format!("aws sns confirm-subscription --topic-arn {topic} --token {token}")).await?;
    Ok(Pager { receiver })
}

/// It was woken by this alarm, and by no other, and told when all was well again.
pub async fn woken(bench: &Bench, pager: &Pager) -> Result<()> {
    let told = |requests: &[Received]| -> Vec<(String, String)> {
        let notes = requests.iter().filter(|request| request.json()["Type"] == "Notification");
        let message = |note: &Received| -> Value {
            serde_json::from_str(note.json()["Message"].as_str().unwrap_or_default()).unwrap_or_default()
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        notes.map(message).map(|note| (text(&note["AlarmName"]), text(&note["NewStateValue"]))).collect()
    };
    let states = eventually("the pager to be told that all is well", SOON, async || {
        let told = told(&pager.receiver.requests());
        Ok(told.last().is_some_and(|(_, state)| state == "OK").then_some(told))
    });
    let states = states.await.map_err(|_| {
        Failure::new(format!("the pager was not told that all is well: {:?}", told(&pager.receiver.requests())))
    })?;
    let name = format!("{STACK}-ill");
    if states.iter().any(|(alarm, _)| *alarm != name) || !states.contains(&(name, "ALARM".to_owned())) {
        return Err(Failure::new(format!("the pager was told {states:?}")));
    }
    let on = bench.operator.run(&bench.page.which).await?;
    if on.trim().is_empty() { Ok(()) } else { Err(Failure::new(format!("alarms are still on: {on}"))) }
}

/// Removes the alarms that only this test has, and the pager.
pub async fn put_back(bench: &Bench) -> Result<()> {
    let delete = format!(
        "aws cloudwatch delete-alarms --alarm-names {STACK}-ill\n\
         aws cloudwatch delete-alarms --alarm-names {STACK}-events-dead-letter {STACK}-deliveries-dead-letter\n\
         for pager in $(aws sns list-subscriptions-by-topic --topic-arn {} \
           --query \"Subscriptions[?ends_with(Endpoint, '/hook')].SubscriptionArn\" --output text); do\n\
           aws sns unsubscribe --subscription-arn \"$pager\"; done",
        bench.deployment.outputs.alerts_topic_arn
    );
    bench.operator.run(&delete).await.map(drop)
}
