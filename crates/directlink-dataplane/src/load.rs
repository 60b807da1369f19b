//! Opening the data plane: load the programs, make the tables or find them pinned.
//!
//! ```text
//! PIN_DIR/                      on a BPF file system
//!   tables-FINGERPRINT/         one pin per table; the fingerprint is that of tables.h, tables6.h
//!     interfaces routes nics …
//!   filling-FINGERPRINT/        the same, while a new layout's tables are filled
//!   links/                      XDP attachments; the programs live as long as these
//!     port-IFINDEX fabric-IFINDEX
//! ```
//!
//! Programs are loaded anew at every start (milliseconds) over the tables that are there;
//! attaching puts the new program into the old attachment, in one step. Tables of another
//! layout are another directory. They serve the old programs until every attachment has been
//! replaced and [`Dataplane::drop_other_layouts`] is called; the new ones are filled from them
//! (`carry.rs`) before they get their name, so that half-filled ones are never taken for whole.

use crate::{
    bpffs::{self, BpffsError},
    carry, flow_room,
    tables::{
        Address6Key, AddressKey, Bfd6Key, Bfd6Row, BfdKey, BfdRow, CREDIT_LIMITS, CaptureRow,
        ChangeRow, FORWARDED_NUMBERS, Flow6Key, FlowKey, FlowRow, ForwardedRow, InterfaceKey,
        InterfaceRow, InterfaceTallies, LimitRow, NeighbourRow, NicRow, Peers6Row, PortRow,
        PresenceRow, RouteRow, RouterRow, Rule6Row, RuleKey, RuleRow, Scoped, Scoped6, Subnet6Row,
        SubnetRoutesKey, SubnetRoutesRow, SubnetRow, TallyRow,
    },
};
use aya::{
    Ebpf, EbpfError, EbpfLoader,
    maps::{
        Array, HashMap, LpmTrie, Map, MapData, MapError, PerCpuArray, PerCpuHashMap, ProgramArray,
    },
    programs::{ProgramError, SchedClassifier, Xdp},
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
pub(crate) const LAYOUT: &str = env!("DIRECTLINK_LAYOUT");

const LINKS: &str = "links";
const TABLES: &str = "tables-";
const FILLING: &str = "filling-";

/// Compiled programs, and the layout of the tables that they work on.
#[derive(Clone, Copy, Debug)]
pub struct Build<'a> {
    pub object: &'a [u8],
    /// Unlike that of every build whose rows are others.
    pub layout: &'a str,
}

impl Build<'static> {
    /// This one.
    pub const OWN: Self = Self { object: OBJECT, layout: LAYOUT };
}

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
    /// Rows of 16 rules, and as many of 16 routes by hand.
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
        let programs = load_build(Build::OWN, pin_dir, capacity)?;
        let tables = Tables::open(&tables_dir(pin_dir, LAYOUT))?;
        Ok(Self { pin_dir: pin_dir.to_owned(), programs, tables })
    }

    /// Fingerprints of other layouts whose tables are still pinned: an older or newer program
    /// filled them, and may still be forwarding with them.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn other_layouts(&self) -> Result<Vec<String>, OpenError> {
        let failed = |source| OpenError::Pins { path: self.pin_dir.clone(), source };
        let mut found: Vec<_> = layouts(&self.pin_dir).map_err(failed)?;
        found.retain(|layout| layout != LAYOUT);
        found.sort_unstable();
        Ok(found)
    }

    /// Takes over the flows that began while another layout's programs still had the packets.
    /// To be called when every attachment has been replaced.
    ///
    /// # Errors
    /// A table cannot be read or written.
    pub fn take_late_flows(&mut self) -> Result<(), OpenError> {
        let own = tables_dir(&self.pin_dir, LAYOUT);
        for layout in self.other_layouts()? {
            let path = tables_dir(&self.pin_dir, &layout);
            carry::late_flows(&path, &own, &self.programs)
                .map_err(|source| OpenError::Pins { path, source })?;
        }
        Ok(())
    }

    /// Forgets the tables of other layouts. Programs that are still attached keep theirs.
    ///
    /// # Errors
    /// A pin cannot be removed.
    pub fn drop_other_layouts(&self) -> Result<(), OpenError> {
        for layout in self.other_layouts()? {
            let path = tables_dir(&self.pin_dir, &layout);
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
                Some(name)
                    if name == LINKS || name.starts_with(TABLES) || name.starts_with(FILLING) =>
                {
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
    pub(crate) subnet_routes: HashMap<MapData, SubnetRoutesKey, SubnetRoutesRow>,
    pub(crate) bfd_sessions: HashMap<MapData, BfdKey, BfdRow>,
    pub(crate) captures: HashMap<MapData, u32, CaptureRow>,
    pub(crate) ports: HashMap<MapData, u32, PortRow>,
    pub(crate) limits: Array<MapData, LimitRow>,
    pub(crate) changes: Array<MapData, ChangeRow>,
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
    pub(crate) bfd6_sessions: HashMap<MapData, Bfd6Key, Bfd6Row>,
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
            subnet_routes: pinned(dir, "subnet_routes")?,
            bfd_sessions: pinned(dir, "bfd_sessions")?,
            captures: pinned(dir, "captures")?,
            ports: pinned(dir, "ports")?,
            limits: pinned(dir, "limits")?,
            changes: pinned(dir, "changes")?,
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
            bfd6_sessions: pinned(dir, "bfd6_sessions")?,
            rules6: pinned(dir, "rules6")?,
            flows6: pinned(dir, "flows6")?,
        })
    }
}

/// Loads a build's programs over its tables. Where another build's are pinned that were filled
/// later, or are alone, its own are made anew and filled from those.
pub(crate) fn load_build(
    build: Build<'_>,
    pin_dir: &Path,
    capacity: Capacity,
) -> Result<Ebpf, OpenError> {
    bpffs::ensure(pin_dir)?;
    let failed = |source| OpenError::Pins { path: pin_dir.to_owned(), source };
    fs::create_dir_all(links_dir(pin_dir)).map_err(failed)?;
    let tables = tables_dir(pin_dir, build.layout);
    let latest = layouts(pin_dir).map_err(failed)?.into_iter().next();
    let Some(former) = latest.filter(|latest| latest != build.layout) else {
        fs::create_dir_all(&tables).map_err(failed)?;
        let mut programs = load_over(build, &tables, capacity)?;
        flow_room::start_clock(&mut programs)?;
        return Ok(programs);
    };
    let filling = pin_dir.join(format!("{FILLING}{}", build.layout));
    remove_tree(&filling).map_err(failed)?;
    fs::create_dir(&filling).map_err(failed)?;
    let mut programs = load_over(build, &filling, capacity)?;
    let left = carry::all(&tables_dir(pin_dir, &former), &filling, &programs);
    let left = left.map_err(failed)?;
    flow_room::start_clock(&mut programs)?;
    tracing::info!(former, layout = build.layout, "tables of another layout were carried");
    for table in left {
        tracing::warn!(table, "not carried from another layout");
    }
    if tables.exists() {
        // A build that was gone for a while, and whose tables say what was so then. Its programs
        // may still be on a link: these tables count as another layout's until none is.
        let stale = tables_dir(pin_dir, &format!("{}-stale", build.layout));
        remove_tree(&stale).map_err(failed)?;
        fs::rename(&tables, stale).map_err(failed)?;
    }
    fs::rename(&filling, &tables).map_err(failed)?;
    Ok(programs)
}

fn load_over(build: Build<'_>, tables: &Path, capacity: Capacity) -> Result<Ebpf, OpenError> {
    let processors = processors()?;
    let (bits, bits6) = shortcut_bits(capacity.flows, processors);
    let mut programs = EbpfLoader::new()
        .default_map_pin_directory(tables)
        .map_max_entries("interfaces", capacity.interfaces)
        .map_max_entries("slow_links", capacity.interfaces)
        .map_max_entries("bfd_sessions", capacity.interfaces * 2)
        .map_max_entries("bfd6_sessions", capacity.interfaces * 2)
        .map_max_entries("interface_tallies", capacity.interfaces)
        .map_max_entries("routes", capacity.routes)
        .map_max_entries("sources", capacity.routes)
        .map_max_entries("nics", capacity.nics)
        .map_max_entries("rules", capacity.rule_rows)
        .map_max_entries("subnet_routes", capacity.rule_rows)
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
        .map_max_entries("net_shortcuts", processors << bits)
        .map_max_entries("customer_shortcuts", processors << bits)
        .map_max_entries("net_shortcuts6", processors << bits6)
        .map_max_entries("customer_shortcuts6", processors << bits6)
        .map_max_entries("net_ends", processors << END_BITS)
        .map_max_entries("customer_ends", processors << END_BITS)
        .override_global("shortcut_bits", &bits, true)
        .override_global("shortcut6_bits", &bits6, true)
        .load(build.object)?;
    let mut roads = ProgramArray::try_from(pinned_map(tables, ROADS)?)
        .map_err(|source| OpenError::Table { name: ROADS, source })?;
    for (slot, name) in (0..).zip(ROAD_PROGRAMS) {
        let program = xdp(&mut programs, name)?;
        load(name, program.load())?;
        let fd = program.fd().map_err(|source| OpenError::Program { name, source })?;
        roads.set(slot, fd, 0).map_err(|source| OpenError::Table { name: ROADS, source })?;
    }
    for name in ["directlink_port", "directlink_fabric"] {
        load(name, xdp(&mut programs, name)?.load())?;
    }
    for name in ["directlink_port_slow", "directlink_slow_port"] {
        load(name, classifier(&mut programs, name)?.load())?;
    }
    flow_room::furnish(&mut programs, tables, capacity.flows_per_net)?;
    Ok(programs)
}

/// The programs of IPv6 and BFD, which the attached ones call: `ebpf/maps.h`. The new ones take the place of
/// the old before the new callers do, so each packet goes one whole road.
const ROADS: &str = "roads";
const ROAD_PROGRAMS: [&str; 4] =
    ["directlink_port6", "directlink_fabric6", "directlink_bfd", "directlink_bfd6"];

/// So that all flows of IPv4 together have a shortcut each, of 16 bytes for each direction, if they are
/// dealt out evenly. Half full on purpose, as luck varies. Those of IPv6, of 32 bytes, get as much memory.
fn shortcut_bits(flows: u32, processors: u32) -> (u32, u32) {
    const LEAST: u32 = 12;
    let bits = (flows / processors * 2).max(1 << LEAST).ilog2();
    (bits, (bits - 1).max(LEAST))
}

/// Of `ebpf/shortcuts.h`.
const END_BITS: u32 = 14;

pub(crate) fn processors() -> Result<u32, OpenError> {
    let count = nr_cpus().map_err(|(_, source)| OpenError::Processors(source))?;
    u32::try_from(count).map_err(|e| OpenError::Processors(io::Error::other(e)))
}

pub(crate) fn pinned<T: TryFrom<Map, Error = MapError>>(
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

pub(crate) fn tables_dir(pin_dir: &Path, layout: &str) -> PathBuf {
    pin_dir.join(format!("{TABLES}{layout}"))
}

/// Whose tables are pinned, from the latest made to the first.
fn layouts(pin_dir: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(pin_dir)? {
        let entry = entry?;
        let name = entry.file_name();
        if let Some(layout) = name.to_str().and_then(|name| name.strip_prefix(TABLES)) {
            found.push((entry.metadata()?.modified()?, layout.to_owned()));
        }
    }
    found.sort_unstable_by(|a, b| b.cmp(a));
    Ok(found.into_iter().map(|(_, layout)| layout).collect())
}

fn remove_tree(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

pub(crate) fn load(name: &'static str, outcome: Result<(), ProgramError>) -> Result<(), OpenError> {
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
