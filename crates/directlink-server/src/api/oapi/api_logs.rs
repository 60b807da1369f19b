//! The log of an account's own calls, of both customer APIs. Newest first.
//!
//! Pages go by time, not by number: lines come and go between two pages.

use super::{
    Call, Members, Outcome, dates,
    list::{Filter, List, Listed, page_size},
    params::{Field, Kind, Params, optional},
    refusal::{Code, Failure},
};
use crate::app::{LogRange, api_logs::ApiLog};
use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

pub(super) const WITH: &[Field<'_>] = &[
    optional("AccountId", Kind::Flag),
    optional("CallDuration", Kind::Flag),
    optional("QueryAccessKey", Kind::Flag),
    optional("QueryApiName", Kind::Flag),
    optional("QueryApiVersion", Kind::Flag),
    optional("QueryCallName", Kind::Flag),
    optional("QueryDate", Kind::Flag),
    optional("QueryHeaderRaw", Kind::Flag),
    optional("QueryHeaderSize", Kind::Flag),
    optional("QueryIpAddress", Kind::Flag),
    optional("QueryPayloadRaw", Kind::Flag),
    optional("QueryPayloadSize", Kind::Flag),
    optional("QueryUserAgent", Kind::Flag),
    optional("RequestId", Kind::Flag),
    optional("ResponseSize", Kind::Flag),
    optional("ResponseStatusCode", Kind::Flag),
];

const READ: &[Field<'_>] = &[
    optional("NextPageToken", Kind::Text),
    optional("ResultsPerPage", Kind::Integer),
    optional("With", Kind::Object(WITH)),
];

/// Of those who do not say.
const PAGE: usize = 100;
/// "By default, the retrieved interval is 48 hours."
const INTERVAL: SignedDuration = SignedDuration::from_hours(48);
const AFTER: &str = "QueryDateAfter";
const BEFORE: &str = "QueryDateBefore";

impl Listed for ApiLog {
    const FILTERS: &'static [Filter<Self>] = &[
        Filter::Texts("QueryAccessKeys", |log| log.access_key.iter().cloned().collect()),
        Filter::Texts("QueryApiNames", |log| vec![log.api.clone()]),
        Filter::Texts("QueryCallNames", |log| vec![log.call.clone()]),
        Filter::From(AFTER, |log| log.at),
        Filter::Until(BEFORE, |log| log.at),
        Filter::Texts("QueryIpAddresses", |log| log.address.iter().cloned().collect()),
        Filter::Texts("QueryUserAgents", |log| vec![log.user_agent.clone()]),
        Filter::Texts("RequestIds", |log| vec![log.id.clone()]),
        Filter::Integers("ResponseStatusCodes", |log| vec![log.status]),
    ];
}

pub(super) async fn read(call: Call<'_>) -> Outcome {
    let list = List::read_whole::<ApiLog>(&call, READ)?;
    let params = call.params();
    let count = params.integer("ResultsPerPage").map_or(Ok(PAGE), page_size)?;
    let mut range = range(params.object("Filters"), call.now)?;
    if let Some(token) = params.text("NextPageToken") {
        range.before = place(token)?;
    }
    let admits = |log: &ApiLog| list.admits(log);
    // One more than a page, to know whether there is another.
    let mut logs = call.app.api_logs(&call.context()?, range, count + 1, admits).await?;
    let more = logs.len() > count;
    logs.truncate(count);
    let wire = |log: &ApiLog| wire(log, params.object("With"));
    let mut members = Members::new();
    members.insert("Logs".into(), logs.iter().map(wire).collect());
    if let Some(last) = logs.last().filter(|_| more) {
        members.insert("NextPageToken".into(), json!(token(last)));
    }
    Ok(members)
}

fn range(filters: Option<Params<'_>>, now: Timestamp) -> Result<LogRange, Failure> {
    let text = |name| filters.and_then(|filters| filters.text(name));
    let read = |name, read: fn(&str) -> Option<Timestamp>| {
        let bad = |text| {
            let expected = "give a date, as in 2020-06-14 or 2020-06-14T00:00:00.000Z";
            Failure::value(name, text, expected)
        };
        text(name).map(|text| read(text).ok_or_else(|| bad(text))).transpose()
    };
    let (after, before) = (read(AFTER, dates::from)?, read(BEFORE, dates::until)?);
    let far = |at: Timestamp, by: SignedDuration| at.checked_add(by).unwrap_or(at);
    let (from, before) = match (after, before) {
        (Some(after), Some(before)) => (after, before),
        (Some(after), None) => (after, far(after, INTERVAL)),
        (None, Some(before)) => (far(before, -INTERVAL), before),
        (None, None) => (far(now, -INTERVAL), far(now, SignedDuration::from_secs(1))),
    };
    Ok(LogRange { from, before: (before, String::new()) })
}

fn wire(log: &ApiLog, with: Option<Params<'_>>) -> Value {
    let all = [
        ("AccountId", json!(log.account)),
        ("CallDuration", json!(log.duration_us)),
        ("QueryAccessKey", json!(log.access_key)),
        ("QueryApiName", json!(log.api)),
        ("QueryApiVersion", json!(log.version)),
        ("QueryCallName", json!(log.call)),
        ("QueryDate", json!(dates::show(log.at))),
        ("QueryHeaderRaw", json!(log.headers)),
        ("QueryHeaderSize", json!(log.headers_size)),
        ("QueryIpAddress", json!(log.address)),
        ("QueryPayloadRaw", json!(log.payload)),
        ("QueryPayloadSize", json!(log.payload_size)),
        ("QueryUserAgent", json!(log.user_agent)),
        ("RequestId", json!(log.id)),
        ("ResponseSize", json!(log.response_size)),
        ("ResponseStatusCode", json!(log.status)),
    ];
    let wanted = |name: &str| with.and_then(|with| with.flag(name)).unwrap_or(true);
    let shown = all.into_iter().filter(|(name, value)| wanted(name) && !value.is_null());
    Value::Object(shown.map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
}

fn token(last: &ApiLog) -> String {
    BASE64_STANDARD.encode(format!("before:{}/{}", last.at.as_microsecond(), last.id))
}

fn place(token: &str) -> Result<(Timestamp, String), Failure> {
    let decoded = BASE64_STANDARD.decode(token).ok().and_then(|b| String::from_utf8(b).ok());
    let place = decoded.and_then(|text| {
        let (us, id) = text.strip_prefix("before:")?.split_once('/')?;
        Some((Timestamp::from_microsecond(us.parse().ok()?).ok()?, id.to_owned()))
    });
    place.ok_or_else(|| {
        let expected = "give the NextPageToken of the page before";
        Failure::coded_value(Code::PAGE_TOKEN, "NextPageToken", token, expected)
    })
}
