//! `directlink store`: a Region's facts from one database to another, to a file and back. For who runs the servers.

use super::unrepeated::Unrepeated;
use crate::output::{self, Column, Format};
use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use directlink_server::store::{
    Address,
    copy::{Copied, copy},
};
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

#[derive(Subcommand)]
pub(crate) enum StoreCommand {
    /// Copy a Region into an empty database, and compare what has arrived
    ///
    /// Stop the servers first: what they write meanwhile would not come along. Both databases are brought to this
    /// version.
    Copy {
        /// sqlite:PATH, or postgres://USER@HOST/DATABASE
        #[arg(value_parser = Unrepeated::<Address>::PARSER, value_name = "FROM")]
        from: Address,
        #[arg(value_parser = Unrepeated::<Address>::PARSER, value_name = "TO")]
        to: Address,
        #[command(flatten)]
        output: Output,
    },
    /// Write what is in a database at one moment into a file, while servers go on
    Backup {
        #[arg(value_parser = Unrepeated::<Address>::PARSER, value_name = "FROM")]
        from: Address,
        /// The file, which must not be there yet: an SQLite database
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        output: Output,
    },
    /// Fill an empty database from such a file
    ///
    /// Routers may know of later plans than the file: the server numbers its own above them.
    Restore {
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[arg(value_parser = Unrepeated::<Address>::PARSER, value_name = "TO")]
        to: Address,
        #[command(flatten)]
        output: Output,
    },
}

#[derive(Args)]
pub(crate) struct Output {
    /// How the answer is printed
    #[arg(long, short, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

const COLUMNS: [Column; 3] = [("TABLE", "table"), ("ROWS", "rows"), ("DIGEST", "digest")];

pub(crate) fn run(command: StoreCommand) -> Result<()> {
    let (copied, output) = match command {
        StoreCommand::Copy { from, to, output } => {
            (super::block_on(async { Ok(copy(&from, &to).await?) })?, output)
        }
        StoreCommand::Backup { from, file, output } => (backup(&from, &file)?, output),
        StoreCommand::Restore { file, to, output } => {
            if !file.is_file() {
                bail!("{} is no file", file.display());
            }
            let from = Address::Sqlite(file);
            (super::block_on(async { Ok(copy(&from, &to).await?) })?, output)
        }
    };
    let rows: Vec<Value> = copied.iter().map(row).collect();
    output::list(output.output, &COLUMNS, &rows, &json!(rows))
}

fn row(copied: &Copied) -> Value {
    let Copied { table, digest } = copied;
    json!({ "table": table, "rows": digest.rows, "digest": digest.sum() })
}

/// Under another name until it is whole and on the disk.
fn backup(from: &Address, file: &Path) -> Result<Vec<Copied>> {
    if file.exists() {
        bail!("{} is there already", file.display());
    }
    let mut name = file.as_os_str().to_owned();
    name.push(".part");
    let part = PathBuf::from(name);
    // What an earlier attempt left.
    remove(&part)?;
    let to = Address::Sqlite(part.clone());
    let copied = match super::block_on(async { Ok(copy(from, &to).await?) }) {
        Ok(copied) => copied,
        Err(error) => {
            remove(&part)?;
            return Err(error);
        }
    };
    let keep = || {
        File::open(&part)?.sync_all()?;
        fs::rename(&part, file)?;
        File::open(
            file.parent()
                .filter(|dir| dir.components().next().is_some())
                .unwrap_or_else(|| Path::new(".")),
        )?
        .sync_all()
    };
    keep().with_context(|| format!("cannot keep {}", file.display()))?;
    Ok(copied)
}

fn remove(part: &Path) -> Result<()> {
    match fs::remove_file(part) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| part.display().to_string())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use directlink_server::store::Store;

    fn rows(copied: &[Copied], table: &str) -> u64 {
        copied.iter().find(|one| one.table == table).unwrap().digest.rows
    }

    #[test]
    fn a_backup_is_one_whole_file_and_fills_an_empty_database() {
        let dir = tempfile::tempdir().unwrap();
        let [from, to] =
            ["region.db", "again.db"].map(|name| Address::Sqlite(dir.path().join(name)));
        let file = dir.path().join("backup.db");
        super::super::block_on(async {
            Store::open(&from).await?.close().await;
            Ok(())
        })
        .unwrap();
        let saved = backup(&from, &file).unwrap();
        assert!(rows(&saved, "connection") == 0 && saved.len() > 40);
        let names = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        assert!(!names.iter().any(|name| name.contains("part")), "{names:?}");
        assert!(backup(&from, &file).is_err(), "nothing is written over");
        let restored =
            super::super::block_on(async { Ok(copy(&Address::Sqlite(file.clone()), &to).await?) })
                .unwrap();
        assert_eq!(restored, saved);
    }
}
