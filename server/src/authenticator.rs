//! A software authenticator: an ES256 key in a file that makes genuine WebAuthn registrations and assertions.
//!
//! It serves people on a command line. What it makes verifies like any other assertion, but a file can be copied:
//! its credentials are enrolled as `software`, and a founding policy may refuse them. It keeps no counter.

#[cfg(test)]
mod tests;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::rand::{self, SystemRandom};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use minicbor::Encoder;
use sealbook_ledger::encoding::{B64, Hash};
use sealbook_ledger::ids::Aaguid;
use sealbook_ledger::webauthn::{
    Assertion, AssertionError, CoseError, CosePublicKey, Credential, CredentialKind,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

/// Longest key file in bytes; one is some 400.
const MAX_FILE: usize = 4096;

/// Longest relying party id in bytes: that of a domain name (RFC 1035 §2.3.4).
const MAX_RP_ID: usize = 253;

/// Length of a credential id in bytes: random, so that it names nobody.
const CREDENTIAL_ID_LEN: usize = 32;

/// User present and verified (WebAuthn §6.1): whoever can read the file is its user.
const UP_AND_UV: u8 = 0x05;

/// Attested credential data follow (WebAuthn §6.1).
const AT: u8 = 0x40;

/// One passkey, held in memory; its private key is shown by nothing.
pub struct SoftAuthenticator {
    key: EcdsaKeyPair,
    credential: Credential,
}

/// What a registration answers (WebAuthn §5.2.1).
#[derive(Debug, Clone, Serialize)]
pub struct Registration {
    /// CBOR of format `none`, holding the authenticator data with the public key (WebAuthn §8.7).
    pub attestation_object: B64,
    /// The client data of type `webauthn.create`.
    pub client_data_json: B64,
    /// The same credential as the ledger enrols it.
    pub credential: Credential,
}

/// Why the software authenticator can't answer.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticatorError {
    /// A key file is there already; it is never overwritten.
    #[error("{} exists already; an authenticator is never overwritten", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Reading or writing the file failed.
    #[error("can't {doing} the authenticator {}", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// The file or its folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Others could read the private key.
    #[error("{} is open to others (mode {mode:03o}); run: chmod 600 {}", path.display(), path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is not one that this module wrote.
    #[error("{} is not an authenticator's key file", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What was wrong, where the parser can tell; never the content.
        #[source]
        source: MalformedKeyFile,
    },
    /// Not a domain name's length.
    #[error("a relying party id is a domain of 1 to {MAX_RP_ID} bytes")]
    RelyingParty,
    /// The cryptographic library failed, without saying why.
    #[error("the cryptographic library failed to {doing}")]
    Cryptography {
        /// What was being done.
        doing: &'static str,
    },
    /// What was made breaks the format's bounds, e.g. by a very long origin.
    #[error("the answer does not fit the ledger's format")]
    Answer(#[from] AssertionError),
    /// What was made could not be written as JSON.
    #[error("the answer can't be written as JSON")]
    Json(#[source] serde_json::Error),
}

/// What is wrong with a key file.
#[derive(Debug, thiserror::Error)]
pub enum MalformedKeyFile {
    /// Longer than such a file is.
    #[error("longer than {MAX_FILE} bytes")]
    TooLong,
    /// Not the JSON object that it should be.
    // Without a source: a parser's message may quote the text that it stumbles over.
    #[error("not the expected JSON object (line {line})")]
    Json {
        /// The line that was not understood, counted from 1.
        line: usize,
    },
    /// Its credential id or relying party id is empty or too long.
    #[error("its credential id or relying party id is empty or too long")]
    Names,
    /// The private key is not base64url of PKCS#8 with a P-256 key.
    #[error("its private key is not a P-256 key in PKCS#8")]
    PrivateKey,
    /// The public half is no passkey.
    #[error("its public key is not usable")]
    PublicKey(#[source] CoseError),
}

impl AuthenticatorError {
    /// The error's stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Exists { .. } => "authenticator.exists",
            Self::File { .. } => "authenticator.file",
            Self::Exposed { .. } => "authenticator.exposed",
            Self::Malformed { .. } => "authenticator.malformed",
            Self::RelyingParty => "authenticator.relying_party",
            Self::Cryptography { .. } => "authenticator.cryptography",
            Self::Answer(_) => "authenticator.answer",
            Self::Json(_) => "authenticator.json",
        }
    }
}

/// The key file. `private_key` is base64url of PKCS#8 (RFC 5208).
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    credential_id: B64,
    rp_id: String,
    private_key: Zeroizing<String>,
}

impl SoftAuthenticator {
    /// Makes a key and writes it to a new file of mode 0600; an existing file is refused.
    ///
    /// When this returns, file and folder entry are on the disk: an enrolled key is not lost by a crash.
    pub fn create(path: &Path, rp_id: &str) -> Result<Self, AuthenticatorError> {
        if rp_id.is_empty() || rp_id.len() > MAX_RP_ID {
            return Err(AuthenticatorError::RelyingParty);
        }
        let failed = |doing| move |_| AuthenticatorError::Cryptography { doing };
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map_err(failed("make a key"))?;
        let pkcs8 = key.to_pkcs8v1().map_err(failed("encode a key"))?;
        let mut credential_id = vec![0; CREDENTIAL_ID_LEN];
        rand::fill(&mut credential_id).map_err(failed("draw random bytes"))?;

        let file = KeyFile {
            credential_id: B64(credential_id),
            rp_id: rp_id.to_owned(),
            private_key: Zeroizing::new(URL_SAFE_NO_PAD.encode(pkcs8.as_ref())),
        };
        let authenticator = Self::new(key, file.credential_id.clone(), file.rp_id.clone())
            .map_err(|source| AuthenticatorError::Malformed { path: path.to_owned(), source })?;
        let mut text = Zeroizing::new(Vec::with_capacity(MAX_FILE));
        serde_json::to_writer_pretty(&mut *text, &file).map_err(AuthenticatorError::Json)?;
        write_new(path, &text)?;
        Ok(authenticator)
    }

    /// Reads an authenticator from its file, which must be nobody else's to read.
    pub fn open(path: &Path) -> Result<Self, AuthenticatorError> {
        let malformed = |source| AuthenticatorError::Malformed { path: path.to_owned(), source };
        let text = read_private(path)?;
        if text.len() > MAX_FILE {
            return Err(malformed(MalformedKeyFile::TooLong));
        }
        let file: KeyFile = serde_json::from_slice(&text)
            .map_err(|error| malformed(MalformedKeyFile::Json { line: error.line() }))?;
        let pkcs8 = URL_SAFE_NO_PAD
            .decode(file.private_key.as_bytes())
            .map(Zeroizing::new)
            .map_err(|_| malformed(MalformedKeyFile::PrivateKey))?;
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &pkcs8)
            .map_err(|_| malformed(MalformedKeyFile::PrivateKey))?;
        Self::new(key, file.credential_id, file.rp_id).map_err(malformed)
    }

    fn new(key: EcdsaKeyPair, credential_id: B64, rp_id: String) -> Result<Self, MalformedKeyFile> {
        let id_fits = (1..=Assertion::MAX_CREDENTIAL_ID).contains(&credential_id.0.len());
        if !id_fits || !(1..=MAX_RP_ID).contains(&rp_id.len()) {
            return Err(MalformedKeyFile::Names);
        }
        let cose_public_key =
            CosePublicKey::from_p256_point(key.public_key().as_ref()).map_err(MalformedKeyFile::PublicKey)?;
        let credential = Credential {
            credential_id,
            cose_public_key,
            aaguid: Aaguid::from(Uuid::nil()),
            rp_id,
            backup_eligible: false,
            kind: CredentialKind::Software,
            attestation: None,
        };
        Ok(Self { key, credential })
    }

    /// The credential as the ledger enrols it.
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// Answers a registration: attestation format `none`, for nobody vouches for a file (WebAuthn §8.7).
    pub fn register(&self, challenge: Hash, origin: &str) -> Result<Registration, AuthenticatorError> {
        let failed = |_| AuthenticatorError::Cryptography { doing: "encode an attestation object" };
        let data = self.registration_data();
        let mut cbor = Encoder::new(Vec::with_capacity(data.len() + 32));
        // CTAP2 canonical order: the shorter key first.
        cbor.map(3)
            .and_then(|cbor| cbor.str("fmt")?.str("none"))
            .and_then(|cbor| cbor.str("attStmt")?.map(0))
            .and_then(|cbor| cbor.str("authData")?.bytes(&data))
            .map_err(failed)?;
        Ok(Registration {
            attestation_object: cbor.into_writer().into(),
            client_data_json: client_data("webauthn.create", challenge, origin)?.into(),
            credential: self.credential.clone(),
        })
    }

    /// Answers a challenge, as a browser at this web origin would.
    pub fn assert(&self, challenge: Hash, origin: &str) -> Result<Assertion, AuthenticatorError> {
        let client = client_data("webauthn.get", challenge, origin)?;
        let data = self.data_head(UP_AND_UV);
        let signed = [data.as_slice(), &Hash::sha256(&client).0].concat();
        let signature = self
            .key
            .sign(&SystemRandom::new(), &signed)
            .map_err(|_| AuthenticatorError::Cryptography { doing: "sign" })?;
        let credential_id = self.credential.credential_id.clone();
        Ok(Assertion::new(credential_id, data.into(), client.into(), signature.as_ref().into())?)
    }

    /// rpIdHash, flags and a counter of zero, which says that none is kept (WebAuthn §6.1.1).
    fn data_head(&self, flags: u8) -> Vec<u8> {
        let mut data = Hash::sha256(self.credential.rp_id.as_bytes()).0.to_vec();
        data.push(flags);
        data.extend_from_slice(&[0; 4]);
        data
    }

    /// With attested credential data: aaguid, length and bytes of the id, public key (WebAuthn §6.5.1).
    fn registration_data(&self) -> Vec<u8> {
        let id = self.credential.credential_id.as_bytes();
        let mut data = self.data_head(UP_AND_UV | AT);
        data.extend_from_slice(self.credential.aaguid.uuid().as_bytes());
        // At most 1023 bytes, by `new`.
        data.extend_from_slice(&(id.len() as u16).to_be_bytes());
        data.extend_from_slice(id);
        data.extend_from_slice(self.credential.cose_public_key.as_bytes());
        data
    }
}

/// The client data in the order that browsers write it (WebAuthn §5.8.1.1).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ClientData<'a> {
    r#type: &'a str,
    challenge: B64,
    origin: &'a str,
    cross_origin: bool,
}

fn client_data(r#type: &str, challenge: Hash, origin: &str) -> Result<Vec<u8>, AuthenticatorError> {
    let challenge = B64::from(challenge.0.as_slice());
    serde_json::to_vec(&ClientData { r#type, challenge, origin, cross_origin: false })
        .map_err(AuthenticatorError::Json)
}

/// Writes a private file where none was, and waits until it is on the disk.
fn write_new(path: &Path, bytes: &[u8]) -> Result<(), AuthenticatorError> {
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = opened.map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => AuthenticatorError::Exists { path: path.to_owned() },
        _ => AuthenticatorError::File { doing: "create", path: path.to_owned(), source },
    })?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| sync_folder_of(path));
    written.map_err(|source| {
        // Half a key file is of no use and in the way of the next attempt; this error outranks the removal's.
        let _ = fs::remove_file(path);
        AuthenticatorError::File { doing: "write", path: path.to_owned(), source }
    })
}

/// A new file survives a power cut only when its folder's entry is on the disk too.
fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// Reads a file that nobody but its owner may read; at most one byte more than [`MAX_FILE`].
fn read_private(path: &Path) -> Result<Zeroizing<Vec<u8>>, AuthenticatorError> {
    let failed = |source| AuthenticatorError::File { doing: "read", path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(AuthenticatorError::Exposed { path: path.to_owned(), mode });
    }
    // Room for all of it: a buffer that grows would leave copies of the key behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_FILE + 1));
    file.take(MAX_FILE as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}
