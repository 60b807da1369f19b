//! Taking a lab down, whole, half-made or killed: by its name alone, without reading a note.
//!
//! ```text
//! processes (by their environment) → namespaces (by prefix: links, BPF programs on them)
//!   → file systems mounted below DIR (BPF pins) → DIR
//! ```

use crate::{cable, host, name::LabName, netns, process};
use anyhow::{Context as _, Result, bail};
use nix::mount::{MntFlags, umount2};
use std::{
    ffi::OsString,
    fs, io,
    os::unix::{ffi::OsStringExt as _, fs::PermissionsExt as _},
    path::{Path, PathBuf},
};

/// The file that says that a directory is a lab's. Without it nothing is removed.
const MARK: &str = ".directlink-lab";

/// Takes a directory for a lab, or refuses one that has something else in it.
///
/// # Errors
/// It holds other files, or cannot be made.
pub fn claim(lab: &LabName) -> Result<()> {
    let dir = lab.dir();
    fs::create_dir_all(dir).with_context(|| format!("cannot make {lab}"))?;
    let mark = dir.join(MARK);
    if !mark.exists() {
        if fs::read_dir(dir)?.next().is_some() {
            bail!("{lab} is not empty, and no lab: a lab wants a directory of its own");
        }
        fs::write(&mark, "`directlink lab down --state` on this directory removes it whole.\n")?;
    }
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).with_context(|| lab.to_string())
}

/// Whether anything of the lab is left anywhere.
///
/// # Errors
/// Namespaces or processes cannot be listed.
pub fn is_there(lab: &LabName) -> Result<bool> {
    Ok(lab.dir().join(MARK).exists()
        || !netns::with_prefix(lab.prefix())?.is_empty()
        || !process::list(lab)?.is_empty())
}

/// Leaves nothing of the lab. One that is not there is taken down at once.
///
/// # Errors
/// Something does not go; all that does is gone by then.
pub fn take_down(lab: &LabName) -> Result<()> {
    let was_there = is_there(lab)?;
    process::stop_all(lab)?;
    netns::remove_half_made(lab.prefix())?;
    // What is in others' namespaces goes by name: the kernel lets it go some time after its far end.
    cable::remove_all(lab)?;
    host::remove_all(lab)?;
    let rooms = netns::with_prefix(lab.prefix())?;
    if !rooms.is_empty() {
        netns::delete(&rooms)?;
    }
    unmount_below(lab.dir())?;
    if !was_there {
        return Ok(());
    }
    match fs::remove_dir_all(lab.dir()) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e).context(lab.to_string()),
        _ => Ok(()),
    }
}

/// Newest first: a mount may be on another.
fn unmount_below(dir: &Path) -> Result<()> {
    let table = fs::read("/proc/self/mountinfo").context("/proc/self/mountinfo")?;
    for point in mount_points(&table).into_iter().rev().filter(|point| point.starts_with(dir)) {
        umount2(&point, MntFlags::MNT_DETACH)
            .with_context(|| format!("cannot unmount {}", point.display()))?;
    }
    Ok(())
}

/// The fifth column of mountinfo (proc_pid_mountinfo(5)), its octal escapes undone.
fn mount_points(table: &[u8]) -> Vec<PathBuf> {
    table
        .split(|&b| b == b'\n')
        .filter_map(|line| line.split(|&b| b == b' ').nth(4))
        .map(|word| PathBuf::from(OsString::from_vec(unescaped(word))))
        .collect()
}

fn unescaped(word: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((&first, after)) = rest.split_first() {
        let octal = after.get(..3).filter(|_| first == b'\\').and_then(|digits| {
            u8::from_str_radix(OsString::from_vec(digits.into()).to_str()?, 8).ok()
        });
        bytes.push(octal.unwrap_or(first));
        rest = if octal.is_some() { &after[3..] } else { after };
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt as _;

    #[test]
    fn mount_points_are_read_with_their_escapes() {
        let table = b"28 1 254:0 / /run rw - ext4 /dev/vda rw\n29 28 0:9 / /tmp/a\\040b\\134c rw - bpf bpf rw\n";
        let points = mount_points(table);
        assert_eq!(points, [Path::new("/run"), Path::new("/tmp/a b\\c")]);
        assert_eq!(points[1].as_os_str().as_bytes(), b"/tmp/a b\\c");
    }

    #[test]
    fn a_directory_with_other_files_is_never_claimed_nor_removed() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("precious"), "").unwrap();
        let lab = LabName::of(dir.path()).unwrap();
        assert!(claim(&lab).is_err());
        take_down(&lab).unwrap();
        assert!(dir.path().join("precious").exists());
    }
}
