//! Limits as the packet programs have them: time for bytes, so that no packet divides.

use crate::rows::Rate;

/// Limits of ports are below; those of interfaces begin here.
pub(crate) const PORT_LIMITS: u32 = 1024;
/// Each processor's rows of `credits`: `ebpf/rate.h`.
pub(crate) const CREDIT_LIMITS: u32 = 16384;

const BYTE_TIME_BITS: u32 = 20;
const SECOND_NS: u128 = 1_000_000_000;
/// What may come at once after silence: so much of the rate, and 64 KiB at least, so that a slow
/// interface takes a TCP window.
const BURST_NS: u64 = 50_000_000;
const BURST_BYTES: u64 = 65_536;
/// What a processor takes at once.
const GRAIN_NS: u128 = 100_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct PortRow {
    pub(super) limit: u32,
}

impl PortRow {
    pub(crate) const fn new(limit: u32) -> Self {
        Self { limit }
    }

    pub(crate) const fn limit(self) -> u32 {
        self.limit
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct LimitRow {
    pub(super) bits_per_second: u64,
    pub(super) byte_time: u64,
    pub(super) burst_ns: u64,
    pub(super) grain: u32,
    pub(super) zero: u32,
}

impl LimitRow {
    pub(crate) const NONE: Self =
        Self { bits_per_second: 0, byte_time: 0, burst_ns: 0, grain: 0, zero: 0 };

    pub(crate) fn new(rate: Rate) -> Self {
        let bits = u128::from(rate.bits_per_second());
        // At most 2^53, of the slowest rate: with 64 KiB of bytes it stays below 2^64.
        let byte_time = saturate(((8 * SECOND_NS) << BYTE_TIME_BITS) / bits);
        let least_ns = u128::from(BURST_BYTES) * 8 * SECOND_NS / bits;
        let grain = bits * GRAIN_NS / (8 * SECOND_NS);
        Self {
            bits_per_second: rate.bits_per_second(),
            // Nothing is free, however fast.
            byte_time: byte_time.max(1),
            burst_ns: saturate(least_ns).max(BURST_NS),
            grain: u32::try_from(grain).unwrap_or(u32::MAX / 4).min(u32::MAX / 4),
            zero: 0,
        }
    }

    pub(crate) fn rate(self) -> Option<Rate> {
        Rate::new(self.bits_per_second)
    }
}

fn saturate(number: u128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_the_time_of_a_byte_and_a_burst_is_milliseconds_or_64_kib() {
        const MEGA: u64 = 1_000_000;
        for (bits, byte_ns, burst_ms, grain) in [
            (1000, 8_000_000, 524_288, 0),
            (MEGA, 8_000, 524, 12),
            (50 * MEGA, 160, 50, 625),
            (1_000 * MEGA, 8, 50, 12_500),
            (100_000 * MEGA, 0, 50, 1_250_000),
        ] {
            let row = LimitRow::new(Rate::new(bits).unwrap());
            assert_eq!(row.byte_time >> BYTE_TIME_BITS, byte_ns, "{bits}");
            assert_eq!(row.burst_ns / 1_000_000, burst_ms, "{bits}");
            assert_eq!(row.grain, grain, "{bits}");
            assert_eq!(row.rate().map(Rate::bits_per_second), Some(bits));
            // No frame's time overflows, and the rate is kept to a thousandth.
            let second = (u128::from(row.byte_time) * u128::from(bits / 8)) >> BYTE_TIME_BITS;
            assert!(SECOND_NS.abs_diff(second) < SECOND_NS / 1000, "{bits}: {second}");
            assert!(row.byte_time.checked_mul(65_536).is_some(), "{bits}");
        }
        assert_eq!((Rate::new(0), Rate::new(999), LimitRow::NONE.rate()), (None, None, None));
    }
}
