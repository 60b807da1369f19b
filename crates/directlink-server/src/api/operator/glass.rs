//! The looking glass, for the operator: at any account's interface.

use super::{App, Failure, Outcome, StatusCode, body, maybe};
use crate::api::Incoming;
use base64::{Engine, engine::general_purpose::STANDARD};
use directlink_model::{
    glass::{Answer, Ask, Capture, Ping, Show, Trace, Which},
    ids::InterfaceId,
};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPing {
    target: Option<String>,
    count: Option<u32>,
    bytes: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewTrace {
    target: Option<String>,
    hops: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewCapture {
    seconds: Option<u32>,
    frames: Option<u32>,
    bytes: Option<u32>,
    snap: Option<u32>,
    which: Option<Which>,
}

/// `GET …/glass`: as many routes as anybody may ask for.
pub(super) async fn show(app: &App, id: InterfaceId) -> Result<Value, Failure> {
    let ask = Ask::Show(Show { routes: *directlink_model::glass::ROUTES.end() });
    Ok(wire(app.look_at_any(id, ask).await?))
}

pub(super) async fn ask(app: &App, id: InterfaceId, what: &str, incoming: &Incoming) -> Outcome {
    let ask = match what {
        "ping" => {
            let NewPing { target, count, bytes } = body(incoming)?;
            let usual = Ping::default();
            Ask::Ping(Ping {
                target: maybe(target)?,
                count: count.unwrap_or(usual.count),
                bytes: bytes.unwrap_or(usual.bytes),
            })
        }
        "trace" => {
            let NewTrace { target, hops } = body(incoming)?;
            let hops = hops.unwrap_or_else(|| Trace::default().hops);
            Ask::Trace(Trace { target: maybe(target)?, hops })
        }
        "capture" => {
            let NewCapture { seconds, frames, bytes, snap, which } = body(incoming)?;
            let usual = Capture::default();
            Ask::Capture(Capture {
                seconds: seconds.unwrap_or(usual.seconds),
                frames: frames.unwrap_or(usual.frames),
                bytes: bytes.unwrap_or(usual.bytes),
                snap: snap.unwrap_or(usual.snap),
                which: which.unwrap_or_default(),
            })
        }
        _ => return Err(Failure::NoSuchAddress),
    };
    Ok((StatusCode::OK, wire(app.look_at_any(id, ask).await?)))
}

fn wire((answer, file): (Answer, Vec<u8>)) -> Value {
    match answer {
        Answer::Shown(shown) => json!({ "glass": shown }),
        Answer::Pinged(pinged) => json!({ "ping": pinged }),
        Answer::Traced(traced) => json!({ "trace": traced }),
        Answer::Captured(captured) => {
            json!({ "capture": captured, "pcap_ng": STANDARD.encode(file) })
        }
        // Asked for diagnoses alone.
        Answer::Looked(looked) => json!({ "looked": looked.fresh }),
        Answer::Refused(why) => json!({ "refused": why.to_string() }),
    }
}
