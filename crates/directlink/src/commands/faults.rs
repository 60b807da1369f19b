//! `directlink lab fault`: what goes wrong on a cable, on purpose and for a stated time.

use super::lab::{PortArgument, State, vlan_number};
use crate::{
    lab::{self, Lab},
    output::{self, Column, Format},
};
use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use directlink_lab::{
    cable::{self, Jack},
    clock,
    fault::{self, Flood, Kind, PREFIXES_MAX},
    process,
};
use directlink_model::{connection::PortRef, ids::InterfaceId};
use directlink_net::Vlan;
use serde_json::{Value, json};
use std::{env, ffi::OsStr, fs, time::Duration};

#[derive(Subcommand)]
pub(crate) enum FaultCommand {
    /// Lose a share of the frames, each way
    Loss {
        /// Of a hundred frames
        #[arg(long, value_name = "PERCENT", default_value = "5", value_parser = per_mille)]
        percent: u16,
        #[command(flatten)]
        on: On,
    },
    /// Let frames to the router wait
    Delay {
        /// So long, as 200ms or 1s
        #[arg(long, value_name = "TIME", default_value = "100ms", value_parser = length)]
        by: Duration,
        #[command(flatten)]
        on: On,
    },
    /// Let what the customer's BGP says wait, and nothing else
    SlowPeer {
        /// So long
        #[arg(long, value_name = "TIME", default_value = "5s", value_parser = length)]
        by: Duration,
        #[command(flatten)]
        on: On,
    },
    /// Pull the cable and plug it, again and again
    Flap {
        /// It is out for so long, and in for so long
        #[arg(long, value_name = "TIME", default_value = "2s", value_parser = length)]
        every: Duration,
        #[command(flatten)]
        on: On,
    },
    /// Put another VLAN's tag on frames to the router
    WrongTag {
        /// The tag that arrives
        #[arg(long, value_name = "VLAN", value_parser = vlan_number)]
        to: Vlan,
        /// Of that VLAN only
        #[arg(long, value_name = "VLAN", value_parser = vlan_number)]
        from: Option<Vlan>,
        #[command(flatten)]
        on: On,
    },
    /// Sign the customer's BGP with another key (TCP MD5)
    WrongKey(On),
    /// Announce far too many prefixes from the customer's place (by a BIRD of the lab's)
    ///
    /// The session is shut for it, and opened again a minute later.
    PrefixFlood(FloodArguments),
    /// List the faults that are on
    List {
        #[command(flatten)]
        state: State,
        /// How the answer is printed
        #[arg(long, short, value_enum, default_value_t, value_name = "FORMAT")]
        output: Format,
    },
    /// Undo the faults on a port's cable, or all
    Clear {
        #[command(flatten)]
        state: State,
        /// The port, as par1-r1/p0; left out: all
        #[arg(long, value_name = "ROUTER/PORT", value_parser = super::lab::port)]
        port: Option<PortRef>,
    },
}

#[derive(Args)]
pub(crate) struct On {
    #[command(flatten)]
    port: PortArgument,
    #[command(flatten)]
    how: How,
}

#[derive(Args)]
pub(crate) struct How {
    #[command(flatten)]
    state: State,
    /// It is undone by itself after this time
    #[arg(long = "for", value_name = "TIME", default_value = "60s", value_parser = length)]
    limit: Duration,
    /// Be the process that does it
    #[arg(long, hide = true)]
    foreground: bool,
}

#[derive(Args)]
pub(crate) struct FloodArguments {
    /// The interface whose customer's router is stood in for
    #[arg(long, value_name = "dxvif-…")]
    interface: InterfaceId,
    /// So many
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=i64::from(PREFIXES_MAX)))]
    prefixes: u32,
    #[command(flatten)]
    how: How,
}

const COLUMNS: &[Column] = &[("PORT", "port"), ("FAULT", "fault")];

pub(crate) fn run(command: FaultCommand) -> Result<()> {
    match command {
        FaultCommand::Loss { percent, on } => at_port(Kind::Loss { per_mille: percent }, &on),
        FaultCommand::Delay { by, on } => at_port(Kind::Delay(by), &on),
        FaultCommand::SlowPeer { by, on } => at_port(Kind::SlowPeer(by), &on),
        FaultCommand::Flap { every, on } => at_port(Kind::Flap(every), &on),
        FaultCommand::WrongTag { to, from, on } => at_port(Kind::WrongTag { from, to }, &on),
        FaultCommand::WrongKey(on) => at_port(Kind::WrongKey, &on),
        FaultCommand::PrefixFlood(arguments) => flood(&arguments),
        FaultCommand::List { state, output } => list(&Lab::open(&state.state)?, output),
        FaultCommand::Clear { state, port } => {
            let lab = Lab::open(&state.state)?;
            let jack = port.map(|port| lab::jack(&lab, &port)).transpose()?;
            fault::clear(&lab.name, jack)
        }
    }
}

/// How long until a fault is on: its process starts, and loads a program.
const BEGINS_WITHIN: Duration = Duration::from_secs(10);
/// What that process says then.
const IS_ON: &str = "the fault is on";

fn at_port(kind: Kind, on: &On) -> Result<()> {
    let lab = Lab::open(&on.how.state.state)?;
    begin(&lab, &on.port.port, kind, &on.how)
}

fn flood(arguments: &FloodArguments) -> Result<()> {
    let lab = Lab::open(&arguments.how.state.state)?;
    let (port, vlan, mut session) = super::block_on(lab::session_of(&lab, arguments.interface))?;
    let jack = lab::jack(&lab, &port)?;
    let cabled = cable::list(&lab.name)?.into_iter().find(|it| it.jack == jack);
    let device = cabled.and_then(|cabled| cabled.end.vlans.get(&vlan).cloned());
    session.interface = device.with_context(|| format!("VLAN {vlan} is on no cable at {port}"))?;
    let flood = Flood { session, prefixes: arguments.prefixes };
    begin(&lab, &port, Kind::PrefixFlood(Box::new(flood)), &arguments.how)
}

fn begin(lab: &Lab, port: &PortRef, kind: Kind, how: &How) -> Result<()> {
    let jack = lab::jack(lab, port)?;
    let name = fault::process_name(jack, &kind);
    if how.foreground {
        return fault::run(&lab.name, jack, kind, how.limit, || println!("{IS_ON}"))
            .with_context(|| port.to_string());
    }
    if process::find(&lab.name, &name)?.is_some() {
        bail!("{port}: this fault is on already");
    }
    let log = process::log_path(&lab.name, &name);
    let said = || fs::read_to_string(&log).unwrap_or_default();
    let before = said().len();
    let own = env::current_exe().context("where this program is")?;
    let mut words: Vec<_> = env::args_os().skip(1).collect();
    words.push("--foreground".into());
    let words: Vec<&OsStr> = words.iter().map(AsRef::as_ref).collect();
    let process = process::start(&lab.name, &name, None, &own, &words)?;
    clock::until(&format!("{} on {port}", kind.name()), BEGINS_WITHIN, || {
        let words = said();
        let words = words.get(before..).unwrap_or_default();
        // Its time may be over before it is looked at.
        if words.contains(IS_ON) {
            return Ok(Some(()));
        }
        if !process::is_running(process.pid) {
            bail!("{}", words.trim());
        }
        Ok(None)
    })
}

fn list(lab: &Lab, format: Format) -> Result<()> {
    let seats = lab.seats();
    let port = |jack: Jack| {
        let seat = seats.get(jack.router)?;
        Some(format!("{}/{}", seat.name, seat.ports.get(jack.port)?))
    };
    let rows: Vec<Value> = fault::list(&lab.name)?
        .into_iter()
        .map(|(jack, kind)| json!({ "port": port(jack), "fault": kind }))
        .collect();
    output::list(format, COLUMNS, &rows, &json!({ "faults": rows }))
}

/// As a share of a thousand.
fn per_mille(text: &str) -> Result<u16> {
    let percent: f32 = text.trim_end_matches('%').parse().context("a percentage")?;
    if !(0.1..=100.0).contains(&percent) {
        bail!("it is 0.1 to 100");
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000")]
    Ok((percent * 10.0).round() as u16)
}

fn length(text: &str) -> Result<Duration> {
    match text.strip_suffix("ms") {
        Some(millis) => Ok(Duration::from_millis(millis.parse()?)),
        None => Ok(Duration::from_secs(super::operator::seconds(text)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_times_are_read_as_people_write_them() {
        for (text, expected) in
            [("5", Some(50)), ("0.5%", Some(5)), ("100", Some(1000)), ("0", None), ("x", None)]
        {
            assert_eq!(per_mille(text).ok(), expected, "{text}");
        }
        for (text, expected) in
            [("200ms", Some(200)), ("2s", Some(2000)), ("1m", Some(60_000)), ("ms", None)]
        {
            assert_eq!(length(text).ok(), expected.map(Duration::from_millis), "{text}");
        }
    }
}
