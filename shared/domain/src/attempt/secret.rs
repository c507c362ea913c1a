//! Secrets that sign requests. They have no `Display` and no `Serialize`, and are wiped from memory when dropped.
//!
//! Invariant: debug output shows nothing of a signing secret (tests: `debug_output_shows_nothing_of_a_secret`).

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// A Standard Webhooks signing secret: `whsec_` and the base64 of 24 to 64 bytes, which are the key.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SigningSecret(Vec<u8>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be `whsec_` followed by the base64 of 24 to 64 bytes")]
pub struct SecretError;

const PREFIX: &str = "whsec_";

impl SigningSecret {
    /// Makes a secret of 32 random bytes.
    pub fn from_entropy(entropy: [u8; 32]) -> Self {
        Self(entropy.to_vec())
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SecretError> {
        if (24..=64).contains(&bytes.len()) { Ok(Self(bytes.to_vec())) } else { Err(SecretError) }
    }

    /// The key of the HMAC.
    pub fn key(&self) -> &[u8] {
        &self.0
    }

    /// The text form, for the one answer that shows it.
    pub fn reveal(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{PREFIX}{}", BASE64.encode(&self.0)))
    }
}

impl FromStr for SigningSecret {
    type Err = SecretError;
    fn from_str(text: &str) -> Result<Self, SecretError> {
        let encoded = text.strip_prefix(PREFIX).ok_or(SecretError)?;
        let bytes = Zeroizing::new(BASE64.decode(encoded.as_bytes()).map_err(|_| SecretError)?);
        let secret = Self::from_bytes(&bytes)?;
        // Two texts one after the other, with padding between them, are decoded here, but not by receivers' libraries.
        if secret.reveal().as_str() == text { Ok(secret) } else { Err(SecretError) }
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(redacted)")
    }
}

/// A signing secret as it is stored: encrypted with AES-256-GCM under the data key `key_id`, bound to its account and
/// destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedSecret {
    /// The data key it is sealed under. Data keys can be replaced one secret at a time.
    pub key_id: String,
    /// 12-byte nonce, then ciphertext and tag.
    pub sealed: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_24_to_64_bytes_in_base64_after_its_prefix() {
        for length in [24, 32, 64] {
            let text = format!("{PREFIX}{}", BASE64.encode(&vec![7; length]));
            let secret: SigningSecret = text.parse().expect("a secret");
            assert_eq!(secret.reveal().as_str(), text);
        }
        for text in ["", "whsec_", "abc", "whsec_!!!", "WHSEC_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"] {
            assert_eq!(text.parse::<SigningSecret>().err(), Some(SecretError), "{text}");
        }
        let two = format!("{PREFIX}{0}{0}", BASE64.encode(&[7; 16]));
        assert_eq!(two.parse::<SigningSecret>().err(), Some(SecretError), "{two}");
        for length in [23, 65] {
            let text = format!("{PREFIX}{}", BASE64.encode(&vec![7; length]));
            assert_eq!(text.parse::<SigningSecret>().err(), Some(SecretError), "{length}");
        }
    }

    #[test]
    fn debug_output_shows_nothing_of_a_secret() {
        let secret = SigningSecret::from_entropy([0x61; 32]);
        assert_eq!(format!("{secret:?}"), "SigningSecret(redacted)");
    }
}
