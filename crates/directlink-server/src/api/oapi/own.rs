//! Actions of ours that the published description does not have: `POST /directlink/v1/Action`, with
//! the same signatures, errors and log. Apart from the described ones by their address, so that what
//! answers under `/api/v1` stays what is described, neither less nor more.

use super::{
    Access, Action, Call, Outcome, member,
    params::{Field, Kind, id_of, required},
};
use directlink_model::{
    diagnosis::{Diagnosis, Rung},
    ids::InterfaceId,
};
use serde_json::{Value, json};

/// Every one.
pub(super) static OWN_ACTIONS: &[Action] = &[Action {
    name: "DiagnoseDirectLinkInterface",
    access: Access::Signed,
    run: |call| Box::pin(diagnose(call)),
}];

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
