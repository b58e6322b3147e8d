//! What each type of action is asked with: forms as data, drawn by one template and read by one module.

use sealbook_ledger::action::ActionType;

mod slots;

/// Days that a service's token holds at most: two years.
const MAX_TOKEN_DAYS: u16 = 730;

/// A form.
pub struct Form {
    /// What it asks for, as people say it.
    pub title: &'static str,
    /// What comes of it.
    pub about: &'static str,
    /// In which group it is listed.
    pub group: Group,
    /// What is asked for.
    pub fields: &'static [Field],
}

/// A group of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Slots and their keys.
    Slots,
    /// Approvals of signatures.
    Signatures,
    /// Members, their roles and authenticators.
    People,
    /// Machine clients.
    Services,
    /// What the ledger itself runs on.
    Ledger,
}

impl Group {
    /// Every group, in the list's order.
    pub const ALL: [Self; 5] = [Self::Slots, Self::Signatures, Self::People, Self::Services, Self::Ledger];

    /// What it is called.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Slots => "Slots and keys",
            Self::Signatures => "Signatures",
            Self::People => "People",
            Self::Services => "Services",
            Self::Ledger => "The ledger itself",
        }
    }
}

/// A field: the parameter's name (a dotted path), what people read, and how it is entered.
pub struct Field {
    /// The parameter, e.g. `signing_policy.environments`.
    pub name: &'static str,
    /// Its label.
    pub label: &'static str,
    /// What it means; may be empty.
    pub help: &'static str,
    /// How it is entered.
    pub input: Input,
}

/// How a field is entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// A line that has to be there.
    Line,
    /// A line that stands in the document as a digest, or not at all.
    Private,
    /// A line each.
    Lines,
    /// A line each, or none.
    MayLines,
    /// People and machines, a line each, that stand in the document as their number and a digest.
    Holders,
    /// A JSON object, or none.
    MayJson,
    /// The digest of an artifact, which may be made of a file in the browser.
    Digest,
    /// Digests with their names, a line each, as `sha256sum` writes them; files bring theirs.
    List,
    /// A whole number between two, and the usual one.
    Number(u16, u16, u16),
    /// A whole number between two, or none.
    MayNumber(u16, u16),
    /// A moment, or none.
    Moment,
    /// One of a list.
    Pick(Source),
    /// Some of a list.
    Some(Source),
    /// Yes or no.
    Flag,
    /// A new token that holds for so many days; only the SHA-256 of it leaves the browser.
    Token,
    /// The same, where wanted.
    MayToken,
    /// An id drawn in the browser.
    NewId,
    /// Somebody who was invited and has registered an authenticator.
    Candidate,
    /// A member who has registered another authenticator.
    Registered,
    /// The ledger policy, clause by clause.
    Policy,
}

/// Where the choices come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Algorithms of keys.
    Algorithms,
    /// What callers may have to say.
    ArtifactFields,
    /// Devices.
    Backends,
    /// Who may ask for signatures.
    Callers,
    /// Members' authenticators.
    Credentials,
    /// Where artifacts go.
    Environments,
    /// Keys that can be revoked.
    Keys,
    /// Members.
    Members,
    /// Why a key is revoked.
    Reasons,
    /// Why a certificate is revoked, and not its key.
    CertificateReasons,
    /// When signatures leave the server.
    Releases,
    /// Roles.
    Roles,
    /// Services.
    Services,
    /// Slots.
    Slots,
    /// Slots, each with the key that it signs with.
    SlotKeys,
    /// Certificates in force.
    Certificates,
    /// Keys that are retired or revoked, and not destroyed.
    SpentKeys,
    /// Keys of slots whose policy says something of certificates.
    CertifiableKeys,
    /// The rules version after the one in force.
    NextRules,
    /// Slots that are suspended.
    SuspendedSlots,
    /// Members, and authenticators, that are suspended.
    SuspendedPeople,
    /// Services that are suspended.
    SuspendedServices,
}

const fn field(name: &'static str, label: &'static str, help: &'static str, input: Input) -> Field {
    Field { name, label, help, input }
}

const SLOT: Field = field("slot", "Slot", "", Input::Pick(Source::Slots));
const MEMBER: Field = field("member", "Member", "", Input::Pick(Source::Members));
const SERVICE: Field = field("service", "Service", "", Input::Pick(Source::Services));
const ENVIRONMENT: Field =
    field("environment", "Environment", "Where it is meant to go.", Input::Pick(Source::Environments));
const DEVICE: Field =
    field("backend", "Device", "Where the key is made; it never leaves it.", Input::Pick(Source::Backends));
const ROLE: Field = field("role", "Role", "", Input::Pick(Source::Roles));
const USED: Field = field("slots", "Slots that it may use", "", Input::Some(Source::Slots));
/// The form of a type.
pub fn form(kind: ActionType) -> Form {
    use ActionType as T;
    use Group as G;
    let (group, title, about, fields): (_, _, _, &'static [Field]) = match kind {
        T::ApprovalRpSet => (
            G::Ledger,
            "Change where approvals are given",
            "The web origins that may ask for approvals from then on.",
            const {
                &[
                    field(
                        "approval_rp.id",
                        "Domain",
                        "Stays the same: authenticators are bound to it.",
                        Input::Line,
                    ),
                    field(
                        "approval_rp.origins",
                        "Web origins",
                        "One a line, e.g. https://sealbook.example.com.",
                        Input::Lines,
                    ),
                    field("approval_rp.shared", "Approval credentials also sign in", "", Input::Flag),
                ]
            },
        ),
        T::CredentialAdd => (
            G::People,
            "Add an authenticator",
            "A member who has registered another authenticator gets it.",
            const {
                &[field(
                    "credential",
                    "Registered authenticator",
                    "Invite the member to register one first.",
                    Input::Registered,
                )]
            },
        ),
        T::CertificateIssue => (
            G::Slots,
            "Issue a certificate",
            "A slot's key gets another certificate, as the slot's rotation policy says.",
            const {
                &[field(
                    "key",
                    "Key",
                    "Of slots whose rotation policy says what a certificate holds.",
                    Input::Pick(Source::CertifiableKeys),
                )]
            },
        ),
        T::CertificateRevoke => (
            G::Slots,
            "Revoke a certificate",
            "For good, while its key goes on: the slot may have another certificate.",
            slots::REVOKE_CERTIFICATE,
        ),
        T::CredentialRemove => (
            G::People,
            "Remove an authenticator",
            "A member's authenticator is believed no more.",
            const { &[field("credential_id", "Authenticator", "", Input::Pick(Source::Credentials))] },
        ),
        T::HsmAccessReview => (
            G::Slots,
            "Review who can reach a device",
            "Puts on record who was found to have access.",
            slots::REVIEW,
        ),
        T::KeyAdopt => (
            G::Slots,
            "Adopt a key",
            "A slot for a key that was made in a device and has never left it.",
            slots::ADOPT,
        ),
        T::KeyDestroy => (
            G::Slots,
            "Destroy a key",
            "The device forgets it, for good. Of a CA its last revocation list comes before.",
            slots::DESTROY,
        ),
        T::KeyRevoke => {
            (G::Slots, "Revoke a key", "For good. The slot signs nothing with it any more.", slots::REVOKE)
        }
        T::KeyRevokeEmergency => (
            G::Slots,
            "Revoke a key in an emergency",
            "Break-glass: your own signature fills one seat.",
            slots::REVOKE,
        ),
        T::KeyRotate => (
            G::Slots,
            "Replace a slot's key",
            "A new key is made, tried, and takes over; the old one stays beside it for a while.",
            slots::ROTATE,
        ),
        T::KeyRotateEmergency => (
            G::Slots,
            "Replace a slot's key in an emergency",
            "Break-glass: your own signature fills one seat, and the old key is retired without an overlap.",
            slots::ROTATE,
        ),
        T::LedgerEvidenceKeySet => (
            G::Ledger,
            "Set the evidence key",
            "A new key signs evidence documents from then on.",
            const { &[DEVICE] },
        ),
        T::LedgerKeyRecover => (
            G::Ledger,
            "Continue under the standby ledger key",
            "Where the ledger key is lost and a standby was announced.",
            const { &[DEVICE] },
        ),
        T::LedgerKeyRotate => (
            G::Ledger,
            "Replace the ledger key",
            "A new key seals this ledger from then on.",
            const { &[DEVICE] },
        ),
        T::MemberEnroll => (
            G::People,
            "Enrol a member",
            "Somebody who was invited and has registered becomes a member.",
            const {
                &[
                    field(
                        "member",
                        "Candidate",
                        "Who was invited and has registered an authenticator.",
                        Input::Candidate,
                    ),
                    field(
                        "display_name",
                        "Name",
                        "Disclosed to members; the ledger holds a digest.",
                        Input::Private,
                    ),
                    field("roles", "Roles to begin with", "", Input::Some(Source::Roles)),
                ]
            },
        ),
        T::MemberRecover => (
            G::People,
            "Recover a member",
            "Other authenticators instead of every one before, after 72 hours in which any member may refuse.",
            const {
                &[field(
                    "credentials",
                    "Registered authenticator",
                    "Invite the member to register one first.",
                    Input::Registered,
                )]
            },
        ),
        T::MemberRemove => {
            (G::People, "Remove a member", "For good: the id is never used again.", const { &[MEMBER] })
        }
        T::MemberRestore => (
            G::People,
            "Lift a member's suspension",
            "Or that of one authenticator.",
            const {
                &[field(
                    "credential_id",
                    "Who, or which authenticator",
                    "",
                    Input::Pick(Source::SuspendedPeople),
                )]
            },
        ),
        T::PolicySet => (
            G::Ledger,
            "Change the ledger policy",
            "Who may propose and approve what. Every open proposal becomes void.",
            const { &[field("policy", "Policy", "", Input::Policy)] },
        ),
        T::RoleGrant => (
            G::People,
            "Give a role",
            "For good, or for a time: a delegation.",
            const {
                &[
                    MEMBER,
                    ROLE,
                    field("not_before", "From", "At once where empty.", Input::Moment),
                    field(
                        "not_after",
                        "Until",
                        "For good where empty. A delegation that ends counts towards no quorum's reach.",
                        Input::Moment,
                    ),
                ]
            },
        ),
        T::RoleRevoke => (G::People, "Take a role", "", const { &[MEMBER, ROLE] }),
        T::RulesAdopt => (
            G::Ledger,
            "Adopt later rules",
            "The next version of the rules governs from then on, and no earlier one ever again.",
            const {
                &[field(
                    "rules",
                    "Version",
                    "Versions are adopted one by one.",
                    Input::Pick(Source::NextRules),
                )]
            },
        ),
        T::ServiceEnroll => (
            G::Services,
            "Enrol a service",
            "A machine client with a token. The token is made in this browser and shown once.",
            const {
                &[
                    field("service", "", "", Input::NewId),
                    field(
                        "display_name",
                        "Name",
                        "Disclosed to members; the ledger holds a digest.",
                        Input::Private,
                    ),
                    USED,
                    field("token_expires_at", "Days that its token holds", "", Input::Token),
                ]
            },
        ),
        T::ServiceGrant => (
            G::Services,
            "Change a service's slots or token",
            "The slots replace those before.",
            const {
                &[
                    SERVICE,
                    USED,
                    field(
                        "token",
                        "Days that a new token holds",
                        "Keeps its token where empty.",
                        Input::MayToken,
                    ),
                ]
            },
        ),
        T::ServiceRemove => (G::Services, "Remove a service", "For good.", const { &[SERVICE] }),
        T::ServiceRestore => (
            G::Services,
            "Lift a service's suspension",
            "",
            const { &[field("service", "Service", "", Input::Pick(Source::SuspendedServices))] },
        ),
        T::SigningApprove => (
            G::Signatures,
            "Have one artifact signed",
            "A slot may sign this one digest, once.",
            const {
                &[
                    SLOT,
                    ENVIRONMENT,
                    field(
                        "digest",
                        "Digest of the artifact",
                        "In hex, as sha256sum prints it.",
                        Input::Digest,
                    ),
                    field("artifact_name", "Artifact", "Those who decide read it.", Input::Private),
                    field("artifact_version", "Version", "", Input::Private),
                    field("artifact_ticket", "Ticket", "", Input::Private),
                ]
            },
        ),
        T::SigningBatch => (
            G::Signatures,
            "Have a release signed",
            "One decision over a list: a slot may sign each digest, once.",
            const {
                &[
                    SLOT,
                    ENVIRONMENT,
                    field(
                        "digests",
                        "The list",
                        "A digest and a name a line, as sha256sum prints them. At most 10,000.",
                        Input::List,
                    ),
                ]
            },
        ),
        T::SlotCreate => (
            G::Slots,
            "Create a slot",
            "A named signing purpose, and its first key in a device.",
            slots::CREATE,
        ),
        T::SlotPolicySet => {
            (G::Slots, "Change a slot's signing policy", "It replaces the one before.", slots::POLICY)
        }
        T::SlotRotationSet => (
            G::Slots,
            "Change a slot's rotation policy",
            "How often its key is replaced, and with which certificate. It replaces the one before.",
            slots::ROTATION,
        ),
        T::SlotResume => (
            G::Slots,
            "Lift a slot's suspension",
            "It signs again.",
            const { &[field("slot", "Slot", "", Input::Pick(Source::SuspendedSlots))] },
        ),
    };
    Form { title, about, group, fields }
}

/// Most days that a token may hold.
pub const fn max_token_days() -> u16 {
    MAX_TOKEN_DAYS
}

#[cfg(test)]
mod tests;
