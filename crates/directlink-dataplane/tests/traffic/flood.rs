//! A flood at the router's own address, as fast as the kernel makes frames: BPF_PROG_TEST_RUN in
//! live-frames mode, from a customer's end of a fibre.

use crate::topology::Namespace;
use aya::{
    Ebpf, Pod,
    maps::Array,
    programs::{TestRun as _, TestRunAttrs, TestRunOptions, Xdp},
};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

pub(crate) static GENERATOR: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/generator.bpf.o"));

const TEMPLATE_BYTES: usize = 128;
/// To make the generator ready takes as long as some thousand frames.
const BATCH: u32 = 200_000;
const FLOODER_MAC: [u8; 6] = [2, 0, 0, 0, 7, 1];
const ROUTER: [u8; 4] = [203, 0, 113, 1];
const CUSTOMER: [u8; 4] = [203, 0, 113, 2];

/// `struct template` of generator.bpf.c.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Template {
    frame: [u8; TEMPLATE_BYTES],
    ifindex: u32,
    tagged: u32,
    flows: u32,
    interfaces: u32,
}

// SAFETY: integers and arrays of them, repr(C), 128 + 4 * 4 bytes without padding.
#[allow(unsafe_code)]
unsafe impl Pod for Template {}

impl Template {
    /// With 1,024 flows.
    pub(crate) fn new(frame: &[u8], ifindex: u32) -> Self {
        Self::with(frame, ifindex, 1024, 1)
    }

    /// With so many flows, dealt out to so many VLANs or VNIs from that of the frame on.
    pub(crate) fn with(frame: &[u8], ifindex: u32, flows: u32, interfaces: u32) -> Self {
        let tagged = (frame[12..14] == [0x81, 0]).into();
        let frame_bytes = [0; TEMPLATE_BYTES];
        let mut template = Self { frame: frame_bytes, ifindex, tagged, flows, interfaces };
        template.frame[..frame.len()].copy_from_slice(frame);
        template
    }
}

pub(crate) struct Flooder {
    bpf: Ebpf,
}

impl Flooder {
    pub(crate) fn new() -> Self {
        let mut bpf = Ebpf::load(GENERATOR).unwrap();
        let program: &mut Xdp = bpf.program_mut("generate").unwrap().try_into().unwrap();
        program.load().unwrap();
        Self { bpf }
    }

    /// Sends a frame by a link of `source`, with ever other ports, until it is over. Packets, and
    /// millions of them in a second.
    pub(crate) fn flood(
        &mut self,
        (source, link): (&Namespace, &str),
        frame: &[u8],
        (is_on, is_over): (&AtomicBool, &AtomicBool),
    ) -> (u64, f64) {
        let template = Template::new(frame, source.ifindex(link));
        let mut templates = Array::try_from(self.bpf.map_mut("templates").unwrap()).unwrap();
        templates.set(0, template, 0).unwrap();
        let program: &Xdp = self.bpf.program("generate").unwrap().try_into().unwrap();
        let options = || TestRunOptions {
            data_in: Some(frame),
            repeat: BATCH,
            attrs: TestRunAttrs::new().xdp_live_frames(64),
            ..TestRunOptions::default()
        };
        source.enter(|| {
            let (start, mut sent) = (Instant::now(), 0_u64);
            while !is_over.load(Ordering::Relaxed) {
                program.test_run(options()).unwrap();
                is_on.store(true, Ordering::Relaxed);
                sent += u64::from(BATCH);
            }
            (sent, sent as f64 / start.elapsed().as_secs_f64() / 1e6)
        })
    }
}

fn tagged(to: [u8; 6], protocol: [u8; 2], payload: &[u8]) -> Vec<u8> {
    let mut bytes = [to, FLOODER_MAC].concat();
    bytes.extend([0x81, 0, 0, 100]);
    bytes.extend(protocol);
    bytes.extend(payload);
    bytes.resize(64, 0);
    bytes
}

/// The IP header alone; what follows is zero, but for what the generator writes.
pub(crate) fn ip(to: [u8; 6], fragment: u16, protocol: u8) -> Vec<u8> {
    let mut header = vec![0x45, 0, 0, 46, 0, 7];
    header.extend(fragment.to_be_bytes());
    header.extend([255, protocol, 0, 0]);
    header.extend([CUSTOMER, ROUTER].concat());
    let words = header.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    let sum = words.sum::<u32>();
    let check = !u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
    header[10..12].copy_from_slice(&check.to_be_bytes());
    tagged(to, [8, 0], &header)
}

pub(crate) fn syn(to: [u8; 6]) -> Vec<u8> {
    let mut frame = ip(to, 0, 6);
    frame[38 + 3] = 179;
    frame[38 + 12..38 + 14].copy_from_slice(&[5 << 4, 2]);
    frame
}

/// With the sender's true MAC: another would be believed, and lose the sender its own sessions.
pub(crate) fn arp(sender: [u8; 6]) -> Vec<u8> {
    let mut question = vec![0, 1, 8, 0, 6, 4, 0, 1];
    question.extend(sender);
    question.extend(CUSTOMER);
    question.extend([0; 6]);
    question.extend(ROUTER);
    tagged([0xff; 6], [8, 6], &question)
}
