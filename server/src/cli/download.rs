//! Files from the server, whole or not at all.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::context::Context;
use super::failure::Failure;

/// What is read at once, in bytes.
const CHUNK: usize = 64 * 1024;

/// Fetches what the server answers at a path into a file; says how many bytes it has.
pub(super) fn save(context: &Context, path: &str, out: &Path) -> Result<u64, Failure> {
    let stream = context.caller()?.stream(path)?;
    let template = match stream.length {
        Some(_) => "{bar:30} {bytes}/{total_bytes} ({eta} left)",
        None => "{spinner} {bytes} ({bytes_per_sec})",
    };
    let bar = context.out.progress(stream.length.unwrap_or(0), template);
    let mut beside = OsString::from(out);
    beside.push(".part");
    let beside = PathBuf::from(beside);
    let copied = copy(stream.reader, &beside, |bytes| bar.inc(bytes));
    bar.finish_and_clear();
    let complete = copied.and_then(|size| match stream.length {
        Some(length) if length != size => {
            Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the answer broke off"))
        }
        Some(_) | None => fs::rename(&beside, out).map(|()| size),
    });
    complete.map_err(|source| {
        // Half a file is of no use; this error outranks the removal's.
        let _ = fs::remove_file(&beside);
        Failure::File { doing: "write", path: out.to_owned(), source }
    })
}

fn copy(mut from: Box<dyn io::Read>, to: &Path, mut progress: impl FnMut(u64)) -> io::Result<u64> {
    let mut file = File::create(to)?;
    let mut chunk = vec![0; CHUNK];
    let mut size = 0;
    loop {
        let length = match from.read(&mut chunk) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        file.write_all(&chunk[..length])?;
        size += length as u64;
        progress(length as u64);
    }
    file.sync_all()?;
    Ok(size)
}
