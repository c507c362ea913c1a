//! The form of keys, links and tokens: `<prefix><account>.<id>.<secret>`. A token says which row it belongs to, and
//! only its hash is stored.

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::value::AccountId;

/// 256 random bits, so that one SHA-256 is as good as a slow hash.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(super) struct TokenSecret(pub(super) [u8; 32]);

/// The parts of a token. An account id contains no `.`, so the parts cannot be confused. The id is without its own
/// prefix.
pub(super) fn read(prefix: &str, text: &str) -> Option<(AccountId, String, TokenSecret)> {
    let mut parts = text.strip_prefix(prefix)?.splitn(3, '.');
    let (account, id) = (parts.next()?.parse().ok()?, parts.next()?.to_owned());
    let bytes = Zeroizing::new(BASE64URL_NOPAD.decode(parts.next()?.as_bytes()).ok()?);
    Some((account, id, TokenSecret(bytes.as_slice().try_into().ok()?)))
}

/// The beginning of a token, by which people recognize it. It is not secret.
pub(super) fn beginning(prefix: &str, account: &AccountId, id: &str) -> String {
    format!("{prefix}{account}.{id}")
}

pub(super) fn write(prefix: &str, account: &AccountId, id: &str, secret: &TokenSecret) -> Zeroizing<String> {
    let encoded = Zeroizing::new(BASE64URL_NOPAD.encode(&secret.0));
    Zeroizing::new(format!("{}.{}", beginning(prefix, account, id), *encoded))
}

/// The hash of a token, which is what is stored. `id` is the whole id of the thing that the token belongs to.
pub(super) fn hash(account: &AccountId, id: &str, secret: &TokenSecret) -> [u8; 32] {
    let digest = Sha256::new().chain_update(account.as_str()).chain_update([0]).chain_update(id);
    digest.chain_update([0]).chain_update(secret.0).finalize().into()
}

/// Whether both are the same. Takes the same time wherever they differ.
pub(super) fn same(kept: &[u8; 32], presented: &[u8; 32]) -> bool {
    kept.ct_eq(presented).into()
}
