//! Real faults, each on an interface of its own with a real router of the customer's, and `directlink
//! diagnose` beside: the first failing rung names the fault in every row, and a healthy interface
//! beside them fails nowhere, however long one looks.
//!
//! One lab for all of them: an interface per row, so that no row waits for another's repair.

mod customer;
mod faults;

use crate::fixture::{Fibre, Region, run, text};
use anyhow::{Context as _, Result, ensure};
use customer::{Daemons, Side};
use directlink_lab::clock;
use faults::{Row, rows};
use serde_json::{Value, json};
use std::{process::Command, time::Duration};

/// How long a fault may take to be there: BIRD has to start and to try, a hold time of nine seconds to
/// pass. What is measured is the time from the asking that names it to the answer.
const SHOWS: Duration = Duration::from_secs(240);
/// The most that the command may take, which asks the router at that moment.
const COMMAND: Duration = Duration::from_secs(3);
/// Faults of what works: asked once, and named by that one answer.
const AT_ONCE: [&str; 5] = [
    "VLAN interface shut",
    "BGP filtered (drop)",
    "MTU blackhole",
    "peer address twice",
    "gateway detached later",
];

/// A row of the table, and where it takes place.
struct Place {
    row: Row,
    side: Side,
    interface: String,
    gateway: String,
    net: String,
    table: String,
    named: Option<Named>,
    /// What was said of a healthy one.
    alarm: Option<String>,
}

/// How the fault was named.
struct Named {
    after: Duration,
    took: Duration,
    evidence: String,
}

#[test]
fn the_first_failing_rung_names_each_injected_fault_and_none_on_a_healthy_interface() -> Result<()>
{
    let region = Region::up()?;
    allow_many(&region)?;
    let all = rows();
    let vlans: Vec<_> = (0..all.len()).filter_map(|n| all[n].side.tag(vlan(n))).collect();
    let fibre = region.fibre(0, "PAR1", &vlans)?;
    let mut daemons = Daemons::new(&region)?;
    let mut places = vec![];
    for (n, row) in all.into_iter().enumerate() {
        let name = row.name;
        let place = furnish(&region, &fibre, n, row).with_context(|| name.to_owned())?;
        daemons.start(&fibre, &place.side).with_context(|| name.to_owned())?;
        places.push(place);
    }
    let before = wires(&region, &mut daemons)?;
    at_once(&region, &fibre, &mut places)?;
    let watch = clock::Stopwatch::start();
    for place in places.iter().filter(|place| place.named.is_none()) {
        if let Some(then) = place.row.then {
            then(&region, &fibre, place).with_context(|| place.row.name.to_owned())?;
        }
    }
    watch_all(&region, &fibre, &mut places, &watch)?;
    print_table(&before, &places);
    let alarms: Vec<_> = places.iter().filter_map(|place| place.alarm.as_ref()).collect();
    let wrong: Vec<_> = places.iter().filter(|place| place.named.is_none()).collect();
    for place in &wrong {
        eprintln!(
            "--- {}\n{}",
            place.row.name,
            directlink_diagnose(&region, &place.interface, &[])?.0
        );
    }
    ensure!(alarms.is_empty(), "false alarms: {alarms:#?}");
    ensure!(wrong.is_empty(), "{} faults were not named", wrong.len());
    for place in &places {
        let took = place.named.as_ref().map(|named| named.took).unwrap_or_default();
        ensure!(took < COMMAND, "{}: diagnosed after {took:?}", place.row.name);
    }
    ensure!(before.len() + places.len() >= 40, "too few rows");
    others_see_nothing(&region, &places[0].interface)?;
    silent_router(&region, &fibre, &places[0].interface)
}

/// What works is broken and asked about once: no timer is waited for.
fn at_once(region: &Region, fibre: &Fibre, places: &mut [Place]) -> Result<()> {
    for place in places.iter_mut().filter(|place| AT_ONCE.contains(&place.row.name)) {
        let (name, step) = (place.row.name, place.row.step);
        if place.side.speaker != customer::Speaker::Nobody {
            faults::await_up(region, place).with_context(|| name.to_owned())?;
            // Who looked a moment ago must not be answered by what was acknowledged then.
            let (_, told) = diagnosis(region, 0, &place.interface)?;
            ensure!(told["FirstFailed"].is_null(), "{name}, before: {told:#}");
        }
        let then = place.row.then.context("a deed")?;
        let watch = clock::Stopwatch::start();
        then(region, fibre, place).with_context(|| name.to_owned())?;
        let asked = clock::Stopwatch::start();
        let (_, told) = diagnosis(region, 0, &place.interface)?;
        let (took, first) = (asked.elapsed(), &told["FirstFailed"]);
        let evidence = text(first, "Evidence");
        ensure!(first["Step"] == step && evidence.contains(place.row.says), "{name}: {told:#}");
        place.named = Some(Named { after: watch.elapsed(), took, evidence });
    }
    Ok(())
}

/// Asks until every fault is named, and the healthy ones have stayed healthy all the while.
fn watch_all(
    region: &Region,
    fibre: &Fibre,
    places: &mut [Place],
    watch: &clock::Stopwatch,
) -> Result<()> {
    let deadline = clock::Stopwatch::start();
    while places.iter().any(|place| place.named.is_none()) && deadline.elapsed() < SHOWS {
        for place in places.iter_mut() {
            let is_healthy = place.row.step.is_empty();
            if place.named.is_some() && !is_healthy {
                continue;
            }
            if let Some(keep_on) = place.row.keep_on {
                keep_on(region, fibre, place)?;
            }
            let asked = clock::Stopwatch::start();
            let (_, told) = diagnosis(region, 0, &place.interface)?;
            let took = asked.elapsed();
            let first = &told["FirstFailed"];
            if is_healthy {
                let is_up = region_state(region, &place.interface)? == "available";
                if is_up && !first.is_null() {
                    place.alarm.get_or_insert_with(|| first.to_string());
                }
                let evidence = "healthy".to_owned();
                place.named = is_up.then(|| Named { after: watch.elapsed(), took, evidence });
            } else if first["Step"] == place.row.step
                && text(first, "Evidence").contains(place.row.says)
            {
                let (after, evidence) = (watch.elapsed(), text(first, "Evidence"));
                place.named = Some(Named { after, took, evidence });
            }
        }
    }
    Ok(())
}

fn vlan(n: usize) -> u16 {
    u16::try_from(101 + n).unwrap_or(u16::MAX)
}

fn allow_many(region: &Region) -> Result<()> {
    let account = text(&json!(region.lab.described.accounts[0]), "id");
    for quota in
        ["interfaces_per_connection", "gateways", "nets", "route_tables", "security_groups"]
    {
        region.operate(
            &format!("accounts/{account}/quotas"),
            json!({ "quota": quota, "limit": 200 }),
        )?;
    }
    Ok(())
}

/// The Net behind, as the row wants it, and an interface that leads to it.
fn furnish(region: &Region, fibre: &Fibre, n: usize, row: Row) -> Result<Place> {
    let call = |action: &str, parameters| region.call(0, action, parameters);
    let net = call("CreateNet", json!({ "IpRange": format!("10.{}.0.0/16", n + 1) }))?;
    let net = text(&net["Net"], "NetId");
    if row.behind.subnet {
        call("CreateSubnet", json!({ "NetId": net, "IpRange": format!("10.{}.0.0/24", n + 1) }))?;
    }
    let gateway = call("CreateVirtualGateway", json!({ "ConnectionType": "ipsec.1" }))?;
    let gateway = text(&gateway["VirtualGateway"], "VirtualGatewayId");
    if row.behind.attached {
        call("LinkVirtualGateway", json!({ "NetId": net, "VirtualGatewayId": gateway }))?;
    }
    let tables = call("ReadRouteTables", json!({ "Filters": { "NetIds": [net] } }))?;
    let table = text(&tables["RouteTables"][0], "RouteTableId");
    if row.behind.propagation && row.behind.attached {
        let on = json!({ "Enable": true, "RouteTableId": table, "VirtualGatewayId": gateway });
        call("UpdateRoutePropagation", on)?;
    }
    if let Some((flow, range)) = row.behind.rule {
        let group = json!({ "NetId": net, "SecurityGroupName": "g", "Description": "g" });
        let group = text(&call("CreateSecurityGroup", group)?["SecurityGroup"], "SecurityGroupId");
        let rule = json!({
            "SecurityGroupId": group, "Flow": flow, "IpProtocol": "-1", "IpRange": range,
        });
        call("CreateSecurityGroupRule", rule)?;
    }
    let subnet = |host: u8| format!("172.20.{n}.{host}/29");
    let mut asked = json!({
        "DirectLinkInterfaceName": row.name, "Vlan": vlan(n), "BgpAsn": customer::ASN,
        "VirtualGatewayId": gateway, "OutscalePrivateIp": subnet(1), "ClientPrivateIp": subnet(2),
    });
    if let Some(key) = row.key {
        asked["BgpKey"] = key.into();
    }
    let asked = json!({ "DirectLinkId": fibre.connection, "DirectLinkInterface": asked });
    let made = call("CreateDirectLinkInterface", asked)?;
    let interface = text(&made["DirectLinkInterface"], "DirectLinkInterfaceId");
    let side = row.side.clone().at(n, vlan(n), region.lab.running.asn);
    Ok(Place { row, side, interface, gateway, net, table, named: None, alarm: None })
}

/// Rows that need wires, accounts or states of their own, told at once.
fn wires(region: &Region, daemons: &mut Daemons<'_>) -> Result<Vec<[String; 3]>> {
    let mut told = vec![];
    let mut expect = |name: &str, interface: &str, step: &str| -> Result<()> {
        let mut last = String::new();
        let first = clock::until(&format!("{name}: {step}"), Duration::from_secs(30), || {
            let (_, told) = diagnosis(region, 0, interface)?;
            last = told["FirstFailed"].to_string();
            Ok((told["FirstFailed"]["Step"] == step)
                .then(|| text(&told["FirstFailed"], "Evidence")))
        });
        let first = first.with_context(|| format!("instead: {last}"))?;
        told.push([name.to_owned(), step.to_owned(), first]);
        Ok(())
    };
    let fibre = region.fibre(0, "PAR1", &[7])?;
    let cloud = region.cloud(0, "10.200.0.0/16")?;
    let interface = region.interface(&fibre, &cloud, 7, None)?;
    let side =
        Side { device: "vlan7".into(), address: interface.customer.to_string(), ..Side::default() };
    let side =
        Side { router: interface.router.addr().into(), router_asn: region.lab.running.asn, ..side };
    daemons.start(&fibre, &side)?;
    region.await_interface(0, &interface, "available")?;
    region.pull(&fibre)?;
    expect("cable pulled", &interface.id, "light")?;
    region.plug(&fibre, &[7])?;
    run(&["ip", "-n", &fibre.netns, "link", "set", "fibre", "down"])?;
    expect("customer's port shut", &interface.id, "light")?;
    run(&["ip", "-n", &fibre.netns, "link", "set", "fibre", "up"])?;
    region.await_connection(&fibre, "available")?;
    region.await_interface(0, &interface, "available")?;
    let test = json!({ "virtualInterfaceId": interface.id, "testDurationInMinutes": 5 });
    region.overture(0, "StartBgpFailoverTest", test)?;
    expect("failover test", &interface.id, "session")?;
    region.call(
        0,
        "DeleteDirectLinkInterface",
        json!({ "DirectLinkInterfaceId": interface.id }),
    )?;
    expect("interface deleted", &interface.id, "acceptance")?;
    let other = text(&json!(region.lab.described.accounts[1]), "id");
    let hosted = json!({
        "connectionId": fibre.connection, "ownerAccount": other,
        "newPrivateVirtualInterfaceAllocation": {
            "virtualInterfaceName": "hosted", "vlan": 8, "asn": customer::ASN,
        },
    });
    let hosted = region.overture(0, "AllocatePrivateVirtualInterface", hosted)?;
    expect("hosted, not accepted", &text(&hosted, "virtualInterfaceId"), "acceptance")?;
    Ok(told)
}

/// The operator sees it too; another account does not.
fn others_see_nothing(region: &Region, interface: &str) -> Result<()> {
    let (_, operator) =
        directlink_diagnose(region, interface, &["--state", &region.dir.display().to_string()])?;
    ensure!(operator["diagnosis"]["rungs"].as_array().is_some_and(|rungs| !rungs.is_empty()));
    let seen = diagnosis(region, 1, interface).map(drop);
    ensure!(seen.as_ref().is_err_and(|refused| refused.to_string().contains("5")), "{seen:?}");
    Ok(())
}

/// At the end, for nothing works after it.
fn silent_router(region: &Region, fibre: &Fibre, interface: &str) -> Result<()> {
    let router = fibre.port.split('/').next().unwrap_or_default();
    region.kill(&format!("agent-{router}"))?;
    clock::until("a silent router to be named", Duration::from_secs(15), || {
        let (_, told) = diagnosis(region, 0, interface)?;
        Ok((told["FirstFailed"]["Step"] == "router").then_some(()))
    })
}

fn region_state(region: &Region, interface: &str) -> Result<String> {
    let filter = json!({ "Filters": { "DirectLinkInterfaceIds": [interface] } });
    let read = region.call(0, "ReadDirectLinkInterfaces", filter)?;
    Ok(text(&read["DirectLinkInterfaces"][0], "State"))
}

/// `directlink diagnose`, as that account; the text, and the diagnosis.
fn diagnosis(region: &Region, account: usize, interface: &str) -> Result<(String, Value)> {
    let account = &region.lab.described.accounts[account];
    let mut command = Command::new(env!("CARGO_BIN_EXE_directlink"));
    command
        .args(["diagnose", interface, "--output", "json"])
        .env("OSC_ACCESS_KEY", &account.access_key)
        .env("OSC_SECRET_KEY", &account.secret_key)
        .env("OSC_ENDPOINT_API", &region.lab.described.api)
        .env("OSC_REGION", region.lab.described.region.as_str())
        .env_remove("DIRECTLINK_STATE")
        .env("HOME", &region.dir);
    let (said, whole) = answer(command)?;
    Ok((said, whole["Diagnosis"].clone()))
}

fn directlink_diagnose(region: &Region, interface: &str, more: &[&str]) -> Result<(String, Value)> {
    if more.is_empty() {
        return diagnosis(region, 0, interface);
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_directlink"));
    command.args(["diagnose", interface, "--output", "json"]).args(more);
    answer(command)
}

fn answer(mut command: Command) -> Result<(String, Value)> {
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{said}");
    let text = String::from_utf8(output.stdout)?;
    ensure!(!faults::KEYS.iter().any(|key| text.contains(key)), "a key is shown");
    Ok((text.clone(), serde_json::from_str(&text)?))
}

fn print_table(before: &[[String; 3]], places: &[Place]) {
    println!("{:<34} {:<18} {:>7} {:>8}  evidence", "fault", "rung", "shown", "command");
    for [name, step, evidence] in before {
        println!("{name:<34} {step:<18} {:>7} {:>8}  {evidence}", "", "");
    }
    for Place { row, named, .. } in places {
        let (after, took, evidence) = match named {
            Some(Named { after, took, evidence }) => (
                format!("{:.1} s", after.as_secs_f64()),
                format!("{} ms", took.as_millis()),
                evidence.as_str(),
            ),
            None => ("never".to_owned(), String::new(), "NOT NAMED"),
        };
        let step = if row.step.is_empty() { "-" } else { row.step };
        println!("{:<34} {step:<18} {after:>7} {took:>8}  {evidence}", row.name);
    }
}
