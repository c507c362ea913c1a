//! Envelope encryption of signing secrets, and of stored answers, which may contain some. One data key, encrypted by
//! KMS, is stored in the table and decrypted once per container. Each secret is encrypted with AES-256-GCM and bound to
//! its account and destination, an answer to its account and key.
//!
//! Invariant: a call that KMS refuses, throttles or does not answer is logged for the alarm on the key, whichever function
//! made it (tests: `a_key_that_kms_refuses_to_use_is_told_to_the_operator`).

use std::collections::HashMap;
use std::sync::Arc;

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

pub struct KmsVault {
    client: Client,
    key_arn: String,
    store: Arc<DynamoStore>,
    entropy: Arc<dyn Entropy>,
    /// The data keys decrypted so far, by id.
    ciphers: Mutex<HashMap<String, Aes256Gcm>>,
}

impl KmsVault {
    pub fn new(aws: &AwsClients, key_arn: String, store: Arc<DynamoStore>, entropy: Arc<dyn Entropy>) -> Self {
        Self { client: aws.kms(), key_arn, store, entropy, ciphers: Mutex::default() }
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
        let opened = Zeroizing::new(self.open_sealed(sealed, &bound_to(account, destination)).await?);
        SigningSecret::from_bytes(&opened).map_err(|error| PortError::permanent("opening a secret", error))
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
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use aws_config::{BehaviorVersion, Region, SdkConfig};
    use aws_sdk_kms::config::{Credentials, SharedCredentialsProvider};
    use aws_smithy_http_client::Builder;
    use testing::{Log, TestEntropy};

    use super::*;

    /// A vault whose service answers every call with this error.
    fn vault(code: &str) -> KmsVault {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let body = format!(r#"{{"__type":"{code}"}}"#);
        std::thread::spawn(move || {
            for mut connection in listener.incoming().map_while(Result::ok) {
                let _ = connection.read(&mut [0; 8_192]);
                let head = "HTTP/1.1 400 Bad Request\r\ncontent-type: application/x-amz-json-1.1\r\nconnection: close";
                let _ = write!(connection, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            }
        });
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .endpoint_url(format!("http://{address}"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new("key", "secret", None, None, "test")))
            .http_client(Builder::new().build_http());
        let aws = AwsClients::from_config(config.build());
        let store = Arc::new(DynamoStore::new(&aws, "table".to_owned()));
        KmsVault::new(&aws, "arn".to_owned(), store, Arc::new(TestEntropy::default()))
    }

    #[tokio::test]
    async fn a_key_that_kms_refuses_to_use_is_told_to_the_operator() {
        let log = Log::default();
        let _guard = log.start();
        let row = DataKeyRow { id: "k1".to_owned(), encrypted: vec![1, 2, 3] };
        vault("DisabledException").decrypt(row).await.map(drop).expect_err("the key is disabled");
        let [line] = log.lines().try_into().expect("one line");
        assert_eq!((&line["level"], &line["counted"]), (&"ERROR".into(), &"key_failed".into()));
        assert_eq!(line["code"], "DisabledException");
    }
}
