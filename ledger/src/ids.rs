//! Names and identifiers, parsed once at the border into types that cannot be wrong.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, de};

/// Why a text is not the identifier it was offered as.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {what}: {why}")]
pub struct InvalidId {
    /// The kind of identifier, as a person would call it.
    pub what: &'static str,
    /// What is expected instead.
    pub why: &'static str,
}

/// Serde by way of `Display` and `FromStr`, for types whose text form is their only form.
macro_rules! serde_as_text {
    ($($name:ty),+ $(,)?) => {$(
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(crate::ids::TextVisitor::<$name>::default())
            }
        }
    )+};
}
pub(crate) use serde_as_text;

/// Parses a text where it stands, without a copy of it.
pub(crate) struct TextVisitor<T>(std::marker::PhantomData<T>);

impl<T> Default for TextVisitor<T> {
    fn default() -> Self {
        Self(std::marker::PhantomData)
    }
}

impl<T: FromStr<Err: fmt::Display>> de::Visitor<'_> for TextVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

/// The name of a ledger: schema-less, ASCII, without spaces or `+`, a valid C2SP key name,
/// e.g. `sealbook.example.com/acme`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(String);

impl Origin {
    /// Longest origin in bytes; keeps key names, labels and receipts short.
    pub const MAX_LEN: usize = 200;

    /// The origin as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Origin {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let fits = !text.is_empty() && text.len() <= Self::MAX_LEN;
        let clean = text.bytes().all(|b| b.is_ascii_graphic() && b != b'+');
        if fits && clean && !text.contains("://") {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId {
                what: "origin",
                why: "1 to 200 printable ASCII characters without spaces, `+` or a scheme",
            })
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Declares a short lower-case name: letters, digits and inner hyphens.
macro_rules! slug {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Longest name in bytes.
            pub const MAX_LEN: usize = 63;

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let fits = !text.is_empty() && text.len() <= Self::MAX_LEN;
                let clean = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
                if fits && clean && !text.starts_with('-') && !text.ends_with('-') {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(InvalidId {
                        what: $what,
                        why: "1 to 63 of a-z, 0-9 and inner hyphens",
                    })
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

slug!(
    /// A tenant: the last part of its ledger's origin.
    TenantName,
    "tenant name"
);
slug!(
    /// A slot: a tenant's named signing purpose.
    SlotName,
    "slot name"
);
slug!(
    /// Where a slot's signatures are relied on, such as an update channel: it has to move to a new key.
    ChannelName,
    "channel name"
);
slug!(
    /// A custody backend, as the server's configuration names it.
    BackendName,
    "backend name"
);

/// Declares an identifier that is a random UUID, lower-case with hyphens.
macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(uuid::Uuid);

        impl From<uuid::Uuid> for $name {
            fn from(uuid: uuid::Uuid) -> Self {
                Self(uuid)
            }
        }

        impl $name {
            /// The UUID itself.
            pub fn uuid(self) -> uuid::Uuid {
                self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                parse_uuid(text).map(Self).ok_or(InvalidId {
                    what: $what,
                    why: "a lower-case UUID with hyphens",
                })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        serde_as_text!($name);
    };
}

/// Exactly one spelling of a UUID is accepted: hyphenated, lower-case.
fn parse_uuid(text: &str) -> Option<uuid::Uuid> {
    let uuid = uuid::Uuid::try_parse(text).ok()?;
    let mut buffer = uuid::Uuid::encode_buffer();
    (uuid.hyphenated().encode_lower(&mut buffer) == text).then_some(uuid)
}

uuid_id!(
    /// A person enrolled in one ledger.
    MemberId,
    "member id"
);
uuid_id!(
    /// A machine client.
    ServiceId,
    "service id"
);
uuid_id!(
    /// One version of a key in a slot, or the evidence or ledger key's place in the device.
    KeyId,
    "key id"
);
uuid_id!(
    /// One dual-control action.
    ActionId,
    "action id"
);
uuid_id!(
    /// One certificate that was asked for.
    CertificateId,
    "certificate id"
);
uuid_id!(
    /// One incident or drill.
    IncidentId,
    "incident id"
);
uuid_id!(
    /// One record of outside evidence.
    EvidenceId,
    "evidence id"
);
uuid_id!(
    /// The make of an authenticator (WebAuthn §6.5.1); all zeros where it does not say.
    Aaguid,
    "aaguid"
);

/// Whoever proposed an action: a member's id, a service's, or the server. The event's actor says which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProposerId {
    /// A member's or a service's id.
    Id(uuid::Uuid),
    /// `server`: the system's id as an actor.
    Server,
}

impl From<MemberId> for ProposerId {
    fn from(id: MemberId) -> Self {
        Self::Id(id.uuid())
    }
}

impl From<ServiceId> for ProposerId {
    fn from(id: ServiceId) -> Self {
        Self::Id(id.uuid())
    }
}

impl FromStr for ProposerId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        match text {
            "server" => Ok(Self::Server),
            id => parse_uuid(id)
                .map(Self::Id)
                .ok_or(InvalidId { what: "proposer id", why: "a lower-case UUID with hyphens, or `server`" }),
        }
    }
}

impl fmt::Display for ProposerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.hyphenated().fmt(f),
            Self::Server => f.write_str("server"),
        }
    }
}

serde_as_text!(ProposerId);

/// Ties the events of one piece of work together: a UUIDv7 (RFC 9562 §5.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Correlation(uuid::Uuid);

impl Correlation {
    /// Accepts a version 7 UUID only.
    pub fn new(uuid: uuid::Uuid) -> Result<Self, InvalidId> {
        let rfc_variant = uuid.get_variant() == uuid::Variant::RFC4122;
        if uuid.get_version_num() == 7 && rfc_variant { Ok(Self(uuid)) } else { Err(Self::invalid()) }
    }

    /// The UUID itself.
    pub fn uuid(self) -> uuid::Uuid {
        self.0
    }

    fn invalid() -> InvalidId {
        InvalidId { what: "correlation", why: "a lower-case UUIDv7 with hyphens" }
    }
}

impl FromStr for Correlation {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Self::new(parse_uuid(text).ok_or_else(Self::invalid)?)
    }
}

impl fmt::Display for Correlation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// An event's 0-based place in its ledger; at most 2^53 − 1, the largest integer that JSON carries exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Seq(u64);

impl Seq {
    /// The first event.
    pub const ZERO: Self = Self(0);

    /// `None` beyond 2^53 − 1.
    pub fn new(value: u64) -> Option<Self> {
        (value <= crate::canonical::MAX_INTEGER).then_some(Self(value))
    }

    /// The number itself.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Seq {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = u64::deserialize(deserializer)?;
        Self::new(value).ok_or_else(|| de::Error::custom("seq beyond 2^53 - 1"))
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

serde_as_text!(Origin, TenantName, SlotName, BackendName, ChannelName, Correlation);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_c2sp_key_name() {
        assert!("sealbook.example.com/acme".parse::<Origin>().is_ok());
        for bad in ["", "a b", "a+b", "https://a", "caf\u{e9}", "a\n"] {
            assert!(bad.parse::<Origin>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_name_carries_no_path_control_or_direction_override() {
        assert!("apt-repo-rsa3072".parse::<SlotName>().is_ok());
        let long = "a".repeat(10_240);
        for bad in ["", "-a", "a-", "A", "../x", "a/b", "a\u{202e}b", "a\0", &long] {
            assert!(bad.parse::<SlotName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_uuid_has_one_spelling() {
        let text = "01934f00-0000-7000-8000-0000000000b1";
        assert_eq!(text.parse::<MemberId>().unwrap().to_string(), text);
        for bad in ["01934F00-0000-7000-8000-0000000000B1", "01934f00000070008000000000000000", "{x}"] {
            assert!(bad.parse::<MemberId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_correlation_is_version_seven() {
        assert!("01934f00-0000-7000-8000-000000000000".parse::<Correlation>().is_ok());
        assert!("01934f00-0000-4000-8000-000000000000".parse::<Correlation>().is_err());
    }
}
