//! Login and password (RFC 7617), for the few actions that take them: those on access keys, so that
//! a person without a key can make the first one.

use super::{AuthError, Parts, signed_at};
use base64::{
    Engine,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::header;
use jiff::Timestamp;
use secrecy::SecretString;

/// What a request says. Nothing of it is proven yet.
#[derive(Debug)]
pub struct Login {
    pub email: String,
    pub password: SecretString,
}

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

impl Login {
    /// `None`: the request does not try to log in by password. osc-cli writes the URL-safe alphabet,
    /// others the standard one.
    ///
    /// # Errors
    /// It tries, but cannot be read, or says no good date.
    pub fn read(parts: &Parts<'_>, now: Timestamp) -> Option<Result<Self, AuthError>> {
        let value = parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?.trim();
        let (scheme, encoded) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("basic").then(|| {
            let login = decode(encoded.trim())
                .ok_or(AuthError::Malformed("Basic is followed by base64 of LOGIN:PASSWORD"))?;
            signed_at(parts.headers, "x-osc-date", now)?;
            Ok(login)
        })
    }
}

fn decode(encoded: &str) -> Option<Login> {
    let bytes = [STANDARD, URL_SAFE]
        .iter()
        .find_map(|alphabet| GeneralPurpose::new(alphabet, LENIENT).decode(encoded).ok())?;
    let text = String::from_utf8(bytes).ok()?;
    let (email, password) = text.split_once(':')?;
    Some(Login { email: email.to_owned(), password: password.to_owned().into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, Method};
    use secrecy::ExposeSecret;

    #[test]
    fn both_alphabets_are_read_and_a_date_is_wanted() {
        let now: Timestamp = "2026-11-23T15:17:58Z".parse().unwrap();
        for (authorization, date, expected) in [
            // As osc-cli 1.11.0 sends it.
            ("Basic bWVAZXhhbXBsZS5jb206cDp3IMOp", "20261123T151758Z", Some(Ok("p:w é"))),
            ("Basic bWU6Pz8_", "20261123T151758Z", Some(Ok("???"))),
            ("basic bWU6Pz8/", "20261123T151758Z", Some(Ok("???"))),
            ("Basic bWU6cA", "20261123T151758Z", Some(Ok("p"))),
            ("Basic bWU6cA==", "20261122T151758Z", Some(Err(AuthError::TooOld))),
            ("Basic bWU6cA==", "", Some(Err(AuthError::EmptyDate("x-osc-date")))),
            (
                "Basic bWU=",
                "20261123T151758Z",
                Some(Err(AuthError::Malformed("Basic is followed by base64 of LOGIN:PASSWORD"))),
            ),
            ("OSC4-HMAC-SHA256 Credential=…", "20261123T151758Z", None),
            ("Bearer x", "20261123T151758Z", None),
        ] {
            let mut headers = HeaderMap::new();
            let Ok(value) = http::HeaderValue::from_bytes(authorization.as_bytes()) else {
                panic!()
            };
            headers.insert(header::AUTHORIZATION, value);
            headers.insert("x-osc-date", date.parse().unwrap());
            let parts =
                Parts { method: &Method::POST, path: "/", query: "", headers: &headers, body: b"" };
            let got = Login::read(&parts, now)
                .map(|login| login.map(|l| l.password.expose_secret().to_owned()));
            assert_eq!(got, expected.map(|e| e.map(str::to_owned)), "{authorization}");
        }
    }

    #[test]
    fn debug_never_shows_the_password() {
        let login = decode("bWU6c2VjcmV0").unwrap();
        assert!(!format!("{login:?}").contains("secret"));
    }
}
