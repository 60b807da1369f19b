//! What goes wrong on a lab's cable, on purpose: frames are lost, wear another tag, have a signature
//! that no key makes, or wait. The kernels that the lab runs on need no netem for it.
//!
//! ```text
//!   link of the patch panel ── egress: fault_loss, fault_tag, fault_key ──► as ever
//!                                      fault_delay ──► tap: a program reads, waits, writes ─┐
//!                              ◄────────────────────── fault_delayed ◄──────────────────────┘
//! ```
//!
//! Each is a filter of its own, so that several can be on one link. They go when this is dropped; of
//! one that was killed they stay until somebody takes the link's egress filters away.

use crate::attach::{AttachError, link_name};
use aya::{
    Ebpf, EbpfError, EbpfLoader,
    maps::{Array, MapData, MapError},
    programs::{
        ProgramError, SchedClassifier, TcAttachType,
        tc::{NlOptions, TcAttachOptions, TcError, TcHandle, qdisc_add_clsact},
    },
};
use directlink_net::Vlan;
use nix::{errno::Errno, libc};
use std::{
    fs::{File, OpenOptions},
    io,
    os::{fd::AsRawFd as _, unix::fs::OpenOptionsExt as _},
};
use thiserror::Error;

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/fault.bpf.o"));

/// What happens to frames that leave by a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// So many of a thousand are lost, by chance.
    Loss { per_mille: u16 },
    /// Those of this VLAN, or of every one, wear that tag.
    Tag { from: Option<Vlan>, to: Vlan },
    /// TCP MD5 signatures of BGP are wrong.
    Key,
    /// They go to the tap first, and from there to the link. Only BGP's, or all.
    Delay { tap_ifindex: u32, only_bgp: bool },
}

#[derive(Debug, Error)]
pub enum FaultError {
    #[error("the kernel refuses the fault's programs: {0}")]
    Load(#[from] EbpfError),
    #[error("the fault's programs lack {0}: they were not built from this source")]
    Missing(&'static str),
    #[error("the kernel refuses the fault's program {name}: {source}")]
    Program { name: &'static str, source: ProgramError },
    #[error("the fault's settings: {0}")]
    Settings(#[from] MapError),
    #[error("link {ifindex} does not take a filter: {source}")]
    Filter { ifindex: u32, source: TcError },
    #[error(transparent)]
    Attach(#[from] AttachError),
}

/// A fault, for as long as this lives.
pub struct Injected {
    _programs: Ebpf,
}

/// As in fault.bpf.c.
#[derive(Clone, Copy)]
enum Setting {
    DropPerMille,
    TagFrom,
    TagTo,
    DelayTo,
    DelayFrom,
    DelayBgp,
}

impl Fault {
    /// The program, and its place among the link's filters: each has its own.
    const fn filter(self) -> (&'static str, u16) {
        match self {
            Self::Loss { .. } => ("fault_loss", 1),
            Self::Tag { .. } => ("fault_tag", 2),
            Self::Key => ("fault_key", 3),
            Self::Delay { .. } => ("fault_delay", 4),
        }
    }

    fn settings(self, ifindex: u32) -> Vec<(Setting, u32)> {
        match self {
            Self::Loss { per_mille } => vec![(Setting::DropPerMille, per_mille.into())],
            Self::Tag { from, to } => vec![
                (Setting::TagFrom, from.map_or(0, |vlan| vlan.as_u16().into())),
                (Setting::TagTo, to.as_u16().into()),
            ],
            Self::Key => vec![],
            Self::Delay { tap_ifindex, only_bgp } => vec![
                (Setting::DelayTo, tap_ifindex),
                (Setting::DelayFrom, ifindex),
                (Setting::DelayBgp, only_bgp.into()),
            ],
        }
    }
}

/// From now on, of frames that leave by these links (of the caller's network namespace).
///
/// # Errors
/// No such link, no right, or the same kind of fault is on it already.
pub fn inject(fault: Fault, links: &[u32]) -> Result<Injected, FaultError> {
    let mut programs = EbpfLoader::new().load(OBJECT)?;
    let map = programs.map_mut("fault_settings").ok_or(FaultError::Missing("fault_settings"))?;
    let mut settings: Array<&mut MapData, u32> = map.try_into()?;
    for (setting, value) in fault.settings(links.first().copied().unwrap_or_default()) {
        settings.set(setting as u32, value, 0)?;
    }
    let (name, priority) = fault.filter();
    for &link in links {
        attach(&mut programs, (name, priority), link, TcAttachType::Egress)?;
    }
    if let Fault::Delay { tap_ifindex, .. } = fault {
        attach(&mut programs, ("fault_delayed", 1), tap_ifindex, TcAttachType::Ingress)?;
    }
    Ok(Injected { _programs: programs })
}

fn attach(
    programs: &mut Ebpf,
    (name, priority): (&'static str, u16),
    ifindex: u32,
    side: TcAttachType,
) -> Result<(), FaultError> {
    let refused = |source| FaultError::Program { name, source };
    let program = programs.program_mut(name).ok_or(FaultError::Missing(name))?;
    let program: &mut SchedClassifier = program.try_into().map_err(refused)?;
    if program.fd().is_err() {
        program.load().map_err(refused)?;
    }
    let link = link_name(ifindex)?;
    match qdisc_add_clsact(&link) {
        Err(TcError::NetlinkError(e)) if e.raw_os_error() == Some(Errno::EEXIST as i32) => {}
        Err(source) => return Err(FaultError::Filter { ifindex, source }),
        Ok(()) => {}
    }
    let place = NlOptions { priority, handle: TcHandle::new(0, 1), classid: None };
    let options = TcAttachOptions::Netlink(place);
    program.attach_with_options(&link, side, options).map_err(refused)?;
    Ok(())
}

/// A link whose other end is a file of this process. Gone when it is dropped.
pub struct Tap(File);

impl Tap {
    /// In the caller's network namespace. Reads and writes are frames, and do not wait.
    ///
    /// # Errors
    /// The name is taken or too long, or no right.
    #[allow(unsafe_code)]
    pub fn open(name: &str) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open("/dev/net/tun")?;
        // SAFETY: ifreq is plain integers, arrays and a union of such: all zero is a value.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        if name.len() >= request.ifr_name.len() || name.as_bytes().contains(&0) {
            return Err(Errno::EINVAL.into());
        }
        for (to, &from) in request.ifr_name.iter_mut().zip(name.as_bytes()) {
            *to = from.cast_signed();
        }
        let flags = libc::IFF_TAP | libc::IFF_NO_PI;
        request.ifr_ifru.ifru_flags = flags.try_into().map_err(io::Error::other)?;
        // SAFETY: the file is open, TUNSETIFF takes an ifreq with a terminated name (one byte at
        // least stayed zero) and flags, and it lives until the call returns.
        let outcome = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
        Errno::result(outcome)?;
        Ok(Self(file))
    }

    pub const fn file(&self) -> &File {
        &self.0
    }
}
