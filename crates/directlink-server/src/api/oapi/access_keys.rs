//! Access keys. These actions take login and password too: a person without a key makes the first.

use super::{
    Call, Members, Outcome, dates,
    list::{Filter, List, Listed},
    member,
    params::{DRY_RUN, Field, Kind, Params, optional, required},
    refusal::{Code, Failure},
};
use directlink_model::{
    account::AccessKey,
    command::{ChangeAccessKey, CreateAccessKey},
};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

pub(super) const CREATE: &[Field<'_>] = &[
    optional("ExpirationDate", Kind::Text),
    optional("Tag", Kind::Text),
    optional("UserName", Kind::Text),
    DRY_RUN,
];

pub(super) const UPDATE: &[Field<'_>] = &[
    required("AccessKeyId", Kind::Text),
    optional("ClearExpirationDate", Kind::Flag),
    optional("ClearTag", Kind::Flag),
    optional("ExpirationDate", Kind::Text),
    optional("State", Kind::Text),
    optional("Tag", Kind::Text),
    optional("UserName", Kind::Text),
    DRY_RUN,
];

pub(super) const DELETE: &[Field<'_>] =
    &[required("AccessKeyId", Kind::Text), optional("UserName", Kind::Text), DRY_RUN];

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
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<&'k str>,
}

impl<'k> WireKey<'k> {
    fn new(key: &'k AccessKey, secret_key: Option<&'k str>) -> Self {
        Self {
            access_key_id: &key.id,
            creation_date: dates::show(key.created_at),
            expiration_date: key.expires_at.map(dates::show),
            last_modification_date: dates::show(key.modified_at),
            secret_key,
            state: state(key),
            tag: key.tag.as_deref(),
        }
    }
}

const fn state(key: &AccessKey) -> &'static str {
    match key.active {
        true => "ACTIVE",
        false => "INACTIVE",
    }
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
    let expires_at = params.text("ExpirationDate").map(|t| expiration(t, call.now)).transpose()?;
    let command = CreateAccessKey { expires_at, tag: params.text("Tag").map(str::to_owned) };
    let made = call.app.create_access_key(&call.context()?, command).await?;
    Ok(member("AccessKey", WireKey::new(&made.key, Some(made.secret.expose()))))
}

pub(super) async fn read(call: Call<'_>) -> Outcome {
    let list = List::read_whole::<AccessKey>(&call, READ)?;
    refuse_user(call.params())?;
    let ids = list.ids::<String>("AccessKeyIds");
    let mut keys = call.app.access_keys(&call.context()?, ids.as_deref()).await?;
    if let Some(tag) = call.params().text("Tag") {
        keys.retain(|key| key.tag.as_deref() == Some(tag));
    }
    list.answer("AccessKeys", &keys, |key| json!(WireKey::new(key, None)))
}

pub(super) async fn update(call: Call<'_>) -> Outcome {
    let params = call.checked(UPDATE)?;
    refuse_user(params)?;
    let active = match params.text("State") {
        None => None,
        Some("ACTIVE") => Some(true),
        Some("INACTIVE") => Some(false),
        Some(other) => return Err(Failure::value("State", other, "give ACTIVE or INACTIVE")),
    };
    let cleared = |name| params.flag(name) == Some(true);
    // "If you do not specify the expiration date of an access key when updating its state, it is
    // then set to not expire."
    let expires_at = match params.text("ExpirationDate") {
        _ if cleared("ClearExpirationDate") => Some(None),
        Some(text) => Some(Some(expiration(text, call.now)?)),
        None => active.map(|_| None),
    };
    let tag = match cleared("ClearTag") {
        true => Some(None),
        false => params.text("Tag").map(|tag| Some(tag.to_owned())),
    };
    let id = params.needed_text("AccessKeyId")?.to_owned();
    if active.is_none() && expires_at.is_none() && tag.is_none() {
        return Err(Failure::missing("State, ExpirationDate or Tag"));
    }
    let command = ChangeAccessKey { id, active, expires_at, tag };
    let key = call.app.change_access_key(&call.context()?, command).await?;
    Ok(member("AccessKey", WireKey::new(&key, None)))
}

pub(super) async fn delete(call: Call<'_>) -> Outcome {
    let params = call.checked(DELETE)?;
    refuse_user(params)?;
    let id = params.needed_text("AccessKeyId")?;
    call.app.delete_access_key(&call.context()?, id).await?;
    Ok(Members::new())
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
    dates::from(text).filter(|at| *at > now).ok_or_else(|| {
        let expected = "give a date to come, as in 2063-04-05 or 2063-04-05T00:00:00.000Z";
        Failure::value("ExpirationDate", text, expected)
    })
}
