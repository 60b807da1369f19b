//! What a veth must and must not leave to its far end when XDP is there.
//!
//! A veth passes frames on with the checksum unfinished and the VLAN tag beside the frame,
//! for hardware to do that it does not have. XDP sees neither. And a frame that XDP redirects
//! into a veth is taken by the far end only if that polls (NAPI), which it does with XDP or
//! GRO on. These are ethtool's switches for that (`ethtool -K IF tx off txvlan off gro on`).
//!
//! And whether a link has light, by the same call.

use nix::{
    errno::Errno,
    libc,
    sys::socket::{AddressFamily, SockFlag, SockType, socket},
};
use std::{
    io,
    os::fd::{AsRawFd as _, OwnedFd},
};
use thiserror::Error;

const ETHTOOL_GLINK: u32 = 0x0a;
const ETHTOOL_STXCSUM: u32 = 0x17;
const ETHTOOL_SGRO: u32 = 0x2c;
const ETHTOOL_GFLAGS: u32 = 0x25;
const ETHTOOL_SFLAGS: u32 = 0x26;
const ETH_FLAG_TXVLAN: u32 = 1 << 7;

/// As wide as this C library has it: musl's is an int, and a static binary is built with musl.
const REQUEST: libc::Ioctl = libc::SIOCETHTOOL as libc::Ioctl;

#[derive(Debug, Error)]
#[error("cannot switch {what} on {link}: {source}")]
pub struct OffloadError {
    what: &'static str,
    link: String,
    source: io::Error,
}

/// For a link that sends into an XDP port: checksums and tags are in the frame when it leaves.
///
/// # Errors
/// No such link in this network namespace, or no right.
pub fn finish_frames(link: &str) -> Result<(), OffloadError> {
    let failed = |what| move |source| OffloadError { what, link: link.to_owned(), source };
    ethtool(link, ETHTOOL_STXCSUM, 0).map_err(failed("transmit checksum offload off"))?;
    let flags = ethtool(link, ETHTOOL_GFLAGS, 0).map_err(failed("VLAN offload off"))?;
    ethtool(link, ETHTOOL_SFLAGS, flags & !ETH_FLAG_TXVLAN)
        .map(drop)
        .map_err(failed("VLAN offload off"))
}

/// For the far end of a veth that XDP redirects into.
///
/// # Errors
/// No such link in this network namespace, or no right.
pub fn poll(link: &str) -> Result<(), OffloadError> {
    ethtool(link, ETHTOOL_SGRO, 1).map(drop).map_err(|source| OffloadError {
        what: "receive offload on",
        link: link.to_owned(),
        source,
    })
}

/// The way to the drivers of one network namespace, for whoever asks often.
#[derive(Debug)]
pub struct Drivers(OwnedFd);

impl Drivers {
    /// Of the calling thread's namespace, wherever it goes later.
    ///
    /// # Errors
    /// No more descriptors.
    pub fn open() -> io::Result<Self> {
        let any = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
        Ok(Self(any))
    }

    /// Whether a link is up and its driver sees the far end: at once, where the kernel's own news of
    /// it may be a second old (linkwatch). Costs a microsecond or two.
    ///
    /// # Errors
    /// No such link, or its driver does not say.
    pub fn has_light(&self, link: &str) -> io::Result<bool> {
        let mut value = EthtoolValue { command: ETHTOOL_GLINK, data: 0 };
        self.call(link, &mut value)?;
        Ok(value.data != 0)
    }
}

/// `struct ethtool_value` of linux/ethtool.h.
#[repr(C)]
struct EthtoolValue {
    command: u32,
    data: u32,
}

fn ethtool(link: &str, command: u32, data: u32) -> io::Result<u32> {
    let mut value = EthtoolValue { command, data };
    ethtool_call(link, &mut value)?;
    Ok(value.data)
}

/// One of ethtool's calls. `argument` is the struct of linux/ethtool.h that its command, which is its
/// first member, stands for.
pub(crate) fn ethtool_call<T>(link: &str, argument: &mut T) -> io::Result<()> {
    Drivers::open()?.call(link, argument)
}

impl Drivers {
    #[allow(unsafe_code)]
    fn call<T>(&self, link: &str, argument: &mut T) -> io::Result<()> {
        // SAFETY: ifreq is plain integers, arrays and a union of such: all zero is a value.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        let name = link.as_bytes();
        if name.len() >= request.ifr_name.len() || name.contains(&0) {
            return Err(Errno::EINVAL.into());
        }
        for (to, &from) in request.ifr_name.iter_mut().zip(name) {
            *to = from.cast_signed();
        }
        request.ifr_ifru.ifru_data = std::ptr::from_mut(argument).cast();
        // SAFETY: the socket is open, SIOCETHTOOL takes an ifreq with a terminated name (one byte
        // at least stayed zero) whose data is the command's own struct, large enough for what its
        // length member says, which the two callers' types hold true; both live until the call returns.
        let outcome = unsafe { libc::ioctl(self.0.as_raw_fd(), REQUEST, &raw mut request) };
        Errno::result(outcome)?;
        Ok(())
    }
}
