//! Every action type's sentence, word for word: people decide by them.

use sealbook_ledger::action::ActionType;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::policy::LedgerPolicy;
use serde_json::{Value, json};

use super::*;

const ADA: &str = "01934f00-0000-7000-8000-0000000000a1";
const KEY: &str = "01934f00-0000-7000-8000-0000000000c1";
const BUILD: &str = "01934f00-0000-7000-8000-0000000000b1";
const AT: &str = "2026-11-22T00:00:00.000000Z";
/// Of a rotation policy.
const DIGEST: &str = "0000000000000000000000000000000000000000000000000000000000000000";

fn names() -> Names {
    [(ADA.to_owned(), "Ada".to_owned()), (BUILD.to_owned(), "build".to_owned())].into_iter().collect()
}

fn document(kind: &str, params: Value) -> ActionDocument {
    let document = json!({
        "v": 1, "origin": "sealbook.test/acme", "head": {"seq": 1, "hash": Hash::ZERO}, "action": KEY,
        "type": kind, "params": params, "reason_digest": "AQ", "proposed_by": ADA, "proposed_at": AT,
        "expires_at": AT, "policy": Hash::ZERO, "quorum": [{"role": "approver", "count": 2}],
    });
    serde_json::from_value(document).unwrap()
}

fn credential() -> Value {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let authenticator = crate::authenticator::SoftAuthenticator::create(&path, "localhost").unwrap();
    serde_json::to_value(authenticator.credential()).unwrap()
}

fn policy() -> Value {
    json!({"artifact_fields": [], "callers": ["services"], "environments": ["development", "production", "staging"],
        "release": "durable", "v": 1})
}

fn strict_policy() -> Value {
    json!({"artifact_fields": ["name", "ticket"], "callers": ["packaging_engineers", "services"],
        "environments": ["production"], "rate_per_minute": 60, "release": "sealed", "v": 1})
}

fn certificate() -> Value {
    json!({"issuer": {"kind": "slot", "slot": "root"}, "policies": [], "required": true,
        "subject": {"common_name": "Acme Releases", "organization": "Acme"}, "usage": {"kind": "code_signing"},
        "validity_days": 397})
}

/// With a certificate everything else is said as well; without one, nothing more than has to be.
fn rotation(certificate: Value) -> Value {
    let says = certificate.is_object();
    let mut policy = json!({"channels": [], "old_key_signs": says, "overlap_days": 14, "propose_days": 1,
        "revoke_superseded": says, "rotation_days": 90, "v": 1});
    if says {
        policy["channels"] = json!(["apt", "web"]);
        policy["certificate"] = certificate;
    }
    policy
}

fn certified(mut slot: Value) -> Value {
    slot["rotation"] = rotation(certificate());
    slot
}

fn cases() -> Vec<(ActionType, Value, &'static str)> {
    let rp = json!({"id": "a.example", "origins": ["https://a.example"], "shared": true});
    let slot = |policy: Value| {
        json!({"algorithm": "ecdsa-p256-sha256", "backend": "softhsm", "overlap_days": 14, "owner": ADA,
            "rotation_days": 90, "signing_policy": policy, "slot": "release-p256"})
    };
    let revoke = json!({"key": KEY, "reason": "key_compromise", "compromised_since": AT});
    let device = json!({"backend": "softhsm"});
    let ledger_policy = LedgerPolicy::default_for(3, 1);
    use ActionType as T;
    vec![
        (
            T::ApprovalRpSet,
            json!({"approval_rp": rp}),
            "Take approvals for a.example from https://a.example from then on, where approval credentials also sign in.",
        ),
        (
            T::CertificateRevoke,
            json!({"certificate": KEY, "reason": "superseded", "invalid_since": AT}),
            "Revoke certificate 01934f00-0000-7000-8000-0000000000c1 for good, and not its key, because another \
             certificate took its place, since 2026-11-22 00:00:00 UTC.",
        ),
        (
            T::CertificateIssue,
            json!({"key": KEY, "policy": DIGEST, "slot": "apt-repo"}),
            "Issue a certificate for key 01934f00-0000-7000-8000-0000000000c1 of slot apt-repo, as the slot's rotation \
             policy says.",
        ),
        (
            T::HsmAccessReview,
            json!({"backend": "softhsm", "holder_count": 3, "holders_digest": "AQ", "findings_digest": "Ag"}),
            "Put on record that 3 people and machines can reach softhsm, reviewed with findings.",
        ),
        (
            T::HsmAccessReview,
            json!({"backend": "softhsm", "holder_count": 1, "holders_digest": "AQ"}),
            "Put on record that 1 person or machine can reach softhsm, reviewed without findings.",
        ),
        (
            T::KeyAdopt,
            json!({"label": "old key", "slot": slot(policy()), "spki_sha256": Hash::ZERO}),
            "Adopt key “old key” in softhsm, whose public key has SHA-256 \
             0000000000000000000000000000000000000000000000000000000000000000: create slot release-p256 \
             (ecdsa-p256-sha256 in softhsm), owned by Ada, rotated every 90 days.",
        ),
        (
            T::KeyRotate,
            json!({"old_key": KEY, "policy": DIGEST, "slot": "apt-repo"}),
            "Replace key 01934f00-0000-7000-8000-0000000000c1 of slot apt-repo by a new one.",
        ),
        (
            T::KeyRotateEmergency,
            json!({"old_key": KEY, "policy": DIGEST, "slot": "apt-repo"}),
            "Emergency: replace key 01934f00-0000-7000-8000-0000000000c1 of slot apt-repo by a new one, without an \
             overlap.",
        ),
        (
            T::CredentialAdd,
            json!({"credential": credential(), "member": ADA}),
            "Add a software authenticator to Ada.",
        ),
        (
            T::CredentialRemove,
            json!({"credential_id": "AQ", "member": ADA}),
            "Remove authenticator AQ from Ada.",
        ),
        (
            T::KeyDestroy,
            json!({"key": KEY}),
            "Destroy key 01934f00-0000-7000-8000-0000000000c1: its device forgets it, and nothing is signed with it \
             ever again.",
        ),
        (
            T::KeyRevoke,
            json!({"key": KEY, "reason": "superseded"}),
            "Revoke key 01934f00-0000-7000-8000-0000000000c1 for good, because another key took its place.",
        ),
        (
            T::KeyRevokeEmergency,
            revoke,
            "Emergency: revoke key 01934f00-0000-7000-8000-0000000000c1 for good, because somebody else may hold or \
             have used it, since 2026-11-22 00:00:00 UTC.",
        ),
        (T::LedgerEvidenceKeySet, device.clone(), "Make a new key in softhsm that signs evidence documents."),
        (
            T::LedgerKeyRecover,
            device.clone(),
            "Continue this ledger under the standby ledger key in softhsm.",
        ),
        (
            T::LedgerKeyRotate,
            device,
            "Replace the ledger key, which seals this ledger, by a new one in softhsm.",
        ),
        (
            T::MemberEnroll,
            json!({"credentials": [credential()], "member": ADA, "roles": ["approver", "key_owner"]}),
            "Enrol Ada as approver and key_owner with a software authenticator.",
        ),
        (
            T::MemberRecover,
            json!({"credentials": [credential()], "member": ADA}),
            "Recover Ada: a software authenticator instead of every authenticator before, after 72 hours in which any \
             member may refuse.",
        ),
        (T::MemberRemove, json!({"member": ADA}), "Remove Ada for good."),
        (T::MemberRestore, json!({"member": ADA}), "Lift the suspension of Ada."),
        (
            T::MemberRestore,
            json!({"member": ADA, "credential_id": "AQ"}),
            "Lift the suspension of authenticator AQ of Ada.",
        ),
        (
            T::PolicySet,
            json!({"policy": ledger_policy}),
            "Replace the ledger policy, which says who may propose and approve what: every change takes at least two \
             approvals.",
        ),
        (
            T::RoleGrant,
            json!({"member": ADA, "role": "auditor", "not_after": AT}),
            "Give Ada the role auditor until 2026-11-22 00:00:00 UTC.",
        ),
        (T::RoleRevoke, json!({"member": ADA, "role": "auditor"}), "Take the role auditor from Ada."),
        (T::RulesAdopt, json!({"rules": 2}), "Adopt rules version 2 from then on."),
        (
            T::ServiceEnroll,
            json!({"service": BUILD, "slots": ["apt-repo", "release-p256"], "token_expires_at": AT,
            "token_sha256": Hash::ZERO}),
            "Enrol service build to use slots apt-repo and release-p256, with a token valid until \
             2026-11-22 00:00:00 UTC.",
        ),
        (
            T::ServiceGrant,
            json!({"service": BUILD, "slots": ["apt-repo"]}),
            "Let service build use slot apt-repo and nothing else.",
        ),
        (T::ServiceRemove, json!({"service": BUILD}), "Remove service build for good."),
        (T::ServiceRestore, json!({"service": BUILD}), "Lift the suspension of service build."),
        (
            T::SlotCreate,
            slot(policy()),
            "Create slot release-p256 (ecdsa-p256-sha256 in softhsm), owned by Ada, rotated every 90 days.",
        ),
        (
            T::SlotCreate,
            slot(strict_policy()),
            "Create slot release-p256 (ecdsa-p256-sha256 in softhsm), owned by Ada, rotated every 90 days; packaging \
             engineers and services may sign for production, at most 60 a minute, naming the artifact's name and \
             ticket, released once sealed.",
        ),
        (
            T::SlotCreate,
            certified(slot(policy())),
            "Create slot release-p256 (ecdsa-p256-sha256 in softhsm), owned by Ada, rotated every 90 days, certified \
             for code signing by CA slot root as CN Acme Releases, O Acme for 397 days.",
        ),
        (
            T::SlotRotationSet,
            json!({"rotation": rotation(json!(null)), "slot": "apt-repo"}),
            "Replace the rotation policy of slot apt-repo: rotated every 90 days, proposed by the server 1 day before, \
             the old key kept for 14 days.",
        ),
        (
            T::SlotRotationSet,
            json!({"rotation": rotation(certificate()), "slot": "apt-repo"}),
            "Replace the rotation policy of slot apt-repo: rotated every 90 days, proposed by the server 1 day before, \
             the old key kept for 14 days and until channels apt and web have moved, signing meanwhile where asked, \
             its certificate revoked then, certified for code signing by CA slot root as CN Acme Releases, O Acme for \
             397 days.",
        ),
        (
            T::SlotPolicySet,
            json!({"signing_policy": policy(), "slot": "apt-repo"}),
            "Replace the signing policy of slot apt-repo: services may sign for development, production and staging, \
             released once recorded.",
        ),
        (
            T::SigningApprove,
            json!({"digest": "00ff", "environment": "production", "slot": "apt-repo"}),
            "Let slot apt-repo sign the one digest 00ff for production, once.",
        ),
        (
            T::SigningBatch,
            json!({
                "count": 2000, "environment": "production", "root": "00".repeat(32), "slot": "apt-repo",
                "digests": {"sha256": "00".repeat(32), "size": 64000, "media_type": "application/octet-stream"},
            }),
            "Let slot apt-repo sign 2000 listed digests for production, each once.",
        ),
        (
            T::SlotResume,
            json!({"slot": "apt-repo", "execute_at": AT}),
            "Lift the suspension of slot apt-repo, so that it signs again; not before 2026-11-22 00:00:00 UTC.",
        ),
    ]
}

#[test]
fn every_action_type_has_its_sentence() {
    let mut seen = BTreeSet::new();
    for (kind, params, expected) in cases() {
        assert_eq!(sentence(&document(kind.name(), params), &names()), expected);
        seen.insert(kind);
    }
    assert_eq!(seen, ActionType::ALL.into_iter().collect());
}

#[test]
fn somebody_whose_name_is_withheld_is_called_by_the_id() {
    let document = document("member.remove", json!({"member": ADA}));
    assert_eq!(sentence(&document, &Names::default()), format!("Remove member {ADA} for good."));
}

#[test]
fn a_policy_says_where_one_person_is_enough() {
    let mut policy = LedgerPolicy::default_for(3, 1);
    policy.credentials.hardware_only = true;
    policy.actions.get_mut(&ActionType::SlotResume).unwrap().quorum.truncate(1);
    let told = |policy: &LedgerPolicy| sentence(&document("policy.set", json!({"policy": policy})), &names());
    let text = told(&policy);
    assert!(
        text.ends_with("one approval is enough for slot.resume; only hardware authenticators enrol."),
        "{text}"
    );
    // What lets a key grow old is told; what makes it replaced more often is in the table.
    policy.cadence = Some(Cadence { access_review_days: 30, ..Cadence::default() });
    assert_eq!(told(&policy), text);
    policy.cadence = Some(Cadence { rotation_days: 365, ..Cadence::default() });
    let text = told(&policy);
    assert!(text.ends_with("enrol; a slot may go on with one key for 365 days."), "{text}");
}
