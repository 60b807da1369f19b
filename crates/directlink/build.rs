//! How the program is linked.

/// Where a position-independent program mends addresses when it starts is 1.6 MB, or 19 kB packed (DT_RELR, in
/// glibc since 2.36, which Debian 12 has, and musl since 1.2.4): read once, and resident as long as an agent lives.
const PACKED: &str = "-Wl,-z,pack-relative-relocs";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-link-arg-bins={PACKED}");
}
