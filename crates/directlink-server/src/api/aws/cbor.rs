//! CBOR for JSON, as far as Smithy's RPC v2 needs it.
//!
//! The two differ in what JSON has no type for: a moment is a number under tag 1 (RFC 8949, section
//! 3.4.2), and a letter is bytes, which JSON has in base64.

use base64::{Engine, engine::general_purpose::STANDARD};
use ciborium::{Value as Cbor, de, ser};
use serde_json::{Map, Number, Value as Json};

/// Members of answers that are moments, in seconds since 1970, and those that are bytes.
const MOMENTS: [&str; 4] = ["endTime", "loaIssueTime", "routeInstalledAt", "startTime"];
const BYTES: [&str; 1] = ["loaContent"];
const EPOCH_SECONDS: u64 = 1;
/// The deepest honest request has five.
const DEPTH_MAX: usize = 32;

/// A request's body as the JSON that it would have been; an error says what is wrong with it.
pub(super) fn read(bytes: &[u8]) -> Result<Json, String> {
    let mut rest = bytes;
    let value: Cbor = de::from_reader_with_recursion_limit(&mut rest, DEPTH_MAX)
        .map_err(|error| error.to_string())?;
    match rest.is_empty() {
        true => to_json(value),
        false => Err(format!("{} bytes follow its end", rest.len())),
    }
}

/// An answer's JSON as the CBOR that says the same.
pub(super) fn written(json: Json) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Neither memory nor numbers, texts, lists and maps of such can fail.
    let _ = ser::into_writer(&to_cbor("", json), &mut bytes);
    bytes
}

fn to_json(value: Cbor) -> Result<Json, String> {
    Ok(match value {
        Cbor::Null => Json::Null,
        Cbor::Bool(yes) => yes.into(),
        Cbor::Integer(number) => integer(number.into())?,
        Cbor::Float(number) => {
            Number::from_f64(number).ok_or_else(|| format!("{number} is no number"))?.into()
        }
        Cbor::Text(text) => text.into(),
        Cbor::Bytes(bytes) => STANDARD.encode(bytes).into(),
        Cbor::Tag(_, value) => to_json(*value)?,
        Cbor::Array(items) => {
            Json::Array(items.into_iter().map(to_json).collect::<Result<_, _>>()?)
        }
        Cbor::Map(members) => {
            let member = |(name, value): (Cbor, Cbor)| match name {
                Cbor::Text(name) => Ok((name, to_json(value)?)),
                _ => Err("a member's name is not a text".to_owned()),
            };
            Json::Object(members.into_iter().map(member).collect::<Result<Map<_, _>, _>>()?)
        }
        _ => return Err("it has a type that this protocol does not know".to_owned()),
    })
}

fn integer(number: i128) -> Result<Json, String> {
    let signed = i64::try_from(number).map(Json::from);
    let unsigned = || u64::try_from(number).map(Json::from);
    signed.or_else(|_| unsigned()).map_err(|_| format!("{number} is too large"))
}

fn to_cbor(name: &str, json: Json) -> Cbor {
    match json {
        Json::Number(number) if MOMENTS.contains(&name) => {
            Cbor::Tag(EPOCH_SECONDS, Box::new(number_of(&number)))
        }
        Json::Number(number) => number_of(&number),
        Json::String(text) if BYTES.contains(&name) => match STANDARD.decode(&text) {
            Ok(bytes) => Cbor::Bytes(bytes),
            Err(_) => Cbor::Text(text),
        },
        Json::String(text) => Cbor::Text(text),
        Json::Null => Cbor::Null,
        Json::Bool(yes) => Cbor::Bool(yes),
        Json::Array(items) => Cbor::Array(items.into_iter().map(|i| to_cbor(name, i)).collect()),
        Json::Object(members) => {
            let member = |(name, value): (String, Json)| {
                let value = to_cbor(&name, value);
                (Cbor::Text(name), value)
            };
            Cbor::Map(members.into_iter().map(member).collect())
        }
    }
}

fn number_of(number: &Number) -> Cbor {
    match (number.as_i64(), number.as_u64(), number.as_f64()) {
        (Some(signed), ..) => Cbor::Integer(signed.into()),
        (None, Some(unsigned), _) => Cbor::Integer(unsigned.into()),
        (None, None, float) => Cbor::Float(float.unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::AWS;
    use serde_json::json;
    use std::collections::BTreeSet;

    #[test]
    fn moments_and_bytes_are_those_of_the_published_model() {
        for (kind, ours) in [("timestamp", &MOMENTS[..]), ("blob", &BYTES)] {
            assert_eq!(AWS.members_of_type(kind), ours.iter().copied().collect::<BTreeSet<_>>());
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let all = json!({"a": [1, -1, 4_294_967_295u32, 1.5, null, true, "é", {}, [{"b": ""}]],
            "loaIssueTime": 1_700_000_000, "endTime": 1.25, "loaContent": "JVBERi0="});
        let written = written(all.clone());
        assert_eq!(read(&written), Ok(all));
        let has = |bytes: &[u8]| written.windows(bytes.len()).any(|window| window == bytes);
        assert!(has(b"\x6cloaIssueTime\xc1\x1a"), "a tagged number: {written:02x?}");
        assert!(has(b"\x6aloaContent\x45%PDF-"), "bytes: {written:02x?}");
    }

    #[test]
    fn what_is_no_request_is_refused_in_words() {
        let deep = [vec![0x81; 40], vec![0]].concat();
        for (bytes, why) in [
            (&b""[..], "Io"),
            (b"\xa1\x61a", "Io"),
            (b"\xa0\xa0", "1 bytes follow its end"),
            (b"\xa1\x01\x02", "a member's name is not a text"),
            (b"\xf9\x7e\x00", "NaN is no number"),
            (b"\x7b\xff\xff\xff\xff\xff\xff\xff\xff", "Io"),
            (b"\x3b\xff\xff\xff\xff\xff\xff\xff\xff", "is too large"),
            (&deep, "Recursion"),
        ] {
            let said = read(bytes).unwrap_err();
            assert!(said.contains(why), "{bytes:02x?}: {said}");
        }
    }
}
