//! The `kustlake` command.
fn main() {}
