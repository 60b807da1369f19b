//! How the program is linked.

/// The addresses that a position-independent program mends when it starts are 1.6 MB, or a twentieth of that
/// packed (DT_RELR, in glibc since 2.36 and musl since 1.2.4): read once, and then resident as long as an agent lives.
const PACKED: &str = "-Wl,-z,pack-relative-relocs";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-link-arg-bins={PACKED}");
}
