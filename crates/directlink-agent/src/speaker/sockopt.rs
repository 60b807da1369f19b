//! The two socket options that no crate wraps: TCP MD5 signatures (RFC 2385) and the least TTL
//! that is accepted (RFC 5082). Apart because they are the speaker's only `unsafe`.
//!
//! An MD5 key belongs to a socket and a peer's address; connections that a listener accepts
//! inherit it. With a key set, segments without a right signature are dropped before TCP sees them.

use directlink_net::BgpKey;
use nix::libc;
use std::{
    io, mem,
    net::IpAddr,
    os::fd::{AsFd, AsRawFd},
};

/// `struct tcp_md5sig` of linux/tcp.h.
#[repr(C, align(8))]
struct TcpMd5Sig {
    address: SockaddrStorage,
    flags: u8,
    prefix_length: u8,
    key_length: u16,
    interface_index: libc::c_int,
    key: [u8; BgpKey::LENGTH_MAX],
}

/// `struct sockaddr_storage`, of which only family and address matter here.
///
/// ```text
///   sockaddr_in    family 2 │ port 2 │ address 4
///   sockaddr_in6   family 2 │ port 2 │ flow 4 │ address 16 │ scope 4
/// ```
#[repr(transparent)]
struct SockaddrStorage([u8; 128]);

impl From<IpAddr> for SockaddrStorage {
    fn from(address: IpAddr) -> Self {
        let mut bytes = [0; 128];
        let family = match address {
            IpAddr::V4(v4) => {
                bytes[4..8].copy_from_slice(&v4.octets());
                libc::AF_INET
            }
            IpAddr::V6(v6) => {
                bytes[8..24].copy_from_slice(&v6.octets());
                libc::AF_INET6
            }
        };
        bytes[..2].copy_from_slice(&(family as libc::sa_family_t).to_ne_bytes());
        Self(bytes)
    }
}

/// Sets, changes or (`None`) removes the key for `peer` on a socket in any state.
///
/// # Errors
/// The kernel knows no MD5 signatures, or the socket is not of `peer`'s family.
pub(super) fn set_key(socket: &impl AsFd, peer: IpAddr, key: Option<&BgpKey>) -> io::Result<()> {
    let text = key.map_or(&[][..], |key| key.expose().as_bytes());
    let mut option = TcpMd5Sig {
        address: peer.into(),
        flags: 0,
        prefix_length: 0,
        key_length: text.len() as u16,
        interface_index: 0,
        key: [0; BgpKey::LENGTH_MAX],
    };
    option.key[..text.len()].copy_from_slice(text);
    match set(socket, libc::IPPROTO_TCP, libc::TCP_MD5SIG, &option) {
        // There was none to remove.
        Err(error) if key.is_none() && error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
        result => result,
    }
}

/// Packets that arrive with a lower TTL (hop limit) are dropped.
///
/// # Errors
/// The socket is not of `family`'s.
pub(super) fn set_min_ttl(socket: &impl AsFd, family: IpAddr, ttl: u8) -> io::Result<()> {
    let (level, name) = match family {
        IpAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_MINTTL),
        IpAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_MINHOPCOUNT),
    };
    set(socket, level, name, &libc::c_int::from(ttl))
}

#[allow(unsafe_code)]
fn set<T>(socket: &impl AsFd, level: i32, name: i32, value: &T) -> io::Result<()> {
    let length = size_of::<T>() as libc::socklen_t;
    // SAFETY: pointer and length are those of one live `T`, which is plain data of the layout that
    // the option has in the kernel (asserted below for ours, an int for the other); the kernel
    // copies it and keeps no pointer. The descriptor is open during the call: it is borrowed.
    let result = unsafe {
        let fd = socket.as_fd().as_raw_fd();
        libc::setsockopt(fd, level, name, (&raw const *value).cast(), length)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

const _: () = assert!(size_of::<TcpMd5Sig>() == 216);
const _: () = assert!(mem::offset_of!(TcpMd5Sig, flags) == 128);
const _: () = assert!(mem::offset_of!(TcpMd5Sig, key_length) == 130);
const _: () = assert!(mem::offset_of!(TcpMd5Sig, interface_index) == 132);
const _: () = assert!(mem::offset_of!(TcpMd5Sig, key) == 136);

/// Segments in flight, and how often the first was sent again, as `struct tcp_info` of linux/tcp.h has it.
///
/// # Errors
/// It is no TCP socket.
#[allow(unsafe_code)]
pub(super) fn unacknowledged(socket: &impl AsFd) -> io::Result<(u32, u32)> {
    const RETRANSMITS: usize = 2;
    const UNACKED: usize = 24;
    let mut info = [0u8; 104];
    let mut length = info.len() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes, all of which are ours, and as many as it says.
    let done = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    let four: [u8; 4] = info[UNACKED..UNACKED + 4].try_into().unwrap_or_default();
    Ok((u32::from_ne_bytes(four), info[RETRANSMITS].into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_key_can_be_set_changed_and_removed_in_both_families() {
        for (own, peer) in [("127.0.0.1:0", "127.0.0.2"), ("[::1]:0", "fd00::2")] {
            let listener = TcpListener::bind(own).unwrap();
            let peer = peer.parse().unwrap();
            let key = |text: &str| BgpKey::try_from(text).unwrap();
            for key in [None, Some(key("first")), Some(key(&"x".repeat(80))), None, None] {
                set_key(&listener, peer, key.as_ref()).unwrap();
            }
            set_min_ttl(&listener, peer, 255).unwrap();
        }
    }
}
