//! How the signature of a request is made: templates that the file carries too, so that its readers can sign a request for the time
//! that their own clock shows.

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER};
use domain::attempt::SigningSecret;
use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::Sha256;

/// The secret of the receiver: the base64 of a sentence that says what it is for. It has a `+` and a `/`, so that it reads
/// otherwise in other alphabets.
pub const SECRET: &str = "whsec_SXQgaXMgYSBzYW1wbGU/IFllcz4+IGZvciB0ZXN0cyE=";
/// The secret of somebody else, or the one before a rotation.
pub const OTHER_SECRET: &str = "whsec_bm90fm91cnM6IHRoZSBzZWNyZXQgb2YgYW5vdGhlciE=";

pub fn secret() -> SigningSecret {
    SECRET.parse().expect("a secret")
}

pub fn other_secret() -> SigningSecret {
    OTHER_SECRET.parse().expect("a secret")
}

/// Templates of the two headers that depend on the time, and of the text that is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sign {
    /// Seconds after the receiver's time.
    pub at: i64,
    pub timestamp: String,
    pub text: String,
    pub signature: String,
}

impl Default for Sign {
    fn default() -> Self {
        let [timestamp, text, signature] = ["{at}", "{id}.{timestamp}.{body}", "v1,{ours}"].map(str::to_owned);
        Self { at: 0, timestamp, text, signature }
    }
}

/// What may stand in a template of a signature, and what it means.
pub const SIGNATURES: [(&str, &str); 7] = [
    (
        "{ours}",
        "the base64 of HMAC-SHA256 over the signed text; the key is what the base64 in `secret` after `whsec_` decodes to",
    ),
    ("{other}", "the same with `other_secret`"),
    ("{hex}", "as {ours}, but in hexadecimal instead of base64"),
    ("{base64url}", "as {ours}, but in base64url, without padding"),
    ("{unpadded}", "as {ours}, but without the `=` at the end"),
    ("{half}", "the base64 of the first 16 bytes of {ours}"),
    ("{undecoded}", "as {ours}, but the key is the text of `secret` itself, with `whsec_`"),
];

impl Sign {
    /// The values of `webhook-timestamp` and `webhook-signature`. A header that is not sent counts as empty in the signed text.
    pub fn header_values(&self, now: u64, id: &str, has_timestamp: bool, body: &str) -> (String, String) {
        let at = now.saturating_add_signed(self.at).to_string();
        let timestamp = self.timestamp.replace("{at}", &at).replace("{now}", &now.to_string());
        let text = self.text.replace("{id}", id).replace("{at}", &at);
        let text = text.replace("{timestamp}", if has_timestamp { &timestamp } else { "" }).replace("{body}", body);
        let (ours, other) = (secret(), other_secret());
        let with_ours = hmac(ours.key(), &text);
        let mut signature = self.signature.clone();
        for (name, _) in SIGNATURES {
            let value = match name {
                "{ours}" => BASE64.encode(&with_ours),
                "{other}" => BASE64.encode(&hmac(other.key(), &text)),
                "{hex}" => HEXLOWER.encode(&with_ours),
                "{base64url}" => BASE64URL_NOPAD.encode(&with_ours),
                "{unpadded}" => BASE64_NOPAD.encode(&with_ours),
                "{half}" => BASE64.encode(&with_ours[..16]),
                _ => BASE64.encode(&hmac(SECRET.as_bytes(), &text)),
            };
            signature = signature.replace(name, &value);
        }
        (timestamp, signature)
    }
}

pub fn hmac(key: &[u8], text: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}
