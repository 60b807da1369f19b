//! A capture as a file that tcpdump and Wireshark read: pcap-ng (draft-ietf-opsawg-pcapng). Pure.
//!
//! ```text
//!   section ─ interface (Ethernet, times in ns) ─ packet ─ packet ─ … ─ statistics
//!                                                  └ which way, XDP's action, our verdict in words
//! ```

use jiff::Timestamp;

/// A frame as it is on the VLAN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packet<'a> {
    pub(super) at: Timestamp,
    /// What was kept of it.
    pub(super) bytes: &'a [u8],
    pub(super) length: u32,
    pub(super) is_inbound: bool,
    /// What the packet programs did with it; `None`: the router's own stack sent it.
    pub(super) action: Option<Action>,
    pub(super) comment: &'a str,
}

/// Of XDP (include/uapi/linux/bpf.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Drop = 1,
    Pass = 2,
    Redirect = 4,
}

/// A file that grows.
#[derive(Debug)]
pub(super) struct File {
    bytes: Vec<u8>,
    bytes_max: usize,
    frames: u32,
}

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;
const BYTE_ORDER: u32 = 0x1a2b_3c4d;
const LINKTYPE_ETHERNET: u16 = 1;
/// Room that the end needs.
const END: usize = 64;

impl File {
    /// `name`: of the interface, with words about it.
    pub(super) fn new(name: &str, about: &str, snap: u32, bytes_max: usize) -> Self {
        let mut file = Self { bytes: Vec::new(), bytes_max, frames: 0 };
        let mut section = BYTE_ORDER.to_le_bytes().to_vec();
        // Version 1.0; how long the section is, is not said.
        section.extend([1, 0, 0, 0]);
        section.extend([0xff; 8]);
        option(&mut section, 4, concat!("DirectLink ", env!("CARGO_PKG_VERSION")).as_bytes());
        end_of_options(&mut section);
        file.block(SECTION, &section);
        let mut interface = LINKTYPE_ETHERNET.to_le_bytes().to_vec();
        interface.extend([0, 0]);
        interface.extend(snap.to_le_bytes());
        option(&mut interface, 2, name.as_bytes());
        option(&mut interface, 3, about.as_bytes());
        // Times are in 10^-9 s.
        option(&mut interface, 9, &[9]);
        end_of_options(&mut interface);
        file.block(INTERFACE, &interface);
        file
    }

    /// False if there is no room for it any more.
    pub(super) fn add(&mut self, packet: &Packet<'_>) -> bool {
        let mut block = 0u32.to_le_bytes().to_vec();
        block.extend(time(packet.at));
        block.extend(u32::try_from(packet.bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
        block.extend(packet.length.to_le_bytes());
        block.extend(packet.bytes);
        pad(&mut block);
        let direction: u32 = if packet.is_inbound { 1 } else { 2 };
        option(&mut block, 2, &direction.to_le_bytes());
        if let Some(action) = packet.action {
            // Of Linux' XDP.
            let verdict = [&[2], &(action as u64).to_le_bytes()[..]].concat();
            option(&mut block, 7, &verdict);
        }
        if !packet.comment.is_empty() {
            option(&mut block, 1, packet.comment.as_bytes());
        }
        end_of_options(&mut block);
        if self.bytes.len() + block.len() + 12 + END > self.bytes_max {
            return false;
        }
        self.block(ENHANCED_PACKET, &block);
        self.frames += 1;
        true
    }

    pub(super) const fn frames(&self) -> u32 {
        self.frames
    }

    pub(super) fn end(mut self, at: Timestamp, lost: u64) -> Vec<u8> {
        let mut block = 0u32.to_le_bytes().to_vec();
        block.extend(time(at));
        option(&mut block, 4, &(u64::from(self.frames) + lost).to_le_bytes());
        option(&mut block, 5, &lost.to_le_bytes());
        end_of_options(&mut block);
        self.block(STATISTICS, &block);
        self.bytes
    }

    fn block(&mut self, kind: u32, body: &[u8]) {
        let length = u32::try_from(body.len() + 12).unwrap_or(u32::MAX).to_le_bytes();
        self.bytes.extend(kind.to_le_bytes());
        self.bytes.extend(length);
        self.bytes.extend(body);
        self.bytes.extend(length);
    }
}

/// The upper half first.
fn time(at: Timestamp) -> [u8; 8] {
    let ns = u64::try_from(at.as_nanosecond()).unwrap_or_default();
    let [upper, lower] = [(ns >> 32) as u32, ns as u32].map(u32::to_le_bytes);
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&upper);
    bytes[4..].copy_from_slice(&lower);
    bytes
}

fn option(block: &mut Vec<u8>, code: u16, value: &[u8]) {
    block.extend(code.to_le_bytes());
    block.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
    block.extend(value);
    pad(block);
}

fn end_of_options(block: &mut Vec<u8>) {
    block.extend([0; 4]);
}

/// All begin at multiples of 4, the block's own head of 8 too.
fn pad(block: &mut Vec<u8>) {
    block.resize(block.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::Write as _, process::Command};

    const FRAME: [u8; 46] = {
        let mut frame = [0; 46];
        let head =
            [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x81, 0, 0, 101, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1];
        let mut n = 0;
        while n < head.len() {
            frame[n] = head[n];
            n += 1;
        }
        frame
    };

    fn packet(comment: &str) -> Packet<'_> {
        Packet {
            at: Timestamp::from_nanosecond(1_700_000_000_123_456_789).unwrap(),
            bytes: &FRAME,
            length: 60,
            is_inbound: true,
            action: Some(Action::Drop),
            comment,
        }
    }

    #[test]
    fn blocks_follow_each_other_without_a_gap_and_the_file_stays_within_its_bound() {
        let mut file = File::new("dxvif-1a2b3c4d", "VLAN 101", 96, 1000);
        let comments = ["", "a", "ab", "abc", "abcd"];
        let added = (0..).take_while(|n| file.add(&packet(comments[n % 5]))).count();
        assert_eq!(u32::try_from(added), Ok(file.frames()));
        let bytes = file.end(Timestamp::UNIX_EPOCH, 3);
        assert!(bytes.len() <= 1000 && added > 3, "{added} frames in {}", bytes.len());
        let (mut at, mut kinds) = (0, vec![]);
        while at < bytes.len() {
            let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
            let length = word(at + 4) as usize;
            assert_eq!(length % 4, 0);
            assert_eq!(word(at + length - 4) as usize, length);
            kinds.push(word(at));
            at += length;
        }
        assert_eq!((kinds[0], kinds[1], kinds.last()), (SECTION, INTERFACE, Some(&STATISTICS)));
        assert!(kinds[2..kinds.len() - 1].iter().all(|kind| *kind == ENHANCED_PACKET));
    }

    #[test]
    fn tcpdump_reads_it() {
        let mut file = File::new("dxvif-1a2b3c4d", "VLAN 101", 96, 10_000);
        assert!(file.add(&packet("dropped: no_route")) && file.add(&packet("")));
        let mut written = tempfile::NamedTempFile::new().unwrap();
        written.write_all(&file.end(Timestamp::UNIX_EPOCH, 0)).unwrap();
        let mut tcpdump = Command::new("tcpdump");
        tcpdump.args(["-nn", "-e", "-tt", "-r"]).arg(written.path());
        let output = tcpdump.output().expect("tcpdump is needed (scripts/setup)");
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(said.lines().count(), 2, "{said}");
        assert!(said.starts_with("1700000000.123456") && said.contains("vlan 101"), "{said}");
    }
}
