//! The few structures that are put together here from parts that are DER already.

use x509_cert::der::asn1::{AnyRef, BitStringRef};
use x509_cert::der::{Decode, Encode, Error, Tag};

/// `SEQUENCE` of some members, each of them DER.
pub(super) fn sequence(members: &[&[u8]]) -> Result<Vec<u8>, Error> {
    AnyRef::new(Tag::Sequence, &members.concat())?.to_der()
}

/// `[number] EXPLICIT` around one value that is DER.
pub(super) fn explicit(number: u32, value: &[u8]) -> Result<Vec<u8>, Error> {
    let tag = Tag::ContextSpecific { constructed: true, number: x509_cert::der::TagNumber(number) };
    AnyRef::new(tag, value)?.to_der()
}

/// What certificates, requests and revocation lists are (RFC 5280 §4.1, RFC 2986 §4.2): content, algorithm, signature.
pub(super) fn signed(content: &[u8], algorithm: &[u8], signature: &[u8]) -> Result<Vec<u8>, Error> {
    sequence(&[content, algorithm, &BitStringRef::from_bytes(signature)?.to_der()?])
}

/// Reads a value that is exactly what its DER would be: the decoder alone accepts some other spellings.
pub(super) fn exact<'a, T: Decode<'a, Error = Error> + Encode>(der: &'a [u8]) -> Result<T, Inexact> {
    let value = T::from_der(der).map_err(Inexact::Der)?;
    match value.to_der() {
        Ok(again) if again == der => Ok(value),
        Ok(_) | Err(_) => Err(Inexact::NotCanonical),
    }
}

/// Why bytes are not the DER of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inexact {
    /// They can't be read at all.
    Der(Error),
    /// They mean a value that DER writes in another way.
    NotCanonical,
}
