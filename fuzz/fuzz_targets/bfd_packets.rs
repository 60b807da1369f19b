//! What anybody may send to UDP port 3784.
#![no_main]

#[path = "../checks/bfd_packets.rs"]
mod bfd_packets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bfd_packets::check(data));
