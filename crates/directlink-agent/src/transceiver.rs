//! The memory of an SFP or SFP+ transceiver (SFF-8472), as words. Pure: whatever the bytes are.
//!
//! ```text
//!   0 ┌ what it is, connector, codes of what it can do, maker, wavelength, serial number
//! 256 └ diagnostics: the light that it sends and receives, where it measures
//! ```

use directlink_model::{evidence::Transceiver, inventory::Optics};

const SFP: u8 = 0x03;
const CONNECTORS: [(u8, &str); 3] = [(0x01, "SC"), (0x07, "LC"), (0x22, "RJ45")];
/// SFF-8472 §5.4: bytes 3 (10 Gb/s) and 6 (1 Gb/s), one bit each.
const CODES: [(usize, u8, &str); 8] = [
    (3, 0x80, Optics::Er10G.as_str()),
    (3, 0x40, "10GBASE-LRM"),
    (3, 0x20, Optics::Lr10G.as_str()),
    (3, 0x10, Optics::Sr10G.as_str()),
    (6, 0x08, "1000BASE-T"),
    (6, 0x04, "1000BASE-CX"),
    (6, 0x02, Optics::Lx1000.as_str()),
    (6, 0x01, Optics::Sx1000.as_str()),
];
const DIAGNOSTICS: usize = 256;
/// It measures, and gives true values rather than what they must be computed from.
const MEASURES: u8 = 0x40 | 0x20;
/// No light at all: the scale of the measure ends at 0.1 µW, and 0 has no logarithm.
const DARK_MILLIDBM: i32 = -40_000;
/// 1000BASE-ZX has no code of its own: it says LX, and another colour.
const LONG_HAUL_NM: u16 = 1480;

/// `None`: it is none of these, or is not wholly there.
pub(crate) fn read(bytes: &[u8]) -> Option<Transceiver> {
    let identity = bytes.first_chunk::<96>().filter(|bytes| bytes[0] == SFP)?;
    let wavelength = u16::from_be_bytes([identity[60], identity[61]]);
    let code = CODES.iter().find(|(byte, bit, _)| identity[*byte] & bit != 0);
    let optics = match code.map(|(_, _, name)| *name) {
        Some(name) if name == Optics::Lx1000.as_str() && wavelength >= LONG_HAUL_NM => {
            Some(Optics::Zx1000.as_str())
        }
        named => named,
    };
    let connector = CONNECTORS.iter().find(|(code, _)| *code == identity[2]);
    let measures = identity[92] & MEASURES == MEASURES;
    let power = |at: usize| {
        let bytes = bytes.get(DIAGNOSTICS + at..)?.first_chunk::<2>().filter(|_| measures)?;
        Some(millidbm(u16::from_be_bytes(*bytes)))
    };
    Some(Transceiver {
        optics: optics.map(Into::into),
        connector: connector.map(|(_, name)| (*name).into()),
        wavelength_nm: Some(wavelength).filter(|&nm| nm > 0),
        vendor: text(&identity[20..36]),
        serial: text(&identity[68..84]),
        transmit_millidbm: power(102),
        receive_millidbm: power(104),
    })
}

/// Padded with blanks; what is no letter is a question mark.
fn text(bytes: &[u8]) -> Option<String> {
    let letter = |&b: &u8| if (b' '..=b'~').contains(&b) { char::from(b) } else { '?' };
    let text: String = bytes.iter().map(letter).collect();
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// Of tenths of a microwatt.
#[allow(clippy::cast_possible_truncation)] // between -40 000 and 8 165
fn millidbm(tenths: u16) -> i32 {
    match tenths {
        0 => DARK_MILLIDBM,
        tenths => ((f64::from(tenths) / 10_000.0).log10() * 10_000.0).round() as i32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As a 10GBASE-LR module has it: SFF-8472, tables 4-1 and 9-11.
    fn module(codes: &[(usize, u8)], nm: u16, power: Option<(u16, u16)>) -> Vec<u8> {
        let mut bytes = vec![0; 512];
        (bytes[0], bytes[2]) = (SFP, 0x07);
        for (byte, code) in codes {
            bytes[*byte] = *code;
        }
        bytes[20..36].copy_from_slice(b"EXAMPLE OPTICS  ");
        bytes[60..62].copy_from_slice(&nm.to_be_bytes());
        bytes[68..84].copy_from_slice(b"SN0042          ");
        if let Some((sent, received)) = power {
            bytes[92] = 0x68;
            bytes[358..360].copy_from_slice(&sent.to_be_bytes());
            bytes[360..362].copy_from_slice(&received.to_be_bytes());
        }
        bytes
    }

    #[test]
    fn a_module_tells_its_optics_its_maker_and_its_light() {
        let read = read(&module(&[(3, 0x20)], 1310, Some((5_623, 1_000)))).unwrap();
        let expected = Transceiver {
            optics: Some("10GBASE-LR".into()),
            connector: Some("LC".into()),
            wavelength_nm: Some(1310),
            vendor: Some("EXAMPLE OPTICS".into()),
            serial: Some("SN0042".into()),
            transmit_millidbm: Some(-2_500),
            receive_millidbm: Some(-10_000),
        };
        assert_eq!(read, expected);
    }

    #[test]
    fn each_code_has_its_name_and_a_colour_tells_zx_from_lx() {
        for (codes, nm, expected) in [
            (&[(6, 0x02)][..], 1310, Some("1000BASE-LX")),
            (&[(6, 0x02)], 1550, Some("1000BASE-ZX")),
            (&[(6, 0x01)], 850, Some("1000BASE-SX")),
            (&[(3, 0x10)], 850, Some("10GBASE-SR")),
            // One of two speeds: the faster is what it is sold as.
            (&[(3, 0x20), (6, 0x02)], 1310, Some("10GBASE-LR")),
            (&[(6, 0x08)], 0, Some("1000BASE-T")),
            (&[], 1310, None),
        ] {
            let read = read(&module(codes, nm, None)).unwrap();
            assert_eq!(read.optics.as_deref(), expected, "{codes:?}");
            assert_eq!((read.transmit_millidbm, read.receive_millidbm), (None, None));
        }
    }

    #[test]
    fn darkness_is_a_number_and_half_a_memory_has_no_diagnostics() {
        let whole = module(&[(6, 0x02)], 1310, Some((10_000, 0)));
        let told = read(&whole).unwrap();
        assert_eq!((told.transmit_millidbm, told.receive_millidbm), (Some(0), Some(-40_000)));
        let half = read(&whole[..256]).unwrap();
        assert_eq!((half.optics.as_deref(), half.receive_millidbm), (Some("1000BASE-LX"), None));
        assert!(read(&whole[..95]).is_none() && read(&[]).is_none());
    }

    proptest! {
        #[test]
        fn no_bytes_surprise(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            if let Some(told) = read(&bytes) {
                for text in [told.vendor, told.serial].into_iter().flatten() {
                    prop_assert!(text.len() <= 16 && text.bytes().all(|b| (b' '..=b'~').contains(&b)));
                }
            }
        }
    }
}
