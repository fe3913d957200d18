//! Prints the linker option that lets `src/net/ring_flags.rs` see every ring that glommio creates.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-link-arg=-Wl,--wrap=__sys_io_uring_setup");
}
