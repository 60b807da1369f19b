//! Links, their addresses and their neighbours, in the namespace of the socket.

use super::netlink::{IfThere, Netlink};
use directlink_model::figures::{Tally, Traffic};
use directlink_net::{IpNet, Mac};
use rtnetlink::{
    AddressMessageBuilder, LinkMessageBuilder, LinkUnspec, LinkVeth, RouteMessageBuilder,
    packet_route::{
        AddressFamily, RouteNetlinkMessage as Message,
        address::{AddressAttribute, AddressMessage},
        link::{InfoData, InfoVeth, LinkAttribute, LinkFlags, LinkMessage, LinkXdp, XdpAttached},
        neighbour::{
            NeighbourAddress, NeighbourAttribute, NeighbourExtFlags, NeighbourMessage,
            NeighbourState,
        },
        route::{RouteAddress, RouteAttribute, RouteProtocol},
    },
};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::fd::{AsRawFd as _, BorrowedFd},
};

/// A link as the kernel lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) ifindex: u32,
    pub(crate) name: String,
    pub(crate) alias: Option<String>,
    pub(crate) mac: Option<Mac>,
    pub(crate) mtu: u32,
    pub(crate) is_up: bool,
    /// Carrier: light at both ends.
    pub(crate) light: bool,
    /// Some XDP program is on it.
    pub(crate) has_xdp: bool,
}

/// What a link has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wire {
    /// Frames that arrived broken.
    pub(crate) receive_errors: u64,
    /// Whole frames, without check sequence.
    pub(crate) traffic: Traffic,
}

/// A neighbour as the kernel lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Neighbour {
    pub(crate) ifindex: u32,
    pub(crate) address: IpAddr,
    /// Only one that may be sent to.
    pub(crate) mac: Option<Mac>,
    /// The kernel keeps it resolved, because we asked for it.
    pub(crate) is_kept_for_us: bool,
}

/// Both ends of a new veth.
#[derive(Clone, Copy, Debug)]
pub(super) struct Veth<'a> {
    pub(super) name: &'a str,
    pub(super) inner_name: &'a str,
    pub(super) inner_namespace: BorrowedFd<'a>,
    pub(super) inner_mac: Mac,
    pub(super) mtu: u32,
}

/// Marks the neighbours that we made, as RTPROT_* does for routes (iproute2: `proto 68`).
const OURS: RouteProtocol = RouteProtocol::Other(68);

/// The group of links that are about to be removed; nobody else's number.
const GOING: u32 = 0x646c_0f0f;

impl Link {
    pub(crate) fn read(message: &LinkMessage) -> Self {
        let flags = message.header.flags;
        let mut link = Self {
            ifindex: message.header.index,
            name: String::new(),
            alias: None,
            mac: None,
            mtu: 0,
            is_up: flags.contains(LinkFlags::Up),
            light: flags.contains(LinkFlags::Up | LinkFlags::LowerUp),
            has_xdp: false,
        };
        for attribute in &message.attributes {
            match attribute {
                LinkAttribute::IfName(name) => link.name.clone_from(name),
                LinkAttribute::IfAlias(alias) => link.alias = Some(alias.clone()),
                LinkAttribute::Address(bytes) => link.mac = mac(bytes),
                LinkAttribute::Mtu(mtu) => link.mtu = *mtu,
                LinkAttribute::Xdp(xdp) => link.has_xdp = xdp.iter().any(is_attached),
                _ => {}
            }
        }
        link
    }
}

impl Wire {
    fn read(message: &LinkMessage) -> Option<Self> {
        message.attributes.iter().find_map(|attribute| match attribute {
            LinkAttribute::Stats64(stats) => Some(Self {
                receive_errors: stats.rx_errors,
                traffic: Traffic {
                    from_customer: Tally { packets: stats.rx_packets, bytes: stats.rx_bytes },
                    to_customer: Tally { packets: stats.tx_packets, bytes: stats.tx_bytes },
                },
            }),
            _ => None,
        })
    }
}

impl Netlink {
    pub(super) fn links(&mut self) -> io::Result<Vec<Link>> {
        let answers = self.list(Message::GetLink(LinkMessage::default()))?;
        Ok(answers
            .iter()
            .filter_map(|answer| match answer {
                Message::NewLink(link) => Some(Link::read(link)),
                _ => None,
            })
            .collect())
    }

    /// `None`: no link of that name.
    pub(super) fn link(&mut self, name: &str) -> io::Result<Option<Link>> {
        self.look(name, |message| Some(Link::read(message)))
    }

    /// `None`: no link of that name.
    pub(super) fn wire(&mut self, name: &str) -> io::Result<Option<Wire>> {
        self.look(name, Wire::read)
    }

    fn look<T>(
        &mut self,
        name: &str,
        read: impl Fn(&LinkMessage) -> Option<T>,
    ) -> io::Result<Option<T>> {
        let message = LinkMessageBuilder::<LinkUnspec>::new().name(name).build();
        match self.ask(Message::GetLink(message)) {
            Ok(answers) => Ok(answers.iter().find_map(|answer| match answer {
                Message::NewLink(link) => read(link),
                _ => None,
            })),
            Err(e) if is_no_link(&e) => Ok(None),
            Err(e) => Err(e),
        }
    }

    pub(super) fn ifindex(&mut self, name: &str) -> io::Result<u32> {
        let found = self.link(name)?.map(|link| link.ifindex);
        found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no link {name}")))
    }

    pub(super) fn add_veth(&mut self, veth: &Veth<'_>) -> io::Result<()> {
        let inner = LinkMessageBuilder::<LinkUnspec>::new()
            .name(veth.inner_name)
            .address(veth.inner_mac.0.to_vec())
            .mtu(veth.mtu)
            .setns_by_fd(veth.inner_namespace.as_raw_fd())
            .build();
        let message = LinkMessageBuilder::<LinkVeth>::new(veth.name, veth.inner_name)
            .mtu(veth.mtu)
            .set_info_data(InfoData::Veth(InfoVeth::Peer(inner)))
            .build();
        self.create(Message::NewLink(message), IfThere::Fail)
    }

    pub(super) fn set_alias(&mut self, name: &str, alias: &str) -> io::Result<()> {
        self.set(LinkMessageBuilder::<LinkUnspec>::new().name(name).alias(alias).build())
    }

    pub(super) fn set_mtu(&mut self, name: &str, mtu: u32) -> io::Result<()> {
        self.set(LinkMessageBuilder::<LinkUnspec>::new().name(name).mtu(mtu).build())
    }

    pub(super) fn set_up(&mut self, name: &str) -> io::Result<()> {
        self.set(LinkMessageBuilder::<LinkUnspec>::new().name(name).up().build())
    }

    /// One that is gone is no error.
    pub(super) fn remove_link(&mut self, name: &str) -> io::Result<()> {
        let message = LinkMessageBuilder::<LinkUnspec>::new().name(name).build();
        match self.change(Message::DelLink(message)) {
            Err(e) if is_no_link(&e) => Ok(()),
            done => done,
        }
    }

    /// All at once: the kernel waits for its readers once, and not for each link (20 ms).
    pub(super) fn remove_links(&mut self, names: &[String]) -> io::Result<()> {
        for name in names {
            let link = LinkMessageBuilder::<LinkUnspec>::new().name(name).link_group(GOING);
            match self.set(link.build()) {
                Err(e) if is_no_link(&e) => {}
                done => done?,
            }
        }
        let group = LinkMessageBuilder::<LinkUnspec>::new().link_group(GOING).build();
        match self.change(Message::DelLink(group)) {
            Err(e) if is_no_link(&e) => Ok(()),
            done => done,
        }
    }

    fn set(&mut self, message: LinkMessage) -> io::Result<()> {
        self.change(Message::SetLink(message))
    }

    /// Addresses of both families, by link, without IPv6's link-local ones.
    pub(super) fn addresses(&mut self) -> io::Result<Vec<(u32, IpNet)>> {
        let answers = self.list(Message::GetAddress(AddressMessage::default()))?;
        Ok(answers
            .iter()
            .filter_map(|answer| match answer {
                Message::NewAddress(message) => {
                    let own = message.attributes.iter().find_map(own_address)?;
                    let net = IpNet::new(own, message.header.prefix_len).ok()?;
                    Some((message.header.index, net))
                }
                _ => None,
            })
            .collect())
    }

    pub(super) fn add_address(&mut self, ifindex: u32, net: IpNet) -> io::Result<()> {
        self.create(Message::NewAddress(address(ifindex, net)), IfThere::Replace)
    }

    pub(super) fn remove_address(&mut self, ifindex: u32, net: IpNet) -> io::Result<()> {
        match self.change(Message::DelAddress(address(ifindex, net))) {
            Err(e) if e.kind() == io::ErrorKind::AddrNotAvailable => Ok(()),
            done => done,
        }
    }

    /// Neighbours of one family.
    pub(super) fn neighbours(&mut self, family: AddressFamily) -> io::Result<Vec<Neighbour>> {
        let mut question = NeighbourMessage::default();
        question.header.family = family;
        let answers = self.list(Message::GetNeighbour(question))?;
        Ok(answers.iter().filter_map(told_neighbour).collect())
    }

    /// What is known of one address; `None`: nothing.
    pub(super) fn neighbour(
        &mut self,
        ifindex: u32,
        address: IpAddr,
    ) -> io::Result<Option<Neighbour>> {
        match self.ask(Message::GetNeighbour(neighbour(ifindex, address))) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            answers => Ok(answers?.iter().find_map(told_neighbour)),
        }
    }

    /// Those of a link whose own address is this. In a small net each is asked for: to list them, the
    /// kernel looks through the neighbours of all namespaces, of which there may be thousands.
    pub(super) fn neighbours_of(&mut self, ifindex: u32, own: IpNet) -> io::Result<Vec<Neighbour>> {
        if own.max_prefix_len() - own.prefix_len() <= SMALL_NET_BITS {
            let others = own.hosts().filter(|host| *host != own.addr());
            return others.filter_map(|it| self.neighbour(ifindex, it).transpose()).collect();
        }
        let mut all = self.neighbours(family(own.addr()))?;
        all.retain(|it| it.ifindex == ifindex && own.contains(&it.address));
        Ok(all)
    }

    /// From now on the kernel resolves this neighbour by itself and keeps it resolved
    /// (NTF_EXT_MANAGED, Linux 5.16): a data plane that only looks it up finds it.
    pub(super) fn keep_neighbour(&mut self, ifindex: u32, address: IpAddr) -> io::Result<()> {
        let mut message = neighbour(ifindex, address);
        message.attributes.extend([
            NeighbourAttribute::ExtFlags(NeighbourExtFlags::Managed),
            NeighbourAttribute::Protocol(OURS),
        ]);
        self.create(Message::NewNeighbour(message), IfThere::Replace)
    }

    pub(super) fn release_neighbour(&mut self, ifindex: u32, address: IpAddr) -> io::Result<()> {
        match self.change(Message::DelNeighbour(neighbour(ifindex, address))) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }

    /// The neighbour that packets to `destination` would go to, on `ifindex`; `None` if there
    /// is no route there, or it is our own address.
    pub(super) fn next_hop(&mut self, destination: Ipv4Addr, ifindex: u32) -> Option<Ipv4Addr> {
        let question =
            RouteMessageBuilder::<Ipv4Addr>::new().destination_prefix(destination, 32).build();
        let answers = self.ask(Message::GetRoute(question)).ok()?;
        let Message::NewRoute(route) = answers.first()? else { return None };
        let leaves = |a: &RouteAttribute| matches!(a, RouteAttribute::Oif(oif) if *oif == ifindex);
        if !route.attributes.iter().any(leaves) {
            return None;
        }
        let gateway = route.attributes.iter().find_map(|a| match a {
            RouteAttribute::Gateway(RouteAddress::Inet(gateway)) => Some(*gateway),
            _ => None,
        });
        Some(gateway.unwrap_or(destination))
    }
}

fn address(ifindex: u32, net: IpNet) -> AddressMessage {
    match net {
        IpNet::V4(net) => AddressMessageBuilder::<Ipv4Addr>::new()
            .index(ifindex)
            .address(net.addr(), net.prefix_len())
            .build(),
        IpNet::V6(net) => AddressMessageBuilder::<Ipv6Addr>::new()
            .index(ifindex)
            .address(net.addr(), net.prefix_len())
            .build(),
    }
}

/// IPv4 says its own end as the local one, IPv6 as the only one.
fn own_address(attribute: &AddressAttribute) -> Option<IpAddr> {
    match attribute {
        AddressAttribute::Local(address @ IpAddr::V4(_)) => Some(*address),
        AddressAttribute::Address(IpAddr::V6(address)) if !address.is_unicast_link_local() => {
            Some(IpAddr::V6(*address))
        }
        _ => None,
    }
}

/// Sixteen addresses: asking for each takes less than the shortest list.
const SMALL_NET_BITS: u8 = 4;

const fn family(address: IpAddr) -> AddressFamily {
    match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}

fn neighbour(ifindex: u32, address: IpAddr) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = family(address);
    let address = match address {
        IpAddr::V4(address) => NeighbourAddress::Inet(address),
        IpAddr::V6(address) => NeighbourAddress::Inet6(address),
    };
    message.header.ifindex = ifindex;
    message.header.state = NeighbourState::None;
    message.attributes.push(NeighbourAttribute::Destination(address));
    message
}

fn told_neighbour(answer: &Message) -> Option<Neighbour> {
    match answer {
        Message::NewNeighbour(message) => read_neighbour(message),
        _ => None,
    }
}

fn read_neighbour(message: &NeighbourMessage) -> Option<Neighbour> {
    let mut address = None;
    let (mut found, mut is_managed, mut is_ours) = (None, false, false);
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(a)) => {
                address = Some(IpAddr::V4(*a));
            }
            NeighbourAttribute::Destination(NeighbourAddress::Inet6(a)) => {
                address = Some(IpAddr::V6(*a));
            }
            NeighbourAttribute::LinkLayerAddress(bytes) => found = mac(bytes),
            NeighbourAttribute::ExtFlags(flags) => {
                is_managed = flags.contains(NeighbourExtFlags::Managed);
            }
            NeighbourAttribute::Protocol(protocol) => is_ours = *protocol == OURS,
            _ => {}
        }
    }
    let state = message.header.state;
    let is_valid = !matches!(
        state,
        NeighbourState::None | NeighbourState::Incomplete | NeighbourState::Failed
    );
    Some(Neighbour {
        ifindex: message.header.ifindex,
        address: address?,
        mac: found.filter(|_| is_valid),
        is_kept_for_us: is_managed && is_ours,
    })
}

fn mac(bytes: &[u8]) -> Option<Mac> {
    <[u8; 6]>::try_from(bytes).ok().map(Mac)
}

fn is_attached(xdp: &LinkXdp) -> bool {
    matches!(xdp, LinkXdp::Attached(how) if *how != XdpAttached::None)
}

fn is_no_link(error: &io::Error) -> bool {
    error.raw_os_error() == Some(nix::errno::Errno::ENODEV as i32)
}
