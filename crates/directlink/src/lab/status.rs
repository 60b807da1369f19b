//! How a lab is now: what runs, what is plugged, which host is where. Asked from the kernel.

use super::{
    record::Lab,
    up::{SERVER, agent_name},
};
use anyhow::Result;
use directlink_lab::{
    cable::{self, Cabled},
    netns, process,
};
use serde_json::{Value, json};

/// Processes, cables and namespaces, each a list.
pub fn status(lab: &Lab) -> Result<Value> {
    let running = process::list(&lab.name)?;
    let agents = lab.described.routers.iter().map(|router| agent_name(&router.name));
    let mut names: Vec<_> =
        [SERVER.to_owned(), "light".to_owned()].into_iter().chain(agents).collect();
    names.extend(running.iter().map(|p| p.name.clone()).filter(|n| n.starts_with("customer-")));
    let processes: Vec<_> = names
        .iter()
        .map(|name| {
            let pid = running.iter().find(|p| p.name == *name).map(|p| p.pid);
            let state = if pid.is_some() { "running" } else { "dead" };
            let log = process::log_path(&lab.name, name);
            json!({ "name": name, "state": state, "pid": pid, "log": log })
        })
        .collect();
    let cables: Vec<_> = cable::list(&lab.name)?.iter().map(|c| described(lab, c)).collect();
    let namespaces = netns::with_prefix(lab.name.prefix())?;
    Ok(json!({ "processes": processes, "cables": cables, "namespaces": namespaces }))
}

fn described(lab: &Lab, cabled: &Cabled) -> Value {
    let seats = lab.seats();
    let port = seats.get(cabled.jack.router).and_then(|seat| {
        seat.ports.get(cabled.jack.port).map(|port| format!("{}/{port}", seat.name))
    });
    let vlans: Vec<_> = cabled.end.vlans.iter().map(|(v, name)| format!("{v}={name}")).collect();
    let state = if cabled.plugged { "plugged" } else { "pulled" };
    json!({
        "port": port, "netns": cabled.end.netns, "ifname": cabled.end.trunk,
        "vlans": vlans, "state": state,
    })
}
