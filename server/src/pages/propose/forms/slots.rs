//! What is asked about slots, their keys and devices.

use sealbook_ledger::slot::{MAX_ROTATION_DAYS, MIN_OVERLAP_DAYS};

use super::{DEVICE, Field, Input, SLOT, Source, field};

/// A certificate policy as it is entered.
const CERTIFICATE_HELP: &str = "Nothing where empty. As JSON, e.g. {\"issuer\": {\"kind\": \"slot\", \"slot\": \"root\"}, \
     \"policies\": [], \"required\": true, \"subject\": {\"common_name\": \"Acme Releases\"}, \
     \"usage\": {\"kind\": \"code_signing\"}, \"validity_days\": 397}. An issuer is of kind slot, self, or outside with \
     anchors; a use is code_signing, client_auth, or issuing with a path_len.";

/// Why something is revoked.
const fn why(from: Source) -> Field {
    field("reason", "Why it is revoked", "Stands in the clear, as RFC 5280 names it.", Input::Pick(from))
}

const SINCE: Field = field(
    "compromised_since",
    "Suspected since",
    "Only where somebody else may hold or have used it. Signatures since then are doubted.",
    Input::Moment,
);

/// Revoking a key.
pub(super) const REVOKE: &[Field] =
    &[field("key", "Key", "", Input::Pick(Source::Keys)), why(Source::Reasons), SINCE];

/// Replacing a key.
pub(super) const ROTATE: &[Field] = &[field(
    "old_key",
    "Slot",
    "With the key that is replaced: the one that it signs with now.",
    Input::Pick(Source::SlotKeys),
)];

/// Revoking a certificate alone.
pub(super) const REVOKE_CERTIFICATE: &[Field] = &[
    field(
        "certificate",
        "Certificate",
        "Where somebody else may hold its key, revoke the key: that takes every certificate of it along.",
        Input::Pick(Source::Certificates),
    ),
    why(Source::CertificateReasons),
    field(
        "invalid_since",
        "Not to be believed since",
        "Now where empty. Its CA's list says so of both dates that readers go by.",
        Input::Moment,
    ),
];

/// Having a device forget a key.
pub(super) const DESTROY: &[Field] = &[field(
    "key",
    "Key",
    "Retired or revoked. There is no way back; what it signed can still be verified.",
    Input::Pick(Source::SpentKeys),
)];

/// A review of access.
pub(super) const REVIEW: &[Field] = &[
    field("backend", "Device", "It keeps keys of this ledger.", Input::Pick(Source::Backends)),
    field(
        "holders",
        "Who can reach it",
        "People and machines, one a line. The ledger holds their number and a digest.",
        Input::Holders,
    ),
    field("findings", "Findings", "What was found amiss, if anything; by digest too.", Input::Private),
    field(
        "fips.certificate",
        "FIPS 140 certificate of the device",
        "Its number in the CMVP's list. Empty where it has none.",
        Input::MayNumber(1, u16::MAX),
    ),
    field(
        "fips.level",
        "Security level of that certificate",
        "1 to 4. Empty where there is no certificate.",
        Input::MayNumber(1, 4),
    ),
];

/// The names below are of parameters, `prefix` before each.
macro_rules! signing_policy {
    ([$($before:expr),+ $(,)?] $prefix:literal) => {
        &[
            $($before,)+
            field(concat!($prefix, "signing_policy.callers"), "Who may ask for signatures", "", Input::Some(Source::Callers)),
            field(
                concat!($prefix, "signing_policy.environments"),
                "Environments that may be signed for",
                "",
                Input::Some(Source::Environments),
            ),
            field(
                concat!($prefix, "signing_policy.approval"),
                "Environments where people approve each signature",
                "The change board decides about each artifact first.",
                Input::Some(Source::Environments),
            ),
            field(
                concat!($prefix, "signing_policy.artifact_fields"),
                "What a caller has to say",
                "",
                Input::Some(Source::ArtifactFields),
            ),
            field(
                concat!($prefix, "signing_policy.rate_per_minute"),
                "Signatures a minute",
                "No limit where empty.",
                Input::MayNumber(1, u16::MAX),
            ),
            field(concat!($prefix, "signing_policy.release"), "A signature leaves the server", "", Input::Pick(Source::Releases)),
        ]
    };
}

macro_rules! rotation {
    ($next:ident $more:tt [$($before:expr),+ $(,)?] $prefix:literal) => {
        $next! { [
            $($before,)+
            field(
                concat!($prefix, "rotation.propose_days"),
                "The server proposes a rotation (days before it is due)",
                "",
                Input::Number(0, MAX_ROTATION_DAYS, 14),
            ),
            field(
                concat!($prefix, "rotation.channels"),
                "Channels that have to move before the old key retires",
                "Where its signatures are relied on, one a line, e.g. apt-stable.",
                Input::MayLines,
            ),
            field(concat!($prefix, "rotation.old_key_signs"), "The old key signs meanwhile, where asked", "", Input::Flag),
            field(
                concat!($prefix, "rotation.revoke_superseded"),
                "The old key's certificate is revoked once it has retired",
                "",
                Input::Flag,
            ),
            field(concat!($prefix, "rotation.certificate"), "Certificate", CERTIFICATE_HELP, Input::MayJson),
        ] $more }
    };
}

macro_rules! fields {
    ([$($all:expr),+ $(,)?] []) => {
        &[$($all),+]
    };
}

macro_rules! and_signing_policy {
    ([$($all:expr),+ $(,)?] [$prefix:literal]) => {
        signing_policy![[$($all),+] $prefix]
    };
}

macro_rules! slot {
    ([$($before:expr),* $(,)?] $device:expr, $prefix:literal) => {
        rotation! { and_signing_policy [$prefix] [
            field(concat!($prefix, "slot"), "Name", "Lower-case letters, digits and hyphens, e.g. release-p256.", Input::Line),
            field(concat!($prefix, "algorithm"), "Algorithm", "", Input::Pick(Source::Algorithms)),
            $device,
            $($before,)*
            field(concat!($prefix, "owner"), "Owner", "The member who answers for it.", Input::Pick(Source::Members)),
            field(concat!($prefix, "rotation_days"), "Key replaced every (days)", "", Input::Number(1, MAX_ROTATION_DAYS, 90)),
            field(
                concat!($prefix, "overlap_days"),
                "Old key stays usable for (days)",
                "At least a week.",
                Input::Number(MIN_OVERLAP_DAYS, 365, 14)
            ),
        ] $prefix }
    };
}

/// A slot and its first key.
pub(super) const CREATE: &[Field] = slot![[
        field("drill", "For drills alone: incidents are practised on its keys, which sign nothing that counts", "", Input::Flag),
    ]
    DEVICE,
    ""
];

/// A slot for a key that is there.
pub(super) const ADOPT: &[Field] = slot![[
        field("label", "Label of the key", "As the device knows it.", Input::Line),
        field("spki_sha256", "SHA-256 of its public key", "Of the SubjectPublicKeyInfo, in hex.", Input::Line),
    ]
    field("slot.backend", "Device", "Where the key is.", Input::Pick(Source::Backends)),
    "slot."
];

/// A signing policy.
pub(super) const POLICY: &[Field] = signing_policy![[SLOT] ""];

/// A rotation policy.
pub(super) const ROTATION: &[Field] = rotation! { fields [] [
    SLOT,
    field("rotation.rotation_days", "Key replaced every (days)", "", Input::Number(1, MAX_ROTATION_DAYS, 90)),
    field(
        "rotation.overlap_days",
        "Old key stays usable for (days)",
        "At least a week.",
        Input::Number(MIN_OVERLAP_DAYS, 365, 14)
    ),
] "" };
