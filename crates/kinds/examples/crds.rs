//! Writes the definitions to the folder given, as `cargo xtask codegen` does.

fn main() -> std::io::Result<()> {
    let folder = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "deploy/crds".into());
    std::fs::create_dir_all(&folder)?;
    for (name, yaml) in hermez_kinds::crds_yaml() {
        std::fs::write(std::path::Path::new(&folder).join(name), yaml)?;
    }
    Ok(())
}
