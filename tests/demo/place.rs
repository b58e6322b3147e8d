//! Where everything lies: `target/demo/` for what may be shown, a temporary folder for secrets and the server.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::failure::Failure;

/// The folders of one run.
#[derive(Debug)]
pub(crate) struct Place {
    workspace: PathBuf,
    public: PathBuf,
    private: TempDir,
}

impl Place {
    /// An empty `target/demo/` in place of the last run's.
    pub(crate) fn fresh() -> Result<Self, Failure> {
        // Cargo says where the package is; started by hand, the current folder has to be the workspace.
        let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let workspace = match package.as_deref().and_then(Path::parent) {
            Some(workspace) => workspace.to_owned(),
            None => std::env::current_dir().map_err(Failure::file("find", ".".as_ref()))?,
        };
        let public = workspace.join("target/demo");
        if public.exists() {
            fs::remove_dir_all(&public).map_err(Failure::file("remove the last run's", &public))?;
        }
        for folder in ["pubkeys", "receipts", "signatures", "tampered"] {
            let folder = public.join(folder);
            fs::create_dir_all(&folder).map_err(Failure::file("create", &folder))?;
        }
        // A short path, which Postgres' socket needs, that its unprivileged user may pass through.
        let private = tempfile::Builder::new()
            .prefix("sealbook-demo-")
            .permissions(fs::Permissions::from_mode(0o711))
            .tempdir()
            .map_err(Failure::file("create", &std::env::temp_dir()))?;
        Ok(Self { workspace, public, private })
    }

    /// A path in `target/demo/`.
    pub(crate) fn public(&self, name: impl AsRef<Path>) -> PathBuf {
        // Without a name it is the folder itself; joined, it would end with a slash.
        if name.as_ref().as_os_str().is_empty() { self.public.clone() } else { self.public.join(name) }
    }

    /// A path in the temporary folder.
    pub(crate) fn private(&self, name: impl AsRef<Path>) -> PathBuf {
        self.private.path().join(name)
    }

    /// A path as somebody in the workspace's folder would type it.
    pub(crate) fn shown<'a>(&self, path: &'a Path) -> std::path::Display<'a> {
        path.strip_prefix(&self.workspace).unwrap_or(path).display()
    }
}
