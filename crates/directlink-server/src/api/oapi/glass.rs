//! The looking glass: actions of ours that ask an interface's router.
//!
//! The answers are the model's, with names as this API writes them: `as_path` is `AsPath`.

use super::{
    Call, Outcome, member,
    params::{Field, Kind, Params, id_of, optional, required},
    refusal::Failure,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use directlink_model::{
    Fault,
    glass::{Answer, Ask, Capture, Ping, Show, Trace, Which},
    ids::InterfaceId,
};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::net::IpAddr;

const ID: Field<'_> = required("DirectLinkInterfaceId", Kind::Id(id_of::<InterfaceId>));
const SHOW: &[Field<'_>] = &[ID, optional("MaxRoutes", Kind::Integer)];
const PING: &[Field<'_>] = &[
    ID,
    optional("Target", Kind::Text),
    optional("Count", Kind::Integer),
    optional("Bytes", Kind::Integer),
];
const TRACE: &[Field<'_>] =
    &[ID, optional("Target", Kind::Text), optional("MaxHops", Kind::Integer)];
const CAPTURE: &[Field<'_>] = &[
    ID,
    optional("Seconds", Kind::Integer),
    optional("MaxFrames", Kind::Integer),
    optional("MaxBytes", Kind::Integer),
    optional("SnapLength", Kind::Integer),
    optional("Frames", Kind::Text),
];

pub(super) async fn show(call: Call<'_>) -> Outcome {
    let params = call.checked(SHOW)?;
    let mut show = Show::default();
    set(params, "MaxRoutes", &mut show.routes);
    look(&call, params, Ask::Show(show)).await
}

pub(super) async fn ping(call: Call<'_>) -> Outcome {
    let params = call.checked(PING)?;
    let mut ping = Ping { target: target(params)?, ..Ping::default() };
    set(params, "Count", &mut ping.count);
    set(params, "Bytes", &mut ping.bytes);
    look(&call, params, Ask::Ping(ping)).await
}

pub(super) async fn trace(call: Call<'_>) -> Outcome {
    let params = call.checked(TRACE)?;
    let mut trace = Trace { target: target(params)?, ..Trace::default() };
    set(params, "MaxHops", &mut trace.hops);
    look(&call, params, Ask::Trace(trace)).await
}

pub(super) async fn capture(call: Call<'_>) -> Outcome {
    let params = call.checked(CAPTURE)?;
    let mut capture = Capture::default();
    set(params, "Seconds", &mut capture.seconds);
    set(params, "MaxFrames", &mut capture.frames);
    set(params, "MaxBytes", &mut capture.bytes);
    set(params, "SnapLength", &mut capture.snap);
    if let Some(name) = params.text("Frames") {
        capture.which = Which::of_name(name).ok_or_else(|| {
            Failure::value("Frames", name.escape_default(), "it is all, router or dropped")
        })?;
    }
    look(&call, params, Ask::Capture(capture)).await
}

async fn look(call: &Call<'_>, params: Params<'_>, ask: Ask) -> Outcome {
    let id = params.needed_id::<InterfaceId>("DirectLinkInterfaceId")?;
    let (answer, file) = call.app.look(&call.context()?, id, ask).await?;
    Ok(match answer {
        Answer::Shown(shown) => member("Glass", wire(&shown)),
        Answer::Pinged(pinged) => member("Ping", wire(&pinged)),
        Answer::Traced(traced) => member("Trace", wire(&traced)),
        Answer::Captured(captured) => {
            let mut value = wire(&captured);
            value["PcapNg"] = json!(STANDARD.encode(file));
            member("Capture", value)
        }
        // Asked for diagnoses alone.
        Answer::Looked(looked) => member("Look", wire(&looked.fresh)),
        // The app has made a fault of it.
        Answer::Refused(why) => return Err(Failure::value("DirectLinkInterfaceId", id, why)),
    })
}

fn target(params: Params<'_>) -> Result<Option<IpAddr>, Failure> {
    let read = |text: &str| {
        text.parse().map_err(|_| Fault::BadValue {
            parameter: "Target",
            given: text.escape_default().to_string(),
            expected: "it is an IPv4 or IPv6 address".into(),
        })
    };
    Ok(params.text("Target").map(read).transpose()?)
}

/// What is beyond 32 bits is beyond every bound.
fn set(params: Params<'_>, name: &str, to: &mut u32) {
    if let Some(given) = params.integer(name) {
        *to = u32::try_from(given).unwrap_or(if given < 0 { 0 } else { u32::MAX });
    }
}

fn wire(answer: &impl Serialize) -> Value {
    match serde_json::to_value(answer) {
        Ok(value) => in_camel_case(value),
        Err(error) => unreachable!("an answer of strings and numbers is JSON: {error}"),
    }
}

fn in_camel_case(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let renamed = members.into_iter().map(|(name, it)| (camel(&name), in_camel_case(it)));
            Value::Object(renamed.collect::<Map<_, _>>())
        }
        Value::Array(items) => items.into_iter().map(in_camel_case).collect(),
        other => other,
    }
}

fn camel(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| {
            first.to_ascii_uppercase().to_string() + letters.as_str()
        })
    };
    name.split('_').map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_this_api_writes_them() {
        let told = json!({ "as_path": [1], "row": { "leads_to": ["as_it_is"] } });
        let expected = json!({ "AsPath": [1], "Row": { "LeadsTo": ["as_it_is"] } });
        assert_eq!(in_camel_case(told), expected);
    }
}
