//! The crate outscale_api as a process, so that a test can drive it: a call per line in, an answer per line out.
//!
//! ```text
//!   {"call": "CreateDirectLink", "parameters": {…}}  ─►  {"answer": {…}}                        as the crate decoded it
//!                                                        {"refused": {"Errors": […], …}}        the API said no
//!                                                        {"unsayable": "…"}                     the crate's types cannot hold it
//!                                                        {"failed": "…"}                        the crate could not read the answer
//! ```
//!
//! Keys, Region and address come from the crate's own configuration file: `OSC_CONFIG_FILE`.

use outscale_api::{
    apis::{self, Error, configuration::Configuration},
    models,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_derive::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::io::{BufRead, Write};

#[derive(Deserialize)]
struct Asked {
    call: String,
    parameters: Value,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Told {
    Answer(Value),
    Refused(Value),
    Unsayable(String),
    Failed(String),
}

macro_rules! calls {
    ($($action:ident $module:ident::$function:ident $request:ident;)*) => {
        fn call(configuration: &Configuration, asked: Asked) -> Told {
            match asked.call.as_str() {
                $(stringify!($action) => match said::<models::$request>(asked.parameters) {
                    Ok(request) => told(apis::$module::$function(configuration, Some(request))),
                    Err(why) => Told::Unsayable(why),
                },)*
                unknown => Told::Unsayable(format!("{unknown} is not among the calls of this client")),
            }
        }
    };
}

calls! {
    CreateDirectLink direct_link_api::create_direct_link CreateDirectLinkRequest;
    CreateDirectLinkInterface direct_link_interface_api::create_direct_link_interface CreateDirectLinkInterfaceRequest;
    CreateNet net_api::create_net CreateNetRequest;
    CreateSubnet subnet_api::create_subnet CreateSubnetRequest;
    CreateVirtualGateway virtual_gateway_api::create_virtual_gateway CreateVirtualGatewayRequest;
    DeleteDirectLink direct_link_api::delete_direct_link DeleteDirectLinkRequest;
    DeleteDirectLinkInterface direct_link_interface_api::delete_direct_link_interface DeleteDirectLinkInterfaceRequest;
    DeleteNet net_api::delete_net DeleteNetRequest;
    DeleteVirtualGateway virtual_gateway_api::delete_virtual_gateway DeleteVirtualGatewayRequest;
    LinkVirtualGateway virtual_gateway_api::link_virtual_gateway LinkVirtualGatewayRequest;
    ReadDirectLinkInterfaces direct_link_interface_api::read_direct_link_interfaces ReadDirectLinkInterfacesRequest;
    ReadDirectLinks direct_link_api::read_direct_links ReadDirectLinksRequest;
    ReadLocations location_api::read_locations ReadLocationsRequest;
    ReadNets net_api::read_nets ReadNetsRequest;
    ReadVirtualGateways virtual_gateway_api::read_virtual_gateways ReadVirtualGatewaysRequest;
    UnlinkVirtualGateway virtual_gateway_api::unlink_virtual_gateway UnlinkVirtualGatewayRequest;
    UpdateDirectLinkInterface direct_link_interface_api::update_direct_link_interface UpdateDirectLinkInterfaceRequest;
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut profile = apis::profile::Profile::default()?;
    // The crate's own knobs, which it reads from the file and then forgets. It asks a conflict (409) again, four times and
    // ever later; and five times a second at most. A test wants the first answer, at once.
    profile.backoff_params.max_retries = 0;
    profile.limiter_params.max_requests = 1000;
    let configuration = Configuration::try_from(profile)?;
    let mut answers = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let told = call(&configuration, serde_json::from_str(&line?)?);
        writeln!(answers, "{}", serde_json::to_string(&told)?)?;
        answers.flush()?;
    }
    Ok(())
}

/// The request in the crate's own type, if that holds all of it: a member that it drops would be a silent lie.
fn said<T: DeserializeOwned + Serialize>(parameters: Value) -> Result<T, String> {
    let request: T =
        serde_json::from_value(parameters.clone()).map_err(|error| error.to_string())?;
    match json!(request) == parameters {
        true => Ok(request),
        false => Err(format!("the crate would send {}", json!(request))),
    }
}

fn told<T: Serialize, E: std::fmt::Debug>(outcome: Result<T, Error<E>>) -> Told {
    match outcome {
        Ok(answer) => Told::Answer(json!(answer)),
        Err(Error::ResponseError(response)) => match serde_json::from_str(&response.content) {
            Ok(refusal) => Told::Refused(refusal),
            Err(_) => Told::Failed(format!("{}: {}", response.status, response.content)),
        },
        Err(error) => Told::Failed(format!("{error:?}")),
    }
}
