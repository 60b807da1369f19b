//! `directlink lab`: a Region on this machine, for who learns, tests or shows.

use super::faults::{self, FaultCommand};
use crate::{
    lab::{self, ClockKind, Lab, Wish},
    output::{self, Column, Format},
};
use anyhow::{Context as _, Result, anyhow, bail};
use clap::{Args, Subcommand};
use directlink_lab::{
    LabName,
    cable::{self, CustomerEnd},
    light, netns, teardown,
};
use directlink_model::{
    connection::PortRef,
    ids::{NicId, RegionName},
};
use directlink_net::{Asn, Vlan};
use nix::sched::{CloneFlags, setns};
use serde_json::{Value, json};
use std::{
    ffi::OsString,
    fs::File,
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Command, ExitCode},
};

#[derive(Subcommand)]
pub(crate) enum LabCommand {
    /// Bring a Region up, and print its addresses and keys as JSON
    ///
    /// Two locations with a router each, two accounts, one server. A lab that is up already stays;
    /// what was killed of it is started again. Several labs (different DIR) stand side by side.
    Up(UpArguments),
    /// Take a Region down: no process, namespace, link, pin or file is left
    Down {
        #[command(flatten)]
        state: State,
    },
    /// Plug a cable from a router's port into a namespace of yours
    ///
    /// The same namespace and IF again plug the same cable again, with its interfaces as they were.
    Cable(CableArguments),
    /// Pull a cable: both ends lose carrier at once, interfaces stay
    Uncable {
        #[command(flatten)]
        state: State,
        #[command(flatten)]
        port: PortArgument,
    },
    /// Make a namespace the host behind a NIC, and print where it is as JSON
    Host {
        #[command(flatten)]
        state: State,
        /// The NIC, as CreateNic answered it
        #[arg(long, value_name = "eni-…")]
        nic: NicId,
        /// The namespace; one of the lab's own if left out
        #[arg(long, value_name = "NS")]
        netns: Option<String>,
    },
    /// Let something go wrong on a cable, for a stated time
    #[command(subcommand)]
    Fault(FaultCommand),
    /// What runs, and what is plugged where
    Status {
        #[command(flatten)]
        state: State,
        /// How the answer is printed
        #[arg(long, short, value_enum, default_value_t, value_name = "FORMAT")]
        output: Format,
    },
    /// Run a command inside a router, a host or any namespace of the lab
    Exec {
        #[command(flatten)]
        state: State,
        /// A router (par1-r1), a NIC (eni-…), or what `lab status` lists as a namespace
        place: String,
        /// The command, after `--`; a shell if left out
        #[arg(last = true)]
        command: Vec<OsString>,
    },
    /// Lead carrier across the patch panel (`lab up` starts it)
    #[command(hide = true)]
    Light {
        #[command(flatten)]
        state: State,
    },
}

#[derive(Args)]
pub(crate) struct State {
    /// The lab's directory: it is the lab's name
    #[arg(long, env = "DIRECTLINK_STATE", value_name = "DIR")]
    pub(super) state: PathBuf,
}

#[derive(Args)]
pub(crate) struct UpArguments {
    #[command(flatten)]
    state: State,
    /// eu-west-2, cloudgouv-eu-west-1, us-east-2, or one of your own
    #[arg(long, default_value = "eu-west-2")]
    region: RegionName,
    /// The routers' AS number, for a Region of your own
    #[arg(long, value_parser = asn)]
    asn: Option<Asn>,
    /// virtual: moves on by itself, and by `directlink clock advance`
    #[arg(long, value_enum, default_value = "real")]
    clock: ClockKind,
    /// Routers at each location
    #[arg(long, default_value_t = 1, value_name = "N")]
    routers: usize,
    /// Ports of each router; the last is for 10 Gb/s, the others for 1 Gb/s
    #[arg(long, default_value_t = 4, value_name = "N")]
    ports: usize,
    /// Keep a physical inventory too: a meet-me room and a panel at each location, every port wired to
    /// it; an order beyond the free ports is then refused
    #[arg(long)]
    inventory: bool,
}

#[derive(Args)]
pub(crate) struct PortArgument {
    /// The port, as par1-r1/p0
    #[arg(long, value_name = "ROUTER/PORT", value_parser = port)]
    pub(super) port: PortRef,
}

#[derive(Args)]
pub(crate) struct CableArguments {
    #[command(flatten)]
    state: State,
    #[command(flatten)]
    port: PortArgument,
    /// An existing network namespace (`ip netns add NS`)
    #[arg(long, value_name = "NS")]
    netns: String,
    /// The cable's end there: frames as they are on the fibre, tags and all, but for those of the
    /// VLANs that --vlan takes
    #[arg(long, value_name = "IF")]
    ifname: String,
    /// An interface on which the frames of VLAN N have no tag; can be given again and again
    #[arg(long = "vlan", value_name = "N=IFNAME", value_parser = vlan)]
    vlans: Vec<(Vlan, String)>,
}

const PROCESSES: &[Column] =
    &[("PROCESS", "name"), ("STATE", "state"), ("PID", "pid"), ("LOG", "log")];
const CABLES: &[Column] = &[
    ("PORT", "port"),
    ("STATE", "state"),
    ("NAMESPACE", "netns"),
    ("TRUNK", "ifname"),
    ("VLANS", "vlans"),
];

pub(crate) fn run(command: LabCommand) -> Result<ExitCode> {
    match command {
        LabCommand::Up(arguments) => up(arguments)?,
        LabCommand::Down { state } => teardown::take_down(&LabName::of(&state.state)?)?,
        LabCommand::Cable(arguments) => plug(arguments)?,
        LabCommand::Uncable { state, port } => {
            let lab = Lab::open(&state.state)?;
            let pulled = cable::pull(&lab.name, lab::jack(&lab, &port.port)?);
            pulled.with_context(|| port.port.to_string())?;
        }
        LabCommand::Host { state, nic, netns } => {
            let lab = Lab::open(&state.state)?;
            let operator = lab.operator();
            let placed = super::block_on(lab::host(&lab, &operator, nic, netns.as_deref()))?;
            output::json(&placed)?;
        }
        LabCommand::Status { state, output } => status(&Lab::open(&state.state)?, output)?,
        LabCommand::Exec { state, place, command } => {
            return exec(&LabName::of(&state.state)?, &place, &command);
        }
        LabCommand::Fault(command) => faults::run(command)?,
        LabCommand::Light { state } => light::follow(&LabName::of(&state.state)?)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn up(arguments: UpArguments) -> Result<()> {
    let UpArguments { state, region, asn, clock, routers, ports, inventory } = arguments;
    if !(1..=8).contains(&routers) || !(1..=48).contains(&ports) {
        bail!("a lab has 1 to 8 routers at each location, and 1 to 48 ports on each");
    }
    let wish = Wish { region, asn, clock, routers, ports, inventory };
    let lab = super::block_on(lab::up(&state.state, &wish))?;
    output::json(&lab.described)
}

fn plug(arguments: CableArguments) -> Result<()> {
    let CableArguments { state, port, netns, ifname, vlans } = arguments;
    let lab = Lab::open(&state.state)?;
    let mut end = CustomerEnd { netns, trunk: ifname, vlans: Default::default() };
    for (vlan, name) in vlans {
        if end.vlans.insert(vlan, name).is_some() {
            bail!("VLAN {vlan} is given twice");
        }
    }
    let jack = lab::jack(&lab, &port.port)?;
    cable::plug(&lab.name, jack, &end).with_context(|| port.port.to_string())
}

fn status(lab: &Lab, format: Format) -> Result<()> {
    let status = lab::status(lab)?;
    if format == Format::Json {
        return output::json(&status);
    }
    let rows = |what: &str| status[what].as_array().cloned().unwrap_or_default();
    output::list(format, PROCESSES, &rows("processes"), &Value::Null)?;
    output::print("")?;
    output::list(format, CABLES, &rows("cables"), &Value::Null)?;
    output::print("")?;
    let namespaces: Vec<_> = rows("namespaces").into_iter().map(|n| json!({ "name": n })).collect();
    output::list(format, &[("NAMESPACE", "name")], &namespaces, &Value::Null)
}

/// Becomes the command, inside the namespace.
fn exec(lab: &LabName, place: &str, command: &[OsString]) -> Result<ExitCode> {
    let candidates = [place.to_owned(), format!("{}{place}", lab.prefix())];
    let mut ours = candidates.iter().filter(|name| name.starts_with(lab.prefix()));
    let netns = ours.find(|name| netns::exists(name)).ok_or_else(|| {
        let all = netns::with_prefix(lab.prefix()).unwrap_or_default();
        let known: Vec<_> = all.iter().filter_map(|name| name.strip_prefix(lab.prefix())).collect();
        anyhow!("the lab has no '{place}'; it has: {}", known.join(", "))
    })?;
    setns(File::open(netns::path(netns))?, CloneFlags::CLONE_NEWNET)
        .with_context(|| format!("cannot enter {netns}"))?;
    let shell = [OsString::from("sh")];
    let words = if command.is_empty() { &shell } else { command };
    let [program, arguments @ ..] = words else { unreachable!("one word at least") };
    let failed = Command::new(program).args(arguments).exec();
    Err(failed).with_context(|| format!("cannot run {}", program.display()))
}

fn asn(text: &str) -> Result<Asn> {
    let number: i64 = text.parse().context("an AS number")?;
    Ok(number.try_into()?)
}

pub(super) fn port(text: &str) -> Result<PortRef> {
    let (router, port) = text.split_once('/').context("a port is ROUTER/PORT, as par1-r1/p0")?;
    Ok(PortRef { router: router.parse()?, port: port.parse()? })
}

fn vlan(text: &str) -> Result<(Vlan, String)> {
    let (number, name) = text.split_once('=').context("a VLAN is N=IFNAME, as 101=vl101")?;
    Ok((vlan_number(number)?, name.to_owned()))
}

pub(super) fn vlan_number(text: &str) -> Result<Vlan> {
    let number: i64 = text.parse().with_context(|| format!("'{text}' is no VLAN"))?;
    Ok(number.try_into()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_vlans_are_given_as_the_help_says() {
        assert_eq!(port("par1-r1/p0").unwrap().to_string(), "par1-r1/p0");
        assert!(port("p0").unwrap_err().to_string().contains("ROUTER/PORT"));
        let (number, name) = vlan("101=vl101").unwrap();
        assert_eq!((number.as_u16(), name.as_str()), (101, "vl101"));
        for bad in ["101", "x=vl", "1=vl1", "4095=vl4095"] {
            assert!(vlan(bad).is_err(), "{bad}");
        }
    }
}
