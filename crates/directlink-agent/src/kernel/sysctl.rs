//! The stack's switches: how an interface's namespace behaves, and the room in the one
//! neighbour table that all namespaces of a machine share.

use rustix::{
    fs::{CWD, Mode, OFlags, openat},
    mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen},
};
use std::{
    cell::{Cell, RefCell},
    fs::File,
    io::{self, Read as _, Write as _},
    os::fd::OwnedFd,
};

/// Of an interface's own namespace. Set before its link is there, which inherits `default`.
const INTERFACE: [(&str, &str); 16] = [
    // It is a host towards the customer: forwarding is the data plane's, never the kernel's.
    ("ipv4/ip_forward", "0"),
    ("ipv4/conf/all/accept_redirects", "0"),
    ("ipv4/conf/default/accept_redirects", "0"),
    ("ipv4/conf/all/send_redirects", "0"),
    ("ipv4/conf/all/accept_source_route", "0"),
    // Only what the customer's subnet can send (RFC 3704).
    ("ipv4/conf/all/rp_filter", "1"),
    // ARP for the peer address only, and with it as the sender's.
    ("ipv4/conf/all/arp_ignore", "1"),
    ("ipv4/conf/all/arp_announce", "2"),
    ("ipv4/icmp_echo_ignore_broadcasts", "1"),
    // BGP's own timers say how long to wait; a dial that nobody hears ends within seconds.
    ("ipv4/tcp_syn_retries", "3"),
    ("ipv4/tcp_synack_retries", "3"),
    ("ipv4/tcp_mtu_probing", "1"),
    // No IPv6 but where a peer needs it: `speak_ipv6`.
    ("ipv6/conf/all/disable_ipv6", "1"),
    ("ipv6/conf/default/disable_ipv6", "1"),
    ("ipv6/conf/all/accept_ra", "0"),
    ("ipv6/conf/default/accept_ra", "0"),
];

/// Of the link of an interface with an IPv6 peer: a host that believes no router. That an address is
/// another's is not asked first: the addresses are given, and asking would delay the session.
const IPV6_LINK: [(&str, &str); 7] = [
    ("accept_ra", "0"),
    ("accept_redirects", "0"),
    ("router_solicitations", "0"),
    ("forwarding", "0"),
    ("accept_dad", "0"),
    ("dad_transmits", "0"),
    ("disable_ipv6", "0"),
];

/// Rows that the machine's neighbour table must have room for: a garbage collection below
/// the number of interfaces would break ARP in namespaces that have one neighbour each.
const NEIGHBOURS: [(&str, u64); 3] =
    [("gc_thresh1", 8_192), ("gc_thresh2", 32_768), ("gc_thresh3", 65_536)];

/// The way to the switches: a procfs of our own, which is mounted nowhere, and another one after some
/// namespaces.
///
/// Whatever is found under `/proc/sys/net` the kernel remembers by its name there, once for each
/// network namespace, and looks for it among all of that name: with 4,000 namespaces a switch
/// takes half a millisecond. A procfs that is closed takes with it what it remembered.
#[derive(Debug, Default)]
pub(super) struct Switches {
    procfs: RefCell<Option<OwnedFd>>,
    uses: Cell<u32>,
}

/// Visits of namespaces until the next procfs: 15 µs for each switch, and the making of one hardly seen.
const USES: u32 = 64;

impl Switches {
    /// Whether every switch of the calling thread's namespace is as an interface's should be.
    pub(super) fn is_tuned(&self) -> bool {
        self.renew();
        INTERFACE.iter().all(|(switch, wanted)| match self.read(switch) {
            Ok(value) => value == *wanted,
            Err(e) => is_absent(switch, &e),
        })
    }

    pub(super) fn tune(&self) -> io::Result<()> {
        self.renew();
        INTERFACE.iter().try_for_each(|(switch, wanted)| match self.write(switch, wanted) {
            Err(e) if is_absent(switch, &e) => Ok(()),
            done => done,
        })
    }

    /// IPv6 on a link of the calling thread's namespace. It has a link-local address then, which
    /// neighbour discovery needs.
    pub(super) fn speak_ipv6(&self, link: &str) -> io::Result<()> {
        self.renew();
        IPV6_LINK.iter().try_for_each(|(switch, wanted)| {
            self.write(&format!("ipv6/conf/{link}/{switch}"), wanted)
        })
    }

    /// No IPv6 on the router's end of a veth: it would chatter into the interface's namespace.
    pub(super) fn silence(&self, link: &str) -> io::Result<()> {
        self.renew();
        let switch = format!("ipv6/conf/{link}/disable_ipv6");
        match self.write(&switch, "1") {
            Err(e) if is_absent(&switch, &e) => Ok(()),
            done => done,
        }
    }

    /// Makes room in the neighbour table, where it is less. The calling thread is in the
    /// initial namespace, which alone has these switches.
    pub(super) fn make_room_for_neighbours(&self) -> io::Result<()> {
        for (switch, wanted) in NEIGHBOURS {
            for family in ["ipv4", "ipv6"] {
                let switch = format!("{family}/neigh/default/{switch}");
                match self.read(&switch) {
                    Ok(value) if value.parse().is_ok_and(|now: u64| now >= wanted) => {}
                    Ok(_) => self.write(&switch, &wanted.to_string())?,
                    // Not the initial namespace, or no IPv6.
                    Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                    Err(e) => return Err(e),
                }
            }
        }
        Ok(())
    }

    fn renew(&self) {
        let uses = self.uses.replace(self.uses.get().wrapping_add(1));
        if uses.is_multiple_of(USES) {
            // Where none may be mounted, `/proc` serves as well, and slower.
            *self.procfs.borrow_mut() = procfs().ok();
        }
    }

    fn read(&self, switch: &str) -> io::Result<String> {
        let mut value = String::new();
        self.open(switch, OFlags::RDONLY)?.read_to_string(&mut value)?;
        Ok(value.trim().to_owned())
    }

    fn write(&self, switch: &str, value: &str) -> io::Result<()> {
        self.open(switch, OFlags::WRONLY)
            .and_then(|mut file| file.write_all(value.as_bytes()))
            .map_err(|e| io::Error::new(e.kind(), format!("net/{switch}: {e}")))
    }

    /// `sys/net` is that of the calling thread's network namespace.
    fn open(&self, switch: &str, flags: OFlags) -> io::Result<File> {
        let flags = flags | OFlags::CLOEXEC;
        let opened = match &*self.procfs.borrow() {
            Some(procfs) => openat(procfs, format!("sys/net/{switch}"), flags, Mode::empty()),
            None => openat(CWD, format!("/proc/sys/net/{switch}"), flags, Mode::empty()),
        };
        Ok(File::from(opened?))
    }
}

fn procfs() -> rustix::io::Result<OwnedFd> {
    let context = fsopen("proc", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(&context)?;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())
}

/// A kernel without IPv6 has nothing to switch off.
fn is_absent(switch: &str, error: &io::Error) -> bool {
    switch.starts_with("ipv6/") && error.kind() == io::ErrorKind::NotFound
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sched::{CloneFlags, unshare};

    /// More visits than one procfs serves.
    #[test]
    fn switches_are_those_of_the_namespace_that_the_thread_is_in() {
        let in_namespaces = || {
            let switches = Switches::default();
            for _ in 0..USES {
                unshare(CloneFlags::CLONE_NEWNET).unwrap();
                assert!(!switches.is_tuned());
                switches.tune().unwrap();
                assert!(switches.is_tuned());
                switches.write("ipv4/ip_forward", "1").unwrap();
                assert!(!switches.is_tuned());
            }
            assert!(switches.procfs.borrow().is_some(), "nothing is mounted here");
        };
        std::thread::spawn(in_namespaces).join().unwrap();
    }

    #[test]
    fn a_switch_that_is_not_there_is_named() {
        let error = Switches::default().write("ipv4/conf/nowhere/rp_filter", "1").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(error.to_string().starts_with("net/ipv4/conf/nowhere/rp_filter: "), "{error}");
    }
}
