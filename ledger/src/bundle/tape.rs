//! Plain POSIX tar (IEEE 1003.1-2017, pax, "ustar Interchange Format"), as little of it as a bundle needs.
//!
//! Long names, links, devices and PAX or GNU extensions are refused, not interpreted: two tools must never see two
//! different bundles in one file.

use std::io::{BufRead, BufReader, ErrorKind, Read};

use tar::{EntryType, Header};

use super::BundleError;

/// Bytes of a block: headers are one, members are padded to whole ones.
pub(super) const BLOCK: usize = 512;

/// Bytes that are read ahead.
const READ_AHEAD: usize = 128 * 1024;

/// The header of a member: name and size, everything else the same for all.
pub(super) fn header(name: &str, size: u64) -> std::io::Result<Header> {
    let mut header = Header::new_ustar();
    header.set_path(name)?;
    header.set_size(size);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_entry_type(EntryType::Regular);
    header.set_cksum();
    Ok(header)
}

/// Bytes of padding after a member of this size.
pub(super) fn padding(size: u64) -> usize {
    // Both are below a block's length.
    let rest = (size % BLOCK as u64) as usize;
    (BLOCK - rest) % BLOCK
}

/// Reads members one after the other.
pub(super) struct Tape<R> {
    input: BufReader<R>,
    headers: u64,
    /// Bytes of the current member that were not read yet, and of its padding.
    left: u64,
    padding: usize,
}

/// What a line turned out to be.
pub(super) enum Line {
    /// A line with its LF taken off.
    Whole,
    /// The member is at its end.
    End,
    /// Too long, empty, or the last one without LF.
    Malformed,
}

impl<R: Read> Tape<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input: BufReader::with_capacity(READ_AHEAD, input), headers: 0, left: 0, padding: 0 }
    }

    /// Goes on to the next member, which must have been read to its end: name and size, or `None` at the archive's
    /// end, after which there must be nothing but zeros.
    pub(super) fn next_member(&mut self) -> Result<Option<(String, u64)>, BundleError> {
        self.skip_padding()?;
        let mut block = [0; BLOCK];
        self.fill(&mut block)?;
        if block == [0; BLOCK] {
            self.read_end()?;
            return Ok(None);
        }
        self.headers += 1;
        let (name, size) =
            read_header(&block).map_err(|why| BundleError::Header { number: self.headers, why })?;
        self.left = size;
        self.padding = padding(size);
        Ok(Some((name, size)))
    }

    /// The whole current member, whose size the caller has bounded.
    pub(super) fn read_member(&mut self) -> Result<Vec<u8>, BundleError> {
        let mut bytes = Vec::new();
        while let Some(piece) = self.read_piece()? {
            bytes.extend_from_slice(piece);
            let read = piece.len();
            self.consume(read);
        }
        Ok(bytes)
    }

    /// What is at hand of the current member, `None` at its end; [`consume`](Self::consume) takes it.
    pub(super) fn read_piece(&mut self) -> Result<Option<&[u8]>, BundleError> {
        if self.left == 0 {
            return Ok(None);
        }
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        let buffer = fill_buf(&mut self.input)?;
        Ok(Some(&buffer[..buffer.len().min(left)]))
    }

    pub(super) fn consume(&mut self, read: usize) {
        self.input.consume(read);
        self.left -= read as u64;
    }

    /// The next line of the current member into `line`, of at most `max` bytes without its LF.
    pub(super) fn read_line(&mut self, max: usize, line: &mut Vec<u8>) -> Result<Line, BundleError> {
        line.clear();
        if self.left == 0 {
            return Ok(Line::End);
        }
        while let Some(piece) = self.read_piece()? {
            let end = memchr::memchr(b'\n', piece);
            let text = &piece[..end.unwrap_or(piece.len())];
            if line.len() + text.len() > max {
                return Ok(Line::Malformed);
            }
            line.extend_from_slice(text);
            let read = text.len() + usize::from(end.is_some());
            self.consume(read);
            if end.is_some() {
                return Ok(if line.is_empty() { Line::Malformed } else { Line::Whole });
            }
        }
        Ok(Line::Malformed)
    }

    fn skip_padding(&mut self) -> Result<(), BundleError> {
        let mut padding = [0; BLOCK];
        let padding = &mut padding[..std::mem::take(&mut self.padding)];
        self.fill(padding)?;
        if padding.iter().all(|&byte| byte == 0) { Ok(()) } else { Err(BundleError::Residue) }
    }

    /// One more block of zeros, and then nothing else.
    fn read_end(&mut self) -> Result<(), BundleError> {
        let mut block = [0; BLOCK];
        self.fill(&mut block)?;
        if block != [0; BLOCK] {
            return Err(BundleError::Residue);
        }
        loop {
            let rest = match fill_buf(&mut self.input) {
                Ok(rest) => rest,
                Err(BundleError::Truncated) => return Ok(()),
                Err(error) => return Err(error),
            };
            if rest.iter().any(|&byte| byte != 0) {
                return Err(BundleError::Residue);
            }
            let read = rest.len();
            self.input.consume(read);
        }
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), BundleError> {
        self.input.read_exact(buffer).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => BundleError::Truncated,
            _ => BundleError::Read(error),
        })
    }
}

/// At least one byte; the end of the input is an error.
fn fill_buf<R: Read>(input: &mut BufReader<R>) -> Result<&[u8], BundleError> {
    loop {
        match input.fill_buf() {
            Ok([]) => return Err(BundleError::Truncated),
            Ok(_) => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(BundleError::Read(error)),
        }
    }
    Ok(input.buffer())
}

/// Name and size of a regular file. Owner, mode and time are nobody's business here: repacking with another tool does
/// no harm.
fn read_header(block: &[u8; BLOCK]) -> Result<(String, u64), &'static str> {
    let header = Header::from_byte_slice(block);
    // POSIX: the sum over the header's bytes, with its own field read as spaces.
    let sum: u32 = block
        .iter()
        .enumerate()
        .map(|(at, &byte)| if (148..156).contains(&at) { u32::from(b' ') } else { u32::from(byte) })
        .sum();
    if header.cksum().map_err(|_| "its checksum can't be read")? != sum {
        return Err("its checksum is wrong");
    }
    if header.as_ustar().is_none() && header.as_gnu().is_none() {
        return Err("not a ustar header");
    }
    // NUL is an old spelling of '0'. 'x' and 'g' are PAX, 'L' and 'K' GNU; '5' a folder, '1' and '2' links.
    if !matches!(header.as_bytes()[156], b'0' | 0) {
        return Err("not a regular file");
    }
    let size = header.size().map_err(|_| "its size can't be read")?;
    if header.as_ustar().is_some_and(|ustar| ustar.prefix[0] != 0) {
        return Err("a name in two parts");
    }
    let (name, rest) = header.as_old().name.split_at(
        header.as_old().name.iter().position(|&byte| byte == 0).unwrap_or(header.as_old().name.len()),
    );
    if rest.iter().any(|&byte| byte != 0) {
        return Err("something after its name");
    }
    let name = std::str::from_utf8(name).map_err(|_| "a name that is not UTF-8")?;
    Ok((name.to_owned(), size))
}
