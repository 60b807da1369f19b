//! The signature of Standard Webhooks: whoever has the secret knows that a message is ours, whole,
//! and not an old one played again.
//!
//! ```text
//!   webhook-signature: v1,BASE64(HMAC-SHA256(secret, "ID.SECONDS.BODY"))
//! ```

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;

/// What a secret begins with, before its bytes in base64.
const PREFIX: &str = "whsec_";
const SECRET_BYTES: usize = 32;

/// A new one.
pub(crate) fn new_secret() -> SecretString {
    let bytes: [u8; SECRET_BYTES] = rand::random();
    format!("{PREFIX}{}", BASE64_STANDARD.encode(bytes)).into()
}

/// The header's value. `seconds`: of the attempt, since 1970.
pub(super) fn signature(secret: &SecretString, id: &str, seconds: i64, body: &str) -> String {
    let encoded = secret.expose_secret().trim_start_matches(PREFIX);
    let key = BASE64_STANDARD.decode(encoded).unwrap_or_default();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key)
        .unwrap_or_else(|_| unreachable!("HMAC takes a key of any length"));
    mac.update(format!("{id}.{seconds}.{body}").as_bytes());
    format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification.
    #[test]
    fn a_message_is_signed_as_the_specification_says() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into();
        let (id, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", r#"{"test": 2432232314}"#);
        assert_eq!(
            signature(&secret, id, 1_614_265_330, body),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn a_new_secret_is_like_no_other_and_is_not_shown() {
        let [a, b] = [new_secret(), new_secret()];
        assert_ne!(a.expose_secret(), b.expose_secret());
        assert!(a.expose_secret().starts_with(PREFIX) && !format!("{a:?}").contains(PREFIX));
    }
}
