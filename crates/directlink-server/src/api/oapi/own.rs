//! Actions of ours that the published description does not have: `POST /directlink/v1/Action`, with
//! the same signatures, errors and log. Apart from the described ones by their address, so that what
//! answers under `/api/v1` stays what is described, neither less nor more.

use super::{
    Access, Action, Call, Outcome, connections, glass, member,
    params::{DRY_RUN, Field, Kind, id_of, optional, required},
    refusal::{Code, Failure},
    webhooks,
};
use crate::app::Effort;
use crate::{
    api::what_if::{self, Asked, in_pascal_case},
    app::MaintenanceView,
    store::maintenance::Placed,
};
use directlink_model::{
    Fault,
    diagnosis::{Carried, Diagnosis, Rung},
    drain::Phase,
    ids::{ConnectionId, InterfaceId},
    needs::{Needs, Reach},
};
use serde_json::{Value, json};

/// Every one.
pub(super) static OWN_ACTIONS: &[Action] = &[
    Action {
        name: "DiagnoseDirectLinkInterface",
        access: Access::Signed,
        run: |call| Box::pin(diagnose(call)),
    },
    Action {
        name: "DiagnoseDirectLink",
        access: Access::Signed,
        run: |call| Box::pin(diagnose_connection(call)),
    },
    Action {
        name: "ShowDirectLinkInterface",
        access: Access::Signed,
        run: |call| Box::pin(glass::show(call)),
    },
    Action {
        name: "PingDirectLinkInterface",
        access: Access::Signed,
        run: |call| Box::pin(glass::ping(call)),
    },
    Action {
        name: "TraceDirectLinkInterface",
        access: Access::Signed,
        run: |call| Box::pin(glass::trace(call)),
    },
    Action {
        name: "CaptureDirectLinkInterface",
        access: Access::Signed,
        run: |call| Box::pin(glass::capture(call)),
    },
    Action {
        name: "ReadMaintenances",
        access: Access::Signed,
        run: |call| Box::pin(maintenances(call)),
    },
    Action {
        name: "CreateWebhook",
        access: Access::Signed,
        run: |call| Box::pin(webhooks::create(call)),
    },
    Action {
        name: "ReadWebhooks",
        access: Access::Signed,
        run: |call| Box::pin(webhooks::read(call)),
    },
    Action {
        name: "ReadWebhookMessages",
        access: Access::Signed,
        run: |call| Box::pin(webhooks::messages(call)),
    },
    Action {
        name: "DeleteWebhook",
        access: Access::Signed,
        run: |call| Box::pin(webhooks::delete(call)),
    },
    Action { name: "WhatIf", access: Access::Signed, run: |call| Box::pin(ask_what_if(call)) },
    Action { name: "OrderDirectLink", access: Access::Signed, run: |call| Box::pin(order(call)) },
];

/// `CreateDirectLink`, and what the guide wants to be told with an order.
const ORDER: &[Field<'_>] = &[
    required("Bandwidth", Kind::Text),
    required("DirectLinkName", Kind::Text),
    required("Location", Kind::Text),
    optional("HostsEquipment", Kind::Flag),
    optional("NetworkProvider", Kind::Text),
    optional("Reach", Kind::Text),
    DRY_RUN,
];

async fn order(call: Call<'_>) -> Outcome {
    let params = call.checked(ORDER)?;
    let reach = params.text("Reach").map(|text| {
        text.parse::<Reach>().map_err(|why| Fault::BadValue {
            parameter: "Reach",
            given: text.escape_default().to_string(),
            expected: why.to_string(),
        })
    });
    let needs = Needs {
        reach: reach.transpose()?,
        provider: params.text("NetworkProvider").map(str::to_owned),
        hosts_equipment: params.flag("HostsEquipment").unwrap_or(false),
    };
    connections::order(&call, params, needs).await
}

async fn ask_what_if(call: Call<'_>) -> Outcome {
    let asked: Asked = serde_json::from_value(Value::Object(call.given.clone()))
        .map_err(|why| Failure::new(Code::UNKNOWN_PARAMETER, format!("{why}.")))?;
    let account = call.context()?.caller.account;
    let effects = call.app.what_if(Some(account), asked.hypothesis()?).await?;
    Ok(member("Effects", in_pascal_case(what_if::effects(&effects))))
}

/// Work on something of the caller's.
async fn maintenances(call: Call<'_>) -> Outcome {
    call.checked(&[])?;
    let views = call.app.own_maintenances(&call.context()?).await?;
    let one = |view: &MaintenanceView| {
        let it = &view.maintenance;
        let interface = |placed: &Placed| {
            let phase = placed.interface.drain_phase().map(Phase::as_str);
            json!({ "DirectLinkInterfaceId": placed.interface.id, "Phase": phase })
        };
        let dark = view.shades.iter().filter(|shade| shade.is_dark);
        json!({
            "MaintenanceId": it.id,
            "Kind": it.target.kind(),
            "Name": it.target.name(),
            "State": view.state.as_str(),
            "Reason": it.reason,
            "From": it.from,
            "Until": it.ended_at.or(it.until),
            "DirectLinkInterfaces": view.interfaces.iter().map(interface).collect::<Vec<_>>(),
            "UnreachableNetIds": dark.map(|shade| shade.net).collect::<Vec<_>>(),
        })
    };
    Ok(member("Maintenances", views.iter().map(one).collect::<Vec<_>>()))
}

const DIAGNOSE: &[Field<'_>] = &[required("DirectLinkInterfaceId", Kind::Id(id_of::<InterfaceId>))];

async fn diagnose(call: Call<'_>) -> Outcome {
    let id = call.checked(DIAGNOSE)?.needed_id::<InterfaceId>("DirectLinkInterfaceId")?;
    let diagnosis = call.app.diagnosis(&call.context()?, id, Effort::Ask).await?;
    Ok(member("Diagnosis", wire(&diagnosis)))
}

const DIAGNOSE_CONNECTION: &[Field<'_>] =
    &[required("DirectLinkId", Kind::Id(id_of::<ConnectionId>))];

async fn diagnose_connection(call: Call<'_>) -> Outcome {
    let id = call.checked(DIAGNOSE_CONNECTION)?.needed_id::<ConnectionId>("DirectLinkId")?;
    let told = call.app.connection_diagnosis(&call.context()?, id).await?;
    let carried = |it: &Carried| {
        json!({
            "DirectLinkInterfaceId": it.interface,
            "Vlan": it.vlan,
            "State": it.state.as_str(),
            "FirstFailed": it.first_failed.as_ref().map(rung),
        })
    };
    let diagnosis = json!({
        "DirectLinkId": told.connection,
        "At": told.at,
        "FirstFailed": told.first_failed().map(rung),
        "Rungs": told.rungs.iter().map(rung).collect::<Vec<_>>(),
        "DirectLinkInterfaces": told.interfaces.iter().map(carried).collect::<Vec<_>>(),
    });
    Ok(member("Diagnosis", diagnosis))
}

fn wire(diagnosis: &Diagnosis) -> Value {
    json!({
        "DirectLinkInterfaceId": diagnosis.interface.to_string(),
        "At": diagnosis.at,
        "ClientPrivateIp": diagnosis.customer,
        "FirstFailed": diagnosis.first_failed().map(rung),
        "Rungs": diagnosis.rungs.iter().map(rung).collect::<Vec<_>>(),
    })
}

fn rung(rung: &Rung) -> Value {
    json!({
        "Step": rung.step.name(),
        "Title": rung.step.title(),
        "Outcome": rung.outcome.as_str(),
        "Evidence": rung.evidence,
        "SeenAt": rung.seen_at,
        "Remedy": rung.remedy,
    })
}
