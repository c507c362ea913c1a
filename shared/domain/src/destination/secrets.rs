//! The secrets of a destination: what is stored of each, and how many there may be.

use sha2::{Digest, Sha256};

use crate::attempt::{SealedSecret, SigningSecret};
use crate::value::Timestamp;

/// How many valid secrets a destination can have.
pub const MAX_SECRETS: usize = 3;
/// How long a replaced secret stays valid by default, in seconds: a day.
pub const DEFAULT_OVERLAP_SECONDS: u64 = 86_400;
/// How long a replaced secret can stay valid at most, in seconds: a week.
pub const MAX_OVERLAP_SECONDS: u64 = 604_800;

/// One of a destination's secrets. While several are valid, every request carries a signature by each of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestinationSecret {
    pub sealed: SealedSecret,
    /// Identifies the secret without revealing it.
    pub fingerprint: String,
    pub created_at: Timestamp,
    /// When a replaced secret ends; the current one has no end.
    pub expires_at: Option<Timestamp>,
}

/// The first 8 bytes of the secret's SHA-256, in hexadecimal. A secret has at least 192 random bits, and this reveals
/// none of them.
pub fn fingerprint(secret: &SigningSecret) -> String {
    let digest = Sha256::new().chain_update(b"synchub-fingerprint\0").chain_update(secret.key()).finalize();
    data_encoding::HEXLOWER.encode(&digest[..8])
}

/// Why a secret cannot be rotated now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the destination has {MAX_SECRETS} valid secrets, which is the maximum; the next of them ends at {until}")]
pub struct TooManySecrets {
    pub until: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_tells_secrets_apart() {
        let of = |n| fingerprint(&SigningSecret::from_entropy([n; 32]));
        assert_eq!(of(1).len(), 16);
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }
}
