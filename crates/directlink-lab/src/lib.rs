//! A Region in network namespaces: the fabric, the routers' ports, the meet-me room's patch
//! panel, hosts of Nets, and real customer routers (BIRD, FRR, GoBGP).
//!
//! ```text
//!  customer's namespace        panel              router's namespace      fabric            host's namespace
//!  (the user made it)        (cable.rs)           (the agent's room)    (fabric.rs)         (host.rs)
//!
//!  trunk ═══════════════ trunk0.0 ◄─┐
//!  VLAN 101, untagged ══ vlan0.0.101 ├► port0.0 ═══ p0   uplink0 ═══ router0 ─┐
//!  VLAN 102, untagged ══ vlan0.0.102 ┘   (tags)     p1                        ├ br0
//!                                      port0.1 ═══ …                 hostN ───┘
//!                                                                       ║
//!                                              a host's own underlay: uplink0 · vxlan ─► eth0
//! ```
//!
//! `═══` is a veth pair. What is here is only links, namespaces and processes: the control plane
//! is asked by the binary, which puts all of it together. Nothing is remembered in files: which
//! cable is plugged where is written on the links themselves (their alias), which process belongs
//! to which lab in its environment. So a lab that was killed half-way is taken down as well as any.
//!
//! Everything uses iproute2, as a person would; the kernel needs neither 8021q nor VRF.

pub mod cable;
pub mod clock;
pub mod customer;
pub mod fabric;
pub mod fault;
pub mod host;
pub mod light;
mod link;
mod name;
pub mod netns;
pub mod page;
pub mod process;
pub mod teardown;
mod tool;

pub use name::{LabName, RouterSeat};
