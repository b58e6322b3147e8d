//! `manifest.json` (packs §4): every file of a pack by name, size and digest.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::container::Member;
use super::name::FileName;
use super::{MANIFEST, MAX_JSON, PackError, PackFile};
use crate::attachment::MediaType;
use crate::canonical;
use crate::encoding::Hash;
use crate::ids::{InvalidId, serde_as_text};

/// What a pack is about. A reader that does not know a kind can't judge its packs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// One rotation of a key, from its proposal to its proof.
    Rotation,
    /// One change of a ledger's own key.
    LedgerKey,
    /// A span of time of one ledger.
    Period,
    /// One incident or drill.
    Incident,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Rotation, Self::LedgerKey, Self::Period, Self::Incident];

    /// The kind's name in the manifest.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rotation => "rotation",
            Self::LedgerKey => "ledger_key",
            Self::Period => "period",
            Self::Incident => "incident",
        }
    }
}

impl FromStr for Kind {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let known = Self::ALL.into_iter().find(|kind| kind.name() == text);
        known.ok_or(InvalidId { what: "kind of pack", why: "rotation, ledger_key, period or incident" })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

serde_as_text!(Kind);

/// What the manifest says of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// What the bytes are.
    pub media_type: MediaType,
    /// The member's name.
    pub name: FileName,
    /// SHA-256 of the bytes.
    pub sha256: Hash,
    /// How many bytes there are.
    pub size: u64,
}

/// The manifest of a pack: its kind, and every member but the manifest and the envelope, by rising name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    kind: Kind,
    files: Vec<FileEntry>,
}

#[derive(Serialize)]
struct ManifestJson<'a> {
    files: &'a [FileEntry],
    kind: Kind,
    v: u64,
}

/// The kind is read as text first: that one is unknown is another refusal than that it is malformed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AnyKind {
    files: Vec<FileEntry>,
    kind: String,
    #[serde(rename = "v")]
    _v: u64,
}

/// What every version has.
#[derive(Deserialize)]
struct AnyVersion {
    v: u64,
}

impl Manifest {
    /// Of files in the order of their names.
    pub(super) fn new(kind: Kind, files: &[PackFile]) -> Self {
        let entry = |file: &PackFile| FileEntry {
            media_type: file.media_type.clone(),
            name: file.name.clone(),
            sha256: Hash::sha256(&file.bytes),
            size: file.bytes.len() as u64,
        };
        Self { kind, files: files.iter().map(entry).collect() }
    }

    /// Reads a manifest: canonical JSON with exactly the members of version 1, the files by strictly rising name.
    pub fn parse(bytes: &[u8]) -> Result<Self, PackError> {
        if bytes.len() > MAX_JSON {
            return Err(PackError::TooLarge { what: MANIFEST, most: MAX_JSON });
        }
        canonical::check(bytes).map_err(|source| PackError::NotCanonical { what: MANIFEST, source })?;
        let AnyVersion { v } = serde_json::from_slice(bytes).map_err(PackError::Manifest)?;
        if v != 1 {
            return Err(PackError::Version { found: v });
        }
        let read: AnyKind = serde_json::from_slice(bytes).map_err(PackError::Manifest)?;
        let unknown = |source| PackError::Kind { found: read.kind.escape_debug().to_string(), source };
        let kind = read.kind.parse().map_err(unknown)?;
        for pair in read.files.windows(2) {
            let [before, file] = pair else { continue };
            if before.name == file.name {
                return Err(PackError::Duplicate { name: file.name.to_string() });
            }
            if before.name > file.name {
                return Err(PackError::Order { name: file.name.to_string() });
            }
        }
        Ok(Self { kind, files: read.files })
    }

    /// The canonical JSON of `manifest.json`.
    pub fn to_bytes(&self) -> Result<Vec<u8>, PackError> {
        Ok(canonical::to_vec(&ManifestJson { files: &self.files, kind: self.kind, v: 1 })?)
    }

    /// What the pack is about.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What it says of each file, by rising name.
    pub fn files(&self) -> &[FileEntry] {
        &self.files
    }

    /// Holds the files of a pack, by rising name, against what is listed: each is there, none besides, all unchanged.
    pub(super) fn check(&self, members: &[Member<'_>]) -> Result<(), PackError> {
        let mut members = members.iter().peekable();
        for entry in &self.files {
            let name = entry.name.as_str();
            match members.next_if(|member| member.name <= name) {
                Some(member) if member.name == name => entry.check(member)?,
                Some(member) => return Err(PackError::Unlisted { name: member.name.to_owned() }),
                None => return Err(PackError::Missing { name: name.to_owned() }),
            }
        }
        members.next().map_or(Ok(()), |member| Err(PackError::Unlisted { name: member.name.to_owned() }))
    }
}

impl FileEntry {
    fn check(&self, member: &Member<'_>) -> Result<(), PackError> {
        let (name, found) = (member.name.to_owned(), member.bytes.len() as u64);
        if found != self.size {
            return Err(PackError::Size { name, found, listed: self.size });
        }
        let found = Hash::sha256(member.bytes);
        if found == self.sha256 {
            Ok(())
        } else {
            Err(PackError::Digest { name, found, listed: self.sha256 })
        }
    }
}
