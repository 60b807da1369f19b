//! Network namespaces by name, as `ip netns` keeps them: files under /run/netns.

use crate::tool;
use anyhow::{Context as _, Result, anyhow, bail};
use nix::{
    sched::{CloneFlags, setns},
    sys::statfs::{NSFS_MAGIC, statfs},
};
use std::{
    fs::{self, File},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    thread,
};

const DIR: &str = "/run/netns";

/// The file that stands for a namespace.
pub fn path(name: &str) -> PathBuf {
    Path::new(DIR).join(name)
}

pub fn exists(name: &str) -> bool {
    path(name).exists()
}

/// Fails with what to do about it.
///
/// # Errors
/// There is no such namespace.
pub fn check_exists(name: &str) -> Result<()> {
    match exists(name) {
        true => Ok(()),
        false => {
            bail!("there is no network namespace '{name}': make it with `ip netns add {name}`")
        }
    }
}

/// Makes namespaces; those that are there already stay as they are.
///
/// # Errors
/// No right to (root is needed).
pub fn add(names: &[String]) -> Result<()> {
    let lines: Vec<_> =
        names.iter().filter(|name| !exists(name)).map(|name| format!("netns add {name}")).collect();
    tool::ip(None, &lines)?;
    // Loopback is down in a new namespace, and a daemon's own control socket may be on it.
    names.iter().try_for_each(|name| tool::ip(Some(name), &["link set lo up".to_owned()]))
}

/// Removes namespaces, with all links in them.
///
/// # Errors
/// One of them is not there.
pub fn delete(names: &[String]) -> Result<()> {
    let lines: Vec<_> = names.iter().map(|name| format!("netns del {name}")).collect();
    tool::ip(None, &lines)
}

/// Namespaces whose name begins so.
///
/// # Errors
/// The list cannot be read.
pub fn with_prefix(prefix: &str) -> Result<Vec<String>> {
    let entries = match fs::read_dir(DIR) {
        Ok(entries) => entries,
        // Before the first `ip netns add` since the machine started.
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(vec![]),
        Err(e) => return Err(e).context(DIR),
    };
    let mut names: Vec<_> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with(prefix))
        .collect();
    names.sort_unstable();
    Ok(names)
}

/// Removes names that stand for no namespace: whoever was about to make it was killed before it was
/// mounted there.
///
/// # Errors
/// One of them stays.
pub fn remove_half_made(prefix: &str) -> Result<()> {
    for name in with_prefix(prefix)? {
        let path = path(&name);
        let at = || path.display().to_string();
        if statfs(&path).with_context(at)?.filesystem_type() != NSFS_MAGIC {
            fs::remove_file(&path).with_context(at)?;
        }
    }
    Ok(())
}

/// Does something inside a namespace, on a thread of its own; a process started there lives there.
///
/// # Errors
/// No such namespace, or what `work` says.
pub fn within<T: Send>(name: &str, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let file = File::open(path(name)).with_context(|| format!("network namespace '{name}'"))?;
    thread::scope(|scope| {
        let inside = scope.spawn(|| {
            setns(&file, CloneFlags::CLONE_NEWNET)
                .with_context(|| format!("cannot enter network namespace '{name}'"))?;
            work()
        });
        inside.join().unwrap_or_else(|_| Err(anyhow!("the thread in namespace '{name}' panicked")))
    })
}

/// What tells one namespace from another, whatever it is called: device and inode of its file.
pub(crate) fn identity(file: &Path) -> Option<(u64, u64)> {
    fs::metadata(file).ok().map(|m| (m.dev(), m.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_namespace_is_refused_with_the_remedy() {
        let error = check_exists("dl-no-such").unwrap_err().to_string();
        assert!(error.contains("ip netns add dl-no-such"), "{error}");
    }

    #[test]
    fn a_name_without_its_namespace_goes_and_a_namespace_stays() {
        let prefix = format!("dlh{}-", std::process::id());
        let [whole, half] = ["whole", "half"].map(|name| format!("{prefix}{name}"));
        add(std::slice::from_ref(&whole)).unwrap();
        fs::write(path(&half), "").unwrap();
        remove_half_made(&prefix).unwrap();
        assert_eq!(with_prefix(&prefix).unwrap(), std::slice::from_ref(&whole));
        delete(&[whole]).unwrap();
    }
}
