//! Files of secrets: nobody else's to read, and never overwritten.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use zeroize::Zeroizing;

use super::failure::Failure;
use crate::client::{Token, TokenKind};

/// Longest file in bytes: a token has 47, and perhaps a line break.
const MAX_FILE: u64 = 256;

/// Reads a token from a file that nobody but its owner may read.
pub(super) fn read_token(kind: TokenKind, path: &Path) -> Result<Token, Failure> {
    let file = File::open(path).map_err(Failure::file("read", path))?;
    let mode = file.metadata().map_err(Failure::file("read", path))?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Failure::Exposed { path: path.to_owned(), mode });
    }
    // Room for all of it: a buffer that grows would leave copies behind.
    let mut text = Zeroizing::new(String::with_capacity(MAX_FILE as usize));
    file.take(MAX_FILE).read_to_string(&mut text).map_err(Failure::file("read", path))?;
    Token::parse(kind, text.trim()).map_err(|source| Failure::Token { path: path.to_owned(), source })
}

/// Refuses a path where something is already.
pub(super) fn is_free(path: &Path) -> Result<(), Failure> {
    match path.symlink_metadata() {
        Ok(_) => Err(Failure::file("create", path)(std::io::ErrorKind::AlreadyExists.into())),
        // Whatever else is wrong with it, writing will say.
        Err(_) => Ok(()),
    }
}

/// Writes a secret to a new file of mode 0600 and waits until it is on the disk.
pub(super) fn write(path: &Path, secret: &str) -> Result<(), Failure> {
    let failed = |doing| Failure::file(doing, path);
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = opened.map_err(failed("create"))?;
    file.write_all(secret.as_bytes())
        .and_then(|()| file.write_all(b"\n"))
        .and_then(|()| file.sync_all())
        .map_err(failed("write"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_token_file_is_private_and_is_refused_once_it_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let token = Token::generate(TokenKind::Ticket).unwrap();
        write(&path, token.expose()).unwrap();
        assert_eq!(read_token(TokenKind::Ticket, &path).unwrap().sha256(), token.sha256());
        assert!(matches!(read_token(TokenKind::Service, &path), Err(Failure::Token { .. })));
        assert!(
            matches!(write(&path, "x"), Err(Failure::File { .. })),
            "an existing file is not overwritten"
        );
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(read_token(TokenKind::Ticket, &path), Err(Failure::Exposed { mode: 0o644, .. })));
    }
}
