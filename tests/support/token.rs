//! A SoftHSM token, made as an operator makes one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::programs::run;

/// The token's label.
pub const LABEL: &str = "production";

/// Makes a token with this PIN under a folder; returns the configuration that `SOFTHSM2_CONF` is to name.
pub fn make(folder: &Path, pin: &str) -> PathBuf {
    fs::create_dir_all(folder.join("tokens")).unwrap();
    let configuration = folder.join("softhsm2.conf");
    let text =
        format!("directories.tokendir = {}\nobjectstore.backend = file\n", folder.join("tokens").display());
    fs::write(&configuration, text).unwrap();
    let mut init = Command::new("softhsm2-util");
    init.args(["--init-token", "--free", "--label", LABEL, "--so-pin", "not a secret", "--pin", pin]);
    run(init.env("SOFTHSM2_CONF", &configuration)).expect(0);
    configuration
}

/// The module, where the distributions put it.
pub fn module() -> PathBuf {
    sealbook::custody::softhsm::find_module().unwrap()
}
