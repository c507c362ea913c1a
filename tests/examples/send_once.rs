//! Sends one signed request to a URL, as `deliver` does, and prints the outcome. It is for trying a receiver's TLS
//! set-up by hand. The test of certificates runs it too, because its trusted roots come from its environment
//! (`SSL_CERT_FILE`).

#![expect(clippy::print_stdout, reason = "a command line tool")]

use std::error::Error;
use std::sync::Arc;

use adapters::{HyperSender, SystemClock};
use domain::attempt::SigningSecret;
use domain::delivery::DeliveryState;
use domain::delivery::request::sign;
use domain::destination::AddressPolicy;
use ports::{Clock, HttpSender};
use testing::{account, destination, record};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("usage: send_once <url>")?;
    let target = destination(&account("acme"), 1, &url);
    let delivery = record(&target, "evt-1", 0, DeliveryState::Cancelled).delivery;
    let secret = SigningSecret::from_entropy([7; 32]);
    let request = sign(&delivery, &target.settings, "{}", &[secret], 1, SystemClock.now());
    let policy = AddressPolicy::new("127.0.0.0/8,::1/128", false, Vec::new())?;
    println!("{:?}", HyperSender::new(policy, Arc::new(SystemClock))?.send(&request).await?);
    Ok(())
}
