//! The `kustlake` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    kustlake::cli::main()
}
