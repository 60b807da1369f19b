//! Tags, and how other resources show theirs.

use super::{
    Call, Members, Outcome,
    list::{Filter, List, Listed},
    params::{DRY_RUN, Field, Kind, Params, required},
    refusal::Failure,
};
use crate::app::Tagged;
use directlink_model::{
    command::SetTags,
    ids::BadId,
    tag::{Tag, Taggable},
};
use serde_json::{Value, json};

const TAG: &[Field<'_>] = &[required("Key", Kind::Text), required("Value", Kind::Text)];

/// Also of `DeleteTags`.
pub(super) const CREATE: &[Field<'_>] = &[
    required("ResourceIds", Kind::Ids(resource_id)),
    required("Tags", Kind::Objects(TAG)),
    DRY_RUN,
];

/// A tag and what it is on.
pub(super) type Stuck = (Taggable, Tag);

impl Listed for Stuck {
    const FILTERS: &'static [Filter<Self>] = &[
        Filter::Texts("Keys", |(_, tag)| vec![tag.key.clone()]),
        Filter::Texts("ResourceIds", |(on, _)| vec![on.to_string()]),
        Filter::Texts("ResourceTypes", |(on, _)| vec![kind(*on).into()]),
        Filter::Texts("Values", |(_, tag)| vec![tag.value.clone()]),
    ];
}

pub(super) async fn create(call: Call<'_>) -> Outcome {
    let command = command(call.checked(CREATE)?)?;
    call.app.create_tags(&call.context()?, command).await?;
    Ok(Members::new())
}

pub(super) async fn delete(call: Call<'_>) -> Outcome {
    let command = command(call.checked(CREATE)?)?;
    call.app.delete_tags(&call.context()?, command).await?;
    Ok(Members::new())
}

pub(super) async fn read(call: Call<'_>) -> Outcome {
    let list = List::read::<Stuck>(&call, &[])?;
    let all = call.app.all_tags(&call.context()?).await?;
    list.answer("Tags", &all, |(on, tag)| {
        json!({
            "Key": tag.key,
            "ResourceId": on.to_string(),
            "ResourceType": kind(*on),
            "Value": tag.value,
        })
    })
}

fn command(params: Params<'_>) -> Result<SetTags, Failure> {
    let resources = params.texts("ResourceIds").filter(|ids| !ids.is_empty());
    let tags = params.objects("Tags").filter(|tags| !tags.is_empty());
    let tag = |tag: Params<'_>| {
        let text = |name| tag.needed_text(name).map(str::to_owned);
        Ok::<_, Failure>(Tag { key: text("Key")?, value: text("Value")? })
    };
    let resources = resources.ok_or_else(|| Failure::missing("ResourceIds"))?;
    let tags = tags.ok_or_else(|| Failure::missing("Tags"))?;
    Ok(SetTags {
        resources: resources.into_iter().map(str::parse).collect::<Result<_, _>>()?,
        tags: tags.into_iter().map(tag).collect::<Result<_, _>>()?,
    })
}

/// DirectLinks and their interfaces are not among what the API lets be tagged.
fn resource_id(text: &str) -> Result<(), BadId> {
    text.parse::<Taggable>().map(drop)
}

/// The API's names are of older days.
const fn kind(on: Taggable) -> &'static str {
    match on {
        Taggable::Net(_) => "vpc",
        Taggable::Subnet(_) => "subnet",
        Taggable::Gateway(_) => "virtual-private-gateway",
        Taggable::RouteTable(_) => "route-table",
        Taggable::Nic(_) => "network-interface",
        Taggable::SecurityGroup(_) => "security-group",
    }
}

/// What has just been made.
pub(super) const fn untagged<T>(one: T) -> Tagged<T> {
    Tagged { one, tags: vec![] }
}

/// The member `Tags` of a resource.
pub(super) fn wire<T>(tagged: &Tagged<T>) -> Vec<Value> {
    tagged.tags.iter().map(|tag| json!({ "Key": tag.key, "Value": tag.value })).collect()
}

pub(super) fn keys<T>(tagged: &Tagged<T>) -> Vec<String> {
    tagged.tags.iter().map(|tag| tag.key.clone()).collect()
}

pub(super) fn values<T>(tagged: &Tagged<T>) -> Vec<String> {
    tagged.tags.iter().map(|tag| tag.value.clone()).collect()
}

/// `KEY=VALUE`.
pub(super) fn pairs<T>(tagged: &Tagged<T>) -> Vec<String> {
    tagged.tags.iter().map(|tag| format!("{}={}", tag.key, tag.value)).collect()
}
