//! Looking on at an interface's frames: `ebpf/capture.h` copies them, dropped ones too.
//!
//! ```text
//!   begin_capture ─► `captures` (how long, how much) ─► flag of the interface's row
//!   packets ─► ring ─► Frames::next                     one reader for all interfaces
//!   end_capture  ─► flag off, row gone                  or the time is over: nothing is copied
//! ```

use crate::{
    changes::Changed,
    handle::{Done, TableError, absent, in_table, present},
    load::{Dataplane, OpenError},
    rows::InterfaceNumber,
    tables::{CaptureRow, CapturedFrame},
    verdict::Verdict,
};
use aya::maps::{MapData, RingBuf};
use std::{fmt, time::Duration};

/// What of a frame is copied at most.
pub const CAPTURE_BYTES_MAX: u32 = 4096;

/// Where copies come out. One for a router.
pub struct Frames(RingBuf<MapData>);

/// A copy of a frame, or what became of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapturedRecord {
    pub interface: InterfaceNumber,
    /// Since the zero of CLOCK_MONOTONIC.
    pub at: Duration,
    /// Names the frame among those of its interface, for a moment.
    pub token: u32,
    pub form: CapturedForm,
    /// `None`: a record with the same token tells it.
    pub verdict: Option<Verdict>,
    /// Of the whole frame, in the form that it has here.
    pub length: u32,
    pub bytes: Vec<u8>,
}

/// How a frame is told, and which way it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CapturedForm {
    /// From the customer, as it came.
    Tagged,
    /// To the customer, as it leaves.
    Departure,
    /// To the customer, from its IP header on: it was dropped.
    Packet,
    /// From the router's own stack; its tag is not among the bytes.
    Untagged,
    /// No frame.
    Verdict,
}

impl CapturedForm {
    const ALL: [Self; 5] =
        [Self::Tagged, Self::Departure, Self::Packet, Self::Untagged, Self::Verdict];
}

const INTERFACES: &str = "interfaces";
const CAPTURES: &str = "captures";
const RING: &str = "captured";

impl Dataplane {
    /// To be had once: a ring has one reader.
    ///
    /// # Errors
    /// It is taken already.
    pub fn frames(&mut self) -> Result<Frames, OpenError> {
        let ring = self.programs.take_map(RING).ok_or(OpenError::Missing(RING))?;
        let ring = RingBuf::try_from(ring);
        ring.map(Frames).map_err(|source| OpenError::Table { name: RING, source })
    }

    /// Copies so much of each of the interface's frames, until then on CLOCK_MONOTONIC.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn begin_capture(&mut self, number: InterfaceNumber, until: Duration, bytes: u32) -> Done {
        let until_ns = u64::try_from(until.as_nanos()).unwrap_or(u64::MAX);
        let row =
            CaptureRow { until_ns, lost: 0, bytes: bytes.clamp(1, CAPTURE_BYTES_MAX), zero: 0 };
        let captures = &mut self.tables.captures;
        captures.insert(u32::from(number), row, 0).map_err(in_table(CAPTURES))?;
        self.mark_captured(number, true)
    }

    /// How many frames the reader was too slow for. 0 where there is no capture.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn end_capture(&mut self, number: InterfaceNumber) -> Result<u64, TableError> {
        self.mark_captured(number, false)?;
        let key = u32::from(number);
        let row = present(self.tables.captures.get(&key, 0)).map_err(in_table(CAPTURES))?;
        absent(self.tables.captures.remove(&key)).map_err(in_table(CAPTURES))?;
        Ok(row.map_or(0, |row| row.lost))
    }

    /// Shortcuts are forgotten when it begins: who takes one is not seen.
    fn mark_captured(&mut self, number: InterfaceNumber, is_captured: bool) -> Done {
        let Some((key, row)) = self.interface_row(number)? else { return Ok(()) };
        let row = row.captured(is_captured);
        let written = self.tables.interfaces.insert(key, row, 0).map_err(in_table(INTERFACES));
        self.count_change(Changed::Interface, written)
    }
}

/// Those that are there, the oldest first; there may be more later.
impl Iterator for Frames {
    type Item = CapturedRecord;

    fn next(&mut self) -> Option<CapturedRecord> {
        loop {
            let item = self.0.next()?;
            // What cannot be read is of other programs than these.
            if let Some(record) = record(&item) {
                return Some(record);
            }
        }
    }
}

fn record(item: &[u8]) -> Option<CapturedRecord> {
    let (head, bytes) = CapturedFrame::read(item)?;
    let length = usize::try_from(head.length).ok()?;
    // The ring rounds up to 8 bytes.
    let bytes = bytes.get(..length.min(bytes.len()))?;
    Some(CapturedRecord {
        interface: InterfaceNumber::try_from(head.interface).ok()?,
        at: Duration::from_nanos(head.at_ns),
        token: head.token,
        form: *CapturedForm::ALL.get(usize::from(head.form))?,
        verdict: Verdict::ALL.get(usize::from(head.verdict)).copied(),
        length: head.length,
        bytes: bytes.to_vec(),
    })
}

impl fmt::Debug for Frames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Frames")
    }
}
