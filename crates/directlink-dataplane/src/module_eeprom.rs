//! What a pluggable transceiver says of itself: the memory that ethtool dumps (`ethtool -m IF`).

use crate::offload::ethtool_call;
use nix::{errno::Errno, libc};
use std::io;

const ETHTOOL_GMODULEINFO: u32 = 0x42;
const ETHTOOL_GMODULEEEPROM: u32 = 0x43;
/// `ETH_MODULE_SFF_8472_LEN`: identity, then diagnostics.
const LENGTH: usize = 512;

/// `struct ethtool_modinfo` of linux/ethtool.h.
#[repr(C)]
struct ModuleInfo {
    command: u32,
    kind: u32,
    eeprom_length: u32,
    reserved: [u32; 8],
}

/// `struct ethtool_eeprom`, with room for the bytes.
#[repr(C)]
struct ModuleBytes {
    command: u32,
    magic: u32,
    offset: u32,
    length: u32,
    data: [u8; LENGTH],
}

/// The first bytes of the memory, as SFF-8472 lays them out; `None` where the network card has no
/// such thing, or nothing is plugged.
///
/// # Errors
/// The card has a transceiver, and it cannot be read.
pub fn read(link: &str) -> io::Result<Option<Vec<u8>>> {
    let mut info =
        ModuleInfo { command: ETHTOOL_GMODULEINFO, kind: 0, eeprom_length: 0, reserved: [0; 8] };
    match ethtool_call(link, &mut info) {
        Err(error) if is_absence(&error) => return Ok(None),
        outcome => outcome?,
    }
    let there = usize::try_from(info.eeprom_length).unwrap_or(LENGTH).min(LENGTH);
    let mut bytes = ModuleBytes {
        command: ETHTOOL_GMODULEEEPROM,
        magic: 0,
        offset: 0,
        // No more than the 512 that there is room for.
        length: u32::try_from(there).unwrap_or(0),
        data: [0; LENGTH],
    };
    match ethtool_call(link, &mut bytes) {
        Err(error) if is_absence(&error) => Ok(None),
        outcome => outcome.map(|()| Some(bytes.data[..there].to_vec())),
    }
}

fn is_absence(error: &io::Error) -> bool {
    let absent = [libc::EOPNOTSUPP, libc::ENODEV, libc::EINVAL, libc::ENXIO, libc::ENOENT];
    error.raw_os_error().is_some_and(|code| absent.contains(&code))
        || error.raw_os_error() == Some(Errno::ENETDOWN as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_without_a_transceiver_has_nothing_to_say() {
        assert_eq!(read("lo").unwrap(), None);
        assert_eq!(read("no-such-link").unwrap(), None);
        assert_eq!(read(&"x".repeat(64)).unwrap(), None, "no name of a link");
    }

    #[test]
    fn the_rows_are_as_the_kernel_lays_them_out() {
        assert_eq!(size_of::<ModuleInfo>(), 44);
        assert_eq!(std::mem::offset_of!(ModuleBytes, data), 16);
    }
}
