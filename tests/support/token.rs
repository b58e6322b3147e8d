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

/// What SoftHSM keeps of a token itself, apart from its objects.
pub struct TokenFile {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl TokenFile {
    /// That of the only token under a folder.
    pub fn read(folder: &Path) -> Self {
        let tokens: Vec<_> =
            fs::read_dir(folder.join("tokens")).unwrap().map(|entry| entry.unwrap().path()).collect();
        let [token] = &tokens[..] else { panic!("{} tokens", tokens.len()) };
        let path = token.join("token.object");
        Self { bytes: fs::read(&path).unwrap(), path }
    }

    /// SoftHSM writes the file anew at every login, in place: a process that is killed meanwhile leaves a part of it, and no
    /// token. Puts it back where that has happened; says whether it has. A device of its own keeps its own state.
    pub fn mend(&self) -> bool {
        let torn = fs::metadata(&self.path).unwrap().len() < self.bytes.len() as u64;
        if torn {
            fs::write(&self.path, &self.bytes).unwrap();
        }
        torn
    }
}

/// The module, where the distributions put it.
pub fn module() -> PathBuf {
    sealbook::custody::softhsm::find_module().unwrap()
}
