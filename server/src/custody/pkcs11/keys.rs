//! Key objects in the token: making, finding and listing them.

use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType as DeviceKeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use cryptoki::types::Ulong;
use rand::TryRngCore as _;
use rand::rngs::OsRng;
use sealbook_ledger::algorithm::{Algorithm, KeyType};
use sealbook_ledger::attributes::KeyAttributes;
use sealbook_ledger::encoding::Hash;

use super::connection::Handles;
use super::fault::Failure;
use super::spki_der;
use crate::custody::error::CustodyError;
use crate::custody::{DeviceKey, DeviceObject};

/// The longest label, in bytes.
const MAX_LABEL: usize = 255;
/// The most private keys that an inventory reads.
const MAX_INVENTORY: usize = 100_000;

/// A label that can stand for one key: 1 to 255 bytes without control characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Label(String);

impl Label {
    pub(super) fn parse(text: &str) -> Result<Self, CustodyError> {
        if text.is_empty() || text.len() > MAX_LABEL || text.chars().any(char::is_control) {
            return Err(CustodyError::refused("a key's label has 1 to 255 bytes and no control characters"));
        }
        Ok(Self(text.to_owned()))
    }

    fn attribute(&self) -> Attribute {
        Attribute::Label(self.0.clone().into_bytes())
    }

    /// That no key carries it.
    pub(super) fn not_found(&self) -> CustodyError {
        CustodyError::NotFound { label: self.0.clone() }
    }
}

/// Whether a session may search the token for a key that it doesn't know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Search {
    /// It may not.
    None,
    /// It may: nobody makes a key meanwhile.
    Objects,
}

/// Refuses a label that any key, private or public, already carries.
pub(super) fn ensure_free(session: &Session, label: &Label) -> Result<(), Failure> {
    for class in [ObjectClass::PRIVATE_KEY, ObjectClass::PUBLIC_KEY] {
        if !session.find_objects(&[Attribute::Class(class), label.attribute()])?.is_empty() {
            return Err(CustodyError::AlreadyExists { label: label.0.clone() }.into());
        }
    }
    Ok(())
}

/// Makes a key pair under a label that is free.
pub(super) fn generate(session: &Session, label: &Label, key_type: KeyType) -> Result<(), Failure> {
    // Pairs the two halves: labels can be changed, and other tools look for it.
    let mut id = [0; 16];
    OsRng
        .try_fill_bytes(&mut id)
        .map_err(|error| CustodyError::refused(format!("no randomness for the key's id: {error}")))?;
    let both = [Attribute::Token(true), label.attribute(), Attribute::Id(id.to_vec())];
    let mut public = both.to_vec();
    public.extend([Attribute::Private(false), Attribute::Verify(true)]);
    let mut private = both.to_vec();
    private.extend([
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
        // Tokens differ in their defaults: what a key must not do is said, not hoped for.
        Attribute::SignRecover(false),
        Attribute::Decrypt(false),
        Attribute::Unwrap(false),
        Attribute::Derive(false),
    ]);
    let mechanism = match key_type {
        KeyType::EcP256 | KeyType::EcP384 => Mechanism::EccKeyPairGen,
        KeyType::Ed25519 => Mechanism::EccEdwardsKeyPairGen,
        KeyType::Rsa3072 | KeyType::Rsa4096 => Mechanism::RsaPkcsKeyPairGen,
    };
    match key_type {
        KeyType::Rsa3072 => public.push(Attribute::ModulusBits(Ulong::new(3072))),
        KeyType::Rsa4096 => public.push(Attribute::ModulusBits(Ulong::new(4096))),
        KeyType::EcP256 | KeyType::EcP384 | KeyType::Ed25519 => {}
    }
    public.push(match spki_der::ec_params(key_type) {
        Some(curve) => Attribute::EcParams(curve),
        None => Attribute::PublicExponent(spki_der::RSA_EXPONENT.to_vec()),
    });
    session.generate_key_pair(&mechanism, &public, &private)?;
    Ok(())
}

/// The key under a label with everything the device says about it.
///
/// # Errors
/// `NotFound`, `Ambiguous`, or `Refused` where the type isn't in the registry.
pub(super) fn find(session: &Session, label: &Label) -> Result<DeviceKey, Failure> {
    let private = find_private(session, label)?;
    let (key_type, spki_der) = registered_key(session, private)?;
    Ok(DeviceKey { key_type, spki_der, attributes: custody_attributes(session, private)? })
}

/// Destroys the private key under a label, where its public key is the one that is meant.
///
/// # Errors
/// `NotFound`, `Ambiguous`, or `Refused` where it is another key.
pub(super) fn destroy_private(session: &Session, label: &Label, spki_sha256: Hash) -> Result<(), Failure> {
    let private = find_private(session, label)?;
    let (_, spki_der) = registered_key(session, private)?;
    if Hash::sha256(&spki_der) != spki_sha256 {
        let why = format!("the key labelled {:?} is another one than is to be destroyed", label.0);
        return Err(CustodyError::refused(why).into());
    }
    session.destroy_object(private)?;
    Ok(())
}

/// Destroys what is left under the label of a private key that is gone: its public half.
pub(super) fn destroy_public(session: &Session, label: &Label) -> Result<(), Failure> {
    let template = [Attribute::Class(ObjectClass::PUBLIC_KEY), Attribute::Token(true), label.attribute()];
    for handle in session.find_objects(&template)? {
        session.destroy_object(handle)?;
    }
    Ok(())
}

/// The handle for signing, remembered per session; `None` where it isn't known and may not be searched for.
///
/// # Errors
/// `NotFound`, `Ambiguous`, or `Refused` where the key's type isn't the algorithm's.
pub(super) fn signing_handle(
    session: &Session,
    handles: &mut Handles,
    label: &Label,
    algorithm: Algorithm,
    search: Search,
) -> Result<Option<ObjectHandle>, Failure> {
    let (handle, key_type) = match (handles.get(label), search) {
        (Some(known), _) => known,
        (None, Search::None) => return Ok(None),
        (None, Search::Objects) => {
            let handle = find_private(session, label)?;
            let (key_type, _) = registered_key(session, handle)?;
            handles.remember(label.clone(), handle, key_type);
            (handle, key_type)
        }
    };
    if key_type != algorithm.key_type() {
        return Err(CustodyError::refused(format!("{algorithm} needs another key than {key_type:?}")).into());
    }
    Ok(Some(handle))
}

/// Every private key in the token.
pub(super) fn inventory(session: &Session) -> Result<Vec<DeviceObject>, Failure> {
    let private =
        session.find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Token(true)])?;
    if private.len() > MAX_INVENTORY {
        return Err(CustodyError::refused(format!("an inventory reads at most {MAX_INVENTORY} keys")).into());
    }
    let mut objects = Vec::with_capacity(private.len());
    for handle in private {
        let mut label = String::new();
        for attribute in session.get_attributes(handle, &[AttributeType::Label])? {
            if let Attribute::Label(bytes) = attribute {
                label = String::from_utf8_lossy(&bytes).into_owned();
            }
        }
        let public = public_key(session, handle)?.map(|(key_type, der)| (key_type, Hash::sha256(&der)));
        objects.push(DeviceObject { label, public });
    }
    Ok(objects)
}

pub(super) fn find_private(session: &Session, label: &Label) -> Result<ObjectHandle, Failure> {
    let template = [Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Token(true), label.attribute()];
    match session.find_objects(&template)?.as_slice() {
        [] => Err(label.not_found().into()),
        [handle] => Ok(*handle),
        several => Err(CustodyError::Ambiguous { label: label.0.clone(), count: several.len() }.into()),
    }
}

fn registered_key(session: &Session, private: ObjectHandle) -> Result<(KeyType, Vec<u8>), Failure> {
    public_key(session, private)?.ok_or_else(|| {
        CustodyError::refused("the key is of no type in the registry, or its public key isn't in the device")
            .into()
    })
}

/// Type and SubjectPublicKeyInfo of a private key, out of the public key object that belongs to it.
///
/// `None` where the type isn't in the registry or no one public key belongs to it.
fn public_key(session: &Session, private: ObjectHandle) -> Result<Option<(KeyType, Vec<u8>)>, Failure> {
    let Some(public) = public_half(session, private)? else {
        return Ok(None);
    };
    let (mut curve, mut point, mut modulus, mut exponent) = (None, None, None, None);
    let mut device_type = None;
    for attribute in session.get_attributes(public, &[AttributeType::KeyType])? {
        if let Attribute::KeyType(value) = attribute {
            device_type = Some(value);
        }
    }
    let wanted = match device_type {
        Some(DeviceKeyType::EC | DeviceKeyType::EC_EDWARDS) => {
            [AttributeType::EcParams, AttributeType::EcPoint]
        }
        Some(DeviceKeyType::RSA) => [AttributeType::Modulus, AttributeType::PublicExponent],
        Some(_) | None => return Ok(None),
    };
    for attribute in session.get_attributes(public, &wanted)? {
        match attribute {
            Attribute::EcParams(bytes) => curve = Some(bytes),
            Attribute::EcPoint(bytes) => point = Some(bytes),
            Attribute::Modulus(bytes) => modulus = Some(bytes),
            Attribute::PublicExponent(bytes) => exponent = Some(bytes),
            _ => {}
        }
    }
    Ok(match (curve, point, modulus, exponent) {
        (Some(curve), Some(point), ..) => spki_der::from_curve(&curve, &point)?,
        (_, _, Some(modulus), Some(exponent)) => spki_der::from_rsa(&modulus, &exponent)?,
        _ => None,
    })
}

/// The public key object of a private key: by `CKA_ID` where there is one, else by label.
fn public_half(session: &Session, private: ObjectHandle) -> Result<Option<ObjectHandle>, Failure> {
    let (mut by_id, mut by_label) = (None, None);
    for attribute in session.get_attributes(private, &[AttributeType::Id, AttributeType::Label])? {
        match attribute {
            Attribute::Id(id) if !id.is_empty() => by_id = Some(Attribute::Id(id)),
            Attribute::Label(label) if !label.is_empty() => by_label = Some(Attribute::Label(label)),
            _ => {}
        }
    }
    let Some(pairing) = by_id.or(by_label) else {
        return Ok(None);
    };
    let template = [Attribute::Class(ObjectClass::PUBLIC_KEY), Attribute::Token(true), pairing];
    match session.find_objects(&template)?.as_slice() {
        [handle] => Ok(Some(*handle)),
        _ => Ok(None),
    }
}

/// The custody attributes as the device reports them. One that it doesn't report is a refusal: nothing is assumed.
fn custody_attributes(session: &Session, private: ObjectHandle) -> Result<KeyAttributes, Failure> {
    let wanted = [
        AttributeType::AlwaysSensitive,
        AttributeType::Extractable,
        AttributeType::Local,
        AttributeType::NeverExtractable,
        AttributeType::Sensitive,
    ];
    let (mut always_sensitive, mut extractable, mut local) = (None, None, None);
    let (mut never_extractable, mut sensitive) = (None, None);
    for attribute in session.get_attributes(private, &wanted)? {
        match attribute {
            Attribute::AlwaysSensitive(value) => always_sensitive = Some(value),
            Attribute::Extractable(value) => extractable = Some(value),
            Attribute::Local(value) => local = Some(value),
            Attribute::NeverExtractable(value) => never_extractable = Some(value),
            Attribute::Sensitive(value) => sensitive = Some(value),
            _ => {}
        }
    }
    let reported = |value: Option<bool>, name: &str| {
        value.ok_or_else(|| CustodyError::refused(format!("the device doesn't report {name} of the key")))
    };
    Ok(KeyAttributes {
        always_sensitive: reported(always_sensitive, "CKA_ALWAYS_SENSITIVE")?,
        extractable: reported(extractable, "CKA_EXTRACTABLE")?,
        local: reported(local, "CKA_LOCAL")?,
        never_extractable: reported(never_extractable, "CKA_NEVER_EXTRACTABLE")?,
        sensitive: reported(sensitive, "CKA_SENSITIVE")?,
    })
}
