//! What a device says about a private key, read back after it was made.

use serde::{Deserialize, Serialize};

/// The custody attributes of a private key (PKCS#11 v3.0 §4.9), as the device reported them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyAttributes {
    /// `CKA_ALWAYS_SENSITIVE`: it never was readable.
    pub always_sensitive: bool,
    /// `CKA_EXTRACTABLE`: it can leave the device, wrapped.
    pub extractable: bool,
    /// `CKA_LOCAL`: it was made inside this device.
    pub local: bool,
    /// `CKA_NEVER_EXTRACTABLE`: it never could leave the device.
    pub never_extractable: bool,
    /// `CKA_SENSITIVE`: it can't be read in plain.
    pub sensitive: bool,
}

impl KeyAttributes {
    /// Whether the key was made in the device and never could leave it.
    pub const fn is_confined(&self) -> bool {
        self.sensitive && self.always_sensitive && self.never_extractable && self.local && !self.extractable
    }
}
