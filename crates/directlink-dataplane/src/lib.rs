//! Packets: the XDP and tc programs of a DirectLink router, and their tables.
//!
//! ```text
//! port (towards the customer)       router's namespace                    fabric uplink
//!  XDP directlink_port ── VLAN known, IP to a NIC of the Net ─► VXLAN ─► redirect ─────►
//!    │ for the router itself (ARP, ND, its peer address)
//!    ▼
//!  tc directlink_port_slow ── VLAN popped ─► slow veth ─► the interface's own namespace
//!  ◄── VLAN pushed ── tc directlink_slow_port ◄── slow veth ◄── (kernel: ARP, ICMP, TCP)
//!                     └ reads the customer's MAC off what the kernel sends
//!  ◄── VLAN pushed ──────────────── XDP directlink_fabric ◄── VXLAN to our VTEP ──────────
//!                                     ├ ARP, ND for a gateway: answered in place
//!                                     └ all else: to the kernel
//! ```
//!
//! The kernel's side is C, in `ebpf/`: `tables.h` defines rows and verdicts, one header per
//! topic, and `directlink.bpf.c` has the entry points, each with the one match that
//! turns a verdict into an action. Every packet has exactly one [`Verdict`], counted for the
//! router and for the interface.
//!
//! This side loads and attaches them ([`Dataplane`]), and writes and lists the tables. All
//! is pinned below one directory: the process may die and a later one open the same tables
//! and replace the programs under traffic, with no packet lost. What user space holds is
//! never state of its own: each table lists what the kernel really has.
//!
//! Apart because `unsafe` lives here, and because nobody else needs to know BPF.

mod attach;
mod batch;
mod bpffs;
mod btf;
mod bundles;
mod cable;
mod captures;
mod carry;
mod changes;
pub mod fault;
mod flow_room;
mod handle;
mod kernel_maps;
mod load;
mod lookups;
pub mod module_eeprom;
mod neighbours;
pub mod offload;
mod rates;
mod relays;
mod rows;
mod rule_sets;
mod stand_ins;
mod tables;
mod tallies;
#[cfg(test)]
mod tests;
mod verdict;

pub use attach::{AttachError, Attached, upgrade};
pub use bundles::{BundledPort, BundledPorts};
pub use cable::{Cable, CableError};
pub use captures::{CAPTURE_BYTES_MAX, CapturedForm, CapturedRecord, Frames};
pub use handle::TableError;
pub use load::{Build, Capacity, Dataplane, OpenError};
pub use lookups::Leads;
pub use rows::{
    Flow, Interface, InterfaceNumber, Nic, Opened, Peer, Protocol, Rate, Relay, Route, Rule,
    RuleSet, RuleSetNumber, Source, Subnet, SubnetRoutes, Toward, Uplink,
};
pub use stand_ins::{StandIn, StandIns};
pub use verdict::{Tallies, Tally, Verdict};
