//! Signature version 4, as OUTSCALE and AWS have it: one routine, four words of difference.
//!
//! ```text
//!   Authorization: OSC4-HMAC-SHA256 Credential=KEY/20261123/eu-west-2/api/osc4_request,
//!                  SignedHeaders=host;x-osc-date, Signature=…64 hex digits…
//!
//!   signature = HMAC(key, ALGORITHM \n date \n scope \n sha256(canonical request))
//!   key       = HMAC chain: SEED+secret → date → region → service → TERMINATOR
//! ```
//!
//! We recompute what the client signed, in the client's own terms: its list of headers, its region
//! and service, whatever they are. Only `host` and, where there is one, `x-amz-target` must be on
//! that list, because they say what is asked and of whom. Some clients sign another form than
//! they send; those forms are tried as well, see [`canonical`].

mod authorization;
mod canonical;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use canonical::collapse_slashes;

use super::{AuthError, Parts, signed_at};
use authorization::Authorization;
use directlink_model::account::SecretKey;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The four words in which the two differ.
#[derive(Debug, PartialEq, Eq)]
pub struct Brand {
    pub algorithm: &'static str,
    pub seed: &'static str,
    pub terminator: &'static str,
    pub date_header: &'static str,
}

pub static OSC4: Brand = Brand {
    algorithm: "OSC4-HMAC-SHA256",
    seed: "OSC4",
    terminator: "osc4_request",
    date_header: "x-osc-date",
};

pub static AWS4: Brand = Brand {
    algorithm: "AWS4-HMAC-SHA256",
    seed: "AWS4",
    terminator: "aws4_request",
    date_header: "x-amz-date",
};

/// What a request says of its own signature. Nothing of it is proven yet.
#[derive(Debug)]
pub struct Claim<'a> {
    authorization: Authorization<'a>,
    date: &'a str,
}

impl<'a> Claim<'a> {
    /// # Errors
    /// No signature, one that cannot be read, one from another time, or a body that is not signed.
    pub fn read(parts: &Parts<'a>, now: Timestamp) -> Result<Self, AuthError> {
        let authorization = Authorization::read(parts.headers)?;
        if authorization.date.is_empty() {
            return Err(AuthError::NoScopeDate);
        }
        let header = authorization.brand.date_header;
        signed_at(parts.headers, header, now)?;
        for must in ["host", "x-amz-target"] {
            let needed = must == "host" || parts.headers.contains_key(must);
            if needed && !authorization.signed_headers.contains(&must) {
                return Err(AuthError::NotSigned(must));
            }
        }
        check_body_hash(parts)?;
        let date = canonical::single(parts.headers, header).ok_or(AuthError::BadDate(header))?;
        Ok(Self { authorization, date })
    }

    /// Whose secret key to check it with.
    pub const fn access_key(&self) -> &'a str {
        self.authorization.access_key
    }

    /// Whether the one who signed had this secret key.
    pub fn check(&self, parts: &Parts<'_>, secret: &SecretKey) -> Result<(), AuthError> {
        let key = self.signing_key(secret);
        let body_hash = hex::encode(Sha256::digest(parts.body));
        let matches =
            canonical::requests(parts, &self.authorization.signed_headers, &body_hash).iter().any(
                |request| self.signature(&key, request).ct_eq(&self.authorization.signature).into(),
            );
        matches.then_some(()).ok_or(AuthError::WrongSignature)
    }

    fn signing_key(&self, secret: &SecretKey) -> [u8; 32] {
        let Authorization { brand, date, region, service, .. } = &self.authorization;
        let seed = [brand.seed.as_bytes(), secret.expose().as_bytes()].concat();
        let dated = hmac(&seed, date);
        hmac(&hmac(&hmac(&dated, region), service), brand.terminator)
    }

    fn signature(&self, key: &[u8; 32], canonical_request: &str) -> [u8; 32] {
        let Authorization { brand, date, region, service, .. } = &self.authorization;
        let hash = hex::encode(Sha256::digest(canonical_request));
        let text = format!(
            "{}\n{}\n{date}/{region}/{service}/{}\n{hash}",
            brand.algorithm, self.date, brand.terminator
        );
        hmac(key, &text)
    }
}

/// Where the client states the hash of the body, it must be that. `UNSIGNED-PAYLOAD` never is.
fn check_body_hash(parts: &Parts<'_>) -> Result<(), AuthError> {
    let Some(stated) = parts.headers.get("x-amz-content-sha256") else { return Ok(()) };
    let hash = hex::encode(Sha256::digest(parts.body));
    match stated.as_bytes() == hash.as_bytes() {
        true => Ok(()),
        false => Err(AuthError::BodyHash),
    }
}

fn hmac(key: &[u8], text: &str) -> [u8; 32] {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        unreachable!("HMAC takes a key of any length (RFC 2104)")
    };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}
