//! Tags, by resource name: `arn:aws:directconnect:<region>:<account>:dxcon/dxcon-…`, `dxvif/…`.

use super::{
    Call, Outcome, connections::one as connection, interfaces::one as interface, members::Members,
    refusal::Failure,
};
use crate::app::Tags;
use directlink_model::{
    ids::{ConnectionId, InterfaceId},
    tag_set::{TagSet, Tagged},
};
use serde::Serialize;
use serde_json::json;

#[derive(Serialize)]
pub(super) struct Tag {
    key: String,
    value: String,
}

/// A resource's tags in this dialect's shape.
pub(super) fn tags_of(tags: &Tags, on: impl Into<Tagged>) -> Vec<Tag> {
    if tags.is_empty() {
        return Vec::new();
    }
    tags.get(&on.into().to_string()).map(wire).unwrap_or_default()
}

fn wire(tags: &TagSet) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag { key: key.into(), value: value.into() }).collect()
}

/// The member `tags` of a request. A tag without a value has an empty one.
pub(super) fn given_tags(given: &Members<'_>) -> Result<TagSet, Failure> {
    let tag = |tag: &Members<'_>| {
        let value = tag.text("value")?.unwrap_or_default();
        Ok::<_, Failure>((tag.needed_text("key")?.to_owned(), value.to_owned()))
    };
    let tags = given.objects("tags")?.iter().map(tag).collect::<Result<Vec<_>, _>>()?;
    Ok(TagSet::new(tags).map_err(crate::app::Refusal::from)?)
}

pub(super) async fn tag(call: Call<'_>) -> Outcome {
    let on = resource(&call, call.given.needed_text("resourceArn")?).await?;
    call.given.needed("tags")?;
    call.app.tag_line(&call.context, on, given_tags(&call.given)?).await?;
    Ok(json!({}))
}

pub(super) async fn untag(call: Call<'_>) -> Outcome {
    let on = resource(&call, call.given.needed_text("resourceArn")?).await?;
    call.given.needed("tagKeys")?;
    let keys = call.given.texts("tagKeys")?.into_iter().map(str::to_owned).collect();
    call.app.untag_line(&call.context, on, keys).await?;
    Ok(json!({}))
}

pub(super) async fn describe(call: Call<'_>) -> Outcome {
    call.given.needed("resourceArns")?;
    let mut list = Vec::new();
    for arn in call.given.texts("resourceArns")? {
        let on = resource(&call, arn).await?;
        let tags = call.app.line_tags(&call.context, Some(&[on])).await?;
        list.push(json!({ "resourceArn": arn, "tags": tags_of(&tags, on) }));
    }
    Ok(json!({ "resourceTags": list }))
}

/// What the name stands for, if it is the caller's to see. Partition and account are not ours to
/// judge: clients that do not know the account leave it empty.
async fn resource(call: &Call<'_>, arn: &str) -> Result<Tagged, Failure> {
    let malformed = |why: &str| Failure::client(format!("Invalid resource ARN '{arn}': {why}"));
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let &["arn", _, "directconnect", region, account, resource] = parts.as_slice() else {
        return Err(malformed("expected arn:aws:directconnect:<region>:<account>:<type>/<id>"));
    };
    if region != call.app.region().name.as_str() {
        return Err(malformed("it is of another region"));
    }
    let (kind, id) = resource.split_once('/').ok_or_else(|| malformed("no <type>/<id>"))?;
    let bad_id = |_| malformed("no such form of an ID");
    let (on, owners) = match kind {
        ConnectionId::PREFIX => {
            let id: ConnectionId = id.parse().map_err(bad_id)?;
            let view = connection(call, id).await?;
            (Tagged::from(id), [view.connection.account, view.connection.account])
        }
        InterfaceId::PREFIX => {
            let id: InterfaceId = id.parse().map_err(bad_id)?;
            let view = interface(call, id).await?;
            (Tagged::from(id), [view.interface.owner, view.connection.account])
        }
        "dxlag" => return Err(Failure::client(format!("Could not find Lag with ID {id}"))),
        _ => return Err(malformed("the type is dxcon or dxvif")),
    };
    match account.is_empty() || owners.iter().any(|owner| owner.to_string() == account) {
        true => Ok(on),
        false => Err(malformed("the resource is not this account's")),
    }
}
