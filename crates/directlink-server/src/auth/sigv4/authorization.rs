//! The `Authorization` header, taken apart. Purely syntax: bounded, and never a panic.

use super::{AWS4, Brand, OSC4};
use crate::auth::AuthError;
use http::{HeaderMap, header};

/// Nobody signs more; an attacker should not make us sort more.
const SIGNED_HEADERS_MAX: usize = 64;

#[derive(Debug)]
pub(super) struct Authorization<'a> {
    pub(super) brand: &'static Brand,
    pub(super) access_key: &'a str,
    /// Of the scope. It may differ from the header's: clients are known to let it.
    pub(super) date: &'a str,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
    /// As listed: lower case, in the client's order.
    pub(super) signed_headers: Vec<&'a str>,
    pub(super) signature: [u8; 32],
}

impl<'a> Authorization<'a> {
    pub(super) fn read(headers: &'a HeaderMap) -> Result<Self, AuthError> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let value = values.next().ok_or(AuthError::Missing)?;
        if values.next().is_some() {
            return Err(AuthError::Malformed("there is more than one"));
        }
        let text = value.to_str().map_err(|_| AuthError::Malformed("it is not ASCII"))?.trim();
        if text.is_empty() {
            return Err(AuthError::Missing);
        }
        Self::parse(text)
    }

    fn parse(text: &'a str) -> Result<Self, AuthError> {
        let (algorithm, fields) = text
            .split_once(' ')
            .ok_or(AuthError::Malformed("it is an algorithm, a space, and three fields"))?;
        let brand = [&OSC4, &AWS4]
            .into_iter()
            .find(|brand| brand.algorithm == algorithm)
            .ok_or(AuthError::Malformed("the algorithm is OSC4-HMAC-SHA256 or AWS4-HMAC-SHA256"))?;
        let (mut credential, mut signed, mut signature) = (None, None, None);
        for field in fields.split(',') {
            let (name, value) = field
                .trim()
                .split_once('=')
                .ok_or(AuthError::Malformed("each field is a name, '=' and a value"))?;
            let place = match name {
                "Credential" => &mut credential,
                "SignedHeaders" => &mut signed,
                "Signature" => &mut signature,
                _ => return Err(AuthError::Malformed("it has an unknown field")),
            };
            if place.replace(value).is_some() {
                return Err(AuthError::Malformed("it has a field twice"));
            }
        }
        let credential = credential.ok_or(AuthError::Malformed("it has no Credential"))?;
        let signed = signed.ok_or(AuthError::Malformed("it has no SignedHeaders"))?;
        let signature = signature.ok_or(AuthError::Malformed("it has no Signature"))?;
        let [access_key, date, region, service] = scope(credential, brand)?;
        Ok(Self {
            brand,
            access_key,
            date,
            region,
            service,
            signed_headers: signed_headers(signed)?,
            signature: digest(signature)?,
        })
    }
}

fn scope<'a>(credential: &'a str, brand: &Brand) -> Result<[&'a str; 4], AuthError> {
    const FORM: AuthError =
        AuthError::Malformed("Credential is KEY/YYYYMMDD/REGION/SERVICE/TERMINATOR");
    let mut words = credential.split('/');
    let mut next = || words.next().ok_or(FORM);
    let [access_key, date, region, service, terminator] =
        [next()?, next()?, next()?, next()?, next()?];
    let date_good =
        date.is_empty() || (date.len() == 8 && date.bytes().all(|b| b.is_ascii_digit()));
    let good = words.next().is_none()
        && !access_key.is_empty()
        && date_good
        && terminator == brand.terminator;
    good.then_some([access_key, date, region, service]).ok_or(FORM)
}

fn signed_headers(text: &str) -> Result<Vec<&str>, AuthError> {
    let names: Vec<_> = text.split(';').take(SIGNED_HEADERS_MAX + 1).collect();
    let good = |name: &&str| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic() && !b.is_ascii_uppercase())
    };
    match names.len() <= SIGNED_HEADERS_MAX && names.iter().all(good) {
        true => Ok(names),
        false => Err(AuthError::Malformed(
            "SignedHeaders are at most 64 lower-case names with ';' between",
        )),
    }
}

fn digest(text: &str) -> Result<[u8; 32], AuthError> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes)
        .map_err(|_| AuthError::Malformed("Signature is 64 hexadecimal digits"))?;
    Ok(bytes)
}
