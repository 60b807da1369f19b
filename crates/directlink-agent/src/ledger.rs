//! The ledger: the last plan of each scope, on disk, before it is applied.
//!
//! ```text
//! STATE/plans/port/p0             one line of header, then the document as it came:
//! STATE/plans/net/vpc-1a2b3c4d      {"scope":"port/p0","generation":42,"sha256":"…"}
//! STATE/previous/port/p0          what was there before
//! ```
//!
//! Written to a temporary file, synced, renamed, directory synced; the former file becomes the
//! previous one without a moment in which there is none. A file that cannot be read is never
//! 'nothing wanted': the router stays as it is there, starts from the previous document where
//! the kernel has nothing, and asks the server again.

use directlink_model::plan::{Document, Scope};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};
use thiserror::Error;

/// A document with its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) generation: u64,
    pub(crate) document: Document,
}

/// What a start finds for one scope.
#[derive(Debug)]
pub(crate) enum Found {
    Current(Held),
    /// The current file cannot be read; perhaps the one before it can.
    Unreadable {
        reason: LedgerError,
        previous: Option<Held>,
    },
}

#[derive(Debug, Error)]
pub enum LedgerError {
    #[error("cannot {doing} {path}: {source}")]
    File { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("{path} is damaged: {reason}")]
    Damaged { path: PathBuf, reason: String },
    #[error("{path} is missing, but not the one before it")]
    Missing { path: PathBuf },
    #[error("the document cannot be read: {0}")]
    Document(serde_json::Error),
    #[error("the document is not one about {0}")]
    Scope(Scope),
}

#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    dir: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Header {
    scope: Scope,
    generation: u64,
    sha256: String,
}

impl Ledger {
    /// Makes the directories where they are not there.
    ///
    /// # Errors
    /// The disk refused.
    pub(crate) fn open(dir: &Path) -> Result<Self, LedgerError> {
        for half in [CURRENT, PREVIOUS] {
            for kind in KINDS {
                let path = dir.join(half).join(kind);
                fs::DirBuilder::new()
                    .recursive(true)
                    .mode(0o700)
                    .create(&path)
                    .map_err(failed("create", &path))?;
            }
        }
        Ok(Self { dir: dir.to_owned() })
    }

    /// All that is there, readable or not.
    ///
    /// # Errors
    /// A directory cannot be listed. Then nothing is known of any scope.
    pub(crate) fn read(&self) -> Result<BTreeMap<Scope, Found>, LedgerError> {
        let mut found = BTreeMap::new();
        for half in [CURRENT, PREVIOUS] {
            for kind in KINDS {
                let dir = self.dir.join(half).join(kind);
                for entry in fs::read_dir(&dir).map_err(failed("list", &dir))? {
                    let name = entry.map_err(failed("list", &dir))?.file_name();
                    // A temporary file of a write that was cut short is no scope.
                    let scope = name.to_str().and_then(|n| format!("{kind}/{n}").parse().ok());
                    if let Some(scope) = scope {
                        let read = || self.read_scope(&scope);
                        let read = read();
                        found.entry(scope).or_insert(read);
                    }
                }
            }
        }
        Ok(found)
    }

    /// Keeps a document, as it came, before it is applied.
    ///
    /// # Errors
    /// The document is not one (nothing is written), or the disk refused.
    pub(crate) fn keep(
        &self,
        scope: &Scope,
        generation: u64,
        document: &[u8],
    ) -> Result<Held, LedgerError> {
        let parsed = serde_json::from_slice(document).map_err(LedgerError::Document)?;
        if !is_about(scope, &parsed) {
            return Err(LedgerError::Scope(scope.clone()));
        }
        let header = Header { scope: scope.clone(), generation, sha256: digest(document) };
        let mut bytes = serde_json::to_vec(&header).map_err(LedgerError::Document)?;
        bytes.push(b'\n');
        bytes.extend_from_slice(document);
        let current = self.path(CURRENT, scope);
        let previous = self.path(PREVIOUS, scope);
        let fresh = temporary(&current);
        write_synced(&fresh, &bytes)?;
        keep_former(&current, &previous)?;
        rename(&fresh, &current)?;
        Ok(Held { generation, document: parsed })
    }

    fn read_scope(&self, scope: &Scope) -> Found {
        match read_file(&self.path(CURRENT, scope), scope) {
            Ok(held) => Found::Current(held),
            Err(reason) => Found::Unreadable {
                reason,
                previous: read_file(&self.path(PREVIOUS, scope), scope).ok(),
            },
        }
    }

    fn path(&self, half: &str, scope: &Scope) -> PathBuf {
        // A scope's words cannot climb out of a folder (model: ids).
        self.dir.join(half).join(scope.to_string())
    }
}

const fn is_about(scope: &Scope, document: &Document) -> bool {
    matches!(
        (scope, document),
        (Scope::Port(_), Document::Port(_)) | (Scope::Net(_), Document::Net(_))
    )
}

const CURRENT: &str = "plans";
const PREVIOUS: &str = "previous";
const KINDS: [&str; 2] = ["port", "net"];

fn read_file(path: &Path, scope: &Scope) -> Result<Held, LedgerError> {
    let bytes = fs::read(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => LedgerError::Missing { path: path.to_owned() },
        _ => failed("read", path)(source),
    })?;
    let damaged = |reason: String| LedgerError::Damaged { path: path.to_owned(), reason };
    let end = bytes.iter().position(|&b| b == b'\n');
    let (header, document) = bytes.split_at(end.ok_or_else(|| damaged("no header".into()))?);
    let document = document.get(1..).unwrap_or_default();
    let header: Header = serde_json::from_slice(header).map_err(|e| damaged(e.to_string()))?;
    if header.scope != *scope {
        return Err(damaged(format!("it is about {}", header.scope)));
    }
    if header.sha256 != digest(document) {
        return Err(damaged("the document is not the one that was written".into()));
    }
    let document = serde_json::from_slice(document).map_err(|e| damaged(e.to_string()))?;
    Ok(Held { generation: header.generation, document })
}

/// The current file becomes the previous one, and stays the current one too until it is
/// replaced. One that is there already is what a write cut short left behind.
fn keep_former(current: &Path, previous: &Path) -> Result<(), LedgerError> {
    let link = temporary(previous);
    match fs::remove_file(&link) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(failed("remove", &link)(e)),
        _ => {}
    }
    match fs::hard_link(current, &link) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(failed("link", &link)(e)),
        Ok(()) => rename(&link, previous),
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), LedgerError> {
    let write = || {
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(failed("write", path))
}

fn rename(from: &Path, to: &Path) -> Result<(), LedgerError> {
    fs::rename(from, to).map_err(failed("replace", to))?;
    match to.parent() {
        Some(dir) => File::open(dir).and_then(|d| d.sync_all()).map_err(failed("sync", dir)),
        None => Ok(()),
    }
}

/// Not a name that a scope can have.
fn temporary(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}"))
}

fn digest(document: &[u8]) -> String {
    hex::encode(Sha256::digest(document))
}

fn failed(doing: &'static str, path: &Path) -> impl Fn(io::Error) -> LedgerError {
    let path = path.to_owned();
    move |source| LedgerError::File { doing, path: path.clone(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use directlink_model::plan::PortPlan;
    use std::os::unix::fs::PermissionsExt as _;

    fn scope() -> Scope {
        "port/p0".parse().unwrap()
    }

    fn document() -> Vec<u8> {
        serde_json::to_vec(&Document::Port(PortPlan::default())).unwrap()
    }

    fn kept(generations: &[u64]) -> (tempfile::TempDir, Ledger) {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(dir.path()).unwrap();
        for &generation in generations {
            ledger.keep(&scope(), generation, &document()).unwrap();
        }
        (dir, ledger)
    }

    fn found(ledger: &Ledger) -> Found {
        ledger.read().unwrap().remove(&scope()).unwrap()
    }

    #[test]
    fn what_was_kept_is_read_with_its_generation() {
        let (dir, ledger) = kept(&[41, 42]);
        assert!(matches!(found(&ledger), Found::Current(Held { generation: 42, .. })));
        let mode = fs::metadata(dir.path().join("plans/port/p0")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "it holds BGP keys");
    }

    #[test]
    fn damage_of_any_kind_is_unreadable_and_the_previous_is_offered() {
        type Damage = fn(&Path);
        let kinds: [(&str, Damage); 5] = [
            ("cut short", |path| {
                let bytes = fs::read(path).unwrap();
                fs::write(path, &bytes[..bytes.len() - 3]).unwrap();
            }),
            ("empty", |path| fs::write(path, "").unwrap()),
            ("missing", |path| fs::remove_file(path).unwrap()),
            ("one byte changed", |path| {
                let mut bytes = fs::read(path).unwrap();
                let last = bytes.len() - 2;
                bytes[last] ^= 1;
                fs::write(path, bytes).unwrap();
            }),
            ("of another scope", |path| {
                let text = fs::read_to_string(path).unwrap();
                fs::write(path, text.replacen("port/p0", "port/p1", 1)).unwrap();
            }),
        ];
        for (what, damage) in kinds {
            let (dir, ledger) = kept(&[41, 42]);
            damage(&dir.path().join("plans/port/p0"));
            match found(&ledger) {
                Found::Unreadable { previous: Some(held), .. } => {
                    assert_eq!(held.generation, 41, "{what}");
                }
                other => panic!("{what}: {other:?}"),
            }
        }
    }

    #[test]
    fn the_only_file_damaged_is_still_a_scope() {
        let (dir, ledger) = kept(&[42]);
        fs::write(dir.path().join("plans/port/p0"), "{}").unwrap();
        assert!(matches!(found(&ledger), Found::Unreadable { previous: None, .. }));
    }

    #[test]
    fn a_write_cut_short_changes_nothing() {
        let (dir, ledger) = kept(&[41, 42]);
        fs::write(dir.path().join("plans/port/.p0"), "half of generation 43").unwrap();
        fs::write(dir.path().join("previous/port/.p0"), "old").unwrap();
        assert_eq!(ledger.read().unwrap().len(), 1);
        assert!(matches!(found(&ledger), Found::Current(Held { generation: 42, .. })));
        ledger.keep(&scope(), 43, &document()).unwrap();
        assert!(matches!(found(&ledger), Found::Current(Held { generation: 43, .. })));
    }

    #[test]
    fn what_is_no_document_is_not_kept() {
        let (_dir, ledger) = kept(&[42]);
        assert!(matches!(
            ledger.keep(&scope(), 43, b"{\"ship\":1}"),
            Err(LedgerError::Document(_))
        ));
        let other = serde_json::to_vec(&Document::Net(None)).unwrap();
        assert!(matches!(ledger.keep(&scope(), 43, &other), Err(LedgerError::Scope(_))));
        assert!(matches!(found(&ledger), Found::Current(Held { generation: 42, .. })));
    }
}
