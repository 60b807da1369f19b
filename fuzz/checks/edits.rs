//! What a fuzzer does to an input: octets changed, cut, doubled and put together.

use proptest::prelude::*;

#[derive(Clone, Debug)]
pub(crate) enum Edit {
    Set(prop::sample::Index, u8),
    Flip(prop::sample::Index, u8),
    Insert(prop::sample::Index, Vec<u8>),
    Cut(prop::sample::Index, prop::sample::Index),
    Double(prop::sample::Index, prop::sample::Index),
    /// The rest of another input.
    Splice(prop::sample::Index, prop::sample::Index, prop::sample::Index),
}

pub(crate) fn any_edit() -> impl Strategy<Value = Edit> {
    let at = any::<prop::sample::Index>;
    // What lengths and counts do not expect.
    let octet =
        || prop_oneof![any::<u8>(), prop::sample::select(vec![0, 1, 32, 33, 127, 128, 255])];
    prop_oneof![
        (at(), octet()).prop_map(|(at, value)| Edit::Set(at, value)),
        (at(), 0..8u8).prop_map(|(at, bit)| Edit::Flip(at, bit)),
        (at(), prop::collection::vec(octet(), 1..9)).prop_map(|(at, more)| Edit::Insert(at, more)),
        (at(), at()).prop_map(|(a, b)| Edit::Cut(a, b)),
        (at(), at()).prop_map(|(a, b)| Edit::Double(a, b)),
        (at(), at(), at()).prop_map(|(a, b, c)| Edit::Splice(a, b, c)),
    ]
}

/// The input `which`, after the edits.
pub(crate) fn edited(
    all: &[(String, Vec<u8>)],
    which: prop::sample::Index,
    edits: &[Edit],
) -> Vec<u8> {
    let mut data = which.get(all).1.clone();
    let within = |a: &prop::sample::Index, b: &prop::sample::Index, length: usize| {
        let (a, b) = (a.index(length), b.index(length));
        a.min(b)..a.max(b)
    };
    for edit in edits {
        if data.is_empty() {
            return data;
        }
        let length = data.len();
        match edit {
            Edit::Set(at, value) => data[at.index(length)] = *value,
            Edit::Flip(at, bit) => data[at.index(length)] ^= 1 << bit,
            Edit::Insert(at, more) => {
                let at = at.index(length);
                data.splice(at..at, more.iter().copied());
            }
            Edit::Cut(a, b) => drop(data.drain(within(a, b, length))),
            Edit::Double(a, b) => {
                let part = data[within(a, b, length)].to_vec();
                data.extend(part);
            }
            Edit::Splice(at, which, from) => {
                let other = &which.get(all).1;
                data.truncate(at.index(length));
                data.extend(&other[from.index(other.len())..]);
            }
        }
    }
    data
}
