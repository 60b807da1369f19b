//! Room for flows, as user space sets it up (`ebpf/flow_table.h` is the whole of it): how many there
//! may be, the kernel's timer that puts out the old, and flows that another build's tables had.
//!
//! What only a program can do is done by a program that is run once (BPF_PROG_TEST_RUN).

use crate::{
    load::{OpenError, load, pinned, xdp},
    tables::FlowLimitsRow,
};
use aya::{
    Ebpf,
    maps::{Array, MapData},
    programs::{ProgramError, TestRun as _, TestRunOptions, Xdp},
};
use std::{io, path::Path};

const CLOCK: &str = "directlink_clock";
/// By family: tables of flows, of their places, and the program that begins one.
const FAMILIES: [(&str, &str, &str); 2] = [
    ("flows", "flow_places", "directlink_begin_flow"),
    ("flows6", "flow6_places", "directlink_begin_flow6"),
];
/// What these programs say when all went well; `XDP_DROP` says that there is no room.
const XDP_PASS: u32 = 2;
const XDP_DROP: u32 = 1;
/// What BPF_PROG_TEST_RUN takes for a frame.
const FRAME_MIN: usize = 64;

/// Tables that only a flow's beginning and the clock write, and which are no other build's.
pub(crate) const OWN_TABLES: [&str; 6] =
    ["flow_places", "flow6_places", "free_places", "free_places6", "flow_clock", "net_flows"];

/// Loads the programs, and says how many flows there may be. Tables that were pinned before keep
/// their size.
pub(crate) fn furnish(
    programs: &mut Ebpf,
    dir: &Path,
    flows_per_net: u32,
) -> Result<(), OpenError> {
    const LIMITS: &str = "flow_limits";
    for name in FAMILIES.map(|(.., program)| program).into_iter().chain([CLOCK]) {
        load(name, xdp(programs, name)?.load())?;
    }
    let mut limits: Array<MapData, FlowLimitsRow> = pinned(dir, LIMITS)?;
    let failed = |name| move |source| OpenError::Table { name, source };
    for (family, (_, table, _)) in (0..).zip(FAMILIES) {
        let found = MapData::from_pin(dir.join(table)).map_err(failed(table))?;
        let places = found.info().map_err(failed(table))?.max_entries();
        let row = FlowLimitsRow { places, net_places: flows_per_net };
        limits.set(family, row, 0).map_err(failed(LIMITS))?;
    }
    Ok(())
}

/// A timer that an older program set goes on with the new one's code.
pub(crate) fn start_clock(programs: &mut Ebpf) -> Result<(), OpenError> {
    let outcome = run(xdp(programs, CLOCK)?, &[0; FRAME_MIN]);
    match outcome.map_err(|source| OpenError::Program { name: CLOCK, source })? {
        XDP_PASS => Ok(()),
        _ => Err(OpenError::Clock),
    }
}

/// The flows of one table.
pub(crate) struct Beginnings<'a>(&'a Xdp);

impl<'a> Beginnings<'a> {
    /// `None`: the table is not one of flows.
    pub(crate) fn of(programs: &'a Ebpf, table: &str) -> Option<Self> {
        let (.., name) = FAMILIES.into_iter().find(|(flows, ..)| *flows == table)?;
        Some(Self(programs.program(name)?.try_into().ok()?))
    }

    /// Gives a flow its place and its row, unless it has them. A flow for which there is no room is
    /// left out.
    pub(crate) fn begin(&self, key: &[u8], row: &[u8]) -> io::Result<()> {
        let mut frame = [key, row].concat();
        frame.resize(frame.len().max(FRAME_MIN), 0);
        match run(self.0, &frame).map_err(io::Error::other)? {
            XDP_PASS | XDP_DROP => Ok(()),
            other => Err(io::Error::other(format!("a flow's beginning says {other}"))),
        }
    }
}

fn run(program: &Xdp, frame: &[u8]) -> Result<u32, ProgramError> {
    let options = TestRunOptions { data_in: Some(frame), ..TestRunOptions::default() };
    Ok(program.test_run(options)?.return_value)
}
