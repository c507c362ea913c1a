//! Envelope encryption of signing secrets, and of stored answers, which may contain some. One data key, encrypted by
//! KMS, is stored in the table and decrypted once per container. Each secret is encrypted with AES-256-GCM and bound to
//! its account and destination, an answer to its account and key. An opened secret stays in the memory of the container, as
//! the data key does that opens it.
//!
//! Invariant: a secret that was opened before is opened for its own account and destination only (tests:
//! `a_secret_is_opened_once_and_for_its_own_destination_only`).
//!
//! Invariant: a call that KMS refuses, throttles or does not answer is logged for the alarm on the key, whichever function
//! made it (tests: `a_key_that_kms_refuses_to_use_is_told_to_the_operator`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex as Lock, PoisonError};

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use async_trait::async_trait;
use aws_sdk_kms::Client;
use aws_sdk_kms::config::http::HttpResponse;
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::DataKeySpec;
use domain::attempt::{SealedSecret, SigningSecret};
use domain::value::{AccountId, DestinationId, Timestamp};
use ports::{BegunRequest, Entropy, EntropyExt, KeptAnswers, KeyedRequest, PortError, PortResult, RequestKey, Vault};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::aws::{AwsClients, port_error};
use super::dynamodb::{Before, DataKeyRow, DynamoStore};

const NONCE_BYTES: usize = 12;
/// The encryption context of the data key. It ensures that the key can only be decrypted for this purpose.
const PURPOSE: &str = "synchub-webhooks/signing-secrets";
/// How many opened secrets are kept before all are dropped.
const MOST_OPENED: usize = 1_000;

pub struct KmsVault {
    client: Client,
    key_arn: String,
    store: Arc<DynamoStore>,
    entropy: Arc<dyn Entropy>,
    /// The data keys decrypted so far, by id.
    ciphers: Mutex<HashMap<String, Aes256Gcm>>,
    /// The signing secrets opened so far, by what they are bound to and their encrypted bytes.
    opened: Lock<HashMap<Opened, SigningSecret>>,
}

type Opened = (Vec<u8>, Vec<u8>);

impl KmsVault {
    pub fn new(aws: &AwsClients, key_arn: String, store: Arc<DynamoStore>, entropy: Arc<dyn Entropy>) -> Self {
        Self { client: aws.kms(), key_arn, store, entropy, ciphers: Mutex::default(), opened: Lock::default() }
    }

    /// The cipher of the data key `id`, decrypted by KMS on first use.
    async fn cipher(&self, id: &str) -> PortResult<Aes256Gcm> {
        let mut ciphers = self.ciphers.lock().await;
        if let Some(cipher) = ciphers.get(id) {
            return Ok(cipher.clone());
        }
        let row = self.store.find_data_key(id).await?;
        let row =
            row.ok_or_else(|| PortError::permanent("finding a data key", format!("there is no data key {id}")))?;
        let cipher = self.decrypt(row).await?;
        ciphers.insert(id.to_owned(), cipher.clone());
        Ok(cipher)
    }

    async fn decrypt(&self, row: DataKeyRow) -> PortResult<Aes256Gcm> {
        let call = self.client.decrypt().key_id(&self.key_arn).encryption_context("purpose", PURPOSE);
        let call = call.encryption_context("data_key", &row.id).ciphertext_blob(Blob::new(row.encrypted));
        let answer = call.send().await.map_err(|error| key_error("decrypting a data key", error))?;
        let plain = Zeroizing::new(answer.plaintext.map(Blob::into_inner).unwrap_or_default());
        Aes256Gcm::new_from_slice(&plain).map_err(|error| PortError::permanent("decrypting a data key", error))
    }

    /// The data key that encrypts new secrets. The very first caller creates it.
    async fn current_key(&self) -> PortResult<String> {
        if let Some(id) = self.store.current_data_key().await? {
            return Ok(id);
        }
        let id = data_encoding::HEXLOWER.encode(&self.entropy.bytes::<8>()?);
        let call = self.client.generate_data_key_without_plaintext().key_id(&self.key_arn);
        let call = call.key_spec(DataKeySpec::Aes256);
        let call = call.encryption_context("purpose", PURPOSE).encryption_context("data_key", &id);
        let answer = call.send().await.map_err(|error| key_error("making a data key", error))?;
        let encrypted = answer.ciphertext_blob.map(Blob::into_inner).unwrap_or_default();
        self.store.propose_data_key(DataKeyRow { id, encrypted }).await
    }

    /// Encrypts `plain`, bound to what `bound_to` names.
    async fn encrypt(&self, plain: &[u8], bound_to: &[u8]) -> PortResult<SealedSecret> {
        let key_id = self.current_key().await?;
        let cipher = self.cipher(&key_id).await?;
        let nonce: [u8; NONCE_BYTES] = self.entropy.bytes()?;
        let sealed = cipher.encrypt(&Nonce::from(nonce), Payload { msg: plain, aad: bound_to });
        let sealed = sealed.map_err(|error| PortError::permanent("sealing a secret", error.to_string()))?;
        Ok(SealedSecret { key_id, sealed: [nonce.as_slice(), &sealed].concat() })
    }

    /// The decrypted bytes, if they were encrypted with the same `bound_to`.
    async fn open_sealed(&self, sealed: &SealedSecret, bound_to: &[u8]) -> PortResult<Vec<u8>> {
        let wrong = |reason: String| PortError::permanent("opening a secret", reason);
        let cipher = self.cipher(&sealed.key_id).await?;
        let (nonce, text) =
            sealed.sealed.split_first_chunk::<NONCE_BYTES>().ok_or_else(|| wrong("too short".into()))?;
        let payload = Payload { msg: text, aad: bound_to };
        cipher.decrypt(&Nonce::from(*nonce), payload).map_err(|error| wrong(error.to_string()))
    }
}

/// The error of a call to KMS. Nothing can be signed without the key, so each one is counted by an alarm.
fn key_error<E>(doing: &'static str, error: SdkError<E, HttpResponse>) -> PortError
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let code = error.code().unwrap_or("none");
    tracing::error!(counted = "key_failed", doing, code, "KMS did not do what it was asked to");
    port_error(doing, error)
}

/// Account and destination as associated data, so that an encrypted secret cannot be opened if it is copied to another
/// row.
fn bound_to(account: &AccountId, destination: &DestinationId) -> Vec<u8> {
    format!("{account}/{destination}").into_bytes()
}

#[async_trait]
impl Vault for KmsVault {
    async fn seal(
        &self,
        account: &AccountId,
        destination: &DestinationId,
        secret: &SigningSecret,
    ) -> PortResult<SealedSecret> {
        self.encrypt(secret.key(), &bound_to(account, destination)).await
    }

    async fn open(
        &self,
        account: &AccountId,
        destination: &DestinationId,
        sealed: &SealedSecret,
    ) -> PortResult<SigningSecret> {
        let key = (bound_to(account, destination), sealed.sealed.clone());
        if let Some(known) = self.opened.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(known.clone());
        }
        // What is rarely done is apart, so that the usual look-up is small.
        let opened = Zeroizing::new(Box::pin(self.open_sealed(sealed, &key.0)).await?);
        let opened =
            SigningSecret::from_bytes(&opened).map_err(|error| PortError::permanent("opening a secret", error))?;
        let mut known = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_OPENED {
            known.clear();
        }
        known.insert(key, opened.clone());
        Ok(opened)
    }
}

/// Account and key as associated data. It contains two slashes, so it never equals the one of a signing secret.
fn answer_to(key: &RequestKey) -> Vec<u8> {
    format!("answer/{}/{}", key.account.as_ref().map_or("", AccountId::as_str), key.name).into_bytes()
}

#[async_trait]
impl KeptAnswers for KmsVault {
    async fn begin_request(
        &self,
        key: &RequestKey,
        request: &KeyedRequest,
        now: Timestamp,
    ) -> PortResult<BegunRequest> {
        match self.store.begin(key, request, now).await? {
            None => Ok(BegunRequest::Begun),
            Some(Before { same: false, .. }) => Ok(BegunRequest::Reused),
            Some(Before { answer: None, .. }) => Ok(BegunRequest::UnderWay),
            Some(Before { answer: Some(sealed), .. }) => {
                Ok(BegunRequest::Answered(self.open_sealed(&sealed, &answer_to(key)).await?))
            }
        }
    }

    async fn keep_answer(&self, key: &RequestKey, holder: [u8; 16], answer: &[u8]) -> PortResult<()> {
        let sealed = self.encrypt(answer, &answer_to(key)).await?;
        self.store.keep(key, holder, sealed).await
    }

    async fn forget_request(&self, key: &RequestKey, holder: [u8; 16]) -> PortResult<()> {
        self.store.forget(key, holder).await
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE64;
    use serde_json::json;
    use testing::{Log, TestEntropy, account};

    use super::*;
    use crate::SystemEntropy;
    use crate::scripted::{Service, refused};

    #[tokio::test]
    async fn a_key_that_kms_refuses_to_use_is_told_to_the_operator() {
        let log = Log::default();
        let _guard = log.start();
        let aws = Service::new(|_, _| refused(400, "DisabledException")).clients();
        let store = Arc::new(DynamoStore::new(&aws, "table".to_owned()));
        let vault = KmsVault::new(&aws, "arn".to_owned(), store, Arc::new(TestEntropy::default()));
        let row = DataKeyRow { id: "k1".to_owned(), encrypted: vec![1, 2, 3] };
        vault.decrypt(row).await.map(drop).expect_err("the key is disabled");
        let [line] = log.lines().try_into().expect("one line");
        assert_eq!((&line["level"], &line["counted"]), (&"ERROR".into(), &"key_failed".into()));
        assert_eq!(line["code"], "DisabledException");
    }

    #[tokio::test]
    async fn a_secret_is_opened_once_and_for_its_own_destination_only() {
        let service = Service::new(|operation, _| match operation {
            "GetItem" => Some((200, json!({ "Item": { "id": { "S": "key-1" }, "encrypted": { "B": "AAAA" } } }))),
            "Decrypt" => Some((200, json!({ "Plaintext": BASE64.encode(&[7; 32]) }))),
            _ => refused(400, "ValidationException"),
        });
        let aws = service.clients();
        let store = Arc::new(DynamoStore::new(&aws, "table".to_owned()));
        let vault = KmsVault::new(&aws, "key".to_owned(), store, Arc::new(SystemEntropy));
        let (acme, [own, other]) = (account("acme"), [1, 2].map(|n| DestinationId::from_entropy([n; 10])));
        let cipher = Aes256Gcm::new_from_slice(&[7; 32]).expect("a key");
        let payload = Payload { msg: &[3; 32], aad: &bound_to(&acme, &own) };
        let text = cipher.encrypt(&Nonce::from([1; NONCE_BYTES]), payload).expect("sealed");
        let sealed = SealedSecret { key_id: "key-1".to_owned(), sealed: [&[1; NONCE_BYTES][..], &text].concat() };
        for calls in [vec!["GetItem", "Decrypt"], Vec::new()] {
            assert_eq!(vault.open(&acme, &own, &sealed).await.expect("opened").key(), [3; 32]);
            assert_eq!(service.operations(), calls);
            // What is opened again would need its key again.
            vault.ciphers.lock().await.clear();
        }
        assert!(vault.open(&acme, &other, &sealed).await.is_err());
        assert!(vault.open(&account("other"), &own, &sealed).await.is_err());
        assert_eq!(service.operations(), ["GetItem", "Decrypt"], "the key is asked for once");
    }
}
