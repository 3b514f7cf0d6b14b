//! The `kustlake` command.

use std::process::ExitCode;

/// A load allocates on many threads what others free; this allocator gives it back to the system.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    kustlake::cli::main()
}
