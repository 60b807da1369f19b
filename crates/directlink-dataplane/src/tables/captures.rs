//! Captures, and the head of each record that the packet programs send of one.

use super::InterfaceRow;

const INTERFACE_CAPTURED: u16 = 2;

impl InterfaceRow {
    /// Whether somebody looks on (`ebpf/capture.h`).
    pub(crate) const fn is_captured(&self) -> bool {
        self.flags & INTERFACE_CAPTURED != 0
    }

    pub(crate) const fn captured(mut self, is_captured: bool) -> Self {
        self.flags = match is_captured {
            true => self.flags | INTERFACE_CAPTURED,
            false => self.flags & !INTERFACE_CAPTURED,
        };
        self
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct CaptureRow {
    pub(crate) until_ns: u64,
    pub(crate) lost: u64,
    pub(crate) bytes: u32,
    pub(crate) zero: u32,
}

/// Read from bytes, and never written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct CapturedFrame {
    pub(crate) at_ns: u64,
    pub(crate) interface: u32,
    pub(crate) token: u32,
    pub(crate) length: u32,
    pub(crate) verdict: u16,
    pub(crate) form: u8,
    pub(crate) zero: u8,
}

impl CapturedFrame {
    /// The head, and what stands behind it.
    pub(crate) fn read(record: &[u8]) -> Option<(Self, &[u8])> {
        let (head, rest) = record.split_at_checked(size_of::<Self>())?;
        let four = |at: usize| Some(u32::from_ne_bytes(head.get(at..at + 4)?.try_into().ok()?));
        let head = Self {
            at_ns: u64::from_ne_bytes(head.get(..8)?.try_into().ok()?),
            interface: four(8)?,
            token: four(12)?,
            length: four(16)?,
            verdict: u16::from_ne_bytes(head.get(20..22)?.try_into().ok()?),
            form: *head.get(22)?,
            zero: 0,
        };
        Some((head, rest))
    }
}
