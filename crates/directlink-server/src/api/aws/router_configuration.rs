//! `DescribeRouterConfiguration`: the far end of an interface, for the customer's own router.
//!
//! The document is the XML that the description of a virtual interface has too. Where a router's
//! type is named, it holds in one more element what can be pasted into such a router.

use super::{Call, Outcome, refusal::Failure};
use directlink_model::{
    ids::InterfaceId,
    router_config::{
        ROUTER_TYPES, RouterType, logical_connection, logical_connection_for, router_type,
    },
};
use serde_json::{Value, json};

pub(super) async fn describe(call: Call<'_>) -> Outcome {
    let id = call.given.needed_id("virtualInterfaceId", InterfaceId::PREFIX)?;
    let kind = call.given.text("routerTypeIdentifier")?.map(known).transpose()?;
    let (view, intent) = call.app.router_intent(&call.context, id).await?;
    let config = match kind {
        Some(kind) => logical_connection_for(kind, &intent),
        None => logical_connection(&intent),
    };
    let mut answer = json!({
        "customerRouterConfig": config,
        "virtualInterfaceId": id,
        "virtualInterfaceName": view.interface.name,
    });
    if let Some(kind) = kind {
        answer["router"] = router(kind);
    }
    Ok(answer)
}

fn known(identifier: &str) -> Result<&'static RouterType, Failure> {
    router_type(identifier).ok_or_else(|| {
        let all: Vec<_> = ROUTER_TYPES.iter().map(|kind| kind.identifier).collect();
        Failure::client(format!(
            "Invalid routerTypeIdentifier '{identifier}'. Supported values: {}",
            all.join(", ")
        ))
    })
}

fn router(kind: &RouterType) -> Value {
    json!({
        "platform": kind.platform,
        "routerTypeIdentifier": kind.identifier,
        "software": kind.software,
        "vendor": kind.vendor,
        "xsltTemplateName": kind.template,
    })
}
