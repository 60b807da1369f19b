//! The links of the router's namespace, as the kernel tells of their changes.
//!
//! ```text
//!   update ── all that was told since the last time ──► the table
//!          ── nothing is known yet, or something was lost: the kernel's whole listing ──► the table
//! ```
//!
//! A listing costs the kernel as much as links times namespaces: of each link it looks for the namespace of the
//! far end among all that it knows, a fifth of a second for 4,000 links. What it tells of a change is in the
//! socket before the call that made it returns.

use super::{
    links::Link,
    netlink::{Netlink, messages},
    watch::subscribe,
};
use nix::errno::Errno;
use rtnetlink::{
    packet_core::NetlinkPayload,
    packet_route::{AddressFamily, RouteNetlinkMessage as Message},
    sys::Socket,
};
use std::{collections::BTreeMap, io};

#[derive(Debug)]
pub(super) struct LinkTable {
    news: Socket,
    buffer: Vec<u8>,
    /// By ifindex.
    known: BTreeMap<u32, Link>,
    is_sure: bool,
}

impl LinkTable {
    /// In the calling thread's namespace.
    pub(super) fn open() -> io::Result<Self> {
        Ok(Self {
            news: subscribe()?,
            buffer: Vec::with_capacity(DATAGRAM_BYTES),
            known: BTreeMap::new(),
            is_sure: false,
        })
    }

    /// What is known is not believed any more.
    pub(super) fn doubt(&mut self) {
        self.is_sure = false;
    }

    /// Every link there was at the last update. Whether it has light, errors or an XDP program is as it was when the
    /// kernel last told of something else: of that it tells nothing, or late.
    pub(super) const fn by_ifindex(&self) -> &BTreeMap<u32, Link> {
        &self.known
    }

    /// From now on it is as the kernel has it.
    pub(super) fn update(&mut self, netlink: &mut Netlink) -> io::Result<()> {
        self.hear()?;
        if !self.is_sure {
            let links = netlink.links()?.into_iter();
            self.known = links.map(|link| (link.ifindex, link)).collect();
            self.is_sure = true;
        }
        Ok(())
    }

    /// A link was asked for after a change that the kernel does not tell: the alias of one that is down.
    pub(super) fn see(&mut self, link: Link) {
        self.known.insert(link.ifindex, link);
    }

    fn hear(&mut self) -> io::Result<()> {
        loop {
            self.buffer.clear();
            match self.news.recv(&mut self.buffer, 0) {
                Ok(_) => self.take(),
                // Too much happened at once.
                Err(e) if e.raw_os_error() == Some(Errno::ENOBUFS as i32) => self.is_sure = false,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) => return Err(e),
            }
        }
    }

    fn take(&mut self) {
        for message in messages(&self.buffer) {
            let Some(message) = message else {
                // Of a link, perhaps.
                self.is_sure = false;
                continue;
            };
            match message.payload {
                // Bridges tell of their ports in the same words.
                NetlinkPayload::InnerMessage(Message::NewLink(link) | Message::DelLink(link))
                    if link.header.interface_family != AddressFamily::Unspec => {}
                NetlinkPayload::InnerMessage(Message::NewLink(link)) => {
                    self.known.insert(link.header.index, Link::read(&link));
                }
                NetlinkPayload::InnerMessage(Message::DelLink(link)) => {
                    self.known.remove(&link.header.index);
                }
                _ => {}
            }
        }
    }
}

const DATAGRAM_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sched::{CloneFlags, unshare};
    use std::process::Command;

    fn ip(words: &str) {
        let status = Command::new("ip").args(words.split_whitespace()).status().unwrap();
        assert!(status.success(), "ip {words}");
    }

    /// What the table says and what the kernel lists, but for what it tells nothing of.
    fn both(table: &mut LinkTable, netlink: &mut Netlink) -> [Vec<Link>; 2] {
        table.update(netlink).unwrap();
        let told = table.by_ifindex().values().cloned().collect();
        [told, netlink.links().unwrap()].map(|mut links: Vec<Link>| {
            links.sort_by_key(|link| link.ifindex);
            links.into_iter().map(|link| Link { light: false, ..link }).collect()
        })
    }

    /// In a namespace of its own.
    fn with_table(test: impl FnOnce(LinkTable, Netlink) + Send + 'static) {
        let thread = std::thread::spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            test(LinkTable::open().unwrap(), Netlink::open().unwrap());
        });
        thread.join().unwrap();
    }

    #[test]
    fn what_is_told_of_changes_is_what_a_listing_would_say() {
        with_table(|mut table, mut netlink| {
            table.update(&mut netlink).unwrap();
            let away = format!("link set two netns {}", std::process::id());
            for change in [
                "link add one type veth peer name two",
                "link set one mtu 1400",
                "link set one address 02:00:00:00:00:07",
                "link set one up",
                "link set one alias something",
                "link set two up",
                "link set one down",
                "link set one name three",
                "link add bridge0 type bridge",
                "link set three master bridge0",
                "link set three nomaster",
                "link del bridge0",
                &away,
                "link del three",
            ] {
                ip(change);
                let [told, listed] = both(&mut table, &mut netlink);
                assert_eq!(told, listed, "{change}");
            }
        });
    }

    #[test]
    fn an_alias_is_told_when_the_link_comes_up_unless_it_was_seen_before() {
        with_table(|mut table, mut netlink| {
            ip("link add one type veth peer name two");
            table.update(&mut netlink).unwrap();
            for (name, sees) in [("one", false), ("two", true)] {
                ip(&format!("link set {name} alias something"));
                if sees {
                    table.see(netlink.link(name).unwrap().unwrap());
                }
                let [told, listed] = both(&mut table, &mut netlink);
                assert_eq!(told == listed, sees);
                ip(&format!("link set {name} up"));
                let [told, listed] = both(&mut table, &mut netlink);
                assert_eq!(told, listed);
            }
        });
    }

    #[test]
    fn what_was_lost_is_listed() {
        with_table(|mut table, mut netlink| {
            table.update(&mut netlink).unwrap();
            table.news.set_rx_buf_sz(4096).unwrap();
            ip("link add one type veth peer name two");
            for mtu in 1300..1330 {
                ip(&format!("link set one mtu {mtu}"));
            }
            ip("link set two name three");
            table.hear().unwrap();
            assert!(!table.is_sure, "nothing was lost");
            let [told, listed] = both(&mut table, &mut netlink);
            assert_eq!(told, listed);
        });
    }

    #[test]
    fn a_table_that_is_doubted_is_listed() {
        with_table(|mut table, mut netlink| {
            table.update(&mut netlink).unwrap();
            table.known.clear();
            table.doubt();
            let [told, listed] = both(&mut table, &mut netlink);
            assert_eq!(told, listed);
            assert!(!listed.is_empty());
        });
    }
}
