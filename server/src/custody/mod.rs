//! Custody of private keys: what the server asks of a device, and nothing of how a device is reached.
//!
//! [`Backend`] is the contract; [`pkcs11`] fulfils it for any PKCS#11 module, and [`softhsm`] prepares a SoftHSM token
//! for development. Nothing outside this folder knows PKCS#11.
//!
//! The write-ahead order is the caller's duty: intent is durable before [`Backend::generate`] or [`Backend::sign`] is
//! called, the outcome is durable before anything is released, and a signature is verified against the recorded public
//! key in between. A backend never verifies and never remembers.

mod config;
mod counters;
mod error;
pub mod pkcs11;
pub mod softhsm;

use std::pin::Pin;
use std::time::Instant;

use sealbook_ledger::algorithm::{Algorithm, KeyType, MAX_PURE_MESSAGE};
use sealbook_ledger::attributes::KeyAttributes;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::BackendName;

pub use config::{MAX_SESSIONS, PinSource, Pkcs11Config};
pub use counters::CounterSnapshot;
pub use error::{CustodyError, Unavailability};

/// A call that is under way: boxed, so that backends of different kinds can stand behind one `dyn Backend`.
pub type Call<'a, T> = Pin<Box<dyn Future<Output = Result<T, CustodyError>> + Send + 'a>>;

/// A device (or service) that makes private keys, keeps them and signs with them.
///
/// *Durability*: when [`generate`](Self::generate) answers `Ok`, the key survives a restart of server and device.
///
/// *Concurrency*: calls may be made from any number of tasks; a backend works on as many at a time as it has sessions
/// and refuses with [`Unavailability::Busy`] what it can't queue.
///
/// *Deadlines*: every call ends by its deadline. [`CustodyError::outcome_is_unknown`] tells whether the device may have
/// done the work all the same. Every other error promises that no key was made and no signature was produced that
/// could reach anyone.
///
/// *Cancellation*: dropping the future doesn't stop the device. The call is supervised to its end regardless.
///
/// *Retries*: a backend reconnects by itself and repeats only what certainly had no effect: looking something up, or a
/// signature whose operation the device refused to begin. Callers repeat `sign` only under a new authorisation.
pub trait Backend: Send + Sync {
    /// The name that the configuration gave it, as slots refer to it.
    fn name(&self) -> &BackendName;

    /// What it is, for the record.
    fn custody(&self) -> CustodyInfo;

    /// Makes a key pair in the device: private key persistent, private, sensitive, non-extractable, for signing only.
    ///
    /// The attributes are read back from the device after the key was made; judging them is the caller's part. After an
    /// unknown outcome the key can be looked for with [`find`](Self::find).
    ///
    /// # Errors
    /// [`CustodyError::AlreadyExists`] where the label is taken: nothing is ever overwritten.
    fn generate<'a>(&'a self, label: &'a str, key_type: KeyType, deadline: Instant) -> Call<'a, DeviceKey>;

    /// The key under a label, or `None` where the device certainly has none.
    ///
    /// # Errors
    /// [`CustodyError::Ambiguous`] where two private keys carry the label.
    fn find<'a>(&'a self, label: &'a str) -> Call<'a, Option<DeviceKey>>;

    /// Signs. The signature is encoded as the registry says: DER for ECDSA, raw bytes otherwise.
    ///
    /// # Errors
    /// [`CustodyError::Refused`] where the input or the key doesn't fit the algorithm, [`CustodyError::NotFound`] where
    /// there is no such key, [`CustodyError::Malformed`] where the device's answer can't be a signature.
    fn sign<'a>(
        &'a self,
        label: &'a str,
        algorithm: Algorithm,
        input: SigningInput,
        deadline: Instant,
    ) -> Call<'a, Vec<u8>>;

    /// Makes the device forget a key pair: the private key under the label whose public key has this SHA-256, then its public
    /// half. That the device has no such key, or no longer, is success: a call may be repeated.
    ///
    /// # Errors
    /// [`CustodyError::Refused`] where the label is another key's, [`CustodyError::Ambiguous`] where it is that of several:
    /// nothing is destroyed then.
    fn destroy<'a>(&'a self, label: &'a str, spki_sha256: Hash, deadline: Instant) -> Call<'a, ()>;

    /// Every private key in the device, also those that no event explains and those of types unknown here.
    fn inventory(&self) -> Call<'_, Vec<DeviceObject>>;

    /// How it is, as of the last call or probe. Doesn't touch the device.
    fn health(&self) -> BackendHealth;

    /// What it has done since the process started.
    fn counters(&self) -> CounterSnapshot;
}

/// What kind of custody a backend offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustodyInfo {
    /// The kind of backend, such as `pkcs11`.
    pub kind: &'static str,
    /// The FIPS 140 certificate's number and level as configured, or `none`.
    pub fips_certificate: String,
    /// What the device's library says of itself: description and version.
    pub library: String,
}

/// A key pair in a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceKey {
    /// What kind of key it is.
    pub key_type: KeyType,
    /// The public key: DER of a SubjectPublicKeyInfo (RFC 5280 §4.1.2.7).
    pub spki_der: Vec<u8>,
    /// What the device says about the private key.
    pub attributes: KeyAttributes,
}

/// A private key that an inventory found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceObject {
    /// Its label; bytes that aren't UTF-8 are shown as U+FFFD.
    pub label: String,
    /// Type and SHA-256 of the SubjectPublicKeyInfo; `None` where the type is unknown here or the public key is missing.
    pub public: Option<(KeyType, Hash)>,
}

/// What is to be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SigningInput {
    /// The digest that the algorithm demands.
    Digest(Vec<u8>),
    /// The message itself, for algorithms that need it.
    Message(Vec<u8>),
}

impl SigningInput {
    /// The bytes, if they are what the algorithm signs.
    ///
    /// # Errors
    /// [`CustodyError::Refused`] for a digest where a message is needed and the other way round, or a wrong length.
    pub fn bytes_for(&self, algorithm: Algorithm) -> Result<&[u8], CustodyError> {
        let fits = match self {
            Self::Digest(digest) => {
                !algorithm.needs_message() && digest.len() == algorithm.digest().byte_len()
            }
            Self::Message(message) => algorithm.needs_message() && message.len() <= MAX_PURE_MESSAGE,
        };
        match (fits, self) {
            (true, Self::Digest(bytes) | Self::Message(bytes)) => Ok(bytes),
            (false, Self::Digest(bytes)) => Err(CustodyError::refused(format!(
                "{algorithm} can't sign a digest of {} bytes",
                bytes.len()
            ))),
            (false, Self::Message(bytes)) => Err(CustodyError::refused(format!(
                "{algorithm} can't sign a message of {} bytes",
                bytes.len()
            ))),
        }
    }
}

/// How a backend is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackendHealth {
    /// It works.
    Ready,
    /// It works, but calls have hung and their threads are out.
    Degraded {
        /// Threads that are out at the moment.
        quarantined: usize,
    },
    /// It doesn't work at present.
    Down {
        /// A sentence for whoever is called at night.
        reason: String,
        /// Threads that are out at the moment: none, unless calls have hung.
        quarantined: usize,
    },
}

impl BackendHealth {
    /// Threads whose calls hang in the module at the moment.
    pub fn quarantined(&self) -> usize {
        match self {
            Self::Ready => 0,
            Self::Degraded { quarantined } | Self::Down { quarantined, .. } => *quarantined,
        }
    }
}
