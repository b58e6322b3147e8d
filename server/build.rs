//! Builds again when a migration is added: `embed_migrations!` reads the folder, and cargo does not see that.

fn main() {
    println!("cargo:rerun-if-changed=../migrations");
}
