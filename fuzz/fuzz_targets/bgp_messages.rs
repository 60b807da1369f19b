//! What a customer's router may send on a BGP connection.
#![no_main]

#[path = "../checks/bgp_messages.rs"]
mod bgp_messages;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bgp_messages::check(data));
