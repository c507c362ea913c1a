//! Work that `redrive` hands out through its topic reaches another invocation of it.

use std::time::Duration;

use adapters::{AwsClients, SnsHandOut};
use harness::eventually::eventually;
use harness::unique::unique;
use harness::{Deployment, Result};
use ports::HandOut;
use tests::function;

const SOON: Duration = Duration::from_secs(30);

#[tokio::test]
async fn units_that_are_handed_out_reach_redrive() -> Result<()> {
    let deployment = Deployment::from_env()?;
    let out =
        SnsHandOut::new(&AwsClients::from_config(deployment.sdk_config()), deployment.outputs.work_topic_arn.clone());
    // These lanes do not exist. `redrive` logs that for each unit, and works on all others. There are more units than
    // fit into one call of the topic.
    let lanes: Vec<String> = (0..11).map(|_| unique("lane")).collect();
    let units: Vec<_> =
        lanes.iter().map(|lane| format!(r#"{{"lane":"{lane}","shards":[0],"part":0,"of":1}}"#)).collect();
    out.hand_out(&units).await.expect("handed out");
    let told = eventually("every unit in the log", SOON, async || {
        let lines = function::logs(&deployment, &deployment.outputs.redrive_function_name).await?;
        let told = |lane: &String| lines.iter().any(|line| line.contains("is not understood") && line.contains(lane));
        Ok(lanes.iter().all(told).then_some(()))
    });
    told.await
}
