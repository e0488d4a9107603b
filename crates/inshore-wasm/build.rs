//! Links the build with threads: its memory comes from outside and is shared.
//!
//! Nothing is compiled for it that is not compiled for the other builds, the standard library least of all, which would
//! need an unstable toolchain. So atomic operations in Rust are plain ones, and the linker would refuse such objects.
//! They are safe here because only one thread runs Rust as Rust knows it. The others run tasks of the CPU kernels, which
//! share nothing but inputs, allocate nothing and lock nothing that another thread locks; who runs which task, and when
//! all are done, JavaScript's `Atomics` decide (`web/src/engine/threads`).

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_FEATURE_THREADS").is_none() {
        return;
    }
    // The last four are what wasm-bindgen needs to start a thread.
    for argument in [
        "--no-check-features",
        "--shared-memory",
        "--import-memory",
        "--max-memory=4294967296",
        "--export=__wasm_init_tls",
        "--export=__tls_size",
        "--export=__tls_align",
        "--export=__tls_base",
    ] {
        println!("cargo::rustc-link-arg-cdylib={argument}");
    }
}
