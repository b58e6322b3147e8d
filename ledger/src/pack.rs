//! Evidence packs (`docs/spec/packs.md`): files about one piece of work, their manifest, and a signed statement about
//! it, in one zip that an auditor checks offline and takes apart with any tool.
//!
//! The members, in exactly this order: `manifest.json`, the files by rising name, `statement.dsse.json`. The manifest
//! names every file with its SHA-256; the statement (in-toto) names the manifest's; the envelope (DSSE) holds the
//! statement and its signature. The zip has one encoding, so that the same members are the same pack byte for byte.
//!
//! Making one takes two steps, for the key is in a device: [`Unsigned::new`] gives what is to be signed, which is
//! recorded before it is; [`Unsigned::sign`] takes the signature. Reading one believes nothing until
//! [`Pack::verify`] is called with the pinned key.

mod container;
mod envelope;
mod error;
mod manifest;
mod name;
mod statement;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::attachment::MediaType;
use crate::encoding::Hash;
use crate::public_key::PublicKey;
use container::Member;

pub use envelope::{Envelope, EnvelopeSignature, PAYLOAD_TYPE, envelope_algorithm, pae};
pub use error::PackError;
pub use manifest::{FileEntry, Kind, Manifest};
pub use name::FileName;
pub use statement::{STATEMENT_TYPE, Statement};

/// The first member: the manifest.
pub const MANIFEST: &str = "manifest.json";

/// The last member: the envelope.
pub const ENVELOPE: &str = "statement.dsse.json";

/// The longest pack in bytes, 256 MiB: it is held in memory as a whole.
pub const MAX_PACK: usize = 256 * 1024 * 1024;

/// The most members of a pack, manifest and envelope included.
pub const MAX_MEMBERS: usize = 4096;

/// The longest `manifest.json` and `statement.dsse.json` in bytes: for each member at most 48 bytes of JSON, a media type
/// of 127, a name of 200, 64 digits and a size of 9.
pub const MAX_JSON: usize = MAX_MEMBERS * 512;

/// The longest statement in bytes: in base64, 4 for 3, it leaves a third of [`MAX_JSON`] to signatures.
pub const MAX_STATEMENT: usize = MAX_JSON / 2;

/// A file that is to go into a pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackFile {
    /// Its name in the pack.
    pub name: FileName,
    /// What its bytes are.
    pub media_type: MediaType,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A pack that lacks nothing but its signature. The same arguments make the same one, so that it can be made again
/// after a restart.
#[derive(Debug, Clone)]
pub struct Unsigned {
    manifest: Vec<u8>,
    files: Vec<PackFile>,
    statement: Vec<u8>,
}

impl Unsigned {
    /// Puts manifest and statement together. The files may come in any order.
    ///
    /// Errors: names that clash, more or larger files than a pack holds, a predicate that is not an object in canonical
    /// JSON, a predicate type that is not a short URI. What passes here needs only a signature that holds.
    pub fn new<P: Serialize>(
        kind: Kind,
        mut files: Vec<PackFile>,
        predicate_type: &str,
        predicate: &P,
    ) -> Result<Self, PackError> {
        files.sort_by(|a, b| a.name.cmp(&b.name));
        let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
        name::check_distinct(&names)?;
        if files.len() + 2 > MAX_MEMBERS {
            return Err(PackError::TooManyMembers);
        }
        // Before anything is hashed, and with room for the longest manifest and envelope.
        if container::len(files.iter().map(PackFile::member)) > MAX_PACK - 3 * MAX_JSON {
            return Err(PackError::TooLarge { what: "the pack", most: MAX_PACK });
        }
        let manifest = Manifest::new(kind, &files).to_bytes()?;
        let statement = Statement::write(predicate_type, predicate, (MANIFEST, Hash::sha256(&manifest)))?;
        Ok(Self { manifest, files, statement })
    }

    /// SHA-256 of the manifest, which the statement is about.
    pub fn manifest_sha256(&self) -> Hash {
        Hash::sha256(&self.manifest)
    }

    /// What is to be signed: DSSE's encoding of the statement. A key signs its digest
    /// ([`Algorithm::digest_of`](crate::algorithm::Algorithm::digest_of)) by the algorithm of its type
    /// ([`envelope_algorithm`]); a pure Ed25519 key signs these bytes, at most 64 KiB.
    pub fn pae(&self) -> Vec<u8> {
        pae(PAYLOAD_TYPE, &self.statement)
    }

    /// The pack's bytes, where the signature holds under the key.
    pub fn sign(&self, key: &PublicKey, signature: Vec<u8>) -> Result<Vec<u8>, PackError> {
        let envelope = Envelope::new(self.statement.clone(), key, signature)?.to_bytes()?;
        let manifest = Member { name: MANIFEST, bytes: &self.manifest };
        let envelope = Member { name: ENVELOPE, bytes: &envelope };
        let files = self.files.iter().map(PackFile::member);
        let members: Vec<Member<'_>> = [manifest].into_iter().chain(files).chain([envelope]).collect();
        container::write(&members)
    }
}

impl PackFile {
    fn member(&self) -> Member<'_> {
        Member { name: self.name.as_str(), bytes: &self.bytes }
    }
}

/// A pack that was read. It is whole and consistent in itself; who made it only [`verify`](Self::verify) tells.
#[derive(Debug, Clone)]
pub struct Pack<'a> {
    manifest: Manifest,
    /// By the manifest's order.
    files: Vec<&'a [u8]>,
    envelope: Envelope,
    statement: Statement,
}

impl<'a> Pack<'a> {
    /// Reads a pack strictly: these bytes are the only ones that its members have, the manifest lists exactly its files,
    /// the statement is about exactly this manifest.
    pub fn open(bytes: &'a [u8]) -> Result<Self, PackError> {
        let members = container::read(bytes)?;
        let placed = Placed::new(&members)?;
        let manifest = Manifest::parse(placed.manifest)?;
        manifest.check(placed.files)?;
        let envelope = Envelope::parse(placed.envelope)?;
        let statement = Statement::parse(envelope.payload())?;
        if statement.manifest() != Hash::sha256(placed.manifest) {
            return Err(PackError::Subject);
        }
        let files = placed.files.iter().map(|file| file.bytes).collect();
        Ok(Self { manifest, files, envelope, statement })
    }

    /// Checks that the pinned key signed the statement: [`Envelope::verify`].
    pub fn verify(&self, key: &PublicKey) -> Result<(), PackError> {
        self.envelope.verify(key)
    }

    /// What the pack is about.
    pub fn kind(&self) -> Kind {
        self.manifest.kind()
    }

    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The files by rising name: what the manifest says of each, and its bytes.
    pub fn files(&self) -> impl ExactSizeIterator<Item = (&FileEntry, &'a [u8])> {
        self.manifest.files().iter().zip(self.files.iter().copied())
    }

    /// The bytes of the file with this name.
    pub fn file(&self, name: &str) -> Option<&'a [u8]> {
        let at = self.manifest.files().binary_search_by(|entry| entry.name.as_str().cmp(name)).ok()?;
        self.files.get(at).copied()
    }

    /// The envelope with its signatures.
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// The statement.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// The statement's predicate: [`Statement::predicate`].
    pub fn predicate<P: DeserializeOwned>(&self, predicate_type: &str) -> Result<P, PackError> {
        self.statement.predicate(predicate_type)
    }
}

/// The members of a pack, each where it belongs.
struct Placed<'m, 'a> {
    manifest: &'a [u8],
    files: &'m [Member<'a>],
    envelope: &'a [u8],
}

impl<'m, 'a> Placed<'m, 'a> {
    /// Refuses members that are not distinct or not in the order of the format.
    fn new(members: &'m [Member<'a>]) -> Result<Self, PackError> {
        let names: Vec<&str> = members.iter().map(|member| member.name).collect();
        name::check_distinct(&names)?;
        if let Some(own) = [MANIFEST, ENVELOPE].into_iter().find(|own| !names.contains(own)) {
            return Err(PackError::Missing { name: own.to_owned() });
        }
        let displaced = |name: &str| Err(PackError::Order { name: name.to_owned() });
        let [manifest, files @ .., envelope] = members else { return displaced(MANIFEST) };
        if manifest.name != MANIFEST {
            return displaced(MANIFEST);
        }
        if envelope.name != ENVELOPE {
            return displaced(ENVELOPE);
        }
        match files.windows(2).find(|pair| pair[0].name >= pair[1].name) {
            Some(pair) => displaced(pair[1].name),
            None => Ok(Self { manifest: manifest.bytes, files, envelope: envelope.bytes }),
        }
    }
}
