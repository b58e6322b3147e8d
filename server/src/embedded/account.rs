//! Which user runs Postgres: it refuses to run as root, so root lends it an unprivileged account.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Accounts that may run Postgres when the server was started as root, best first.
const UNPRIVILEGED: [&str; 2] = ["postgres", "nobody"];

/// The user and group that Postgres' processes run as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Account {
    uid: u32,
    gid: u32,
    /// Whether this differs from the server's own user.
    switched: bool,
}

impl Account {
    /// The account for this process: itself, or as root the first unprivileged account that `/etc/passwd` lists.
    /// `None` means root without any such account.
    pub(super) fn choose() -> io::Result<Option<Self>> {
        let uid = rustix::process::geteuid();
        if !uid.is_root() {
            let gid = rustix::process::getegid().as_raw();
            return Ok(Some(Self { uid: uid.as_raw(), gid, switched: false }));
        }
        let passwd = fs::read_to_string("/etc/passwd")?;
        Ok(UNPRIVILEGED.iter().find_map(|name| entry(&passwd, name)))
    }

    /// The user id of Postgres' processes.
    pub(super) fn uid(self) -> u32 {
        self.uid
    }

    /// The user and group to switch to, where the server runs as another user.
    pub(super) fn switch(self) -> Option<(u32, u32)> {
        self.switched.then_some((self.uid, self.gid))
    }

    /// Whether this account can pass through every folder from `/` down to `path`, by the permission bits. Access
    /// lists are not read: where only they would let it through, the answer is a safe "no".
    pub(super) fn can_reach(self, path: &Path) -> io::Result<bool> {
        for folder in path.ancestors() {
            let found = fs::metadata(folder)?;
            let search = if found.uid() == self.uid {
                0o100
            } else if found.gid() == self.gid {
                0o010
            } else {
                0o001
            };
            if found.mode() & search == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// One account of a `passwd(5)` file; root's own ids are never taken.
fn entry(passwd: &str, name: &str) -> Option<Account> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next() != Some(name) {
            return None;
        }
        let uid = fields.nth(1)?.parse().ok().filter(|uid| *uid != 0)?;
        let gid = fields.next()?.parse().ok()?;
        Some(Account { uid, gid, switched: true })
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\npostgres2:x:7:7::/:\npostgres:x:101:104:,,,:/var/lib/postgresql:/bin/bash\n";

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        assert_eq!(entry(PASSWD, "postgres"), Some(Account { uid: 101, gid: 104, switched: true }));
        assert_eq!(entry(PASSWD, "nobody"), None);
    }

    #[test]
    fn root_is_never_an_unprivileged_account() {
        assert_eq!(entry(PASSWD, "root"), None);
    }

    #[test]
    fn a_private_folder_of_somebody_else_cannot_be_passed() {
        let private = tempfile::tempdir().unwrap();
        fs::set_permissions(private.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let stranger = Account { uid: 4_000_000_000, gid: 4_000_000_000, switched: true };
        assert!(!stranger.can_reach(private.path()).unwrap());
        assert!(stranger.can_reach(Path::new("/usr")).unwrap());
    }
}
