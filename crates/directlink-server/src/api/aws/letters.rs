//! The LOA-CFA: a page of PDF, base64 in JSON.

use super::{Call, Outcome, refusal::Failure};
use crate::loa;
use base64::{Engine, engine::general_purpose::STANDARD};
use directlink_model::ids::ConnectionId;
use serde_json::{Value, json};

const PDF: &str = "application/pdf";

pub(super) async fn describe(call: Call<'_>) -> Outcome {
    letter(&call).await
}

/// The older operation nests the same.
pub(super) async fn describe_nested(call: Call<'_>) -> Outcome {
    Ok(json!({ "loa": letter(&call).await? }))
}

async fn letter(call: &Call<'_>) -> Result<Value, Failure> {
    let id = call.given.needed_id("connectionId", ConnectionId::PREFIX)?;
    if let Some(other) = call.given.text("loaContentType")?.filter(|kind| *kind != PDF) {
        let text = format!("Invalid loaContentType '{other}': the only one is {PDF}");
        return Err(Failure::client(text));
    }
    let provider = call.given.text("providerName")?.map(str::to_owned);
    let letter = call.app.letter(&call.context, id, provider).await?;
    let page = loa::page(&letter)
        .map_err(|error| Failure::World(crate::store::Error::Letter(error.to_string())))?;
    Ok(json!({ "loaContent": STANDARD.encode(page), "loaContentType": PDF }))
}
