//! Arguments, exit codes and printed errors; everything else is in the library.

fn main() {}
