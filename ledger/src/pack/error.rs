//! Why bytes are not a pack, or files can't become one.

use super::{ENVELOPE, MANIFEST, MAX_MEMBERS, PAYLOAD_TYPE, STATEMENT_TYPE};
use crate::canonical::{NotCanonical, Unrepresentable};
use crate::encoding::Hash;
use crate::ids::InvalidId;
use crate::public_key::SignatureError;

/// Why bytes are not a pack, a pack proves nothing, or files can't become one. Names in it are safe to print.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// Beyond a bound of the format.
    #[error("{what} has more than {most} bytes")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The bound in bytes.
        most: usize,
    },
    /// More members than the format allows.
    #[error("the pack has more than {MAX_MEMBERS} members")]
    TooManyMembers,
    /// The archive ends before its end.
    #[error("the pack is cut off")]
    Truncated,
    /// A local header that says something no pack's does.
    #[error("{member} is not stored as a pack's members are: {why}")]
    Header {
        /// Which: its name, or its number counted from 1 where it has none.
        member: String,
        /// What is wrong.
        why: &'static str,
    },
    /// A name that no member may have.
    #[error("`{name}` is not a name that a pack's member may have")]
    Name {
        /// The name, made safe to print.
        name: String,
    },
    /// Bytes that their checksum does not belong to.
    #[error("`{name}` is damaged: its CRC-32 is another one")]
    Crc {
        /// The member.
        name: String,
    },
    /// The central directory does not repeat what a local header says.
    #[error("the directory does not say of `{name}` what its header says")]
    Directory {
        /// The member.
        name: String,
    },
    /// The end of the archive does not belong to its members.
    #[error("the end of the archive is not that of a pack: {why}")]
    End {
        /// What is wrong.
        why: &'static str,
    },
    /// Bytes after the end of the archive.
    #[error("there is something after the end of the pack")]
    Residue,
    /// A member, or an entry of the manifest, that comes twice.
    #[error("`{name}` is there twice")]
    Duplicate {
        /// Its name.
        name: String,
    },
    /// Two names that some file system takes for one, or a file where another needs a folder.
    #[error("`{name}` and `{other}` can't lie side by side in every file system")]
    NameClash {
        /// The later one.
        name: String,
        /// The name or folder that it clashes with.
        other: String,
    },
    /// A member, or an entry of the manifest, that is not in its place.
    #[error(
        "`{name}` is not in its place: {MANIFEST} is first, then come the files by name, {ENVELOPE} is last"
    )]
    Order {
        /// Its name.
        name: String,
    },
    /// A member that is not there.
    #[error("`{name}` is missing")]
    Missing {
        /// Its name.
        name: String,
    },
    /// A member that the manifest does not list.
    #[error("`{name}` is not listed in {MANIFEST}")]
    Unlisted {
        /// Its name.
        name: String,
    },
    /// A file with another size than the manifest says.
    #[error("`{name}` has {found} bytes, {MANIFEST} says {listed}")]
    Size {
        /// Its name.
        name: String,
        /// Bytes that it has.
        found: u64,
        /// Bytes that the manifest says.
        listed: u64,
    },
    /// A file with another digest than the manifest says.
    #[error("`{name}` has the SHA-256 {found}, {MANIFEST} says {listed}")]
    Digest {
        /// Its name.
        name: String,
        /// SHA-256 of its bytes.
        found: Hash,
        /// What the manifest says.
        listed: Hash,
    },
    /// JSON that is not its own canonical form.
    #[error("{what} is not canonical JSON")]
    NotCanonical {
        /// The member, or the statement within one.
        what: &'static str,
        /// Where, and why.
        source: NotCanonical,
    },
    /// A manifest without its members, or with others.
    #[error("`{MANIFEST}` is not the manifest of a pack")]
    Manifest(#[source] serde_json::Error),
    /// A manifest of another version.
    #[error("`{MANIFEST}` is of version {found}, this program knows version 1")]
    Version {
        /// What it says.
        found: u64,
    },
    /// A kind of pack that this program does not know.
    #[error("the pack is of a kind that this program does not know: {found}")]
    Kind {
        /// What the manifest says, made safe to print.
        found: String,
        /// What is known.
        source: InvalidId,
    },
    /// An envelope without its members, or with others.
    #[error("`{ENVELOPE}` is not a DSSE envelope as packs have it")]
    Envelope(#[source] serde_json::Error),
    /// Text in the envelope that is not the canonical spelling of bytes.
    #[error("the {what} in `{ENVELOPE}` is not standard base64 with padding")]
    Base64 {
        /// Payload or signature.
        what: &'static str,
    },
    /// The envelope holds something else than an in-toto statement.
    #[error("`{ENVELOPE}` does not hold {PAYLOAD_TYPE}")]
    PayloadType,
    /// A statement without its members, or with others.
    #[error("what `{ENVELOPE}` holds is not a statement as packs have it")]
    Statement(#[source] serde_json::Error),
    /// A statement of another version of in-toto.
    #[error("what `{ENVELOPE}` holds is not of type {STATEMENT_TYPE}")]
    StatementType,
    /// A statement about something else than the manifest beside it.
    #[error("the statement in `{ENVELOPE}` is not about this {MANIFEST} alone")]
    Subject,
    /// A predicate type that is not a short URI, or not the one that was asked for.
    #[error("the statement's predicate type is not {expected}")]
    PredicateType {
        /// What it should be.
        expected: String,
    },
    /// A predicate that can't be read or written as what it should be.
    #[error("the statement's predicate is not what its type says")]
    Predicate(#[source] serde_json::Error),
    /// A predicate that is not an object.
    #[error("the statement's predicate is not a JSON object")]
    PredicateForm,
    /// Something that JSON can't carry canonically.
    #[error("the statement's predicate has no canonical form")]
    Unrepresentable(#[from] Unrepresentable),
    /// No signature in the name of the key.
    #[error("`{ENVELOPE}` has no signature in the name of the key {keyid}")]
    NotSigned {
        /// The key that was asked for.
        keyid: Hash,
    },
    /// More than one signature in the name of the key.
    #[error("`{ENVELOPE}` has several signatures in the name of the key {keyid}")]
    SignedTwice {
        /// The key that was asked for.
        keyid: Hash,
    },
    /// The signature in the name of the key does not hold.
    #[error("the signature in `{ENVELOPE}` does not hold")]
    Signature(#[from] SignatureError),
}

impl PackError {
    /// The stable code of this error; that of its source where the source knows better.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "pack.too_large",
            Self::TooManyMembers => "pack.too_many_members",
            Self::Truncated => "pack.truncated",
            Self::Header { .. } => "pack.header",
            Self::Name { .. } => "pack.name",
            Self::Crc { .. } => "pack.crc",
            Self::Directory { .. } => "pack.directory",
            Self::End { .. } => "pack.end",
            Self::Residue => "pack.residue",
            Self::Duplicate { .. } => "pack.duplicate",
            Self::NameClash { .. } => "pack.name_clash",
            Self::Order { .. } => "pack.order",
            Self::Missing { .. } => "pack.missing_member",
            Self::Unlisted { .. } => "pack.unlisted_member",
            Self::Size { .. } => "pack.size",
            Self::Digest { .. } => "pack.digest",
            Self::NotCanonical { .. } => "pack.not_canonical",
            Self::Manifest(_) => "pack.manifest",
            Self::Version { .. } => "pack.version",
            Self::Kind { .. } => "pack.kind",
            Self::Envelope(_) => "pack.envelope",
            Self::Base64 { .. } => "pack.base64",
            Self::PayloadType => "pack.payload_type",
            Self::Statement(_) => "pack.statement",
            Self::StatementType => "pack.statement_type",
            Self::Subject => "pack.subject",
            Self::PredicateType { .. } => "pack.predicate_type",
            Self::Predicate(_) | Self::PredicateForm | Self::Unrepresentable(_) => "pack.predicate",
            Self::NotSigned { .. } => "pack.not_signed",
            Self::SignedTwice { .. } => "pack.signed_twice",
            Self::Signature(source) => source.code(),
        }
    }
}
