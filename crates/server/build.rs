//! Compiles again when the UI was built anew. The folder may be missing: the server then says so
//! on its pages.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../../web/dist");
}
