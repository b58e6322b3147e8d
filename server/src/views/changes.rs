//! What an action changes, as before → after against the state now: what a person compares before deciding.
//!
//! Everything under "after" comes from the document whose digest is signed; everything under "now" from the folded state.
//! Browsers read "after" from the document as well (`web/static/reading.js`) and sign nothing where it differs.

use std::collections::BTreeSet;
use std::fmt::Display;

use sealbook_ledger::action::{ActionDocument, DeviceKeyParams, Params, RoleGrantParams, SlotCreateParams};
use sealbook_ledger::encoding::B64;
use sealbook_ledger::ids::{MemberId, SlotName};
use sealbook_ledger::member::{Grant, Member, Suspension};
use sealbook_ledger::payload::NextVkey;
use sealbook_ledger::policy::Role;
use sealbook_ledger::recovery::RECOVERY_WAIT_S;
use sealbook_ledger::rule::Rule;
use sealbook_ledger::state::{Founded, State};
use sealbook_ledger::timestamp::Timestamp;
use sealbook_ledger::webauthn::{ApprovalRp, Credential};
use serde::Serialize;
use utoipa::ToSchema;

use super::Names;
use super::people::Standing;
use super::sentence::moment;

mod authenticators;
mod policies;
mod revocations;
mod rotations;
mod services;

use authenticators::{authenticator, fingerprint_row};
pub use authenticators::{fingerprint, kind};
pub use rotations::rotation_lines;

/// One thing that an action changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Change {
    /// What changes.
    pub what: String,
    /// How it is now; absent where it is not there yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<String>,
    /// How it will be; absent where it will be no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

impl Change {
    fn between(what: impl Into<String>, now: impl Into<String>, after: impl Into<String>) -> Self {
        Self { what: what.into(), now: Some(now.into()), after: Some(after.into()) }
    }

    fn new(what: impl Into<String>, after: impl Into<String>) -> Self {
        Self { what: what.into(), now: None, after: Some(after.into()) }
    }

    fn gone(what: impl Into<String>, now: impl Into<String>) -> Self {
        Self { what: what.into(), now: Some(now.into()), after: None }
    }
}

/// The state that a document is compared with.
struct Now<'a> {
    state: &'a State,
    founded: &'a Founded,
    names: &'a Names,
    at: Timestamp,
}

/// What a document asks for against the state at a moment.
pub fn changes(
    document: &ActionDocument,
    state: &State,
    names: &Names,
    at: Timestamp,
) -> Result<Vec<Change>, Rule> {
    let founded = state.founded()?;
    let now = Now { state, founded, names, at };
    let mut rows = match &document.params {
        Params::ApprovalRpSet(p) => now.approval_rp(&p.approval_rp),
        Params::CredentialAdd(p) => now.credential_add(p.member, &p.credential),
        Params::CertificateIssue(p) => now.certificate_issue(p),
        Params::CertificateRevoke(p) => now.certificate_revoke(p),
        Params::CredentialRemove(p) => now.credential_remove(p.member, &p.credential_id),
        Params::HsmAccessReview(p) => rotations::review(p),
        Params::KeyAdopt(p) => now.key_adopt(p),
        Params::KeyDestroy(p) => now.key_destroy(p),
        Params::KeyRotate(p) => now.key_rotate(p, false),
        Params::KeyRotateEmergency(p) => now.key_rotate(p, true),
        Params::KeyRevoke(p) | Params::KeyRevokeEmergency(p) => now.key_revoke(p),
        Params::LedgerEvidenceKeySet(p) => now.evidence_key(p),
        Params::LedgerKeyRecover(p) => now.ledger_key("the standby key", p, true),
        Params::LedgerKeyRotate(p) => now.ledger_key("a new key", p, false),
        Params::MemberEnroll(p) => {
            let person = names.person(p.member);
            let mut rows = vec![
                Change::new("Member", &person),
                Change::new(format!("Roles of {person}"), roles(&p.roles)),
                Change::new("Authenticators", list(p.credentials.iter().map(authenticator))),
            ];
            rows.extend(p.credentials.iter().map(fingerprint_row));
            rows
        }
        Params::MemberRecover(p) => now.member_recover(p.member, &p.credentials),
        Params::MemberRemove(p) => now.member_remove(p.member),
        Params::MemberRestore(p) => now.member_restore(p.member, p.credential_id.as_ref()),
        Params::PolicySet(p) => policies::ledger(founded.policy(), &p.policy),
        Params::RoleGrant(p) => now.role_grant(p),
        Params::RoleRevoke(p) => now.role_revoke(p.member, p.role),
        // The rules adopt versions one by one.
        Params::RulesAdopt(p) => vec![Change::between(
            "Rules that govern this ledger",
            format!("version {}", p.rules.saturating_sub(1)),
            format!("version {}", p.rules),
        )],
        Params::ServiceEnroll(p) => now.service_enroll(p),
        Params::ServiceGrant(p) => now.service_grant(p),
        Params::ServiceRemove(p) => now.service_remove(p.service),
        Params::ServiceRestore(p) => now.service_restore(p.service),
        Params::SigningApprove(p) => vec![
            Change::between(
                format!("Slot {} may sign this digest for {}", p.slot, policies::name_of(&p.environment)),
                "no",
                "once",
            ),
            Change::new("Digest", p.digest.to_string()),
        ],
        Params::SigningBatch(p) => vec![
            Change::between(
                format!(
                    "Slot {} may sign the listed digests for {}",
                    p.slot,
                    policies::name_of(&p.environment)
                ),
                "no",
                format!("each of {} once", p.count),
            ),
            Change::new("Root of the tree over the list", p.root.to_string()),
        ],
        Params::SlotCreate(p) => {
            now.slot_create(p, format!("{}, made and kept in {}", p.algorithm, p.backend))
        }
        Params::SlotPolicySet(p) => {
            let before = founded.slots().get(&p.slot).map(|slot| &slot.signing_policy);
            policies::signing(before, &p.signing_policy)
        }
        Params::SlotResume(p) => now.slot_resume(&p.slot),
        Params::SlotRotationSet(p) => {
            let before = founded.slots().get(&p.slot).map(|slot| &slot.rotation);
            rotations::policy(before, &p.rotation)
        }
    };
    if let Some(begin) = document.execute_at {
        rows.push(Change::between(
            "Takes effect",
            "once the quorum holds",
            format!("not before {}", moment(begin)),
        ));
    }
    Ok(rows)
}

impl Now<'_> {
    fn approval_rp(&self, after: &ApprovalRp) -> Vec<Change> {
        let before = self.founded.approval_rp();
        let shared = |rp: &ApprovalRp| if rp.shared { "yes" } else { "no" };
        let mut rows = vec![Change::between(
            "Web origins that may ask for approvals",
            list(&before.origins),
            list(&after.origins),
        )];
        if before.id != after.id {
            rows.push(Change::between("Domain of approval credentials", &before.id, &after.id));
        }
        if before.shared != after.shared {
            rows.push(Change::between("Approval credentials also sign in", shared(before), shared(after)));
        }
        rows
    }

    fn member(&self, id: MemberId) -> Option<&Member> {
        self.founded.members().get(&id)
    }

    fn held(&self, id: MemberId) -> Vec<String> {
        let held = self.member(id).map(|member| member.credentials.as_slice()).unwrap_or_default();
        held.iter().map(|held| authenticator(&held.credential)).collect()
    }

    fn credential_add(&self, id: MemberId, credential: &Credential) -> Vec<Change> {
        let held = self.held(id);
        let after = held.iter().cloned().chain([authenticator(credential)]);
        vec![
            Change::between(format!("Authenticators of {}", self.names.person(id)), list(&held), list(after)),
            Change::new("Make of the new one (AAGUID)", credential.aaguid.to_string()),
            Change::new("Its id", credential.credential_id.to_string()),
            fingerprint_row(credential),
            Change::new("Relying party", credential.rp_id.clone()),
        ]
    }

    fn credential_remove(&self, id: MemberId, credential_id: &B64) -> Vec<Change> {
        let person = self.names.person(id);
        let held = self.member(id).map(|member| member.credentials.as_slice()).unwrap_or_default();
        let found = held.iter().find(|held| held.credential.credential_id == *credential_id);
        let now = found.map_or_else(
            || "not there".to_owned(),
            |held| {
                format!("{}, {}", authenticator(&held.credential), standing(false, held.suspension, self.at))
            },
        );
        let left = held.iter().filter(|held| held.credential.credential_id != *credential_id);
        vec![
            Change::gone(format!("Authenticator {credential_id}"), now),
            Change::between(
                format!("Authenticators of {person}"),
                list(self.held(id)),
                list(left.map(|held| authenticator(&held.credential))),
            ),
        ]
    }

    fn evidence_key(&self, p: &DeviceKeyParams) -> Vec<Change> {
        let now = self.founded.evidence_key().map(|(key, _)| format!("key {key}"));
        let after = Some(format!("a new key, made in {}", p.backend));
        vec![Change { what: "Key that signs evidence documents".to_owned(), now, after }]
    }

    fn ledger_key(&self, after: &str, p: &DeviceKeyParams, standby: bool) -> Vec<Change> {
        let key = self.state.ledger_key();
        let mut rows = vec![Change {
            what: "Key that seals this ledger".to_owned(),
            now: key.map(|key| key.vkey.to_string()),
            after: Some(format!("{after} in {}", p.backend)),
        }];
        if standby && let Some(NextVkey::Digest(digest)) = key.map(|key| key.next) {
            rows.push(Change::new("Announced digest of the standby", digest.to_string()));
        }
        rows
    }

    fn member_recover(&self, id: MemberId, credentials: &[Credential]) -> Vec<Change> {
        let person = self.names.person(id);
        let mut rows = vec![
            Change::between(
                format!("Authenticators of {person}"),
                list(self.held(id)),
                format!("{}, and none of those before", list(credentials.iter().map(authenticator))),
            ),
            Change::new("Wait before it takes effect", format!("{} hours", RECOVERY_WAIT_S / 3600)),
        ];
        rows.extend(credentials.iter().map(fingerprint_row));
        if let Some(suspension) = self.member(id).and_then(|member| member.suspension)
            && suspension.holds(self.at)
        {
            let now = standing(false, Some(suspension), self.at);
            rows.push(Change::between(person, &now, format!("still {now}: that is a quorum's to lift")));
        }
        rows
    }

    fn member_standing(&self, id: MemberId) -> String {
        self.member(id).map_or_else(
            || "not a member".to_owned(),
            |member| standing(member.removed, member.suspension, self.at),
        )
    }

    fn member_remove(&self, id: MemberId) -> Vec<Change> {
        let person = self.names.person(id);
        vec![
            Change::between(&person, self.member_standing(id), "removed, for good"),
            Change::gone(format!("Roles of {person}"), self.grants(id)),
            Change::gone(format!("Authenticators of {person}"), list(self.held(id))),
        ]
    }

    fn member_restore(&self, id: MemberId, credential_id: Option<&B64>) -> Vec<Change> {
        let person = self.names.person(id);
        let Some(credential_id) = credential_id else {
            return vec![Change::between(person, self.member_standing(id), "active")];
        };
        let held = self.member(id).and_then(|member| {
            member.credentials.iter().find(|held| held.credential.credential_id == *credential_id)
        });
        let now =
            held.map_or_else(|| "not there".to_owned(), |held| standing(false, held.suspension, self.at));
        vec![Change::between(format!("Authenticator {credential_id} of {person}"), now, "active")]
    }

    fn grants(&self, id: MemberId) -> String {
        let grants = self.member(id).map(|member| member.grants.as_slice()).unwrap_or_default();
        list(grants.iter().map(granted))
    }

    fn role_grant(&self, p: &RoleGrantParams) -> Vec<Change> {
        let grants = self.member(p.member).map(|member| member.grants.as_slice()).unwrap_or_default();
        let given = timed(p.role, p.not_before, p.not_after);
        let after = grants.iter().map(granted).chain([given]);
        let what = format!("Roles of {}", self.names.person(p.member));
        vec![Change::between(what, self.grants(p.member), list(after))]
    }

    fn role_revoke(&self, id: MemberId, role: Role) -> Vec<Change> {
        let grants = self.member(id).map(|member| member.grants.as_slice()).unwrap_or_default();
        let left = grants.iter().filter(|grant| grant.role != role).map(granted);
        let what = format!("Roles of {}", self.names.person(id));
        vec![Change::between(what, self.grants(id), list(left))]
    }

    fn slot_create(&self, p: &SlotCreateParams, key: String) -> Vec<Change> {
        let mut rows = vec![
            Change::new(
                "Slot",
                if p.drill { format!("{}, for drills alone", p.slot) } else { p.slot.to_string() },
            ),
            Change::new("Key", key),
            Change::new("Owner", self.names.person(p.owner)),
            Change::new("Replaced every", days(p.rotation_days)),
            Change::new("Old key stays usable for", days(p.overlap_days)),
        ];
        rows.extend(p.rotation.iter().flat_map(|rotation| rotations::beside_days(None, rotation)));
        rows.extend(policies::signing(None, &p.signing_policy));
        rows
    }

    fn slot_resume(&self, name: &SlotName) -> Vec<Change> {
        let suspension = self.founded.slots().get(name).map(|slot| slot.suspension);
        let now = suspension.map_or_else(
            || "not there".to_owned(),
            |held| match standing(false, held, self.at) {
                active if active == "active" => "signs".to_owned(),
                other => other,
            },
        );
        vec![Change::between(format!("Slot {name}"), now, "signs")]
    }
}

fn suspended(suspension: Option<Suspension>, at: Timestamp) -> bool {
    suspension.is_some_and(|suspension| suspension.holds(at))
}

fn standing(removed: bool, suspension: Option<Suspension>, at: Timestamp) -> String {
    match (Standing::at(removed, suspension, at), suspension.and_then(|suspension| suspension.lapses_at)) {
        (Standing::Active, _) => "active".to_owned(),
        (Standing::Suspended, None) => "suspended".to_owned(),
        (Standing::Suspended, Some(end)) => format!("suspended until {}", moment(end)),
        (Standing::Removed, _) => "removed".to_owned(),
    }
}

fn granted(grant: &Grant) -> String {
    timed(grant.role, grant.not_before, grant.not_after)
}

fn timed(role: Role, not_before: Option<Timestamp>, not_after: Option<Timestamp>) -> String {
    let mut text = words(role.name());
    if let Some(from) = not_before {
        text.push_str(&format!(" from {}", moment(from)));
    }
    if let Some(until) = not_after {
        text.push_str(&format!(" until {}", moment(until)));
    }
    text
}

fn roles(roles: &BTreeSet<Role>) -> String {
    list(roles.iter().map(|role| words(role.name())))
}

fn slots(slots: &BTreeSet<SlotName>) -> String {
    list(slots)
}

fn days(count: u16) -> String {
    if count == 1 { "day".to_owned() } else { format!("{count} days") }
}

/// A name of the format as people write it.
fn words(name: &str) -> String {
    name.replace('_', " ")
}

fn sentence_case(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn list<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let words: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: &str = "2026-11-22T14:00:05.000000Z";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_delegation_says_from_when_until_when() {
        assert_eq!(timed(Role::KeyOwner, None, None), "key owner");
        let lent = timed(Role::Approver, Some(at("2026-11-22T00:00:00.000000Z")), Some(at(LATER)));
        assert_eq!(lent, "approver from 2026-11-22 00:00:00 UTC until 2026-11-22 14:00:05 UTC");
    }

    #[test]
    fn a_suspension_that_lapses_says_when_and_is_over_then() {
        let held = Some(Suspension { lapses_at: Some(at(LATER)) });
        let before = at("2026-11-22T14:00:04.000000Z");
        assert_eq!(standing(false, held, before), "suspended until 2026-11-22 14:00:05 UTC");
        assert_eq!(standing(false, held, at(LATER)), "active");
        assert_eq!(standing(true, held, before), "removed");
    }

    #[test]
    fn what_is_not_there_is_named() {
        assert_eq!(list::<&str>([]), "none");
        assert_eq!(list(["a", "b"]), "a, b");
    }
}
