//! The attestation object (WebAuthn §6.5).
//!
//! Only maps that have one reading are taken: exactly three members, each once, and nothing after them. Readers that take
//! what they like of a map could see another credential in the same bytes.

use minicbor::Decoder;
use minicbor::data::Type;

use crate::encoding::Hash;

/// AT (WebAuthn §6.1): attested credential data follow.
const ATTESTED: u8 = 0x40;

/// BE: the credential may be copied to other devices.
const BACKUP_ELIGIBLE: u8 = 0x08;

/// What an authenticator answered when it made a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttestationObject<'a> {
    /// The statement's format, e.g. `packed`.
    pub format: &'a str,
    /// The statement: one CBOR map.
    pub statement: &'a [u8],
    /// The authenticator data, which the statement signs.
    pub authenticator_data: &'a [u8],
    /// The credential in them.
    pub credential: AttestedCredential<'a>,
}

/// What the authenticator says about the credential that it made (WebAuthn §6.5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttestedCredential<'a> {
    /// SHA-256 of the relying party's id.
    pub rp_id_hash: Hash,
    /// The authenticator's make.
    pub aaguid: [u8; 16],
    /// The credential's name.
    pub credential_id: &'a [u8],
    /// The public key, in the authenticator's encoding.
    pub cose_public_key: &'a [u8],
    /// Whether the credential may be copied to other devices.
    pub backup_eligible: bool,
}

impl<'a> AttestationObject<'a> {
    /// Reads an attestation object; `None` where it has not exactly the documented form.
    pub fn parse(object: &'a [u8]) -> Option<Self> {
        let mut decoder = Decoder::new(object);
        if decoder.map().ok()? != Some(3) {
            return None;
        }
        let (mut format, mut statement, mut data) = (None, None, None);
        for _ in 0..3 {
            match decoder.str().ok()? {
                "fmt" if format.is_none() => format = Some(decoder.str().ok()?),
                "attStmt" if statement.is_none() => {
                    let (found, start) = (decoder.datatype().ok()?, decoder.position());
                    decoder.skip().ok()?;
                    statement = object.get(start..decoder.position()).filter(|_| found == Type::Map);
                }
                "authData" if data.is_none() => data = Some(decoder.bytes().ok()?),
                _ => return None,
            }
        }
        if decoder.position() != object.len() {
            return None;
        }
        let authenticator_data = data?;
        let credential = AttestedCredential::parse(authenticator_data)?;
        Some(Self { format: format?, statement: statement?, authenticator_data, credential })
    }
}

impl<'a> AttestedCredential<'a> {
    /// Reads authenticator data of a registration; extensions after the key are left alone.
    fn parse(data: &'a [u8]) -> Option<Self> {
        let (rp_id_hash, rest) = data.split_first_chunk::<32>()?;
        let ([flags, _counter @ ..], rest) = rest.split_first_chunk::<5>()?;
        if flags & ATTESTED == 0 {
            return None;
        }
        let (aaguid, rest) = rest.split_first_chunk::<16>()?;
        let (id_len, rest) = rest.split_first_chunk::<2>()?;
        let (credential_id, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*id_len)))?;
        let mut decoder = Decoder::new(rest);
        decoder.skip().ok()?;
        Some(Self {
            rp_id_hash: Hash(*rp_id_hash),
            aaguid: *aaguid,
            credential_id,
            cose_public_key: rest.get(..decoder.position())?,
            backup_eligible: flags & BACKUP_ELIGIBLE != 0,
        })
    }
}
