//! The vault.

use domain::attempt::SigningSecret;
use domain::value::{AccountId, DestinationId};
use ports::Vault;

pub async fn vault(vault: &dyn Vault, account: &AccountId, other: &AccountId) {
    let (mine, theirs) = (DestinationId::from_entropy([1; 10]), DestinationId::from_entropy([2; 10]));
    let secret = SigningSecret::from_entropy([42; 32]);
    let sealed = vault.seal(account, &mine, &secret).await.expect("sealed");
    let opened = vault.open(account, &mine, &sealed).await.expect("opened");
    assert_eq!(opened.key(), secret.key());
    for (account, destination) in [(account, &theirs), (other, &mine)] {
        match vault.open(account, destination, &sealed).await {
            Err(error) => assert!(!format!("{error:?}").contains("KioqKio"), "the error shows the secret"),
            Ok(_) => panic!("a secret opened for another account or destination"),
        }
    }
    let mut broken = sealed.clone();
    if let Some(byte) = broken.sealed.first_mut() {
        *byte ^= 1;
    }
    assert!(vault.open(account, &mine, &broken).await.is_err(), "an altered secret opened");
}
