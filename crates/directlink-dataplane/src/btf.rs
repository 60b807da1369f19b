//! What the kernel knows of a pinned table's rows: BTF, as the compiler wrote it.
//!
//! A row is taken apart into its leaves, each with its whole name, so that two builds' rows can be
//! compared without either knowing the other:
//!
//! ```text
//!   struct interface_row { … struct peer_cell peers[2]; … }  ─►  "peers.0.way" at 20, 4 bytes …
//! ```
//!
//! As much of the format as tables use (include/uapi/linux/btf.h). It comes from the kernel, which
//! has checked it; what is not understood is none all the same.

use std::collections::BTreeMap;

/// The leaves of a type, by name: where each lies, and how long it is.
pub(crate) type Leaves = BTreeMap<String, (usize, usize)>;

/// The types of one build's object.
#[derive(Debug)]
pub(crate) struct Btf<'a> {
    types: Vec<Type>,
    strings: &'a [u8],
}

#[derive(Debug)]
enum Type {
    /// An integer, an enum, a float: so many bytes.
    Scalar(usize),
    Array {
        element: u32,
        count: usize,
    },
    Struct {
        bytes: usize,
        members: Vec<Member>,
    },
    /// A typedef or a qualifier.
    Same(u32),
    /// Nothing that a row is made of.
    Other,
}

#[derive(Debug)]
struct Member {
    name: usize,
    of: u32,
    /// In bytes; `None` for a field of bits.
    offset: Option<usize>,
}

const MAGIC: u16 = 0xeb9f;
/// Of a type within a type.
const DEPTH_MAX: usize = 16;
/// More than the largest row has.
const LEAVES_MAX: usize = 4096;

impl<'a> Btf<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        if bytes.get(..2)? != MAGIC.to_ne_bytes() {
            return None;
        }
        let header = |offset: usize| Some(word(bytes, offset)? as usize);
        let body = bytes.get(header(4)?..)?;
        let section = |at: usize, length: usize| {
            let start = header(at)?;
            body.get(start..start.checked_add(header(length)?)?)
        };
        let (mut rest, strings) = (section(8, 12)?, section(16, 20)?);
        // Type 0 is void.
        let mut types = vec![Type::Other];
        while !rest.is_empty() {
            let (found, length) = Type::parse(rest)?;
            types.push(found);
            rest = rest.get(length..)?;
        }
        Some(Self { types, strings })
    }

    pub(crate) fn leaves(&self, id: u32) -> Option<Leaves> {
        let mut leaves = Leaves::new();
        self.collect(id, "", 0, DEPTH_MAX, &mut leaves)?;
        Some(leaves)
    }

    fn collect(
        &self,
        id: u32,
        name: &str,
        offset: usize,
        depth: usize,
        leaves: &mut Leaves,
    ) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        let within = |part: &str| match name {
            "" => part.to_owned(),
            name => format!("{name}.{part}"),
        };
        match self.types.get(id as usize)? {
            Type::Scalar(bytes) => {
                leaves.insert(name.to_owned(), (offset, *bytes));
                (leaves.len() <= LEAVES_MAX).then_some(())
            }
            Type::Same(of) => self.collect(*of, name, offset, depth, leaves),
            Type::Array { element, count } => {
                let bytes = self.bytes(*element, depth)?;
                (0..*count).try_for_each(|n| {
                    let at = offset.checked_add(n.checked_mul(bytes)?)?;
                    self.collect(*element, &within(&n.to_string()), at, depth, leaves)
                })
            }
            Type::Struct { members, .. } => members.iter().try_for_each(|member| {
                let at = offset.checked_add(member.offset?)?;
                self.collect(member.of, &within(self.string(member.name)?), at, depth, leaves)
            }),
            Type::Other => None,
        }
    }

    fn bytes(&self, id: u32, depth: usize) -> Option<usize> {
        let depth = depth.checked_sub(1)?;
        match self.types.get(id as usize)? {
            Type::Scalar(bytes) | Type::Struct { bytes, .. } => Some(*bytes),
            Type::Same(of) => self.bytes(*of, depth),
            Type::Array { element, count } => self.bytes(*element, depth)?.checked_mul(*count),
            Type::Other => None,
        }
    }

    fn string(&self, at: usize) -> Option<&str> {
        let text = self.strings.get(at..)?.split(|byte| *byte == 0).next()?;
        std::str::from_utf8(text).ok()
    }
}

impl Type {
    /// The first of these, and how many bytes it takes.
    fn parse(bytes: &[u8]) -> Option<(Self, usize)> {
        let info = word(bytes, 4)?;
        let (kind, count, has_bits) =
            (info >> 24 & 0x1f, (info & 0xffff) as usize, info >> 31 == 1);
        let of = word(bytes, 8)?;
        let size = of as usize;
        let after = |more: usize| 12 + more;
        Some(match kind {
            // INT, FLOAT
            1 => (Self::Scalar(size), after(4)),
            16 => (Self::Scalar(size), after(0)),
            // ARRAY
            3 => {
                let count = word(bytes, 20)? as usize;
                (Self::Array { element: word(bytes, 12)?, count }, after(12))
            }
            // STRUCT
            4 => (Self::members(bytes, size, count, has_bits)?, after(12 * count)),
            // ENUM, ENUM64
            6 => (Self::Scalar(size), after(8 * count)),
            19 => (Self::Scalar(size), after(12 * count)),
            // TYPEDEF, VOLATILE, CONST, RESTRICT, TYPE_TAG
            8..=11 | 18 => (Self::Same(of), after(0)),
            // PTR, FWD, FUNC
            2 | 7 | 12 => (Self::Other, after(0)),
            // UNION, DATASEC
            5 | 15 => (Self::Other, after(12 * count)),
            // FUNC_PROTO
            13 => (Self::Other, after(8 * count)),
            // VAR, DECL_TAG
            14 | 17 => (Self::Other, after(4)),
            _ => return None,
        })
    }

    fn members(bytes: &[u8], size: usize, count: usize, has_bits: bool) -> Option<Self> {
        let member = |n: usize| {
            let at = 12 + 12 * n;
            let bits = word(bytes, at + 8)?;
            // With bit fields among them, the upper byte is how wide one is.
            let (bits, width) = if has_bits { (bits & 0xff_ffff, bits >> 24) } else { (bits, 0) };
            let offset = (width == 0 && bits % 8 == 0).then_some(bits as usize / 8);
            Some(Member { name: word(bytes, at)? as usize, of: word(bytes, at + 4)?, offset })
        };
        let members = (0..count).map(member).collect::<Option<_>>()?;
        Some(Self::Struct { bytes: size, members })
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_ne_bytes(four.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `struct { u32 a; u16 b[2]; }`, whose type is 4.
    fn sample() -> Vec<u8> {
        let types: [u32; 29] = [
            [0, 1 << 24, 4, 32].as_slice(),
            &[0, 1 << 24, 2, 16],
            &[0, 3 << 24, 0, 2, 1, 2],
            &[0, 4 << 24 | 2, 8, 1, 1, 0, 3, 3, 32],
            &[0, 2 << 24, 1],
            &[0, 11 << 24, 4],
        ]
        .concat()
        .try_into()
        .unwrap();
        let strings = b"\0a\0b\0";
        let mut bytes = MAGIC.to_ne_bytes().to_vec();
        bytes.extend([1, 0]);
        let bounds = [24, 0, size_of_val(&types) as u32, size_of_val(&types) as u32, 5];
        bytes.extend(bounds.iter().chain(&types).flat_map(|word| word.to_ne_bytes()));
        bytes.extend(strings);
        bytes
    }

    #[test]
    fn a_row_is_taken_apart_into_its_leaves() {
        let bytes = sample();
        let leaves = |id| Btf::parse(&bytes).and_then(|btf| btf.leaves(id));
        let row: Leaves =
            [("a".into(), (0, 4)), ("b.0".into(), (4, 2)), ("b.1".into(), (6, 2))].into();
        assert_eq!(leaves(4), Some(row.clone()));
        assert_eq!(leaves(6), Some(row), "a qualifier changes nothing");
        assert_eq!(leaves(1), Some([(String::new(), (0, 4))].into()));
        assert_eq!(leaves(5), None, "a pointer is nothing that can be carried");
        assert_eq!(leaves(7), None);
    }

    #[test]
    fn what_is_cut_short_is_none() {
        let bytes = sample();
        for length in 0..bytes.len() - 5 {
            assert!(Btf::parse(&bytes[..length]).is_none(), "{length}");
        }
    }
}
