//! The text that `make dev` prints: addresses and commands for trying out the demo's account by hand.
//!
//! The commands need hardly more than a shell and curl, and work from any directory.

use crate::api_client::Customer;
use crate::checkout;
use crate::deployment::Deployment;
use crate::receiver::Receiver;
use crate::signed_http::{REGION, endpoint};

/// Addresses, and commands to paste into another terminal. `link` opens the customer's page.
pub fn by_hand(deployment: &Deployment, receiver: &Receiver, customer: &Customer, link: &str) -> String {
    let api = deployment.api_url();
    let host = api.trim_start_matches("http://");
    let (account, key) = (customer.account(), customer.key());
    // This very program. `cargo run` would build it again, with other features of its dependencies.
    let program = std::env::current_exe().unwrap_or_else(|_| checkout::root().join("target/debug/local"));
    let program = program.display();
    let (queue, dead_letters) =
        (&deployment.outputs.events_queue_url, &deployment.outputs.events_dead_letter_queue_url);
    let (local_aws, receiver) = (endpoint(deployment.port), receiver.url("/"));
    format!(
        "\
page          {link}
              opens once, within an hour, in Chromium or Firefox; another link: see below
receiver      {receiver}
events        {queue}
dead letters  {dead_letters}

# Paste these first
api={api}
account={account}
key={key}
call() {{ curl -sS -w '\\n' --noproxy '*' --resolve {host}:127.0.0.1 \"$@\"; }}

# What the account has
call -H \"authorization: Bearer $key\" $api/v1/destinations
call -H \"authorization: Bearer $key\" $api/v1/subscriptions

# Refused: no key; no signature
call $api/v1/destinations
call $api/admin/v1/accounts

# The operator's requests are signed with AWS credentials
call --aws-sigv4 aws:amz:{REGION}:execute-api --user test:test $api/admin/v1/accounts \\
  -H 'content-type: application/json' -d '{{\"id\": \"another\"}}'

# Another link to the page, for whoever opens it first
call --aws-sigv4 aws:amz:{REGION}:execute-api --user test:test $api/admin/v1/accounts/$account/sessions \\
  -H 'content-type: application/json' -d '{{\"role\": \"admin\", \"scope\": \"connection/xero\", \"expires_in_seconds\": 3600}}'

# Push another event
{program} event demo-sync-run-failed $account |
call --aws-sigv4 aws:amz:{REGION}:sqs --user test:test {local_aws} \\
  --data-urlencode Action=SendMessage --data-urlencode QueueUrl={queue} --data-urlencode MessageBody@-"
    )
}
