//! A whole Region, used as its users do: the `directlink` command brings labs up, the public API
//! is called with signatures, and the customers' routers are BIRD, FRR and GoBGP.
//!
//! Needs root, and what scripts/setup installs: where something is missing a test fails, none is
//! skipped. Each test has a lab of its own in a temporary directory.

mod another_build;
mod bird;
mod cable;
mod configured;
mod diagnosis;
mod down;
mod drains;
mod failover;
mod failover_test;
mod faults;
mod fixture;
mod glass;
mod hosted;
mod identities;
mod ipv6;
mod isolation;
mod kills;
mod lag;
mod legs;
mod locations;
mod lost_ways;
mod peers;
mod preference;
mod routes;
mod stream;
mod telemetry;
mod upgrade;
mod walking;
mod what_if;
