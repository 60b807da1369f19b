//! The sFlow version 5 datagram, with counter samples only: what passed on each interface.
//!
//! ```text
//!   │ 5 │ agent's address │ sub-agent │ sequence │ uptime ms │ n │ sample … sample │
//!
//!   sample: │ 4 │ length │ sequence │ source: type, index │ 3 │ interface │ VLAN │ name │
//! ```
//!
//! Flow samples are not sent: they would have to be taken in the packets' road, and the road has no
//! counter of each flow to tell instead. Big-endian words throughout (XDR, RFC 4506).

use std::net::IpAddr;

/// Who sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Agent {
    pub(crate) address: IpAddr,
    pub(crate) uptime_millis: u32,
}

/// An interface as it is now. *In* is from the customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    /// The number in the interface's id: no other has it, ever.
    pub(crate) index: u32,
    pub(crate) name: String,
    pub(crate) vlan: u16,
    pub(crate) bits_per_second: u64,
    /// Light on its port.
    pub(crate) is_up: bool,
    pub(crate) received: Counter,
    pub(crate) sent: Counter,
    pub(crate) discarded_packets: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counter {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
}

/// As many as are below what any path carries whole.
pub(crate) const SAMPLES_MAX: usize = 6;

/// `sequence`: of the datagram, and of each sample.
pub(crate) fn datagram(
    agent: Agent,
    sequence: u32,
    of_samples: u32,
    samples: &[Sample],
) -> Vec<u8> {
    let mut out = Words(Vec::new());
    out.word(VERSION);
    match agent.address {
        IpAddr::V4(address) => out.word(1).bytes(&address.octets()),
        IpAddr::V6(address) => out.word(2).bytes(&address.octets()),
    };
    out.word(SUB_AGENT).word(sequence).word(agent.uptime_millis).word(samples.len() as u32);
    for sample in samples {
        out.block(EXPANDED_COUNTERS_SAMPLE, &sample.body(of_samples));
    }
    out.0
}

impl Sample {
    fn body(&self, sequence: u32) -> Vec<u8> {
        let mut out = Words(Vec::new());
        out.word(sequence).word(IF_INDEX).word(self.index).word(3);
        out.block(GENERIC_INTERFACE, &self.interface());
        out.block(VLAN, &self.vlan());
        let mut name = Words(Vec::new());
        name.word(self.name.len() as u32).bytes(self.name.as_bytes());
        name.0.resize(name.0.len().next_multiple_of(4), 0);
        out.block(PORT_NAME, &name.0);
        out.0
    }

    fn interface(&self) -> Vec<u8> {
        let mut out = Words(Vec::new());
        out.word(self.index).word(L2VLAN).double(self.bits_per_second).word(FULL_DUPLEX);
        out.word(ADMIN_UP | if self.is_up { OPER_UP } else { 0 });
        out.double(self.received.bytes).low(self.received.packets).word(0).word(0);
        out.low(self.discarded_packets).word(0).word(0);
        out.double(self.sent.bytes).low(self.sent.packets).word(0).word(0);
        out.word(0).word(0).word(0);
        out.0
    }

    /// Both ways together, as the record has it.
    fn vlan(&self) -> Vec<u8> {
        let (received, sent) = (self.received, self.sent);
        let mut out = Words(Vec::new());
        out.word(self.vlan.into()).double(received.bytes.wrapping_add(sent.bytes));
        out.low(received.packets.wrapping_add(sent.packets)).word(0).word(0);
        out.low(self.discarded_packets);
        out.0
    }
}

struct Words(Vec<u8>);

impl Words {
    fn word(&mut self, word: u32) -> &mut Self {
        self.bytes(&word.to_be_bytes())
    }

    fn double(&mut self, word: u64) -> &mut Self {
        self.bytes(&word.to_be_bytes())
    }

    /// A counter of 32 bits, which goes round.
    fn low(&mut self, counter: u64) -> &mut Self {
        self.word((counter & u64::from(u32::MAX)) as u32)
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend(bytes);
        self
    }

    fn block(&mut self, format: u32, body: &[u8]) -> &mut Self {
        self.word(format).word(body.len() as u32).bytes(body)
    }
}

const VERSION: u32 = 5;
const SUB_AGENT: u32 = 0;
/// Formats of enterprise 0.
const EXPANDED_COUNTERS_SAMPLE: u32 = 4;
const GENERIC_INTERFACE: u32 = 1;
const VLAN: u32 = 5;
const PORT_NAME: u32 = 1005;
/// A source is an ifIndex.
const IF_INDEX: u32 = 0;
/// IANAifType of a VLAN's interface.
const L2VLAN: u32 = 135;
const FULL_DUPLEX: u32 = 1;
const ADMIN_UP: u32 = 1;
const OPER_UP: u32 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Sample {
        Sample {
            index: 0x1a2b_3c4d,
            name: "dxvif-1a2b3c4d".to_owned(),
            vlan: 100,
            bits_per_second: 1_000_000_000,
            is_up: true,
            received: Counter { packets: (1 << 32) + 3, bytes: 300 },
            sent: Counter { packets: 2, bytes: 200 },
            discarded_packets: 1,
        }
    }

    #[test]
    fn a_datagram_says_who_sends_it_and_what_passed() {
        let agent = Agent { address: [192, 0, 2, 1].into(), uptime_millis: 5000 };
        let words: Vec<_> = datagram(agent, 7, 9, &[sample()])
            .chunks(4)
            .map(|word| u32::from_be_bytes(word.try_into().unwrap()))
            .collect();
        let header = [5, 1, 0xc000_0201, 0, 7, 5000, 1, 4, (words.len() as u32 - 9) * 4];
        let source = [9, 0, 0x1a2b_3c4d, 3];
        let interface = [
            1,
            88,
            0x1a2b_3c4d,
            135,
            0,
            1_000_000_000,
            1,
            3, // speed, both ways, up and lit
            0,
            300,
            3,
            0,
            0,
            1,
            0,
            0, // in: a counter of 32 bits goes round
            0,
            200,
            2,
            0,
            0,
            0,
            0,
            0, // out
        ];
        let vlan = [5, 28, 100, 0, 500, 5, 0, 0, 1];
        let name = [1005, 20, 14, 0x6478_7669, 0x662d_3161, 0x3262_3363, 0x3464_0000];
        assert_eq!(words, [&header[..], &source, &interface, &vlan, &name].concat());
    }

    #[test]
    fn as_many_as_are_sent_at_once_fit_in_a_frame() {
        let agent = Agent { address: "fd01::1".parse().unwrap(), uptime_millis: 0 };
        assert!(datagram(agent, 0, 0, &vec![sample(); SAMPLES_MAX]).len() <= 1400);
    }
}
