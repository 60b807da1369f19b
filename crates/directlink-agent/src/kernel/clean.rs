//! Taking everything of one router out of the kernel: what an agent never does by itself.

use super::{Netns, netlink::Netlink};
use crate::{
    config::{KernelConfig, NETNS_DIR},
    names::Namespaces,
};
use directlink_dataplane::{AttachError, Dataplane, OpenError};
use directlink_model::ids::InterfaceId;
use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    thread,
};
use thiserror::Error;

#[derive(Debug, Error)]
pub enum CleanError {
    #[error("cannot {doing}: {source}")]
    Io { doing: String, source: io::Error },
    #[error(transparent)]
    Pins(#[from] OpenError),
    #[error(transparent)]
    Detach(#[from] AttachError),
    #[error("the thread that cleans died")]
    Died,
}

/// Removes the interfaces' namespaces and links, and everything pinned. Packets stop. The
/// agent must not run. To remove what is not there is no error; nor is a router's namespace
/// that is gone, with its links.
///
/// # Errors
/// The kernel refused; what could be removed is.
pub fn clean(config: &KernelConfig) -> Result<(), CleanError> {
    let names = Namespaces::new(Path::new(NETNS_DIR), &config.netns_prefix);
    let ids = named(&names)?;
    let mut outcome = in_router(config);
    for id in ids {
        let path = names.path(id);
        let removed = Netns::remove(&path)
            .map_err(failed(&format!("remove the namespace {}", path.display())));
        outcome = outcome.and(removed);
    }
    let unpinned = Dataplane::unpin(&config.pin_dir).map_err(CleanError::from);
    outcome.and(unpinned)
}

/// Those whose name is in the directory, a namespace or only a file.
fn named(names: &Namespaces) -> Result<BTreeSet<InterfaceId>, CleanError> {
    let entries = match fs::read_dir(names.dir()) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(e) => return Err(failed("list namespaces")(e)),
    };
    let ids = entries.flatten().filter_map(|entry| names.id(entry.file_name().to_str()?));
    Ok(ids.collect())
}

/// On a thread, because that enters the router's namespace.
fn in_router(config: &KernelConfig) -> Result<(), CleanError> {
    if config.netns.as_deref().is_some_and(|path| !Netns::is_one(path)) {
        return Ok(());
    }
    let (netns, pin_dir) = (config.netns.clone(), config.pin_dir.clone());
    let work = move || {
        let enter = |path: PathBuf| Netns::open(&path)?.enter();
        netns.map_or(Ok(()), enter).map_err(failed("enter the router's namespace"))?;
        let removed = remove_links().map_err(failed("remove the interfaces' links"));
        let detached = match pin_dir.exists() {
            true => Dataplane::open(&pin_dir)?.detach_all().map_err(CleanError::from),
            false => Ok(()),
        };
        removed.and(detached)
    };
    thread::spawn(work).join().map_err(|_| CleanError::Died)?
}

/// In the calling thread's namespace.
fn remove_links() -> io::Result<()> {
    let mut netlink = Netlink::open()?;
    let links = netlink.links()?.into_iter().map(|link| link.name);
    let ours: Vec<_> = links.filter(|name| name.parse::<InterfaceId>().is_ok()).collect();
    match ours.as_slice() {
        [] => Ok(()),
        ours => netlink.remove_links(ours),
    }
}

fn failed(doing: &str) -> impl FnOnce(io::Error) -> CleanError {
    let doing = doing.to_owned();
    move |source| CleanError::Io { doing, source }
}
