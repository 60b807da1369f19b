//! Compiles the packet programs with clang for the BPF machine, and takes the tables'
//! fingerprint.
//!
//! ```text
//! ebpf/directlink.bpf.c ─┐
//! ebpf/cable.bpf.c       │
//! ebpf/fault.bpf.c      ─┼─ clang -O2 -g -target bpf ─► OUT_DIR/*.bpf.o ─► include_bytes!
//! benches/*.bpf.c       ─┘
//! ebpf/tables*.h ─ without comments and blanks ─ FNV-1a ─► DIRECTLINK_LAYOUT
//! ```

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const OBJECTS: [&str; 4] =
    ["ebpf/directlink.bpf.c", "ebpf/cable.bpf.c", "ebpf/fault.bpf.c", "benches/generator.bpf.c"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=ebpf");
    println!("cargo::rerun-if-changed=benches/generator.bpf.c");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    for source in OBJECTS {
        compile(Path::new(source), &out)?;
    }
    let rows = ["ebpf/tables.h", "ebpf/tables6.h"].map(fs::read_to_string);
    let rows: String = rows.into_iter().collect::<Result<_, _>>()?;
    let layout = fingerprint(&rows);
    println!("cargo::rustc-env=DIRECTLINK_LAYOUT={layout:016x}");
    Ok(())
}

fn compile(source: &Path, out: &Path) -> Result<(), Box<dyn Error>> {
    let stem = source.file_stem().ok_or("a source without a name")?;
    let object = out.join(stem).with_extension("bpf.o");
    let include = format!("/usr/include/{}-linux-gnu", env::var("CARGO_CFG_TARGET_ARCH")?);
    let clang = env::var("CLANG").unwrap_or_else(|_| "clang".to_owned());
    let status = Command::new(&clang)
        .args(["-O2", "-g", "-target", "bpf", "-mcpu=v3", "-std=gnu11", "-Wall", "-Werror"])
        .args(["-I", "ebpf", "-idirafter", &include, "-c"])
        .arg(source)
        .arg("-o")
        .arg(&object)
        .status()
        .map_err(|e| format!("{clang} does not start ({e}): apt-get install clang libbpf-dev"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{clang} refused {}", source.display()).into())
    }
}

/// FNV-1a, 64 bits, of the header as the compiler sees it: a comment changes nothing.
fn fingerprint(header: &str) -> u64 {
    header
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .flat_map(str::split_whitespace)
        .flat_map(|word| word.bytes().chain([b' ']))
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
}
