//! The packet programs as another build has them: the same source, but for rows whose fields are
//! others, elsewhere. Compiled here and now, so that no release has to be kept for it.

use anyhow::{Context as _, Result, ensure};
use directlink_dataplane::{Build, upgrade};
use directlink_lab::netns;
use std::{fs, path::Path, process::Command};

pub(crate) const LAYOUT: &str = "another";

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../directlink-dataplane/ebpf");

/// In `tables.h`: what is there, and what is there in the other build.
const OTHERWISE: [(&str, &str); 6] = [
    (
        "struct flow_key {\n\t__u32 vni;\n\t__be32 outside;\n\t__be32 inside;",
        "struct flow_key {\n\t__be32 inside;\n\t__be32 outside;\n\t__u32 vni;",
    ),
    ("struct flow_row {\n", "struct flow_row {\n\t__u64 packets;\n"),
    ("struct interface_row {\n", "struct interface_row {\n\t__u64 since;\n"),
    ("struct peer_cell {\n", "struct peer_cell {\n\t__u32 weight;\n"),
    ("struct route_row {\n\t__u32 count;", "struct route_row {\n\t__u32 metric;\n\t__u32 count;"),
    ("struct nic_row {\n", "struct nic_row {\n\t__u32 weight;\n"),
];

/// The object file.
pub(crate) fn compile(dir: &Path) -> Result<Vec<u8>> {
    for entry in fs::read_dir(SOURCES)? {
        let path = entry?.path();
        fs::copy(&path, dir.join(path.file_name().context("a name")?))?;
    }
    let header = dir.join("tables.h");
    let mut rows = fs::read_to_string(&header)?;
    for (here, there) in OTHERWISE {
        ensure!(rows.contains(here), "tables.h has no {here:?} any more");
        rows = rows.replace(here, there);
    }
    fs::write(&header, rows)?;
    let include = format!("/usr/include/{}-linux-gnu", std::env::consts::ARCH);
    let object = dir.join("another.bpf.o");
    let words = ["-O2", "-g", "-target", "bpf", "-mcpu=v3", "-std=gnu11", "-idirafter", &include];
    let mut clang = Command::new("clang");
    clang.args(words).arg("-c").arg(dir.join("directlink.bpf.c")).arg("-o").arg(&object);
    ensure!(clang.status().context("clang")?.success(), "clang refused it");
    Ok(fs::read(object)?)
}

/// In the place of the build that the agent before it left in this router's kernel.
pub(crate) fn put_in(object: &[u8], router: &str, pins: &Path) -> Result<()> {
    let said = crate::fixture::run(&["ip", "-n", router, "-o", "link", "show", "type", "veth"])?;
    let slow = said.lines().filter(|line| line.contains(": dxvif-"));
    let slow =
        slow.filter_map(|line| line.split(':').next()?.trim().parse().ok()).collect::<Vec<u32>>();
    ensure!(!slow.is_empty(), "no interface has a link in {router}: {said}");
    netns::within(router, || Ok(upgrade(Build { object, layout: LAYOUT }, pins, &slow)?))
}
