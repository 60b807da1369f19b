//! What anybody may send to a bundled port.
#![no_main]

#[path = "../checks/lacp_pdus.rs"]
mod lacp_pdus;

libfuzzer_sys::fuzz_target!(|data: &[u8]| lacp_pdus::check(data));
