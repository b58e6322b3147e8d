//! People and machine clients: who may act, in which role, with which credential, at which moment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::action::ActionType;
use crate::encoding::{B64, Hash};
use crate::event::{Actor, Event};
use crate::ids::{MemberId, Seq, ServiceId, SlotName};
use crate::payload::{CredentialSuspended, MemberEnrolled, MemberSuspended, Payload, ServiceSuspended};
use crate::policy::Role;
use crate::recovery::recovery_stands_alone;
use crate::rule::Rule;
use crate::state::{Approval, Founded};
use crate::timestamp::Timestamp;
use crate::webauthn::{ApprovalRp, Assertion, Credential, CredentialKind};

/// Most credentials that a member enrols with, or holds.
pub const MAX_CREDENTIALS: usize = 8;

/// After which a suspension lapses that nobody could get lifted: 72 hours, in seconds.
pub const SUSPENSION_LAPSE_S: u32 = 72 * 60 * 60;

/// A suspension in force, perhaps for a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspension {
    /// When it ends by itself.
    pub lapses_at: Option<Timestamp>,
}

impl Suspension {
    /// Whether it holds at a moment.
    pub fn holds(&self, at: Timestamp) -> bool {
        self.lapses_at.is_none_or(|end| at < end)
    }
}

pub(crate) fn suspended(suspension: Option<Suspension>, at: Timestamp) -> bool {
    suspension.is_some_and(|suspension| suspension.holds(at))
}

/// A role that a member holds, perhaps for a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Which.
    pub role: Role,
    /// First moment that it holds.
    pub not_before: Option<Timestamp>,
    /// First moment that it no longer holds.
    pub not_after: Option<Timestamp>,
    /// The event that gave it: what was signed before does not rest on it.
    pub since: Seq,
}

impl Grant {
    fn holds(&self, at: Timestamp) -> bool {
        self.not_before.is_none_or(|start| start <= at) && self.not_after.is_none_or(|end| at < end)
    }

    fn is_untimed(&self) -> bool {
        self.not_before.is_none() && self.not_after.is_none()
    }
}

/// An authenticator that a member has enrolled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeldCredential {
    /// As it was enrolled.
    pub credential: Credential,
    /// The event that enrolled it: what was signed before does not rest on it.
    pub since: Seq,
    /// Whether it is contained.
    pub suspension: Option<Suspension>,
    /// The event that contained it last, whether or not that is over: what was signed before does not rest on it.
    pub interrupted: Option<Seq>,
}

/// A person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// The authenticators that were not removed.
    pub credentials: Vec<HeldCredential>,
    /// The roles that were not revoked.
    pub grants: Vec<Grant>,
    /// Whether the person is contained.
    pub suspension: Option<Suspension>,
    /// The event that contained the person last, whether or not that is over: what they signed before counts no longer.
    pub interrupted: Option<Seq>,
    /// Whether the person was removed; ids are never used again.
    pub removed: bool,
}

impl Member {
    pub(crate) fn new(enrolled: &MemberEnrolled, since: Seq) -> Self {
        let held = |credential: &Credential| HeldCredential {
            credential: credential.clone(),
            since,
            suspension: None,
            interrupted: None,
        };
        let grant = |&role: &Role| Grant { role, not_before: None, not_after: None, since };
        Self {
            credentials: enrolled.credentials.iter().map(held).collect(),
            grants: enrolled.roles.iter().map(grant).collect(),
            suspension: None,
            interrupted: None,
            removed: false,
        }
    }

    /// Whether the person may do anything at all.
    pub fn is_active(&self, at: Timestamp) -> bool {
        !self.removed && !suspended(self.suspension, at)
    }

    /// The roles that hold at a moment, whether or not the person is active.
    pub fn roles_at(&self, at: Timestamp) -> BTreeSet<Role> {
        self.grants.iter().filter(|grant| grant.holds(at)).map(|grant| grant.role).collect()
    }

    /// The credential of an id, if it may be used at a moment.
    pub fn credential_at(&self, id: &B64, at: Timestamp) -> Option<&Credential> {
        let held = self.credentials.iter().find(|held| held.credential.credential_id == *id)?;
        (!suspended(held.suspension, at)).then_some(&held.credential)
    }

    /// Whether a decision that was signed at `seq` still rests on a person, a role and a credential that have held without
    /// interruption since before: what was taken away and given back is another one, and what was suspended may have been
    /// in other hands before somebody noticed.
    pub(crate) fn stands_behind(&self, approval: &Approval, at: Timestamp) -> bool {
        let role =
            |grant: &Grant| grant.role == approval.role && grant.holds(at) && grant.since < approval.seq;
        let held = self.credentials.iter().find(|h| h.credential.credential_id == approval.credential_id);
        let uninterrupted = |interrupted: Option<Seq>| interrupted.is_none_or(|at| at < approval.seq);
        self.is_active(at)
            && uninterrupted(self.interrupted)
            && self.grants.iter().any(role)
            && held.is_some_and(|held| {
                !suspended(held.suspension, at)
                    && held.since < approval.seq
                    && uninterrupted(held.interrupted)
            })
    }

    /// Whether the person could sign a decision: credentials for signing in alone don't count.
    pub(crate) fn can_sign(&self, rp: &ApprovalRp, at: Timestamp) -> bool {
        let signs = |held: &HeldCredential| held.credential.rp_id == rp.id && !suspended(held.suspension, at);
        self.is_active(at) && self.credentials.iter().any(signs)
    }

    /// Roles that hold at a moment or will later: what their holder may propose has to be reachable.
    pub(crate) fn coming_roles(&self, at: Timestamp) -> BTreeSet<Role> {
        let ahead = |grant: &&Grant| grant.not_after.is_none_or(|end| at < end);
        self.grants.iter().filter(ahead).map(|grant| grant.role).collect()
    }

    /// Roles that count towards reachability: a delegation that ends does not.
    pub(crate) fn lasting_roles(&self) -> BTreeSet<Role> {
        self.grants.iter().filter(|grant| grant.is_untimed()).map(|grant| grant.role).collect()
    }
}

/// A machine client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// The slots that it may use.
    pub slots: BTreeSet<SlotName>,
    /// SHA-256 of its token.
    pub token_sha256: Hash,
    /// First moment that the token no longer holds.
    pub token_expires_at: Timestamp,
    /// Whether it is contained.
    pub suspension: Option<Suspension>,
    /// Whether it was removed.
    pub removed: bool,
}

impl Service {
    /// Whether it may do anything at all.
    pub fn is_active(&self, at: Timestamp) -> bool {
        !self.removed && !suspended(self.suspension, at)
    }
}

/// Whether a person can be enrolled with these: credentials in their one form, of relying parties that fit, and among
/// them one that can sign decisions.
pub(crate) fn credentials_are_well_formed(credentials: &[Credential], rp: &ApprovalRp) -> bool {
    credentials_are_sorted(credentials)
        && credentials.iter().all(|credential| rp_fits(credential, rp))
        && credentials.iter().any(|credential| credential.rp_id == rp.id)
}

/// A credential is the approval relying party's. Where approvals are kept apart from signing in (LEDGER_FORMAT §7),
/// it may be of another one: then it signs in, and never decides.
pub(crate) fn rp_fits(credential: &Credential, rp: &ApprovalRp) -> bool {
    let other = !rp.shared && is_domain(&credential.rp_id);
    credential.rp_id == rp.id || other
}

/// A domain name in lower case, at most 253 bytes.
pub(crate) fn is_domain(id: &str) -> bool {
    (1..=253).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-')
}

/// One to eight, sorted by id as text and distinct, each with an id and a key of its own.
pub(crate) fn credentials_are_sorted(credentials: &[Credential]) -> bool {
    let sorted = credentials
        .windows(2)
        .all(|pair| pair[0].credential_id.to_string() < pair[1].credential_id.to_string());
    let keys: BTreeSet<B64> = credentials.iter().map(key_bytes).collect();
    let readable = credentials.iter().all(credential_is_well_formed);
    (1..=MAX_CREDENTIALS).contains(&credentials.len())
        && sorted
        && readable
        && keys.len() == credentials.len()
}

/// An id of a possible length; and hardware only by an attestation, of a key that can't be copied.
pub(crate) fn credential_is_well_formed(credential: &Credential) -> bool {
    let hardware = credential.kind == CredentialKind::Hardware;
    let attested = credential.attestation.is_some() && !credential.backup_eligible;
    let named = (1..=Assertion::MAX_CREDENTIAL_ID).contains(&credential.credential_id.as_bytes().len());
    named && (attested || !hardware)
}

/// Who packages does not decide: `packaging_engineer` goes with none of the deciding roles, `recovery` with none at all.
pub(crate) fn roles_are_separate(roles: &BTreeSet<Role>) -> bool {
    let decides = [Role::Approver, Role::ChangeBoard, Role::SecurityReviewer];
    let packages = roles.contains(&Role::PackagingEngineer);
    recovery_stands_alone(roles) && !(packages && roles.iter().any(|role| decides.contains(role)))
}

/// A credential's public key as it was enrolled: what is compared when keys must differ.
pub(crate) fn key_bytes(credential: &Credential) -> B64 {
    B64::from(credential.cose_public_key.as_bytes())
}

impl Founded {
    /// Everybody who was ever enrolled.
    pub fn members(&self) -> &BTreeMap<MemberId, Member> {
        &self.members
    }

    /// Every machine client that was ever enrolled.
    pub fn services(&self) -> &BTreeMap<ServiceId, Service> {
        &self.services
    }

    /// The member, if active at a moment.
    pub fn active_member(&self, id: MemberId, at: Timestamp) -> Result<&Member, Rule> {
        let member = self.members.get(&id).ok_or(Rule::MemberUnknown)?;
        if member.is_active(at) { Ok(member) } else { Err(Rule::MemberInactive) }
    }

    /// The service, if active and its token in force at a moment.
    pub fn active_service(&self, id: ServiceId, at: Timestamp) -> Result<&Service, Rule> {
        let service = self.services.get(&id).ok_or(Rule::ServiceUnknown)?;
        let in_force = service.is_active(at) && at < service.token_expires_at;
        if in_force { Ok(service) } else { Err(Rule::ServiceInactive) }
    }

    /// Refuses where the member does not hold the role now.
    pub fn require_role(&self, id: MemberId, role: Role, at: Timestamp) -> Result<&Member, Rule> {
        let member = self.active_member(id, at)?;
        if member.roles_at(at).contains(&role) { Ok(member) } else { Err(Rule::RoleMissing) }
    }

    /// Who may contain: three roles anywhere, and a slot's owner for that slot.
    pub fn judge_containment(
        &self,
        actor: Actor,
        slot: Option<&SlotName>,
        at: Timestamp,
    ) -> Result<(), Rule> {
        let Actor::Member(id) = actor else { return Err(Rule::Actor) };
        let roles = self.active_member(id, at)?.roles_at(at);
        let holders = BTreeSet::from([Role::IncidentCommander, Role::PlatformAdmin, Role::SecurityReviewer]);
        let owns = slot.and_then(|name| self.slots.get(name)).is_some_and(|slot| slot.owner == id);
        if !roles.is_disjoint(&holders) || (owns && roles.contains(&Role::KeyOwner)) {
            Ok(())
        } else {
            Err(Rule::ContainmentHolder)
        }
    }

    /// The state as a containment event would leave it.
    pub(crate) fn contained(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut after = self.clone();
        change(&mut after);
        after
    }

    pub(crate) fn judge_member_suspended(
        &self,
        event: &MemberSuspended,
        actor: Actor,
        at: Timestamp,
    ) -> Result<(), Rule> {
        self.judge_containment(actor, None, at)?;
        let member = self.members.get(&event.member).ok_or(Rule::MemberUnknown)?;
        if member.removed || suspended(member.suspension, at) {
            return Err(Rule::SuspensionDuplicate);
        }
        if event.lapses_at == self.member_lapse(event.member, at) {
            Ok(())
        } else {
            Err(Rule::SuspensionLapse)
        }
    }

    /// When a member's suspension would lapse.
    pub fn member_lapse(&self, id: MemberId, at: Timestamp) -> Option<Timestamp> {
        let after = self.contained(|state| {
            if let Some(member) = Arc::make_mut(&mut state.members).get_mut(&id) {
                member.suspension = Some(Suspension { lapses_at: None });
            }
        });
        self.lapse(&after, ActionType::MemberRestore, at)
    }

    pub(crate) fn judge_credential_suspended(
        &self,
        event: &CredentialSuspended,
        actor: Actor,
        at: Timestamp,
    ) -> Result<(), Rule> {
        self.judge_containment(actor, None, at)?;
        let member = self.members.get(&event.member).ok_or(Rule::MemberUnknown)?;
        let held =
            member.credentials.iter().find(|held| held.credential.credential_id == event.credential_id);
        if suspended(held.ok_or(Rule::CredentialUnknown)?.suspension, at) {
            return Err(Rule::SuspensionDuplicate);
        }
        let expected = self.credential_lapse(event.member, &event.credential_id, at);
        if event.lapses_at == expected { Ok(()) } else { Err(Rule::SuspensionLapse) }
    }

    /// When a credential's suspension would lapse.
    pub fn credential_lapse(&self, id: MemberId, credential_id: &B64, at: Timestamp) -> Option<Timestamp> {
        let after = self.contained(|state| {
            state.with_credential(id, credential_id, |held| {
                held.suspension = Some(Suspension { lapses_at: None })
            });
        });
        self.lapse(&after, ActionType::MemberRestore, at)
    }

    pub(crate) fn judge_service_suspended(
        &self,
        event: &ServiceSuspended,
        actor: Actor,
        at: Timestamp,
    ) -> Result<(), Rule> {
        self.judge_containment(actor, None, at)?;
        let service = self.services.get(&event.service).ok_or(Rule::ServiceUnknown)?;
        if service.removed || suspended(service.suspension, at) {
            return Err(Rule::SuspensionDuplicate);
        }
        let expected = self.lapse(self, ActionType::ServiceRestore, at);
        if event.lapses_at == expected { Ok(()) } else { Err(Rule::SuspensionLapse) }
    }

    /// When a suspension of a service, or of a slot, would lapse: it takes nobody's vote away.
    pub fn lapse_of(&self, lifting: ActionType, at: Timestamp) -> Option<Timestamp> {
        self.lapse(self, lifting, at)
    }

    fn with_credential(
        &mut self,
        id: MemberId,
        credential_id: &B64,
        change: impl FnOnce(&mut HeldCredential),
    ) {
        let member = Arc::make_mut(&mut self.members).get_mut(&id);
        let held = member.and_then(|m| {
            m.credentials.iter_mut().find(|held| held.credential.credential_id == *credential_id)
        });
        if let Some(held) = held {
            change(held);
        }
    }

    fn with_member(&mut self, id: MemberId, change: impl FnOnce(&mut Member)) {
        if let Some(member) = Arc::make_mut(&mut self.members).get_mut(&id) {
            change(member);
        }
    }

    pub(crate) fn apply_member(&mut self, event: &Event) {
        match &event.payload {
            Payload::MemberEnrolled(p) => {
                Arc::make_mut(&mut self.members).insert(p.member, Member::new(p, event.seq));
                let owners = p.credentials.iter().map(|c| (key_bytes(c), p.member));
                Arc::make_mut(&mut self.key_owners).extend(owners);
            }
            Payload::MemberRemoved(p) => self.with_member(p.member, |member| {
                member.removed = true;
                member.grants.clear();
            }),
            Payload::MemberRestored(p) => match &p.credential_id {
                Some(id) => self.with_credential(p.member, id, |held| held.suspension = None),
                None => self.with_member(p.member, |member| member.suspension = None),
            },
            Payload::MemberSuspended(p) => {
                let suspension = Some(Suspension { lapses_at: p.lapses_at });
                self.with_member(p.member, |member| {
                    (member.suspension, member.interrupted) = (suspension, Some(event.seq));
                });
            }
            Payload::CredentialAdded(p) => {
                let (credential, since) = (p.credential.clone(), event.seq);
                let held = HeldCredential { credential, since, suspension: None, interrupted: None };
                self.with_member(p.member, |member| member.credentials.push(held));
                let key = key_bytes(&p.credential);
                Arc::make_mut(&mut self.key_owners).insert(key, p.member);
            }
            Payload::CredentialRemoved(p) => self.with_member(p.member, |member| {
                member.credentials.retain(|held| held.credential.credential_id != p.credential_id);
            }),
            Payload::CredentialSuspended(p) => {
                let suspension = Some(Suspension { lapses_at: p.lapses_at });
                self.with_credential(p.member, &p.credential_id, |held| {
                    (held.suspension, held.interrupted) = (suspension, Some(event.seq));
                });
            }
            Payload::RoleGranted(p) => {
                let (not_before, not_after, since) = (p.not_before, p.not_after, event.seq);
                let grant = Grant { role: p.role, not_before, not_after, since };
                self.with_member(p.member, |member| member.grants.push(grant));
            }
            Payload::RoleRevoked(p) => {
                self.with_member(p.member, |member| member.grants.retain(|grant| grant.role != p.role));
            }
            _ => {}
        }
    }

    pub(crate) fn apply_service(&mut self, event: &Event) {
        let services = Arc::make_mut(&mut self.services);
        match &event.payload {
            Payload::ServiceEnrolled(p) => {
                let service = Service {
                    slots: p.slots.clone(),
                    token_sha256: p.token_sha256,
                    token_expires_at: p.token_expires_at,
                    suspension: None,
                    removed: false,
                };
                services.insert(p.service, service);
            }
            Payload::ServiceGranted(p) => {
                if let Some(service) = services.get_mut(&p.service) {
                    service.slots = p.slots.clone();
                    if let Some(token) = &p.token {
                        service.token_sha256 = token.sha256;
                        service.token_expires_at = token.expires_at;
                    }
                }
            }
            Payload::ServiceRemoved(p) => {
                if let Some(service) = services.get_mut(&p.service) {
                    service.removed = true;
                    service.slots.clear();
                }
            }
            Payload::ServiceRestored(p) => {
                if let Some(service) = services.get_mut(&p.service) {
                    service.suspension = None;
                }
            }
            Payload::ServiceSuspended(p) => {
                if let Some(service) = services.get_mut(&p.service) {
                    service.suspension = Some(Suspension { lapses_at: p.lapses_at });
                }
            }
            _ => {}
        }
    }
}
