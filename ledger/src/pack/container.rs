//! The zip around a pack (packs §3): one sequence of bytes for one sequence of members.
//!
//! Of PKWARE's APPNOTE 6.3.10 only what stored members need: local headers (§4.3.7), central directory (§4.3.12), end
//! of central directory (§4.3.16). Whatever two readers could take differently is fixed here and refused otherwise,
//! never interpreted. Written out by hand because the bytes are the format: those of a library are what its version
//! makes them.

use super::{MAX_MEMBERS, MAX_PACK, PackError, name};

const LOCAL: [u8; 4] = *b"PK\x03\x04";
const CENTRAL: [u8; 4] = *b"PK\x01\x02";
const END: [u8; 4] = *b"PK\x05\x06";

const LOCAL_LEN: usize = 30;
const CENTRAL_LEN: usize = 46;
const END_LEN: usize = 22;

/// Needs version 1.0, no flags, stored, 00:00:00 on 1980-01-01, DOS's first day.
const FIXED: [u8; 10] = [10, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];

/// Made by version 1.0 on a Unix, so that the attributes are a Unix mode.
const MADE_BY: [u8; 2] = [10, 3];

/// A regular file that its owner writes and everybody reads.
const ATTRIBUTES: u32 = 0o100_644 << 16;

/// A member as it stands in the pack.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member<'a> {
    pub(super) name: &'a str,
    pub(super) bytes: &'a [u8],
}

/// Bytes that a pack of these members has.
pub(super) fn len<'a>(members: impl IntoIterator<Item = Member<'a>>) -> usize {
    let each = |member: Member<'_>| LOCAL_LEN + CENTRAL_LEN + 2 * member.name.len() + member.bytes.len();
    members.into_iter().map(each).fold(END_LEN, usize::saturating_add)
}

/// Writes the members in the order given. Their names are well-formed and distinct.
pub(super) fn write(members: &[Member<'_>]) -> Result<Vec<u8>, PackError> {
    let len = len(members.iter().copied());
    check_bounds(len, members.len())?;
    let mut out = Vec::with_capacity(len);
    let mut directory = Vec::new();
    for member in members {
        let description = describe(member, crc32fast::hash(member.bytes));
        push_entry(&mut directory, &description, out.len(), member.name);
        out.extend_from_slice(&LOCAL);
        out.extend_from_slice(&description);
        out.extend_from_slice(member.name.as_bytes());
        out.extend_from_slice(member.bytes);
    }
    let end = end_record(members.len(), directory.len(), out.len());
    out.extend_from_slice(&directory);
    out.extend_from_slice(&end);
    Ok(out)
}

/// Reads what [`write`] writes, and nothing else: for members that are read, these are the only bytes.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Member<'_>>, PackError> {
    check_bounds(bytes.len(), 0)?;
    let mut members = Vec::new();
    let mut directory = Vec::new();
    let mut rest = bytes;
    while !rest.starts_with(&CENTRAL) {
        check_bounds(bytes.len(), members.len() + 1)?;
        let at = bytes.len() - rest.len();
        let (member, description, after) = read_member(rest, members.len() + 1)?;
        let mut entry = Vec::with_capacity(CENTRAL_LEN + member.name.len());
        push_entry(&mut entry, &description, at, member.name);
        members.push(member);
        directory.push(entry);
        rest = after;
    }
    check_tail(rest, bytes.len() - rest.len(), &members, &directory)?;
    Ok(members)
}

fn check_bounds(len: usize, members: usize) -> Result<(), PackError> {
    if len > MAX_PACK {
        return Err(PackError::TooLarge { what: "the pack", most: MAX_PACK });
    }
    if members > MAX_MEMBERS { Err(PackError::TooManyMembers) } else { Ok(()) }
}

/// What a local header and an entry of the directory say alike.
type Description = [u8; 26];

/// Sizes and offsets are below [`MAX_PACK`], lengths of names below 2^16.
fn describe(member: &Member<'_>, crc: u32) -> Description {
    let mut out = [0; 26];
    let size = (member.bytes.len() as u32).to_le_bytes();
    out[..10].copy_from_slice(&FIXED);
    out[10..14].copy_from_slice(&crc.to_le_bytes());
    out[14..18].copy_from_slice(&size);
    out[18..22].copy_from_slice(&size);
    out[22..24].copy_from_slice(&(member.name.len() as u16).to_le_bytes());
    out
}

/// An entry of the central directory: no comment, first disk, no internal attributes.
fn push_entry(out: &mut Vec<u8>, description: &Description, offset: usize, name: &str) {
    out.extend_from_slice(&CENTRAL);
    out.extend_from_slice(&MADE_BY);
    out.extend_from_slice(description);
    out.extend_from_slice(&[0; 6]);
    out.extend_from_slice(&ATTRIBUTES.to_le_bytes());
    out.extend_from_slice(&(offset as u32).to_le_bytes());
    out.extend_from_slice(name.as_bytes());
}

/// One disk, no comment.
fn end_record(members: usize, directory_len: usize, directory_at: usize) -> [u8; END_LEN] {
    let mut out = [0; END_LEN];
    let count = (members as u16).to_le_bytes();
    out[..4].copy_from_slice(&END);
    out[8..10].copy_from_slice(&count);
    out[10..12].copy_from_slice(&count);
    out[12..16].copy_from_slice(&(directory_len as u32).to_le_bytes());
    out[16..20].copy_from_slice(&(directory_at as u32).to_le_bytes());
    out
}

/// The member that `rest` begins with, what its entry must say, and what follows it. `number` counts from 1.
fn read_member(rest: &[u8], number: usize) -> Result<(Member<'_>, Description, &[u8]), PackError> {
    let refuse = |why| PackError::Header { member: format!("member {number}"), why };
    let signature = rest.first_chunk::<4>().ok_or(PackError::Truncated)?;
    if *signature != LOCAL {
        return Err(refuse("neither a member nor the directory begins where the one before it ends"));
    }
    let (header, rest) = rest.split_first_chunk::<LOCAL_LEN>().ok_or(PackError::Truncated)?;
    let (name, rest) = rest.split_at_checked(le16(header[26], header[27])).ok_or(PackError::Truncated)?;
    let name = std::str::from_utf8(name)
        .ok()
        .filter(|name| name::is_well_formed(name))
        .ok_or_else(|| PackError::Name { name: String::from_utf8_lossy(name).escape_debug().to_string() })?;
    if let Some(why) = oddity(header) {
        return Err(PackError::Header { member: format!("`{name}`"), why });
    }
    let size = u32::from_le_bytes([header[22], header[23], header[24], header[25]]);
    let size = usize::try_from(size).map_err(|_| PackError::Truncated)?;
    let (bytes, rest) = rest.split_at_checked(size).ok_or(PackError::Truncated)?;
    let member = Member { name, bytes };
    let description = describe(&member, crc32fast::hash(bytes));
    // Everything else was looked at: what differs now is the CRC.
    if description == header[4..] {
        Ok((member, description, rest))
    } else {
        Err(PackError::Crc { name: name.to_owned() })
    }
}

/// What a local header says that no pack's does.
fn oddity(header: &[u8; LOCAL_LEN]) -> Option<&'static str> {
    let flags = le16(header[6], header[7]);
    let found = [
        (flags & 1 != 0, "it is encrypted"),
        (flags & 8 != 0, "it has a data descriptor"),
        (flags != 0, "it has flags"),
        (header[8..10] != [0, 0], "it is compressed"),
        (header[4..14] != FIXED, "its version or time is not the one that packs have"),
        (header[18..22] != header[22..26], "its two sizes differ"),
        (header[28..30] != [0, 0], "it has an extra field"),
    ];
    found.into_iter().find_map(|(odd, why)| odd.then_some(why))
}

fn le16(low: u8, high: u8) -> usize {
    usize::from(u16::from_le_bytes([low, high]))
}

/// Compares what follows the members with what must; which part of it differs is named.
fn check_tail(
    tail: &[u8],
    directory_at: usize,
    members: &[Member<'_>],
    directory: &[Vec<u8>],
) -> Result<(), PackError> {
    let mut rest = tail;
    for (member, entry) in members.iter().zip(directory) {
        rest = match rest.strip_prefix(entry.as_slice()) {
            Some(after) => after,
            None if entry.starts_with(rest) => return Err(PackError::Truncated),
            None => return Err(PackError::Directory { name: member.name.to_owned() }),
        };
    }
    let end = end_record(members.len(), tail.len() - rest.len(), directory_at);
    match rest.strip_prefix(&end) {
        Some([]) => Ok(()),
        Some(_) => Err(PackError::Residue),
        None if end.starts_with(rest) => Err(PackError::Truncated),
        None if rest.starts_with(&CENTRAL) => {
            Err(PackError::End { why: "the directory has an entry too many" })
        }
        None if rest.starts_with(&end[..20]) => Err(PackError::End { why: "the archive has a comment" }),
        None => Err(PackError::End { why: "its last record is not that of its members" }),
    }
}
