//! Where everything lies: `target/demo/` for what may be shown, a temporary folder for secrets and the server.
//!
//! Once all of it held, the temporary folder is kept, and `target/demo/kept` says where and for which port.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// What every temporary folder is called first.
const PREFIX: &str = "sealbook-demo-";

/// The file that says what was kept.
const KEPT: &str = "kept";

use crate::failure::Failure;

/// The folders of one run.
#[derive(Debug)]
pub(crate) struct Place {
    workspace: PathBuf,
    public: PathBuf,
    private: PathBuf,
    /// The same folder, where it is to go with this value.
    passing: Option<TempDir>,
}

impl Place {
    /// An empty `target/demo/` in place of the last run's.
    pub(crate) fn fresh() -> Result<Self, Failure> {
        let workspace = workspace()?;
        let public = workspace.join("target/demo");
        if let Some((private, _)) = noted(&public) {
            fs::remove_dir_all(&private).map_err(Failure::file("remove the last run's", &private))?;
        }
        if public.exists() {
            fs::remove_dir_all(&public).map_err(Failure::file("remove the last run's", &public))?;
        }
        for folder in ["pki", "pubkeys", "receipts", "rep", "signatures", "tampered"] {
            let folder = public.join(folder);
            fs::create_dir_all(&folder).map_err(Failure::file("create", &folder))?;
        }
        // A short path, which Postgres' socket needs, that its unprivileged user may pass through.
        let private = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(fs::Permissions::from_mode(0o711))
            .tempdir()
            .map_err(Failure::file("create", &std::env::temp_dir()))?;
        Ok(Self { workspace, public, private: private.path().to_owned(), passing: Some(private) })
    }

    /// What the last run kept, and the port that its server answers on.
    pub(crate) fn kept() -> Result<(Self, u16), Failure> {
        let workspace = workspace()?;
        let public = workspace.join("target/demo");
        let (private, port) = noted(&public).ok_or_else(|| {
            Failure::Unexpected("there is no demonstration to look at: `make demo` makes one".to_owned())
        })?;
        Ok((Self { workspace, public, private, passing: None }, port))
    }

    /// Lets the temporary folder stay.
    pub(crate) fn keep(&mut self, port: u16) -> Result<(), Failure> {
        let note = self.public.join(KEPT);
        let text = format!("{}\n{port}\n", self.private.display());
        fs::write(&note, text).map_err(Failure::file("write", &note))?;
        if let Some(folder) = self.passing.take() {
            self.private = folder.keep();
        }
        Ok(())
    }

    /// A path in `target/demo/`.
    pub(crate) fn public(&self, name: impl AsRef<Path>) -> PathBuf {
        // Without a name it is the folder itself; joined, it would end with a slash.
        if name.as_ref().as_os_str().is_empty() { self.public.clone() } else { self.public.join(name) }
    }

    /// A path in the temporary folder.
    pub(crate) fn private(&self, name: impl AsRef<Path>) -> PathBuf {
        self.private.join(name)
    }

    /// A path as somebody in the workspace's folder would type it.
    pub(crate) fn shown<'a>(&self, path: &'a Path) -> std::path::Display<'a> {
        path.strip_prefix(&self.workspace).unwrap_or(path).display()
    }
}

fn workspace() -> Result<PathBuf, Failure> {
    // Cargo says where the package is; started by hand, the current folder has to be the workspace.
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    match package.as_deref().and_then(Path::parent) {
        Some(workspace) => Ok(workspace.to_owned()),
        None => std::env::current_dir().map_err(Failure::file("find", ".".as_ref())),
    }
}

/// Folder and port, where they were noted and the folder is still there. Nothing but a folder of this program's is
/// believed: it is removed one day.
fn noted(public: &Path) -> Option<(PathBuf, u16)> {
    let text = fs::read_to_string(public.join(KEPT)).ok()?;
    let (folder, port) = text.trim_end().split_once('\n')?;
    let folder = PathBuf::from(folder);
    let own = folder.parent() == Some(std::env::temp_dir().as_path())
        && folder.file_name()?.to_str()?.starts_with(PREFIX)
        && folder.is_dir();
    Some((folder, port.parse().ok()?)).filter(|_| own)
}
