//! The choices that a form offers: what the ledger holds now, in words, with what a link preselects.

use std::collections::BTreeMap;
use std::sync::Arc;

use sealbook_ledger::algorithm::{Algorithm, DigestKind};
use sealbook_ledger::ids::{CertificateId, KeyId, MemberId, SlotName};
use sealbook_ledger::issuance::Issuance;
use sealbook_ledger::member::{Member, Suspension};
use sealbook_ledger::policy::Role;
use sealbook_ledger::revocation::REVOKING;
use sealbook_ledger::slot::{Key, KeyState, Slot};
use sealbook_ledger::state::Founded;
use serde_json::Value;

use super::forms::Source;
use crate::pages::{Visit, wording};
use crate::views::changes;

/// What a link preselects, by field.
pub type Prefill = BTreeMap<String, String>;

/// A choice.
#[derive(Debug, PartialEq, Eq)]
pub struct Choice {
    /// What is sent.
    pub value: String,
    /// What people read.
    pub label: String,
    /// Whether it is chosen to begin with.
    pub chosen: bool,
    /// For a slot, what its key signs: a digest's name in WebCrypto.
    pub digest: Option<&'static str>,
}

impl Choice {
    fn new(value: impl ToString, label: impl Into<String>) -> Self {
        Self { value: value.to_string(), label: label.into(), chosen: false, digest: None }
    }

    fn usual(value: &'static str, label: &'static str) -> Self {
        Self { chosen: true, ..Self::new(value, label) }
    }
}

/// The choices of a source, as a link preselects them.
pub fn of(source: Source, field: &str, founded: &Founded, visit: &Visit, prefill: &Prefill) -> Vec<Choice> {
    let mut choices = all(source, field, founded, visit);
    if let Some(now) = in_force(field, founded, prefill) {
        for choice in &mut choices {
            let same = |value: &Value| value.as_str() == Some(choice.value.as_str());
            choice.chosen = same(&now) || now.as_array().is_some_and(|values| values.iter().any(same));
        }
    }
    if let Some(wanted) = wanted(source, field, prefill)
        && choices.iter().any(|choice| is_meant(source, &wanted, &choice.value))
    {
        for choice in &mut choices {
            choice.chosen = is_meant(source, &wanted, &choice.value);
        }
    }
    choices
}

/// Whether a link means a choice. It names slot and key; the policy that goes with them is the one in force.
fn is_meant(source: Source, wanted: &str, value: &str) -> bool {
    match source {
        Source::SlotKeys | Source::CertifiableKeys => {
            value.rsplit_once(' ').is_some_and(|(slot_and_key, _policy)| slot_and_key == wanted)
        }
        _ => value == wanted,
    }
}

/// The choice that a link asks for. An authenticator is chosen with its member, and a member by itself.
fn wanted(source: Source, field: &str, prefill: &Prefill) -> Option<String> {
    if matches!(source, Source::SlotKeys | Source::CertifiableKeys) {
        let (slot, key) = (prefill.get("slot")?, prefill.get(field)?);
        return Some(format!("{slot} {key}"));
    }
    if !matches!(source, Source::Credentials | Source::SuspendedPeople) {
        return prefill.get(field).cloned();
    }
    let member = prefill.get("member")?;
    Some(match prefill.get(field) {
        Some(credential) => format!("{member} {credential}"),
        None => member.clone(),
    })
}

/// What a slot's policies say now: their next ones begin there. Nothing for a slot that is not there yet.
pub fn in_force(field: &str, founded: &Founded, prefill: &Prefill) -> Option<Value> {
    let (policy, clause) = field.split_once('.')?;
    let (_, slot) = founded
        .slots()
        .iter()
        .find(|(name, _)| prefill.get("slot").is_some_and(|slot| *slot == name.to_string()))?;
    let policy = match policy {
        "signing_policy" => serde_json::to_value(&slot.signing_policy).ok()?,
        "rotation" => serde_json::to_value(&slot.rotation).ok()?,
        _ => return None,
    };
    Some(policy.get(clause).cloned().unwrap_or_default())
}

fn all(source: Source, field: &str, founded: &Founded, visit: &Visit) -> Vec<Choice> {
    let at = visit.member.at;
    let held = |suspension: Option<Suspension>| suspension.is_some_and(|suspension| suspension.holds(at));
    let names = &visit.names;
    match source {
        Source::Algorithms => {
            Algorithm::ALL.into_iter().map(|one| Choice::new(one, one.to_string())).collect()
        }
        Source::ArtifactFields => {
            [("name", "its name"), ("ticket", "its ticket"), ("version", "its version")]
                .map(|(value, label)| Choice::new(value, label))
                .into()
        }
        Source::Backends => {
            visit.member.app.devices().names().map(|name| Choice::new(name, name.to_string())).collect()
        }
        Source::Callers => vec![
            Choice::new("packaging_engineers", "packaging engineers"),
            Choice::usual("services", "services that were granted the slot"),
        ],
        Source::Environments => ["development", "production", "staging"]
            .map(|one| {
                if field.ends_with("signing_policy.environments") {
                    Choice::usual(one, one)
                } else {
                    Choice::new(one, one)
                }
            })
            .into(),
        Source::Releases => vec![
            Choice::usual("durable", "once its event is recorded"),
            Choice::new("sealed", "once a checkpoint covers its event"),
        ],
        Source::Reasons => vec![
            Choice::new("superseded", "another key took its place"),
            Choice::new("cessation_of_operation", "it is no longer needed"),
            Choice::new("key_compromise", "somebody else may hold or have used it"),
            Choice::new("privilege_withdrawn", "its privileges were withdrawn"),
            Choice::new("affiliation_changed", "its owner's affiliation changed"),
        ],
        // A certificate's key that somebody else may hold is revoked itself: the rules take no such reason here.
        Source::CertificateReasons => vec![
            Choice::new("superseded", "another certificate took its place"),
            Choice::new("cessation_of_operation", "it is no longer needed"),
            Choice::new("privilege_withdrawn", "its privileges were withdrawn"),
            Choice::new("affiliation_changed", "its owner's affiliation changed"),
        ],
        Source::Roles => {
            let lent = Role::ALL.into_iter().filter(|role| *role != Role::Recovery);
            lent.map(|role| Choice::new(role, wording::role(role))).collect()
        }
        Source::Slots => {
            let slots = founded.slots().iter();
            let choice = |(name, slot): (&SlotName, &Slot)| Choice {
                digest: Some(web_crypto_name(slot.algorithm.digest())),
                ..Choice::new(name, name.to_string())
            };
            slots.map(choice).collect()
        }
        Source::SuspendedSlots => {
            let suspended = founded.slots().iter().filter(|(_, slot)| held(slot.suspension));
            suspended.map(|(name, _)| Choice::new(name, name.to_string())).collect()
        }
        Source::Keys => {
            let given_up =
                founded.keys().iter().filter(|(_, key)| founded.rules() >= REVOKING && given_up(key));
            let keys = living_keys(founded).chain(given_up);
            keys.map(|(id, key)| Choice::new(id, key_label(id, key))).collect()
        }
        Source::SpentKeys => {
            let spent =
                |key: &Key| matches!(key.state, KeyState::Deactivated { .. } | KeyState::Revoked { .. });
            let spent = founded.keys().iter().filter(|(_, key)| spent(key));
            spent.map(|(id, key)| Choice::new(id, key_label(id, key))).collect()
        }
        Source::Certificates => {
            let label = |(id, issuance): (&CertificateId, &Arc<Issuance>)| {
                let issued = issuance.active()?;
                let until = issued.not_after.to_string();
                let until = until.get(..10).unwrap_or(&until);
                Some(Choice::new(id, format!("{}: until {until} ({id})", issuance.slot)))
            };
            founded.issuances().iter().filter_map(label).collect()
        }
        Source::SlotKeys => {
            let signing = founded.slots().iter().filter_map(|(name, slot)| {
                let key = slot.active?;
                Some(Choice::new(slot_key(founded, name, key)?, format!("{name} ({key})")))
            });
            signing.collect()
        }
        Source::CertifiableKeys => {
            let policy = |key: &Key| founded.slots().get(&key.slot)?.rotation.certificate.as_ref();
            let retired = |key: &Key| matches!(key.state, KeyState::Deactivated { .. });
            let certifiable = living_keys(founded).filter(|(_, key)| !retired(key) && policy(key).is_some());
            let choice = |(id, key): (&KeyId, &Key)| {
                Some(Choice::new(slot_key(founded, &key.slot, *id)?, key_label(id, key)))
            };
            certifiable.filter_map(choice).collect()
        }
        Source::NextRules => {
            let next = founded.rules() + 1;
            vec![Choice::new(next, format!("version {next}"))]
        }
        Source::Members => {
            let living = founded.members().iter().filter(|(_, member)| !member.removed);
            living.map(|(id, _)| Choice::new(id, names.person(*id))).collect()
        }
        Source::Credentials => {
            let living = founded.members().iter().filter(|(_, member)| !member.removed);
            living.flat_map(|(id, member)| credentials(*id, member, visit, |_| true)).collect()
        }
        Source::SuspendedPeople => {
            let living = founded.members().iter().filter(|(_, member)| !member.removed);
            living
                .flat_map(|(id, member)| {
                    let whole = held(member.suspension).then(|| Choice::new(id, names.person(*id)));
                    whole.into_iter().chain(credentials(*id, member, visit, held))
                })
                .collect()
        }
        Source::Services => {
            let living = founded.services().iter().filter(|(_, service)| !service.removed);
            living.map(|(id, _)| Choice::new(id, names.machine(*id))).collect()
        }
        Source::SuspendedServices => {
            let living =
                founded.services().iter().filter(|(_, service)| !service.removed && held(service.suspension));
            living.map(|(id, _)| Choice::new(id, names.machine(*id))).collect()
        }
    }
}

/// Keys that are there and not revoked.
fn living_keys(founded: &Founded) -> impl Iterator<Item = (&KeyId, &Key)> {
    let gone = |key: &Key| matches!(key.state, KeyState::Revoked { .. } | KeyState::Destroyed { .. });
    let living = move |key: &Key| key.material().is_some() && !gone(key);
    founded.keys().iter().filter(move |(_, key)| living(key))
}

/// Whether a key was given up for another reason than that somebody else may hold it, which can be found out later.
fn given_up(key: &Key) -> bool {
    matches!(key.state, KeyState::Revoked { .. } | KeyState::Destroyed { .. }) && !key.is_compromised()
}

fn key_label(id: &KeyId, key: &Key) -> String {
    let state = match key.state {
        KeyState::Retiring { .. } => "retiring".to_owned(),
        KeyState::Revoked { .. } if !key.is_compromised() => "revoked".to_owned(),
        _ => key.state_name().replace('_', " "),
    };
    format!("{} ({state}, {id})", key.slot)
}

const fn web_crypto_name(digest: DigestKind) -> &'static str {
    match digest {
        DigestKind::Sha256 => "SHA-256",
        DigestKind::Sha384 => "SHA-384",
        DigestKind::Sha512 => "SHA-512",
    }
}

/// A member's authenticators; the value is the member's id and the authenticator's.
fn credentials(
    id: MemberId,
    member: &Member,
    visit: &Visit,
    wanted: impl Fn(Option<Suspension>) -> bool,
) -> Vec<Choice> {
    let held = member.credentials.iter().filter(|held| wanted(held.suspension));
    held.map(|held| {
        let credential = &held.credential;
        let short: String = credential.credential_id.to_string().chars().take(8).collect();
        let label = format!("{}: {} {short}…", visit.names.person(id), changes::kind(credential.kind));
        Choice::new(format!("{id} {}", credential.credential_id), label)
    })
    .collect()
}

/// A slot, its key, and the digest of the rotation policy that both stand under: the browser takes them apart.
fn slot_key(founded: &Founded, slot: &SlotName, key: KeyId) -> Option<String> {
    let policy = founded.slots().get(slot)?.rotation.digest().ok()?;
    Some(format!("{slot} {key} {policy}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(fields: &[(&str, &str)]) -> Prefill {
        fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_link_about_an_authenticator_chooses_it_and_no_other() {
        let one = link(&[("member", "m-3"), ("credential_id", "c-1")]);
        for source in [Source::Credentials, Source::SuspendedPeople] {
            assert_eq!(wanted(source, "credential_id", &one).as_deref(), Some("m-3 c-1"));
        }
        let whole = link(&[("member", "m-3")]);
        assert_eq!(wanted(Source::SuspendedPeople, "credential_id", &whole).as_deref(), Some("m-3"));
        assert_eq!(
            wanted(Source::Slots, "slot", &link(&[("slot", "apt-repo")])).as_deref(),
            Some("apt-repo")
        );
        assert_eq!(wanted(Source::Credentials, "credential_id", &Prefill::new()), None);
        // Not an authenticator of the member whom it is about as a whole.
        assert!(!is_meant(Source::SuspendedPeople, "m-3", "m-3 c-1"));
    }

    #[test]
    fn a_link_about_a_slots_key_chooses_it_under_whatever_policy_is_in_force() {
        let one = link(&[("slot", "apt-repo"), ("old_key", "k-1"), ("key", "k-1")]);
        for (source, field) in [(Source::SlotKeys, "old_key"), (Source::CertifiableKeys, "key")] {
            let wanted = wanted(source, field, &one).unwrap();
            assert!(is_meant(source, &wanted, "apt-repo k-1 p-1"));
            assert!(!is_meant(source, &wanted, "apt-repo k-10 p-1"));
            assert!(!is_meant(source, &wanted, "iso k-1 p-1"));
        }
        assert_eq!(wanted(Source::SlotKeys, "old_key", &link(&[("slot", "apt-repo")])), None);
    }
}
