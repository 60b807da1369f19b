//! The guide's picture of a DirectLink, drawn from what is there: pure, from a description to places.
//!
//! ```text
//!   your router ══ meet-me room ══ DirectLink router ─┬─ interface (VLAN, AS) ─── gateway ─ Net
//!       a block per connection, of the height          ├─ interface ──────────┐      with Subnets
//!       of its interfaces                              └─ interface ─── other account
//! ```
//!
//! Right of the interfaces each gateway has one box, as near as it can be to the interfaces that lead
//! there: two connections that end at one Net are seen to.

use std::collections::BTreeMap;

/// What is drawn.
#[derive(Clone, Debug, Default)]
pub(super) struct Scene {
    pub(super) wires: Vec<Wire>,
    pub(super) ends: Vec<End>,
}

impl Scene {
    /// So many connections, and the ends that they lead to.
    pub(super) fn keep(&mut self, wires: usize) {
        self.wires.truncate(wires);
        let mut numbers = BTreeMap::new();
        for strand in self.wires.iter_mut().flat_map(|wire| &mut wire.strands) {
            let next = numbers.len();
            strand.end = strand.end.map(|end| *numbers.entry(end).or_insert(next));
        }
        let mut kept: Vec<_> = numbers.into_iter().collect();
        kept.sort_by_key(|(_, number)| *number);
        self.ends = kept.into_iter().map(|(end, _)| self.ends[end].clone()).collect();
    }
}

/// A connection.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    pub(super) href: Option<String>,
    pub(super) name: String,
    pub(super) tone: &'static str,
    pub(super) state: &'static str,
    pub(super) site: String,
    pub(super) router: String,
    pub(super) port: String,
    pub(super) bandwidth: String,
    pub(super) strands: Vec<Strand>,
}

/// An interface.
#[derive(Clone, Debug)]
pub(super) struct Strand {
    pub(super) href: String,
    pub(super) name: String,
    pub(super) tone: &'static str,
    pub(super) state: &'static str,
    pub(super) vlan: String,
    pub(super) asn: String,
    /// What goes on now: into the Net, and out of it.
    pub(super) rates: Option<(String, String)>,
    /// Of [`Scene::ends`].
    pub(super) end: Option<usize>,
}

/// A gateway with its Net; or what stands for another account's.
#[derive(Clone, Debug)]
pub(super) struct End {
    /// The interfaces that lead there.
    pub(super) href: String,
    pub(super) gateway: String,
    pub(super) net: String,
    pub(super) subnets: Vec<String>,
}

/// So many interfaces of a connection are drawn; the rest is told as a number.
const STRANDS_MAX: usize = 12;
const SUBNETS_MAX: usize = 5;
const STRAND: i32 = 64;
const STRAND_STEP: i32 = 74;
const BLOCK_MIN: i32 = 118;
const BLOCK_TITLE: i32 = 30;
const GAP: i32 = 26;
const TOP: i32 = 34;
const END_MIN: i32 = 64;
const SUBNET: i32 = 18;

#[derive(Debug)]
pub(super) struct Drawing {
    pub(super) height: i32,
    pub(super) blocks: Vec<Block>,
    pub(super) boxes: Vec<EndBox>,
}

#[derive(Debug)]
pub(super) struct Block {
    pub(super) wire: Wire,
    pub(super) y: i32,
    pub(super) height: i32,
    /// The fibre's.
    pub(super) middle: i32,
    pub(super) strands: Vec<StrandBox>,
    pub(super) more: usize,
    pub(super) more_y: i32,
}

#[derive(Debug)]
pub(super) struct StrandBox {
    pub(super) strand: Strand,
    pub(super) y: i32,
    pub(super) middle: i32,
    /// Where its line meets its end.
    pub(super) meets: Option<i32>,
}

#[derive(Debug)]
pub(super) struct EndBox {
    pub(super) end: End,
    /// Each on its line.
    pub(super) subnets: Vec<(i32, String)>,
    pub(super) more: usize,
    pub(super) y: i32,
    pub(super) height: i32,
    pub(super) middle: i32,
}

pub(super) fn draw(scene: Scene) -> Drawing {
    let Scene { wires, ends } = scene;
    let mut y = TOP;
    let mut blocks: Vec<Block> = Vec::with_capacity(wires.len());
    for wire in wires {
        let block = block(wire, y);
        y += block.height + GAP;
        blocks.push(block);
    }
    let boxes = place(ends, &blocks);
    for block in &mut blocks {
        for strand in &mut block.strands {
            let meets = strand.strand.end.and_then(|end| boxes.iter().find(|(n, _)| *n == end));
            strand.meets = meets.map(|(_, b)| b.middle);
        }
    }
    let right = boxes.iter().map(|(_, b)| b.y + b.height + GAP).max().unwrap_or_default();
    let height = y.max(right);
    Drawing { height, blocks, boxes: boxes.into_iter().map(|(_, b)| b).collect() }
}

fn block(mut wire: Wire, y: i32) -> Block {
    let more = wire.strands.len().saturating_sub(STRANDS_MAX);
    wire.strands.truncate(STRANDS_MAX);
    let count = i32::try_from(wire.strands.len()).unwrap_or(i32::MAX) + i32::from(more > 0);
    let height = BLOCK_MIN.max(BLOCK_TITLE + count * STRAND_STEP);
    let first = y + BLOCK_TITLE + (height - BLOCK_TITLE - count * STRAND_STEP) / 2;
    let strands = std::mem::take(&mut wire.strands);
    let strands: Vec<_> = (0..)
        .zip(strands)
        .map(|(n, strand)| {
            let y = first + n * STRAND_STEP + (STRAND_STEP - STRAND) / 2;
            StrandBox { strand, y, middle: y + STRAND / 2, meets: None }
        })
        .collect();
    let middle = y + BLOCK_TITLE + (height - BLOCK_TITLE) / 2;
    Block { wire, y, height, middle, strands, more, more_y: first + count * STRAND_STEP - 26 }
}

/// In the order of the interfaces that lead to them, none over another.
fn place(ends: Vec<End>, blocks: &[Block]) -> Vec<(usize, EndBox)> {
    let strands = || blocks.iter().flat_map(|block| &block.strands);
    let mut wished: Vec<(i32, usize, End)> = ends
        .into_iter()
        .enumerate()
        .map(|(n, end)| {
            let leading: Vec<_> =
                strands().filter(|s| s.strand.end == Some(n)).map(|s| s.middle).collect();
            let count = i32::try_from(leading.len()).unwrap_or(i32::MAX);
            let wish = if count == 0 { i32::MAX / 2 } else { leading.iter().sum::<i32>() / count };
            (wish, n, end)
        })
        .collect();
    wished.sort_by_key(|(wish, n, _)| (*wish, *n));
    let mut free = TOP;
    wished
        .into_iter()
        .map(|(wish, n, mut end)| {
            let more = end.subnets.len().saturating_sub(SUBNETS_MAX);
            end.subnets.truncate(SUBNETS_MAX);
            let lines = i32::try_from(end.subnets.len()).unwrap_or(0) + i32::from(more > 0);
            let height = END_MIN.max(48 + lines * SUBNET);
            let y = if wish == i32::MAX / 2 { free } else { free.max(wish - height / 2) };
            free = y + height + GAP;
            let subnets = std::mem::take(&mut end.subnets);
            let subnets = (0..).zip(subnets).map(|(n, s)| (y + 58 + n * SUBNET, s)).collect();
            (n, EndBox { end, subnets, more, y, height, middle: y + height / 2 })
        })
        .collect()
}

/// Fits into a box of so many letters.
pub(super) fn short(text: &str, letters: usize) -> String {
    match text.chars().count() > letters {
        true => text.chars().take(letters.saturating_sub(1)).chain(['…']).collect(),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn strand(end: Option<usize>) -> Strand {
        Strand {
            href: String::new(),
            name: "i".into(),
            tone: "good",
            state: "available",
            vlan: "101".into(),
            asn: "65000".into(),
            rates: None,
            end,
        }
    }

    fn wire(ends: Vec<Option<usize>>) -> Wire {
        Wire {
            href: None,
            name: "c".into(),
            tone: "good",
            state: "available",
            site: "PAR1".into(),
            router: "par1-r1".into(),
            port: "p0".into(),
            bandwidth: "1Gbps".into(),
            strands: ends.into_iter().map(strand).collect(),
        }
    }

    fn end(subnets: usize) -> End {
        let subnets = (0..subnets).map(|n| format!("10.0.{n}.0/24")).collect();
        End { href: String::new(), gateway: "vgw-1".into(), net: "vpc-1".into(), subnets }
    }

    proptest! {
        #[test]
        fn nothing_is_drawn_over_another_and_every_interface_meets_its_end(
            wires in prop::collection::vec(prop::collection::vec(0usize..5, 0..16), 0..6),
            subnets in prop::collection::vec(0usize..9, 5),
        ) {
            let wires = wires.into_iter().map(|ends| wire(ends.into_iter().map(Some).collect()));
            let ends = subnets.into_iter().map(end).collect();
            let drawing = draw(Scene { wires: wires.collect(), ends });
            let blocks: Vec<_> = drawing.blocks.iter().map(|b| (b.y, b.y + b.height)).collect();
            let boxes: Vec<_> = drawing.boxes.iter().map(|b| (b.y, b.y + b.height)).collect();
            for column in [&blocks, &boxes] {
                prop_assert!(column.windows(2).all(|two| two[0].1 < two[1].0), "{column:?}");
                prop_assert!(column.iter().all(|(_, bottom)| *bottom <= drawing.height));
            }
            for block in &drawing.blocks {
                for strand in &block.strands {
                    prop_assert!(strand.y >= block.y && strand.y + STRAND <= block.y + block.height);
                    prop_assert!(strand.meets.is_some_and(|y| y < drawing.height));
                }
                prop_assert!(block.strands.len() <= STRANDS_MAX);
            }
        }
    }

    #[test]
    fn what_is_not_drawn_takes_its_ends_along() {
        let wires = vec![wire(vec![Some(2)]), wire(vec![Some(0), Some(2)]), wire(vec![Some(1)])];
        let named = |name: &str| End { gateway: name.into(), ..end(0) };
        let mut scene = Scene { wires, ends: vec![named("a"), named("b"), named("c")] };
        scene.keep(2);
        let ends: Vec<_> = scene.ends.iter().map(|end| end.gateway.as_str()).collect();
        let meets: Vec<_> =
            scene.wires.iter().flat_map(|wire| &wire.strands).map(|strand| strand.end).collect();
        assert_eq!((ends, meets), (vec!["c", "a"], vec![Some(0), Some(1), Some(0)]));
    }

    #[test]
    fn long_names_are_cut_by_letters() {
        assert_eq!(short("Paris", 5), "Paris");
        assert_eq!(short("Élysée office", 7), "Élysée…");
    }
}
