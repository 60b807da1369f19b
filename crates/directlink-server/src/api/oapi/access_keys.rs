//! Access keys. These actions take login and password too: a person without a key makes the first.

use super::{
    Call, Members, Outcome,
    list::{Filter, List, Listed},
    member,
    params::{DRY_RUN, Field, Kind, Params, optional},
    refusal::{Code, Failure},
};
use directlink_model::{account::AccessKey, command::CreateAccessKey};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::Serialize;
use serde_json::json;

pub(super) const CREATE: &[Field<'_>] = &[
    optional("ExpirationDate", Kind::Text),
    optional("Tag", Kind::Text),
    optional("UserName", Kind::Text),
    DRY_RUN,
];

const READ: &[Field<'_>] = &[optional("Tag", Kind::Text), optional("UserName", Kind::Text)];

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct WireKey<'k> {
    access_key_id: &'k str,
    creation_date: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration_date: Option<String>,
    last_modification_date: String,
    /// In the answer that makes the key, and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_key: Option<&'k str>,
    state: &'static str,
}

impl<'k> WireKey<'k> {
    fn new(key: &'k AccessKey, secret_key: Option<&'k str>) -> Self {
        Self {
            access_key_id: &key.id,
            creation_date: date(key.created_at),
            expiration_date: key.expires_at.map(date),
            last_modification_date: date(key.modified_at),
            secret_key,
            state: state(key),
        }
    }
}

const fn state(key: &AccessKey) -> &'static str {
    match key.active {
        true => "ACTIVE",
        false => "INACTIVE",
    }
}

/// `2010-10-01T12:34:56.789Z` (RFC 3339, as the description's `date-time`; its examples write the
/// offset without a colon, which that format does not allow).
fn date(at: Timestamp) -> String {
    at.to_zoned_datetime(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

impl Listed for AccessKey {
    const FILTERS: &'static [Filter<Self>] = &[
        Filter::Texts("AccessKeyIds", |key| vec![key.id.clone()]),
        Filter::Texts("States", |key| vec![state(key).into()]),
    ];
}

pub(super) async fn create(call: Call<'_>) -> Outcome {
    let params = call.checked(CREATE)?;
    refuse_user(params)?;
    if params.has("Tag") {
        return Err(Failure::not_offered("Tag", "access keys carry no tag"));
    }
    let expires_at = params.text("ExpirationDate").map(|t| expiration(t, call.now)).transpose()?;
    let made = call.app.create_access_key(&call.context()?, CreateAccessKey { expires_at }).await?;
    Ok(member("AccessKey", WireKey::new(&made.key, Some(made.secret.expose()))))
}

pub(super) async fn read(call: Call<'_>) -> Outcome {
    let list = List::read_whole::<AccessKey>(&call, READ)?;
    refuse_user(call.params())?;
    // No key of ours has a tag, so none has this one.
    if call.params().has("Tag") {
        return Ok(Members::from_iter([("AccessKeys".to_owned(), json!([]))]));
    }
    let ids = list.ids::<String>("AccessKeyIds");
    let keys = call.app.access_keys(&call.context()?, ids.as_deref()).await?;
    list.answer("AccessKeys", &keys, |key| json!(WireKey::new(key, None)))
}

/// An account has no users within it (EIM) here.
fn refuse_user(params: Params<'_>) -> Result<(), Failure> {
    match params.text("UserName") {
        None => Ok(()),
        Some(name) => {
            Err(Failure::new(Code::NO_SUCH_USER, format!("The UserName '{name}' doesn't exist.")))
        }
    }
}

fn expiration(text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    let midnight = |date: Date| date.to_zoned_datetime(TimeZone::UTC).ok().map(|z| z.timestamp());
    text.parse::<Timestamp>()
        .ok()
        .or_else(|| text.parse().ok().and_then(midnight))
        .filter(|at| *at > now)
        .ok_or_else(|| {
            let expected = "give a date to come, as in 2063-04-05 or 2063-04-05T00:00:00.000Z";
            Failure::value("ExpirationDate", text, expected)
        })
}
