//! What became of the packets, as they count it themselves.
//!
//! ```text
//! router_tallies     verdict ──► packets, bytes                    of each processor
//! forwarded          processor, number ──► the first two verdicts  of interfaces up to 16383
//! interface_tallies  number ──► every verdict                      of each processor
//! ```
//!
//! A packet that went on is counted in `forwarded`, an array, where another would be counted in
//! a hash. Whoever reads an interface's tallies gets the sum. Apart from the other tables
//! because packets write these and nobody else does, but for their beginning.

use crate::{
    handle::{Done, TableError, absent, in_table, present},
    load::Dataplane,
    rows::InterfaceNumber,
    tables::{FORWARDED_NUMBERS, ForwardedRow, InterfaceTallies},
    verdict::{Tallies, Verdict},
};
use aya::{
    maps::{MapError, PerCpuValues},
    util::nr_cpus,
};
use std::{collections::BTreeMap, io, thread};

const TRIES: usize = 1000;

impl Dataplane {
    /// What became of every packet that the router saw.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn tallies(&self) -> Result<Tallies, TableError> {
        let mut sum = Tallies::default();
        for verdict in Verdict::ALL {
            let rows = self
                .tables
                .router_tallies
                .get(&(verdict as u32), 0)
                .map_err(in_table("router_tallies"))?;
            for row in rows.iter() {
                sum.add(verdict as usize, row.packets, row.bytes);
            }
        }
        Ok(sum)
    }

    /// What became of every packet of one interface since it was put; `None` if there is no
    /// such interface.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn interface_tallies(
        &self,
        interface: InterfaceNumber,
    ) -> Result<Option<Tallies>, TableError> {
        let rows = present(self.tables.interface_tallies.get(&interface.into(), 0))
            .map_err(in_table("interface_tallies"))?;
        let Some(rows) = rows else { return Ok(None) };
        let mut sum = Tallies::default();
        for (verdict, tally) in rows.iter().flat_map(|row| row.by_verdict.iter().enumerate()) {
            sum.add(verdict, tally.packets, tally.bytes);
        }
        for index in self.forwarded_rows(interface) {
            let row = self.tables.forwarded.get(&index, 0).map_err(in_table("forwarded"))?;
            for (verdict, tally) in row.by_verdict.iter().enumerate() {
                sum.add(verdict, tally.packets, tally.bytes);
            }
        }
        Ok(Some(sum))
    }

    /// Frames on ports that belong to no interface: by the port's ifindex and the tag, if they had
    /// one. Those seen of late: the kernel forgets the oldest.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn strays(&self) -> Result<BTreeMap<(u32, Option<u16>), u64>, TableError> {
        let mut found = BTreeMap::new();
        for row in self.tables.strays.iter() {
            let (key, frames) = row.map_err(in_table("strays"))?;
            let vlan = Some(key.vlan()).filter(|vlan| *vlan != 0);
            found.insert((key.port_ifindex(), vlan), frames);
        }
        Ok(found)
    }

    /// All from 0: for an interface that is new.
    pub(crate) fn start_tallies(&mut self, interface: InterfaceNumber) -> Done {
        self.clear_forwarded(interface)?;
        // Of memory for each processor the kernel has little at hand, and fetches more in a moment:
        // who puts thousands of interfaces at once is refused in between.
        for _ in 0..TRIES {
            let zero = zero_tallies()?;
            match self.tables.interface_tallies.insert(u32::from(interface), zero, 0) {
                Err(e) if is_out_of_memory(&e) => thread::yield_now(),
                done => return done.map_err(in_table("interface_tallies")),
            }
        }
        Err(TableError::Memory("interface_tallies"))
    }

    pub(crate) fn remove_tallies(&mut self, interface: InterfaceNumber) -> Done {
        self.clear_forwarded(interface)?;
        absent(self.tables.interface_tallies.remove(&interface.into()))
            .map_err(in_table("interface_tallies"))
    }

    fn clear_forwarded(&mut self, interface: InterfaceNumber) -> Done {
        self.forwarded_rows(interface).into_iter().try_for_each(|index| {
            self.tables
                .forwarded
                .set(index, ForwardedRow::default(), 0)
                .map_err(in_table("forwarded"))
        })
    }

    /// One for each processor; none for an interface with a number beyond them.
    fn forwarded_rows(&self, interface: InterfaceNumber) -> Vec<u32> {
        let number = u32::from(interface);
        if number >= FORWARDED_NUMBERS {
            return vec![];
        }
        let processors = self.tables.forwarded.len() / FORWARDED_NUMBERS;
        (0..processors).map(|processor| processor * FORWARDED_NUMBERS + number).collect()
    }
}

fn is_out_of_memory(error: &MapError) -> bool {
    matches!(error, MapError::SyscallError(e) if e.io_error.kind() == io::ErrorKind::OutOfMemory)
}

fn zero_tallies() -> Result<PerCpuValues<InterfaceTallies>, TableError> {
    let processors = nr_cpus().map_err(|(_, source)| TableError::Processors(source))?;
    PerCpuValues::try_from(vec![InterfaceTallies::ZERO; processors]).map_err(TableError::Processors)
}
