//! From one layout of the tables to another: a new build's tables begin with the rows of those
//! that the build before it filled, so that it knows what that one knew: learned routes and
//! sources, neighbours, and the flows that are under way.
//!
//! ```text
//!   tables-OLD/routes ── BTF ─► leaves ─┐ by name and length
//!   tables-NEW/routes ── BTF ─► leaves ─┴──► which bytes go where ──► row by row
//! ```
//!
//! A leaf that only the new row has is zero, one that only the old had is lost. So the rule for
//! whoever changes `tables.h`: what means something else has another name. A table whose key has
//! other leaves is not carried; the agent fills it as on a new router.
//!
//! The old programs go on meanwhile. What they write in between is carried once more, without
//! touching what is there, when the new ones have taken over ([`late_flows`]).

use crate::{
    btf::{Btf, Leaves},
    flow_room::{Beginnings, OWN_TABLES},
    kernel_maps::{ARRAY, Existing, KernelMap, PERCPU_ARRAY, PROG_ARRAY},
};
use aya::{Ebpf, util::nr_cpus};
use std::{fs, io, path::Path};

/// What packets write and a later packet is judged by.
const OF_FLOWS: [&str; 4] = ["flows", "flows6", "fragments", "fragments6"];

/// All that a build's tables have of another's. Which tables could not be carried whole, and why: for
/// them it is as on a new router, where the plan fills them.
pub(crate) fn all(from: &Path, to: &Path, programs: &Ebpf) -> io::Result<Vec<String>> {
    let mut left = Vec::new();
    for entry in fs::read_dir(to)? {
        let name = entry?.file_name();
        let (old, shown) = (from.join(&name), name.to_string_lossy());
        if !old.exists() || OWN_TABLES.contains(&&*shown) {
            continue;
        }
        let begin = Beginnings::of(programs, &shown);
        match table(&old, &to.join(&name), Existing::Replace, begin.as_ref()) {
            Ok(true) => {}
            Ok(false) => left.push(format!("{shown}: its rows are others")),
            Err(error) => left.push(format!("{shown}: {error}")),
        }
    }
    Ok(left)
}

/// The flows that began while `from`'s programs still had the packets.
pub(crate) fn late_flows(from: &Path, to: &Path, programs: &Ebpf) -> io::Result<()> {
    for name in OF_FLOWS {
        let (old, new) = (from.join(name), to.join(name));
        if old.exists() && new.exists() {
            table(&old, &new, Existing::Keep, Beginnings::of(programs, name).as_ref())?;
        }
    }
    Ok(())
}

/// False if its rows cannot be had from the other's. Flows are not written but begun: each has its
/// place.
fn table(
    from: &Path,
    to: &Path,
    existing: Existing,
    begin: Option<&Beginnings<'_>>,
) -> io::Result<bool> {
    let processors = nr_cpus().map_err(|(_, error)| error)?;
    let (from, to) = (KernelMap::open(from)?, KernelMap::open(to)?);
    if from.kind == PROG_ARRAY {
        // Programs are the build's own.
        return Ok(true);
    }
    let Some(plan) = Plan::of(&from, &to)? else { return Ok(false) };
    let is_array = matches!(from.kind, ARRAY | PERCPU_ARRAY);
    let mut key = None;
    // A row that goes away under the walk may begin it again; there is an end to that too.
    for _ in 0..u64::from(from.rows_max) * 2 {
        key = from.next_key(key.as_deref())?;
        let Some(key) = &key else { break };
        let Some(value) = from.value(key, processors)? else { continue };
        // Rows of an array are all there from the beginning.
        if is_array && value.iter().all(|byte| *byte == 0) {
            continue;
        }
        let key = plan.key.apply(key);
        if is_array && !is_within(&key, to.rows_max) {
            continue;
        }
        let value = plan.values(&value, processors);
        match begin {
            Some(begin) => begin.begin(&key, &value)?,
            None => to.put(&key, &value, processors, existing)?,
        }
    }
    Ok(true)
}

fn is_within(key: &[u8], rows: u32) -> bool {
    <[u8; 4]>::try_from(key).is_ok_and(|index| u32::from_ne_bytes(index) < rows)
}

/// How rows of a table are made from another's.
struct Plan {
    key: Moves,
    value: Moves,
    strides: Option<(usize, usize)>,
}

/// Which bytes of an old row go where in a new one.
#[derive(Debug, PartialEq, Eq)]
struct Moves {
    bytes: usize,
    moves: Vec<Move>,
}

#[derive(Debug, PartialEq, Eq)]
struct Move {
    from: usize,
    to: usize,
    length: usize,
}

impl Plan {
    fn of(from: &KernelMap, to: &KernelMap) -> io::Result<Option<Self>> {
        if from.kind != to.kind {
            return Ok(None);
        }
        let (old, new) = (from.btf()?, to.btf()?);
        let leaves = || {
            let (old, new) = (Btf::parse(&old)?, Btf::parse(&new)?);
            let keys = [old.leaves(from.key_type)?, new.leaves(to.key_type)?];
            Some((keys, [old.leaves(from.value_type)?, new.leaves(to.value_type)?]))
        };
        Ok(leaves().and_then(|([old_key, new_key], [old, new])| {
            // Half a key would be another row's.
            let is_whole = old_key.len() == new_key.len();
            let key = Moves::between(&old_key, &new_key, to.key_bytes());
            let is_whole = is_whole && key.count(from.key_bytes()) == Some(new_key.len());
            let value = Moves::between(&old, &new, to.value_bytes());
            value.count(from.value_bytes())?;
            let strides = from.stride().zip(to.stride());
            is_whole.then_some(Self { key, value, strides })
        }))
    }

    fn values(&self, old: &[u8], processors: usize) -> Vec<u8> {
        let Some((old_stride, stride)) = self.strides else { return self.value.apply(old) };
        let mut values = Vec::with_capacity(stride * processors);
        for one in old.chunks(old_stride) {
            let end = values.len() + stride;
            values.extend(self.value.apply(one));
            values.resize(end, 0);
        }
        values
    }
}

impl Moves {
    fn between(old: &Leaves, new: &Leaves, bytes: usize) -> Self {
        let one = |(name, &(to, length)): (&String, &(usize, usize))| {
            let &(from, old_length) = old.get(name)?;
            (length == old_length && to + length <= bytes).then_some(Move { from, to, length })
        };
        Self { bytes, moves: new.iter().filter_map(one).collect() }
    }

    /// How many leaves are moved; `None` if one would come from beyond the old row.
    fn count(&self, old_bytes: usize) -> Option<usize> {
        let is_there = |one: &Move| one.from + one.length <= old_bytes;
        self.moves.iter().all(is_there).then_some(self.moves.len())
    }

    fn apply(&self, old: &[u8]) -> Vec<u8> {
        let mut row = vec![0; self.bytes];
        for &Move { from, to, length } in &self.moves {
            row[to..to + length].copy_from_slice(&old[from..from + length]);
        }
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves<const N: usize>(of: [(&str, usize, usize); N]) -> Leaves {
        of.map(|(name, offset, length)| (name.to_owned(), (offset, length))).into()
    }

    #[test]
    fn a_leaf_goes_where_its_name_is_and_a_new_one_is_zero() {
        let old = leaves([("vni", 0, 4), ("mac.0", 4, 1), ("gone", 8, 8)]);
        let new = leaves([("new", 0, 8), ("mac.0", 8, 1), ("vni", 12, 4)]);
        let moves = Moves::between(&old, &new, 16);
        let row = [1, 2, 3, 4, 5, 0, 0, 0, 9, 9, 9, 9, 9, 9, 9, 9];
        assert_eq!(moves.apply(&row), [0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 1, 2, 3, 4]);
        assert_eq!(moves.count(row.len()), Some(2));
    }

    #[test]
    fn a_leaf_of_another_length_is_another() {
        let moves = Moves::between(&leaves([("mtu", 0, 2)]), &leaves([("mtu", 0, 4)]), 4);
        assert_eq!(moves.apply(&[5, 7]), [0; 4]);
    }

    #[test]
    fn what_lies_beyond_its_row_is_not_moved() {
        let old = leaves([("a", 6, 4)]);
        assert!(Moves::between(&old, &leaves([("a", 14, 4)]), 16).moves.is_empty());
        assert_eq!(Moves::between(&old, &leaves([("a", 0, 4)]), 16).count(8), None);
    }
}
