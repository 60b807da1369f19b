//! A Net's route tables, as its owner writes them: what they send to the gateway reaches the
//! customer, and nothing else does.

use crate::fixture::{Cloud, Interface, Region, SOON, await_reach, reaches, text};
use anyhow::{Context as _, Result, ensure};
use directlink_lab::{
    clock,
    customer::{Brand, Router},
};
use serde_json::{Value, json};

const LAN: &str = "192.168.10.0/24";
const COMPUTER: &str = "192.168.10.2";

struct Road {
    region: Region,
    cloud: Cloud,
    interface: Interface,
    office: String,
    _router: Router,
}

fn road() -> Result<Road> {
    let region = Region::up()?;
    let fibre = region.fibre(0, "PAR1", &[101])?;
    let cloud = region.cloud(0, "10.7.0.0/16")?;
    region.admit(&cloud, LAN)?;
    let interface = region.interface(&fibre, &cloud, 101, None)?;
    let session = region.session(&interface, None, LAN)?;
    let router = region.router(&fibre, Brand::Bird, &session)?;
    region.await_interface(0, &interface, "available")?;
    let office = region.office(&fibre, LAN)?;
    await_reach(&office, cloud.host.address)?;
    Ok(Road { region, cloud, interface, office, _router: router })
}

impl Road {
    fn call(&self, action: &str, parameters: Value) -> Result<Value> {
        self.region.call(0, action, parameters)
    }

    fn propagate(&self, table: &str, enable: bool) -> Result<()> {
        let gateway = &self.cloud.gateway;
        let words = json!({ "Enable": enable, "RouteTableId": table, "VirtualGatewayId": gateway });
        self.call("UpdateRoutePropagation", words).map(drop)
    }

    fn route(&self, table: &str, to: &str, (kind, target): (&str, &str)) -> Result<()> {
        let words = json!({ "RouteTableId": table, "DestinationIpRange": to, kind: target });
        self.call("CreateRoute", words).map(drop)
    }

    fn delete_route(&self, table: &str, to: &str) -> Result<()> {
        let words = json!({ "RouteTableId": table, "DestinationIpRange": to });
        self.call("DeleteRoute", words).map(drop)
    }

    /// Both ways, each of which needs the table for one of its packets.
    fn await_silence(&self) -> Result<()> {
        clock::until("no answer", SOON, || {
            Ok((!reaches(&self.office, self.cloud.host.address)?).then_some(()))
        })?;
        ensure!(!reaches(&self.cloud.host.netns, COMPUTER.parse::<std::net::Ipv4Addr>()?)?);
        Ok(())
    }

    fn await_answers(&self) -> Result<()> {
        await_reach(&self.office, self.cloud.host.address)?;
        await_reach(&self.cloud.host.netns, COMPUTER.parse::<std::net::Ipv4Addr>()?)
    }

    fn nic(&self) -> Result<Value> {
        let filter = json!({ "Filters": { "NetIds": [self.net()?] } });
        Ok(self.call("ReadNics", filter)?["Nics"][0].take())
    }

    fn net(&self) -> Result<String> {
        let filter = json!({ "Filters": { "RouteTableIds": [self.cloud.table] } });
        Ok(text(&self.call("ReadRouteTables", filter)?["RouteTables"][0], "NetId"))
    }

    /// What `directlink diagnose` says first.
    fn diagnosis(&self) -> Result<String> {
        let said = self.region.directlink_of(&["diagnose", &self.interface.id])?;
        Ok(said.to_string())
    }
}

#[test]
fn packets_of_a_net_follow_its_route_tables() -> Result<()> {
    let road = road()?;
    let table = road.cloud.table.as_str();
    let to_gateway = ("GatewayId", road.cloud.gateway.as_str());

    road.propagate(table, false)?;
    road.await_silence()?;
    ensure!(road.region.interface_state(0, &road.interface)? == "available", "it forwards");
    clock::until("packets that were dropped for it", SOON, || {
        let said = road.diagnosis()?;
        let sees = said.contains("no route table of") && said.contains("packets were dropped");
        Ok(sees.then_some(()))
    })?;

    road.route(table, "192.168.0.0/16", to_gateway)?;
    road.await_answers().context("a route by hand")?;
    let nic = text(&road.nic()?, "NicId");
    road.route(table, "192.168.10.0/25", ("NicId", &nic))?;
    road.await_silence().context("a longer one leads elsewhere")?;
    road.delete_route(table, "192.168.10.0/25")?;
    road.await_answers()?;
    road.delete_route(table, "192.168.0.0/16")?;
    road.await_silence()?;

    road.propagate(table, true)?;
    road.await_answers().context("propagation is on again")
}

#[test]
fn a_subnet_with_a_table_of_its_own_goes_by_that_one() -> Result<()> {
    let road = road()?;
    let subnet = text(&road.nic()?, "SubnetId");
    let own = road.call("CreateRouteTable", json!({ "NetId": road.net()? }))?;
    let own = text(&own["RouteTable"], "RouteTableId");
    let link = json!({ "RouteTableId": own, "SubnetId": subnet });
    let link = text(&road.call("LinkRouteTable", link)?, "LinkRouteTableId");
    road.await_silence().context("its table knows nothing")?;
    road.propagate(&own, true)?;
    road.await_answers()?;
    road.propagate(&road.cloud.table, false)?;
    ensure!(reaches(&road.office, road.cloud.host.address)?, "the main table is not its own");
    road.call("UnlinkRouteTable", json!({ "LinkRouteTableId": link }))?;
    road.await_silence().context("by the main table")
}
