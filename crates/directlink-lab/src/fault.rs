//! Faults on a cable, on purpose, for a stated time.
//!
//! ```text
//!   lab fault loss … ──► a process of the lab: fault-R.P-loss ──its time is over──► undone, gone
//!                                                       ──lab fault clear────────► killed, undone
//!                                                       ──lab down───────────────► gone with all
//! ```
//!
//! Where a fault is on is that its process runs; nothing else remembers it. Faults are on the links of
//! the patch panel: neither the customer's namespace nor the router's is touched. Only a flood of
//! prefixes speaks from the customer's.

mod flood;

pub use flood::{Flood, PREFIXES_MAX};

use crate::{
    cable::{self, Cabled, Jack},
    clock::Stopwatch,
    link,
    name::LabName,
    netns, process, tool,
};
use anyhow::{Context as _, Result, anyhow, bail};
use directlink_dataplane::fault::{self, Injected, Tap};
use directlink_net::Vlan;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::{
    collections::VecDeque,
    io::{self, Read as _, Write as _},
    os::fd::AsFd as _,
    time::Duration,
};

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum Kind {
    /// So many of a thousand frames are lost, each way.
    Loss { per_mille: u16 },
    /// Frames to the router wait so long.
    Delay(Duration),
    /// Those of BGP do: a customer's router that is slow to speak.
    SlowPeer(Duration),
    /// The cable is pulled and plugged, each for so long.
    Flap(Duration),
    /// Frames to the router wear this tag.
    WrongTag { from: Option<Vlan>, to: Vlan },
    /// The signatures of BGP to the router are those of another key.
    WrongKey,
    /// A speaker in the customer's place announces far too much.
    PrefixFlood(Box<Flood>),
}

impl Kind {
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Loss { .. } => "loss",
            Self::Delay(_) => "delay",
            Self::SlowPeer(_) => "slow-peer",
            Self::Flap(_) => "flap",
            Self::WrongTag { .. } => "wrong-tag",
            Self::WrongKey => "wrong-key",
            Self::PrefixFlood(_) => "prefix-flood",
        }
    }
}

/// What its process is called.
pub fn process_name(jack: Jack, kind: &Kind) -> String {
    format!("{PREFIX}{jack}-{}", kind.name())
}

const PREFIX: &str = "fault-";

/// Those that are on: where, and the kind's name.
///
/// # Errors
/// There is no /proc.
pub fn list(lab: &LabName) -> Result<Vec<(Jack, String)>> {
    let read = |name: &str| {
        let (jack, kind) = name.strip_prefix(PREFIX)?.split_once('-')?;
        Some((jack.parse().ok()?, kind.to_owned()))
    };
    Ok(process::list(lab)?.iter().filter_map(|process| read(&process.name)).collect())
}

/// Undoes the faults at a jack, or all.
///
/// # Errors
/// One does not go.
pub fn clear(lab: &LabName, jack: Option<Jack>) -> Result<()> {
    for process in process::list(lab)? {
        let Some(name) = process.name.strip_prefix(PREFIX) else { continue };
        let at: Option<Jack> = name.split_once('-').and_then(|(jack, _)| jack.parse().ok());
        if let Some(at) = at.filter(|at| jack.is_none_or(|jack| jack == *at)) {
            process::stop(&process)?;
            undo(lab, at)?;
        }
    }
    Ok(())
}

/// Makes it so until `limit` has passed, then undoes it. `is_on` is called once it is so.
///
/// # Errors
/// No cable is plugged there, or the same is on already.
pub fn run(
    lab: &LabName,
    jack: Jack,
    kind: Kind,
    limit: Duration,
    is_on: impl FnOnce(),
) -> Result<()> {
    let cabled = cable::list(lab)?.into_iter().find(|it| it.jack == jack && it.plugged);
    let cabled = cabled.ok_or_else(|| anyhow!("no cable is plugged into that port"))?;
    let watch = Stopwatch::start();
    let links = Links::of(lab, &cabled)?;
    match kind {
        Kind::Loss { per_mille } => {
            let loss = fault::Fault::Loss { per_mille };
            hold((lab, inject(lab, loss, &links.all())?), is_on, (&watch, limit))
        }
        Kind::WrongTag { from, to } => {
            let tag = fault::Fault::Tag { from, to };
            hold((lab, inject(lab, tag, &[links.port])?), is_on, (&watch, limit))
        }
        Kind::WrongKey => {
            hold((lab, inject(lab, fault::Fault::Key, &[links.port])?), is_on, (&watch, limit))
        }
        Kind::Delay(delay) => wait_on((lab, &links), (delay, false), is_on, (&watch, limit)),
        Kind::SlowPeer(delay) => wait_on((lab, &links), (delay, true), is_on, (&watch, limit)),
        Kind::Flap(each) => flap((lab, jack), each, is_on, (&watch, limit)),
        Kind::PrefixFlood(flood) => {
            flood::run(lab, (jack, &cabled.end.netns), &flood, is_on, (&watch, limit))
        }
    }
}

/// The panel's links of a cable, by index.
struct Links {
    port: u32,
    /// Towards the customer.
    inner: Vec<u32>,
    jack: Jack,
}

impl Links {
    fn of(lab: &LabName, cabled: &Cabled) -> Result<Self> {
        let links = link::list(&lab.panel())?;
        let index = |name: String| {
            let link = links.iter().find(|link| link.name == name);
            link.map(|link| link.index).with_context(|| format!("the patch panel has no {name}"))
        };
        let jack = cabled.jack;
        let vlans = cabled.end.vlans.keys().map(|vlan| index(jack.vlan_link(*vlan)));
        let inner = std::iter::once(index(jack.trunk_link())).chain(vlans);
        Ok(Self { port: index(jack.port_link())?, inner: inner.collect::<Result<_>>()?, jack })
    }

    /// Both directions.
    fn all(&self) -> Vec<u32> {
        std::iter::once(self.port).chain(self.inner.iter().copied()).collect()
    }
}

fn inject(lab: &LabName, fault: fault::Fault, links: &[u32]) -> Result<Injected> {
    netns::within(&lab.panel(), || fault::inject(fault, links).context("the fault"))
}

/// Nothing is to be done meanwhile.
fn hold(
    (lab, injected): (&LabName, Injected),
    is_on: impl FnOnce(),
    (watch, limit): (&Stopwatch, Duration),
) -> Result<()> {
    is_on();
    pause(watch, limit)?;
    remove(lab, injected)
}

/// Filters go where their links are: in the panel.
fn remove(lab: &LabName, injected: Injected) -> Result<()> {
    netns::within(&lab.panel(), move || {
        drop(injected);
        Ok(())
    })
}

fn pause(watch: &Stopwatch, until: Duration) -> Result<()> {
    while let Some(left) = until.checked_sub(watch.elapsed()).filter(|left| !left.is_zero()) {
        poll(&mut [], timeout(left)).context("poll")?;
    }
    Ok(())
}

/// A millisecond more than none, lest the last one is spun away.
fn timeout(left: Duration) -> PollTimeout {
    let millis = u16::try_from(left.as_millis().saturating_add(1)).unwrap_or(u16::MAX);
    PollTimeout::from(millis)
}

/// A frame is at most so long: jumbo, tag and all.
const FRAME_BYTES: usize = 16 * 1024;
/// More than wait at once are lost, as in any queue.
const QUEUE_FRAMES: usize = 100_000;

/// Frames to the router go through a tap, where each waits for its time.
fn wait_on(
    (lab, links): (&LabName, &Links),
    (delay, only_bgp): (Duration, bool),
    is_on: impl FnOnce(),
    (watch, limit): (&Stopwatch, Duration),
) -> Result<()> {
    let name = format!("wait{}", links.jack);
    let tap = netns::within(&lab.panel(), || Tap::open(&name).context("a tap"))?;
    tool::ip(Some(&lab.panel()), &[format!("link set {name} up")])?;
    let all = link::list(&lab.panel())?;
    let tap_ifindex = all.iter().find(|link| link.name == name).context("the tap")?.index;
    let injected = inject(lab, fault::Fault::Delay { tap_ifindex, only_bgp }, &[links.port])?;
    is_on();
    let mut waiting: VecDeque<(Duration, Vec<u8>)> = VecDeque::new();
    let mut buffer = vec![0; FRAME_BYTES];
    while watch.elapsed() < limit {
        let next = waiting.front().map_or(limit, |(due, _)| *due).min(limit);
        let mut tapped = [PollFd::new(tap.file().as_fd(), PollFlags::POLLIN)];
        poll(&mut tapped, timeout(next.saturating_sub(watch.elapsed()))).context("poll")?;
        loop {
            match tap.file().read(&mut buffer) {
                Ok(length) if waiting.len() < QUEUE_FRAMES => {
                    waiting.push_back((watch.elapsed() + delay, buffer[..length].to_vec()));
                }
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) => return Err(e).context("the tap"),
            }
        }
        while let Some((_, frame)) = waiting.pop_front_if(|(due, _)| *due <= watch.elapsed()) {
            tap.file().write_all(&frame).context("the tap")?;
        }
    }
    remove(lab, injected)
}

fn flap(
    (lab, jack): (&LabName, Jack),
    each: Duration,
    is_on: impl FnOnce(),
    (watch, limit): (&Stopwatch, Duration),
) -> Result<()> {
    if each < Duration::from_millis(100) {
        bail!("a cable cannot be pulled that fast: 100 ms at least");
    }
    let trunk = |word: &str| {
        tool::ip(Some(&lab.panel()), &[format!("link set {} {word}", jack.trunk_link())])
    };
    let mut next = Duration::ZERO;
    is_on();
    while watch.elapsed() < limit {
        for word in ["down", "up"] {
            trunk(word)?;
            next += each;
            pause(watch, next)?;
        }
    }
    Ok(())
}

/// What one leaves that was killed.
fn undo(lab: &LabName, jack: Jack) -> Result<()> {
    let panel = lab.panel();
    let links = link::list(&panel)?;
    let of_cable = |name: &str| {
        name == jack.port_link()
            || name == jack.trunk_link()
            || cable::vlan_of(name, jack).is_some()
    };
    for link in links.iter().filter(|link| of_cable(&link.name)) {
        tool::tc(&panel, &[format!("filter delete dev {} egress", link.name)])?;
    }
    let cabled = cable::list(lab)?.into_iter().find(|it| it.jack == jack);
    let Some(cabled) = cabled else { return Ok(()) };
    flood::end(lab, (jack, &cabled.end.netns))?;
    // A flapping cable was pulled at that moment, perhaps: light follows the trunk.
    tool::ip(Some(&panel), &[format!("link set {} up", jack.trunk_link())])
}
