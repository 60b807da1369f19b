//! The AWS face as a customer calls it: what the OUTSCALE API cannot say (a hosted interface is
//! accepted only here), and one view of both.

use super::{
    customer::Customer,
    http::Http,
    profile::Profile,
    signature::{AWS, Signed, Signer},
};
use crate::clock;
use anyhow::{Context as _, Result};
use http::{Method, Uri};
use serde_json::{Value, json};
use thiserror::Error;

/// The service's own words for a refusal.
#[derive(Debug, Error)]
#[error("{operation}: {message} ({kind})")]
pub struct RefusedByService {
    operation: String,
    pub kind: String,
    message: String,
}

/// An account that calls.
pub struct DirectConnect {
    http: Http,
    profile: Profile,
}

impl DirectConnect {
    pub fn new(profile: Profile) -> Self {
        Self { http: Http::new(), profile }
    }

    pub async fn connections(&self) -> Result<Value> {
        self.call("DescribeConnections", &json!({})).await
    }

    /// `None`: there is none, or it is another's.
    pub async fn find_connection(&self, id: &str) -> Result<Option<Value>> {
        let all = self.connections().await?;
        let items = all["connections"].as_array().into_iter().flatten();
        Ok(items.clone().find(|item| item["connectionId"] == id).cloned())
    }

    /// `None`: there is none, or it is another's.
    pub async fn find_interface(&self, id: &str) -> Result<Option<Value>> {
        let all = self.interfaces().await?;
        let items = all["virtualInterfaces"].as_array().into_iter().flatten();
        Ok(items.clone().find(|item| item["virtualInterfaceId"] == id).cloned())
    }

    /// Its Letter of Authorization: a page of PDF, in base64.
    pub async fn letter(&self, id: &str) -> Result<Value> {
        self.call("DescribeLoa", &json!({ "connectionId": id })).await
    }

    pub async fn order(&self, name: &str, location: &str, bandwidth: &str) -> Result<Value> {
        let wish = json!({ "connectionName": name, "location": location, "bandwidth": bandwidth });
        self.call("CreateConnection", &wish).await
    }

    pub async fn delete_connection(&self, id: &str) -> Result<Value> {
        self.call("DeleteConnection", &json!({ "connectionId": id })).await
    }

    pub async fn interfaces(&self) -> Result<Value> {
        self.call("DescribeVirtualInterfaces", &json!({})).await
    }

    pub async fn interface(&self, id: &str) -> Result<Value> {
        let read =
            self.call("DescribeVirtualInterfaces", &json!({ "virtualInterfaceId": id })).await?;
        let found = read["virtualInterfaces"].get(0).cloned();
        found.with_context(|| format!("there is no interface {id}, or it is not yours"))
    }

    /// Why an interface does not work: an action of ours, at the same address.
    pub async fn diagnose(&self, id: &str) -> Result<Value> {
        let asked = json!({ "DirectLinkInterfaceId": id });
        self.call_ours("DiagnoseDirectLinkInterface", &asked).await
    }

    /// Why a connection does not work, or an interface on it.
    pub async fn diagnose_connection(&self, id: &str) -> Result<Value> {
        self.call_ours("DiagnoseDirectLink", &json!({ "DirectLinkId": id })).await
    }

    async fn call_ours(&self, action: &str, asked: &Value) -> Result<Value> {
        let Profile { endpoint, region, access_key, secret_key } = &self.profile;
        let ours = format!("{endpoint}/directlink/v1");
        let customer = Customer::new(&ours, region, access_key, secret_key);
        customer.call(action, asked).await
    }

    /// A hosted interface becomes this account's own, and leads to that gateway.
    pub async fn confirm(&self, id: &str, gateway: &str) -> Result<Value> {
        let wish = json!({ "virtualInterfaceId": id, "virtualGatewayId": gateway });
        self.call("ConfirmPrivateVirtualInterface", &wish).await
    }

    pub async fn delete_interface(&self, id: &str) -> Result<Value> {
        self.call("DeleteVirtualInterface", &json!({ "virtualInterfaceId": id })).await
    }

    /// # Errors
    /// [`RefusedByService`], or nobody answers.
    async fn call(&self, operation: &str, parameters: &Value) -> Result<Value> {
        let Profile { endpoint, region, access_key, secret_key } = &self.profile;
        let uri: Uri = format!("{endpoint}/").parse().context("the endpoint's URL")?;
        let host = uri.authority().context("the endpoint's URL has no host")?.as_str().to_owned();
        let body = parameters.to_string().into_bytes();
        let signer = Signer { brand: &AWS, access_key, secret_key, region, service: "directlink" };
        let headers = [
            ("host", host),
            ("content-type", "application/x-amz-json-1.1".to_owned()),
            ("x-amz-target", format!("OvertureService.{operation}")),
        ];
        let request = Signed { path: "/", headers: &headers, body: &body };
        let headers = signer.headers(&request, clock::now());
        let (status, answer) = self.http.send(Method::POST, &uri, &headers, body).await?;
        if status.is_success() {
            return Ok(answer);
        }
        let said = |member: &str| answer[member].as_str().map(str::to_owned);
        let kind = said("__type").unwrap_or_else(|| status.to_string());
        let message = said("message").unwrap_or_else(|| answer.to_string());
        Err(RefusedByService { operation: operation.to_owned(), kind, message }.into())
    }
}
