//! Actions of ours that the published description does not have: `POST /directlink/v1/Action`, with
//! the same signatures, errors and log. Apart from the described ones by their address, so that what
//! answers under `/api/v1` stays what is described, neither less nor more.

use super::{
    Access, Action, Call, Outcome, connections, glass, member,
    params::{DRY_RUN, Field, Kind, id_of, optional, required},
};
use directlink_model::{
    Fault,
    diagnosis::{Diagnosis, Rung},
    ids::InterfaceId,
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

const DIAGNOSE: &[Field<'_>] = &[required("DirectLinkInterfaceId", Kind::Id(id_of::<InterfaceId>))];

async fn diagnose(call: Call<'_>) -> Outcome {
    let id = call.checked(DIAGNOSE)?.needed_id::<InterfaceId>("DirectLinkInterfaceId")?;
    let diagnosis = call.app.diagnosis(&call.context()?, id).await?;
    Ok(member("Diagnosis", wire(&diagnosis)))
}

fn wire(diagnosis: &Diagnosis) -> Value {
    let rung = |rung: &Rung| {
        json!({
            "Step": rung.step.name(),
            "Title": rung.step.title(),
            "Outcome": rung.outcome.as_str(),
            "Evidence": rung.evidence,
            "SeenAt": rung.seen_at,
            "Remedy": rung.remedy,
        })
    };
    json!({
        "DirectLinkInterfaceId": diagnosis.interface.to_string(),
        "At": diagnosis.at,
        "ClientPrivateIp": diagnosis.customer,
        "FirstFailed": diagnosis.first_failed().map(rung),
        "Rungs": diagnosis.rungs.iter().map(rung).collect::<Vec<_>>(),
    })
}
