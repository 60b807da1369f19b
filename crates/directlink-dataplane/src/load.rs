//! Opening the data plane: load the programs, make the tables or find them pinned.
//!
//! ```text
//! PIN_DIR/                      on a BPF file system
//!   tables-FINGERPRINT/         one pin per table; the fingerprint is that of tables.h, tables6.h
//!     interfaces routes nics …
//!   links/                      XDP attachments; the programs live as long as these
//!     port-IFINDEX fabric-IFINDEX
//! ```
//!
//! Programs are loaded anew at every start (milliseconds) over the tables that are there;
//! attaching puts the new program into the old attachment, in one step. Tables of another
//! layout are another directory: they are never read, and go on serving the old programs
//! until every attachment has been replaced and [`Dataplane::drop_other_layouts`] is called.

use crate::{
    bpffs::{self, BpffsError},
    tables::{
        Address6Key, AddressKey, CREDIT_LIMITS, ChangeRow, FORWARDED_NUMBERS, Flow6Key, FlowKey,
        FlowLimitsRow, FlowRow, ForwardedRow, InterfaceKey, InterfaceRow, InterfaceTallies,
        LimitRow, NeighbourRow, NicRow, Peers6Row, PortRow, PresenceRow, RouteRow, RouterRow,
        Rule6Row, RuleKey, RuleRow, Scoped, Scoped6, Subnet6Row, SubnetRow, TallyRow,
    },
};
use aya::{
    Ebpf, EbpfError, EbpfLoader,
    maps::{
        Array, HashMap, LpmTrie, Map, MapData, MapError, PerCpuArray, PerCpuHashMap, ProgramArray,
    },
    programs::{ProgramError, SchedClassifier, TestRun as _, TestRunOptions, Xdp},
    util::nr_cpus,
};
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use thiserror::Error;

/// The compiled programs.
pub(crate) static OBJECT: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/directlink.bpf.o"));

/// Of the rows in `tables.h` and `tables6.h`, comments aside.
const LAYOUT: &str = env!("DIRECTLINK_LAYOUT");

const LINKS: &str = "links";
const TABLES: &str = "tables-";

/// The router's packet programs and tables.
///
/// Dropping it detaches nothing and forgets nothing: attachments and tables are pinned.
pub struct Dataplane {
    pub(crate) pin_dir: PathBuf,
    pub(crate) programs: Ebpf,
    pub(crate) tables: Tables,
}

/// How many rows the large tables hold. Counts for tables made now; what is pinned already
/// keeps its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    pub interfaces: u32,
    /// Prefixes of all Nets together, and of all sources together.
    pub routes: u32,
    pub nics: u32,
    /// Rows of 16 rules.
    pub rule_rows: u32,
    /// Of each family. Takes its memory at once, about 150 bytes each.
    pub flows: u32,
    /// Of these, what one Net may have, both families together.
    pub flows_per_net: u32,
}

impl Default for Capacity {
    fn default() -> Self {
        Self {
            interfaces: 16 * 1024,
            routes: 4 * 1024 * 1024,
            nics: 1024 * 1024,
            rule_rows: 1024 * 1024,
            flows: 256 * 1024,
            flows_per_net: 64 * 1024,
        }
    }
}

#[derive(Debug, Error)]
pub enum OpenError {
    #[error(transparent)]
    Bpffs(#[from] BpffsError),
    #[error("cannot work with the pins in {path}: {source}")]
    Pins { path: PathBuf, source: io::Error },
    #[error("the kernel refuses the packet programs: {0}")]
    Load(#[from] EbpfError),
    #[error("the kernel refuses the packet program {name}: {source}")]
    Program { name: &'static str, source: ProgramError },
    #[error("cannot count this machine's processors: {0}")]
    Processors(io::Error),
    #[error("the kernel starts no timer for a packet program")]
    Clock,
    #[error("the packet programs lack {0}: they were not built from this source")]
    Missing(&'static str),
    #[error("the pinned table {name} is not what this program made: {source}")]
    Table { name: &'static str, source: MapError },
}

impl Dataplane {
    /// Opens what is pinned below `pin_dir`, or makes it. Mounts a BPF file system there if
    /// it is on none.
    ///
    /// # Errors
    /// No right to load (root is needed), or a kernel without what the programs use.
    pub fn open(pin_dir: &Path) -> Result<Self, OpenError> {
        Self::open_with(pin_dir, Capacity::default())
    }

    /// As [`Dataplane::open`], with tables of another size.
    ///
    /// # Errors
    /// As [`Dataplane::open`].
    pub fn open_with(pin_dir: &Path, capacity: Capacity) -> Result<Self, OpenError> {
        bpffs::ensure(pin_dir)?;
        let tables_dir = tables_dir(pin_dir);
        for dir in [&tables_dir, &links_dir(pin_dir)] {
            fs::create_dir_all(dir)
                .map_err(|source| OpenError::Pins { path: dir.clone(), source })?;
        }
        let processors = processors()?;
        let set_bits = shortcut_set_bits(capacity.flows, processors);
        let mut programs = EbpfLoader::new()
            .default_map_pin_directory(&tables_dir)
            .map_max_entries("interfaces", capacity.interfaces)
            .map_max_entries("slow_links", capacity.interfaces)
            .map_max_entries("interface_tallies", capacity.interfaces)
            .map_max_entries("routes", capacity.routes)
            .map_max_entries("sources", capacity.routes)
            .map_max_entries("nics", capacity.nics)
            .map_max_entries("rules", capacity.rule_rows)
            .map_max_entries("flows", capacity.flows)
            .map_max_entries("flow_places", capacity.flows)
            .map_max_entries("free_places", capacity.flows)
            .map_max_entries("peers6", capacity.interfaces)
            .map_max_entries("routes6", capacity.routes)
            .map_max_entries("sources6", capacity.routes)
            .map_max_entries("nics6", capacity.nics)
            .map_max_entries("rules6", capacity.rule_rows)
            .map_max_entries("flows6", capacity.flows)
            .map_max_entries("flow6_places", capacity.flows)
            .map_max_entries("free_places6", capacity.flows)
            .map_max_entries("forwarded", processors * FORWARDED_NUMBERS)
            .map_max_entries("credits", processors * CREDIT_LIMITS)
            .map_max_entries("net_shortcuts", processors << set_bits)
            .map_max_entries("customer_shortcuts", processors << set_bits)
            .map_max_entries("net_ends", processors << END_BITS)
            .map_max_entries("customer_ends", processors << END_BITS)
            .override_global("shortcut_set_bits", &set_bits, true)
            .load(OBJECT)?;
        let mut roads6 = ProgramArray::try_from(pinned_map(&tables_dir, ROADS6)?)
            .map_err(|source| OpenError::Table { name: ROADS6, source })?;
        for (slot, name) in (0..).zip(["directlink_port6", "directlink_fabric6"]) {
            let program = xdp(&mut programs, name)?;
            load(name, program.load())?;
            let fd = program.fd().map_err(|source| OpenError::Program { name, source })?;
            roads6.set(slot, fd, 0).map_err(|source| OpenError::Table { name: ROADS6, source })?;
        }
        for name in ["directlink_port", "directlink_fabric"] {
            load(name, xdp(&mut programs, name)?.load())?;
        }
        for name in ["directlink_port_slow", "directlink_slow_port"] {
            load(name, classifier(&mut programs, name)?.load())?;
        }
        let mut tables = Tables::open(&tables_dir)?;
        tables.limit_flows(&tables_dir, capacity.flows_per_net)?;
        start_clock(&mut programs)?;
        Ok(Self { pin_dir: pin_dir.to_owned(), programs, tables })
    }

    /// Fingerprints of other layouts whose tables are still pinned: an older or newer program
    /// filled them, and may still be forwarding with them.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn other_layouts(&self) -> Result<Vec<String>, OpenError> {
        let failed = |source| OpenError::Pins { path: self.pin_dir.clone(), source };
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.pin_dir).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let layout = name.to_str().and_then(|name| name.strip_prefix(TABLES));
            found.extend(layout.filter(|&layout| layout != LAYOUT).map(str::to_owned));
        }
        found.sort_unstable();
        Ok(found)
    }

    /// Forgets the tables of other layouts. Programs that are still attached keep theirs.
    ///
    /// # Errors
    /// A pin cannot be removed.
    pub fn drop_other_layouts(&self) -> Result<(), OpenError> {
        for layout in self.other_layouts()? {
            let path = self.pin_dir.join(format!("{TABLES}{layout}"));
            remove_tree(&path).map_err(|source| OpenError::Pins { path, source })?;
        }
        Ok(())
    }

    /// Removes everything of ours below `pin_dir`, and `pin_dir` with its mount if nothing else
    /// is there: the XDP programs are detached and the tables are gone (tc filters go with
    /// their links, or by [`Dataplane::detach_all`]). To remove what is not there is no error.
    ///
    /// # Errors
    /// A pin cannot be removed.
    pub fn unpin(pin_dir: &Path) -> Result<(), OpenError> {
        let failed = |source| OpenError::Pins { path: pin_dir.to_owned(), source };
        let entries = match fs::read_dir(pin_dir) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(failed)?,
        };
        let mut others = false;
        for entry in entries {
            let entry = entry.map_err(failed)?;
            match entry.file_name().to_str() {
                Some(name) if name == LINKS || name.starts_with(TABLES) => {
                    remove_tree(&entry.path()).map_err(failed)?;
                }
                // The kernel's own, in every BPF file system; nobody can remove them.
                Some("maps.debug" | "progs.debug") => {}
                _ => others = true,
            }
        }
        if others {
            return Ok(());
        }
        bpffs::unmount(pin_dir);
        fs::remove_dir(pin_dir).map_err(failed)
    }
}

/// The tables that user space reads or writes, opened by their pins, so that their sizes are
/// the kernel's word and not the object file's.
pub(crate) struct Tables {
    pub(crate) router: Array<MapData, RouterRow>,
    pub(crate) interfaces: HashMap<MapData, InterfaceKey, InterfaceRow>,
    pub(crate) interface_keys: Array<MapData, InterfaceKey>,
    pub(crate) slow_links: HashMap<MapData, u32, u32>,
    pub(crate) neighbours: Array<MapData, NeighbourRow>,
    pub(crate) routes: LpmTrie<MapData, Scoped, RouteRow>,
    pub(crate) sources: LpmTrie<MapData, Scoped, PresenceRow>,
    pub(crate) subnets: LpmTrie<MapData, Scoped, SubnetRow>,
    pub(crate) nets: HashMap<MapData, u32, PresenceRow>,
    pub(crate) nics: HashMap<MapData, AddressKey, NicRow>,
    pub(crate) routers: HashMap<MapData, AddressKey, PresenceRow>,
    pub(crate) rules: HashMap<MapData, RuleKey, RuleRow>,
    pub(crate) ports: HashMap<MapData, u32, PortRow>,
    pub(crate) limits: Array<MapData, LimitRow>,
    pub(crate) changes: Array<MapData, ChangeRow>,
    pub(crate) flow_limits: Array<MapData, FlowLimitsRow>,
    pub(crate) flows: HashMap<MapData, FlowKey, FlowRow>,
    pub(crate) strays: HashMap<MapData, InterfaceKey, u64>,
    pub(crate) router_tallies: PerCpuArray<MapData, TallyRow>,
    pub(crate) forwarded: Array<MapData, ForwardedRow>,
    pub(crate) interface_tallies: PerCpuHashMap<MapData, u32, InterfaceTallies>,
    pub(crate) peers6: HashMap<MapData, u32, Peers6Row>,
    pub(crate) routes6: LpmTrie<MapData, Scoped6, RouteRow>,
    pub(crate) sources6: LpmTrie<MapData, Scoped6, PresenceRow>,
    pub(crate) subnets6: LpmTrie<MapData, Scoped6, Subnet6Row>,
    pub(crate) nics6: HashMap<MapData, Address6Key, NicRow>,
    pub(crate) rules6: HashMap<MapData, RuleKey, Rule6Row>,
    pub(crate) flows6: HashMap<MapData, Flow6Key, FlowRow>,
}

impl Tables {
    fn open(dir: &Path) -> Result<Self, OpenError> {
        Ok(Self {
            router: pinned(dir, "router")?,
            interfaces: pinned(dir, "interfaces")?,
            interface_keys: pinned(dir, "interface_keys")?,
            slow_links: pinned(dir, "slow_links")?,
            neighbours: pinned(dir, "neighbours")?,
            routes: pinned(dir, "routes")?,
            sources: pinned(dir, "sources")?,
            subnets: pinned(dir, "subnets")?,
            nets: pinned(dir, "nets")?,
            nics: pinned(dir, "nics")?,
            routers: pinned(dir, "routers")?,
            rules: pinned(dir, "rules")?,
            ports: pinned(dir, "ports")?,
            limits: pinned(dir, "limits")?,
            changes: pinned(dir, "changes")?,
            flow_limits: pinned(dir, "flow_limits")?,
            flows: pinned(dir, "flows")?,
            strays: pinned(dir, "strays")?,
            router_tallies: pinned(dir, "router_tallies")?,
            forwarded: pinned(dir, "forwarded")?,
            interface_tallies: pinned(dir, "interface_tallies")?,
            peers6: pinned(dir, "peers6")?,
            routes6: pinned(dir, "routes6")?,
            sources6: pinned(dir, "sources6")?,
            subnets6: pinned(dir, "subnets6")?,
            nics6: pinned(dir, "nics6")?,
            rules6: pinned(dir, "rules6")?,
            flows6: pinned(dir, "flows6")?,
        })
    }

    /// Tables that were pinned before keep their size.
    fn limit_flows(&mut self, dir: &Path, net_places: u32) -> Result<(), OpenError> {
        const NAME: &str = "flow_limits";
        let failed = |name| move |source| OpenError::Table { name, source };
        for (family, table) in (0..).zip(["flow_places", "flow6_places"]) {
            let found = MapData::from_pin(dir.join(table)).map_err(failed(table))?;
            let places = found.info().map_err(failed(table))?.max_entries();
            let row = FlowLimitsRow { places, net_places };
            self.flow_limits.set(family, row, 0).map_err(failed(NAME))?;
        }
        Ok(())
    }
}

/// Old flows are put out by a timer of the kernel's (`ebpf/flow_table.h`), which a program of ours
/// must set: this runs it once. One that an older program set goes on with the new one's code.
fn start_clock(programs: &mut Ebpf) -> Result<(), OpenError> {
    const NAME: &str = "directlink_clock";
    const XDP_PASS: u32 = 2;
    let program = xdp(programs, NAME)?;
    load(NAME, program.load())?;
    let frame = [0; 64];
    let options = TestRunOptions { data_in: Some(&frame), ..TestRunOptions::default() };
    let failed = |source| OpenError::Program { name: NAME, source };
    match program.test_run(options).map_err(failed)?.return_value {
        XDP_PASS => Ok(()),
        _ => Err(OpenError::Clock),
    }
}

/// IPv6's programs, which the attached ones call: `ebpf/maps.h`. The new ones take the place of
/// the old before the new callers do, so each packet goes one whole road.
const ROADS6: &str = "roads6";

/// So that all flows together have a shortcut each, if they are dealt out evenly. A set holds four, in
/// 256 bytes, for each direction; half full on purpose, as a set's luck varies.
fn shortcut_set_bits(flows: u32, processors: u32) -> u32 {
    const LEAST: u32 = 10;
    (flows / 2 / processors).max(1 << LEAST).ilog2()
}

/// Of `ebpf/shortcuts.h`.
const END_BITS: u32 = 14;

fn processors() -> Result<u32, OpenError> {
    let count = nr_cpus().map_err(|(_, source)| OpenError::Processors(source))?;
    u32::try_from(count).map_err(|e| OpenError::Processors(io::Error::other(e)))
}

fn pinned<T: TryFrom<Map, Error = MapError>>(
    dir: &Path,
    name: &'static str,
) -> Result<T, OpenError> {
    T::try_from(pinned_map(dir, name)?).map_err(|source| OpenError::Table { name, source })
}

fn pinned_map(dir: &Path, name: &'static str) -> Result<Map, OpenError> {
    MapData::from_pin(dir.join(name))
        .and_then(Map::from_map_data)
        .map_err(|source| OpenError::Table { name, source })
}

pub(crate) fn links_dir(pin_dir: &Path) -> PathBuf {
    pin_dir.join(LINKS)
}

fn tables_dir(pin_dir: &Path) -> PathBuf {
    pin_dir.join(format!("{TABLES}{LAYOUT}"))
}

fn remove_tree(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

fn load(name: &'static str, outcome: Result<(), ProgramError>) -> Result<(), OpenError> {
    outcome.map_err(|source| OpenError::Program { name, source })
}

pub(crate) fn xdp<'a>(
    programs: &'a mut Ebpf,
    name: &'static str,
) -> Result<&'a mut Xdp, OpenError> {
    let program = programs.program_mut(name).ok_or(OpenError::Missing(name))?;
    program.try_into().map_err(|source| OpenError::Program { name, source })
}

pub(crate) fn classifier<'a>(
    programs: &'a mut Ebpf,
    name: &'static str,
) -> Result<&'a mut SchedClassifier, OpenError> {
    let program = programs.program_mut(name).ok_or(OpenError::Missing(name))?;
    program.try_into().map_err(|source| OpenError::Program { name, source })
}
