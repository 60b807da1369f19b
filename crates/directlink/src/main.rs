//! The program: everything is in the library beside it, where tests reach it too.

use mimalloc::MiMalloc;
use std::process::ExitCode;

/// A call to the API allocates some hundred times, and half of them are freed by another thread (SQLite's,
/// which allocates from here as well).
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    directlink::main()
}
