//! Writing many routes or sources with one system call, for whoever has thousands to write at once.
//!
//! Apart because aya has no such call, and so for the `unsafe` in it. One row at a time costs the
//! kernel's entry and exit for each, which is more than the row itself.

use crate::{
    changes::Changed,
    handle::{Done, TableError, in_table},
    load::Dataplane,
    rows::{Route, Source},
    tables::{PresenceRow, RouteRow, Scoped, Scoped6},
};
use aya::{
    Pod,
    maps::{IterableMap, MapData, MapError, lpm_trie::Key},
    sys::SyscallError,
};
use directlink_net::{IpNet, Vni};
use nix::libc;
use std::{
    collections::BTreeSet,
    io,
    os::fd::{AsFd as _, AsRawFd as _},
};

impl Dataplane {
    /// As [`Dataplane::put_source`], each in its turn.
    ///
    /// # Errors
    /// The kernel refused one (a full table): those before it are there.
    pub fn put_sources(&mut self, sources: &[Source]) -> Done {
        let (mut keys, mut keys6) = (Vec::new(), Vec::new());
        for &Source { interface, prefix } in sources {
            match prefix {
                IpNet::V4(v4) => keys.push(Scoped::key(interface, v4)),
                IpNet::V6(v6) => keys6.push(Scoped6::key(interface, v6)),
            }
        }
        let rows = vec![PresenceRow::default(); keys.len().max(keys6.len())];
        put_all(&self.tables.sources, &keys, &rows[..keys.len()])
            .and_then(|()| put_all(&self.tables.sources6, &keys6, &rows[..keys6.len()]))
            .map_err(in_table("sources"))
    }

    /// As [`Dataplane::put_route`], each in its turn.
    ///
    /// # Errors
    /// One has no way or too many, and nothing was written; or the kernel refused one (a full
    /// table): those before it are there.
    pub fn put_routes(&mut self, routes: &[Route]) -> Done {
        let (mut keys, mut rows) = (Vec::new(), Vec::new());
        let (mut keys6, mut rows6) = (Vec::new(), Vec::new());
        for Route { vni, prefix, ways } in routes {
            let row = RouteRow::new(ways).ok_or(TableError::Ways(ways.len()))?;
            match *prefix {
                IpNet::V4(v4) => {
                    keys.push(Scoped::key(*vni, v4));
                    rows.push(row);
                }
                IpNet::V6(v6) => {
                    keys6.push(Scoped6::key(*vni, v6));
                    rows6.push(row);
                }
            }
        }
        let mut written = put_all(&self.tables.routes, &keys, &rows)
            .and_then(|()| put_all(&self.tables.routes6, &keys6, &rows6))
            .map_err(in_table("routes"));
        let nets: BTreeSet<Vni> = routes.iter().map(|route| route.vni).collect();
        for net in nets {
            written = self.count_change(Changed::Net(net.as_u32()), written);
        }
        written
    }
}

fn put_all<M, K: Pod, V: Pod>(table: &M, keys: &[Key<K>], rows: &[V]) -> Result<(), MapError>
where
    M: IterableMap<Key<K>, V>,
{
    for (keys, rows) in keys.chunks(BATCH).zip(rows.chunks(BATCH)) {
        put(table.map(), keys, rows).map_err(|io_error| {
            MapError::SyscallError(SyscallError { call: "bpf_map_update_batch", io_error })
        })?;
    }
    Ok(())
}

/// `union bpf_attr`, as BPF_MAP_UPDATE_BATCH reads it.
#[repr(C)]
struct Request {
    in_batch: u64,
    out_batch: u64,
    keys: u64,
    values: u64,
    count: u32,
    map_fd: u32,
    elem_flags: u64,
    flags: u64,
}

#[allow(unsafe_code)]
fn put<K: Pod, V: Pod>(table: &MapData, keys: &[Key<K>], rows: &[V]) -> io::Result<()> {
    assert_eq!(keys.len(), rows.len(), "a row for each key");
    let mut request = Request {
        in_batch: 0,
        out_batch: 0,
        keys: keys.as_ptr() as u64,
        values: rows.as_ptr() as u64,
        count: u32::try_from(keys.len()).map_err(io::Error::other)?,
        map_fd: table.fd().as_fd().as_raw_fd().cast_unsigned(),
        elem_flags: 0,
        flags: 0,
    };
    // SAFETY: the kernel reads `count` keys and rows of the table's own sizes, which are those of
    // K and V (aya checked them when the table was opened), from slices that outlive the call and
    // are that long, and writes only `request.count`.
    let outcome = unsafe {
        libc::syscall(libc::SYS_bpf, BPF_MAP_UPDATE_BATCH, &raw mut request, size_of::<Request>())
    };
    match outcome {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

const BPF_MAP_UPDATE_BATCH: libc::c_int = 26;

/// Rows that the kernel copies at once.
const BATCH: usize = 4096;
