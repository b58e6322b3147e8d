//! The attestation object (WebAuthn §6.5): read for the bytes that the ledger keeps as they are.
//!
//! webauthn-rs-core verifies the same object; what is read here is the public key in the authenticator's own encoding,
//! which it does not hand over. Its reader takes what it likes of a map, so that this one takes only maps that have one
//! reading: exactly three members, each once, and nothing after them.

use minicbor::Decoder;
use minicbor::data::Type;

/// AT (WebAuthn §6.1): attested credential data follow.
const ATTESTED: u8 = 0x40;

/// BE: the credential may be copied to other devices.
const BACKUP_ELIGIBLE: u8 = 0x08;

/// What the authenticator says about the credential that it made.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AttestedCredential<'a> {
    pub(super) aaguid: [u8; 16],
    pub(super) credential_id: &'a [u8],
    /// The public key, in the authenticator's encoding.
    pub(super) cose_public_key: &'a [u8],
    pub(super) backup_eligible: bool,
}

/// Reads an attestation object; `None` where it has not exactly the documented form.
pub(super) fn read(object: &[u8]) -> Option<AttestedCredential<'_>> {
    let data = authenticator_data(object)?;
    let (_rp_id_hash, rest) = data.split_first_chunk::<32>()?;
    let ([flags, _counter @ ..], rest) = rest.split_first_chunk::<5>()?;
    if flags & ATTESTED == 0 {
        return None;
    }
    let (aaguid, rest) = rest.split_first_chunk::<16>()?;
    let (id_len, rest) = rest.split_first_chunk::<2>()?;
    let (credential_id, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*id_len)))?;
    let mut decoder = Decoder::new(rest);
    decoder.skip().ok()?;
    let cose_public_key = rest.get(..decoder.position())?;
    Some(AttestedCredential {
        aaguid: *aaguid,
        credential_id,
        cose_public_key,
        backup_eligible: flags & BACKUP_ELIGIBLE != 0,
    })
}

/// The value of `authData` in a map of exactly `fmt`, `attStmt` and `authData`.
fn authenticator_data(object: &[u8]) -> Option<&[u8]> {
    let mut decoder = Decoder::new(object);
    if decoder.map().ok()? != Some(3) {
        return None;
    }
    let (mut format, mut statement, mut data) = (false, false, None);
    for _ in 0..3 {
        match decoder.str().ok()? {
            "fmt" if !format => {
                decoder.str().ok()?;
                format = true;
            }
            "attStmt" if !statement => {
                let found = decoder.datatype().ok()?;
                decoder.skip().ok()?;
                statement = found == Type::Map;
            }
            "authData" if data.is_none() => data = Some(decoder.bytes().ok()?),
            _ => return None,
        }
    }
    let whole = format && statement && decoder.position() == object.len();
    data.filter(|_| whole)
}
