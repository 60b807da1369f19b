//! The programs against packets, the rows against the object's BTF, the pins against time.
//!
//! Root is needed (to load programs). Each test has a network namespace of its own for as
//! long as its thread lives, and a BPF file system of its own.

mod bundles;
mod captures;
mod flow_table;
mod flows;
mod frame;
mod frame6;
mod layout;
mod listing;
mod mutations;
mod police;
mod rates;
mod relays;
mod relays6;
mod shortcuts;
mod shortcuts6;
mod stand_ins;
mod strangers;
mod subnet_routes;
mod v6;
mod verdicts;
mod world;
