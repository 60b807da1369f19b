//! Attaching the programs to links.
//!
//! XDP attachments are BPF links, pinned: they outlive the process, and a later one puts its
//! program into them in one step. tc programs are filters of a `clsact` qdisc (kernel 6.1
//! knows no other way), which stay by themselves and are replaced in place. So nothing is
//! ever detached to be attached again, and no packet meets a link without its program.
//!
//! The caller is in the network namespace of the links.

use crate::{
    changes::Changed,
    handle::{TableError, in_table},
    load::{Build, Capacity, Dataplane, OpenError, classifier, links_dir, load_build, xdp},
    rows::Uplink,
    tables::RouterRow,
};
use aya::{
    pin::PinError,
    programs::{
        ProgramError, SchedClassifier, TcAttachType, Xdp, XdpMode,
        links::{FdLink, LinkError, PinnedLink},
        tc::{
            NlOptions, SchedClassifierLink, TcAttachOptions, TcError, TcHandle, qdisc_add_clsact,
        },
    },
};
use nix::{errno::Errno, net::if_::if_indextoname};
use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};
use thiserror::Error;

/// The one place of ours among a link's filters.
const FILTER: NlOptions = NlOptions { priority: 1, handle: TcHandle::new(0, 1), classid: None };

#[derive(Debug, Error)]
pub enum AttachError {
    #[error("there is no link {ifindex} in this network namespace: {source}")]
    NoLink { ifindex: u32, source: io::Error },
    #[error("link {ifindex} does not take the packet program: {source}")]
    Program { ifindex: u32, source: ProgramError },
    #[error("link {ifindex} does not take a filter: {source}")]
    Filter { ifindex: u32, source: TcError },
    #[error("cannot pin the attachment at {path}: {source}")]
    Pin { path: PathBuf, source: PinError },
    #[error("cannot open the pinned attachment at {path}: {source}")]
    Pinned { path: PathBuf, source: LinkError },
    #[error("cannot work with the pin {path}: {source}")]
    File { path: PathBuf, source: io::Error },
    #[error("cannot switch on forwarding on link {ifindex}: {source}")]
    Forwarding { ifindex: u32, source: io::Error },
    #[error(transparent)]
    Programs(#[from] OpenError),
    #[error(transparent)]
    Table(#[from] TableError),
}

/// What has a pinned XDP attachment, by ifindex.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attached {
    pub ports: BTreeSet<u32>,
    pub uplinks: BTreeSet<u32>,
}

impl Dataplane {
    /// Takes a port: all that comes in there is ours. A program of an earlier process is
    /// replaced under traffic.
    ///
    /// On a veth, whoever sends into it must have transmit checksum and VLAN offload off, and
    /// the far end must poll (see [`crate::offload`]); on hardware, switch VLAN stripping off.
    ///
    /// # Errors
    /// No such link, or another program is on it.
    pub fn attach_port(&mut self, ifindex: u32) -> Result<(), AttachError> {
        self.attach_filter("directlink_port_slow", ifindex)?;
        self.attach_xdp("directlink_port", "port", ifindex)
    }

    /// Takes the uplink: VXLAN to `uplink.vtep` is ours, all else stays the kernel's.
    ///
    /// Switches IPv4 forwarding on for this link, without which the kernel does not answer
    /// where a VTEP is.
    ///
    /// # Errors
    /// No such link, or another program is on it.
    pub fn attach_fabric(&mut self, uplink: &Uplink) -> Result<(), AttachError> {
        let ifindex = uplink.ifindex;
        let knob = format!("/proc/sys/net/ipv4/conf/{}/forwarding", link_name(ifindex)?);
        fs::write(knob, "1").map_err(|source| AttachError::Forwarding { ifindex, source })?;
        let row = RouterRow::new(uplink);
        let written = self.tables.router.set(0, row, 0).map_err(in_table("router"));
        self.count_change(Changed::Router, written)?;
        self.attach_xdp("directlink_fabric", "fabric", ifindex)
    }

    /// Takes the router's end of a slow veth. Its filter goes when the veth does.
    ///
    /// # Errors
    /// No such link.
    pub fn attach_slow(&mut self, ifindex: u32) -> Result<(), AttachError> {
        self.attach_filter("directlink_slow_port", ifindex)
    }

    /// Lets a port or uplink go; one that is not attached, or is gone, is no error.
    ///
    /// # Errors
    /// A pin or a filter cannot be removed.
    pub fn detach(&mut self, ifindex: u32) -> Result<(), AttachError> {
        for kind in ["port", "fabric"] {
            remove_pin(&self.link_pin(kind, ifindex))?;
        }
        match link_name(ifindex) {
            Ok(name) => detach_filter(&name, ifindex),
            Err(_) => Ok(()),
        }
    }

    /// Lets every port and uplink go.
    ///
    /// # Errors
    /// A pin or a filter cannot be removed.
    pub fn detach_all(&mut self) -> Result<(), AttachError> {
        let Attached { ports, uplinks } = self.attached()?;
        ports.into_iter().chain(uplinks).try_for_each(|ifindex| self.detach(ifindex))
    }

    /// What is pinned. A link that was deleted leaves its pin until it is detached.
    ///
    /// # Errors
    /// The pins cannot be read.
    pub fn attached(&self) -> Result<Attached, AttachError> {
        attached(&self.pin_dir)
    }

    fn link_pin(&self, kind: &str, ifindex: u32) -> PathBuf {
        link_pin(&self.pin_dir, kind, ifindex)
    }

    fn attach_xdp(
        &mut self,
        name: &'static str,
        kind: &str,
        ifindex: u32,
    ) -> Result<(), AttachError> {
        let pin = self.link_pin(kind, ifindex);
        let program = xdp(&mut self.programs, name)?;
        if pin.exists() {
            if replace_xdp(program, &pin, ifindex)? {
                return Ok(());
            }
            remove_pin(&pin)?;
        }
        let failed = |source| AttachError::Program { ifindex, source };
        let id = program.attach_to_if_index(ifindex, XdpMode::default()).map_err(failed)?;
        let link: FdLink = program
            .take_link(id)
            .map_err(failed)?
            .try_into()
            .map_err(|source| AttachError::Pinned { path: pin.clone(), source })?;
        link.pin(&pin).map(drop).map_err(|source| AttachError::Pin { path: pin, source })
    }

    fn attach_filter(&mut self, name: &'static str, ifindex: u32) -> Result<(), AttachError> {
        let program = classifier(&mut self.programs, name)?;
        put_filter(program, ifindex)
    }
}

/// Puts a build over what is pinned, without looking at a row: its tables are filled from the
/// latest that are there, and each XDP attachment and each port's filter, and those of these slow
/// links, take its program in one step. So can a build be put in whose rows this one does not know.
///
/// # Errors
/// The kernel refuses a program, or a pin or a link cannot be worked with.
pub fn upgrade(build: Build<'_>, pin_dir: &Path, slow: &[u32]) -> Result<(), AttachError> {
    let mut programs = load_build(build, pin_dir, Capacity::default())?;
    let Attached { ports, uplinks } = attached(pin_dir)?;
    let kinds = [("directlink_port", "port", &ports), ("directlink_fabric", "fabric", &uplinks)];
    for (name, kind, links) in kinds {
        for &ifindex in links {
            replace_xdp(xdp(&mut programs, name)?, &link_pin(pin_dir, kind, ifindex), ifindex)?;
        }
    }
    let filters =
        [("directlink_port_slow", ports), ("directlink_slow_port", slow.iter().copied().collect())];
    for (name, links) in filters {
        for ifindex in links {
            put_filter(classifier(&mut programs, name)?, ifindex)?;
        }
    }
    Ok(())
}

fn attached(pin_dir: &Path) -> Result<Attached, AttachError> {
    let path = links_dir(pin_dir);
    let failed = |source| AttachError::File { path: path.clone(), source };
    let mut attached = Attached::default();
    for entry in fs::read_dir(&path).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        match name.to_str().and_then(|name| name.split_once('-')) {
            Some(("port", ifindex)) => attached.ports.extend(ifindex.parse::<u32>()),
            Some(("fabric", ifindex)) => attached.uplinks.extend(ifindex.parse::<u32>()),
            _ => {}
        }
    }
    Ok(attached)
}

fn link_pin(pin_dir: &Path, kind: &str, ifindex: u32) -> PathBuf {
    links_dir(pin_dir).join(format!("{kind}-{ifindex}"))
}

/// False if the pinned attachment is that of a link that is gone.
fn replace_xdp(program: &mut Xdp, pin: &Path, ifindex: u32) -> Result<bool, AttachError> {
    let failed = |source| AttachError::Pinned { path: pin.to_owned(), source };
    let link = FdLink::from(PinnedLink::from_pin(pin).map_err(failed)?);
    match program.attach_to_link(link.try_into().map_err(failed)?) {
        Ok(id) => {
            let owned = program.take_link(id);
            owned.map(drop).map_err(|source| AttachError::Program { ifindex, source })?;
            Ok(true)
        }
        Err(ProgramError::SyscallError(e))
            if e.io_error.raw_os_error() == Some(Errno::ENOLINK as i32) =>
        {
            Ok(false)
        }
        Err(source) => Err(AttachError::Program { ifindex, source }),
    }
}

/// Puts the program into our place among the link's ingress filters.
pub(crate) fn put_filter(program: &mut SchedClassifier, ifindex: u32) -> Result<(), AttachError> {
    let name = link_name(ifindex)?;
    match qdisc_add_clsact(&name) {
        Err(e) if !is(&e, Errno::EEXIST) => {
            return Err(AttachError::Filter { ifindex, source: e });
        }
        _ => {}
    }
    let options = TcAttachOptions::Netlink(FILTER);
    let attached = match program.attach_with_options(&name, TcAttachType::Ingress, options) {
        Err(ProgramError::TcError(e)) if is(&e, Errno::EEXIST) => {
            program.attach_to_link(our_filter(&name, ifindex)?)
        }
        attached => attached,
    };
    let failed = |source| AttachError::Program { ifindex, source };
    let link = program.take_link(attached.map_err(failed)?).map_err(failed)?;
    // Dropping it would take the filter away; it stays until somebody detaches it.
    std::mem::forget(link);
    Ok(())
}

pub(crate) fn detach_filter(name: &str, ifindex: u32) -> Result<(), AttachError> {
    use aya::programs::Link as _;
    match our_filter(name, ifindex)?.detach() {
        Ok(()) => Ok(()),
        Err(ProgramError::NetlinkError(e))
            if matches!(
                e.raw_os_error().map(Errno::from_raw),
                // No filter, no qdisc.
                Some(Errno::ENOENT | Errno::EINVAL)
            ) =>
        {
            Ok(())
        }
        Err(source) => Err(AttachError::Program { ifindex, source }),
    }
}

fn our_filter(name: &str, ifindex: u32) -> Result<SchedClassifierLink, AttachError> {
    let NlOptions { priority, handle, classid } = FILTER;
    SchedClassifierLink::attached(name, TcAttachType::Ingress, priority, handle, classid)
        .map_err(|source| AttachError::NoLink { ifindex, source })
}

pub(crate) fn link_name(ifindex: u32) -> Result<String, AttachError> {
    let failed = |source| AttachError::NoLink { ifindex, source };
    let name = if_indextoname(ifindex).map_err(|e| failed(e.into()))?;
    let name =
        name.into_string().map_err(|e| failed(io::Error::new(io::ErrorKind::InvalidData, e)))?;
    // nix 0.31 takes the null pointer for success.
    if name.is_empty() { Err(failed(Errno::ENXIO.into())) } else { Ok(name) }
}

fn is(error: &TcError, errno: Errno) -> bool {
    match error {
        TcError::NetlinkError(e) => e.raw_os_error() == Some(errno as i32),
        _ => false,
    }
}

fn remove_pin(path: &Path) -> Result<(), AttachError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(AttachError::File { path: path.to_owned(), source }),
        Ok(()) => Ok(()),
    }
}
