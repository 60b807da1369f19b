//! A customer's end of a cable: VLAN tags without the kernel's 8021q.
//!
//! ```text
//! inner (untagged, one per VLAN) ── cable_push: tag ──► trunk ═══ cable ═══ router's port
//! inner ◄── cable_pop: by tag ─── trunk ◄═══════════════════════════════════
//! ```
//!
//! An inner interface is one end of a veth pair; the customer's router uses the other end as
//! if it were a VLAN sub-interface. The lab uses this where the kernel has no 8021q; nothing
//! of the router depends on it. The filters go when the links go.

use crate::{
    attach::{AttachError, link_name, put_filter},
    offload::{self, OffloadError},
    tables::{CableTagRow, InterfaceKey},
};
use aya::{
    Ebpf, EbpfError, EbpfLoader,
    maps::{HashMap, MapError},
    programs::{ProgramError, SchedClassifier},
};
use directlink_net::Vlan;
use thiserror::Error;

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/cable.bpf.o"));

/// The tagging of the trunks of one network namespace. Stays in the kernel when dropped.
pub struct Cable {
    programs: Ebpf,
}

#[derive(Debug, Error)]
pub enum CableError {
    #[error("the kernel refuses the cable's programs: {0}")]
    Load(#[from] EbpfError),
    #[error("the cable's programs lack {0}: they were not built from this source")]
    Missing(&'static str),
    #[error("the kernel refuses the cable's program {name}: {source}")]
    Program { name: &'static str, source: ProgramError },
    #[error("table {table}: {source}")]
    Table { table: &'static str, source: MapError },
    #[error(transparent)]
    Attach(#[from] AttachError),
    #[error(transparent)]
    Offload(#[from] OffloadError),
}

impl Cable {
    /// # Errors
    /// No right to load programs.
    pub fn new() -> Result<Self, CableError> {
        let mut programs = EbpfLoader::new().load(OBJECT)?;
        for name in ["cable_push", "cable_pop"] {
            program(&mut programs, name)?
                .load()
                .map_err(|source| CableError::Program { name, source })?;
        }
        Ok(Self { programs })
    }

    /// Frames that come in on `inner_ifindex` leave by the trunk with this tag, and those
    /// that come in on the trunk with this tag leave, bare, by `inner_ifindex`. Several VLANs
    /// per trunk: call it again, on the same `Cable`. All links are in the caller's network
    /// namespace.
    ///
    /// Also sets the trunk up to face an XDP port (see [`crate::offload`]).
    ///
    /// # Errors
    /// No such link.
    pub fn attach(
        &mut self,
        trunk_ifindex: u32,
        vlan: Vlan,
        inner_ifindex: u32,
    ) -> Result<(), CableError> {
        let trunk = link_name(trunk_ifindex)?;
        offload::finish_frames(&trunk)?;
        offload::poll(&trunk)?;
        self.table("cable_tags")?
            .insert(inner_ifindex, CableTagRow::new(trunk_ifindex, vlan), 0)
            .map_err(|source| CableError::Table { table: "cable_tags", source })?;
        self.table("cable_vlans")?
            .insert(InterfaceKey::new(trunk_ifindex, vlan), inner_ifindex, 0)
            .map_err(|source| CableError::Table { table: "cable_vlans", source })?;
        put_filter(program(&mut self.programs, "cable_push")?, inner_ifindex)?;
        put_filter(program(&mut self.programs, "cable_pop")?, trunk_ifindex)?;
        Ok(())
    }

    fn table<K: aya::Pod, V: aya::Pod>(
        &mut self,
        table: &'static str,
    ) -> Result<HashMap<&mut aya::maps::MapData, K, V>, CableError> {
        let map = self.programs.map_mut(table).ok_or(CableError::Missing(table))?;
        map.try_into().map_err(|source| CableError::Table { table, source })
    }
}

fn program<'a>(
    programs: &'a mut Ebpf,
    name: &'static str,
) -> Result<&'a mut SchedClassifier, CableError> {
    let program = programs.program_mut(name).ok_or(CableError::Missing(name))?;
    program.try_into().map_err(|source| CableError::Program { name, source })
}
