//! One changed value in one event: the rules refuse it, or it is listed here with the reason why they can't.

use sealbook_ledger::action::{
    CredentialAddParams, DeviceKeyParams, KeyRevokeParams, MemberParams, MemberRecoverParams,
    MemberRestoreParams, Params, PolicySetParams, RevocationReason, RoleGrantParams, RoleRevokeParams,
    ServiceParams, SigningBatchParams, SlotParams, SlotPolicyParams,
};
use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::canonical;
use sealbook_ledger::clearance;
use sealbook_ledger::command::{Command, Containment, SigningOutcome};
use sealbook_ledger::encoding::{B64, Hash, HexBytes};
use sealbook_ledger::event::{Actor, Envelope, Event};
use sealbook_ledger::ids::ServiceId;
use sealbook_ledger::payload::{
    ClearanceUse, CustodyUnexplained, EvidenceRecorded, NextVkey, RefusalRecorded, Subject,
};
use sealbook_ledger::policy::{Clause, Environment, Role};
use sealbook_ledger::recovery::RECOVERY_WAIT_S;
use sealbook_ledger::state::State;
use serde_json::{Value, json};

use crate::support::*;

/// (type, path of the value, why the rules of its own place accept another).
///
/// Beyond this list, every change of a value is refused. A later event, the chain, a checkpoint or the layer
/// *signatures* catches most of what stands here; a forger who is the server itself could have written the rest.
const HARMLESS: &[Harmless] = &[
    ("*", "/correlation", "ties events together for readers; the chain binds it"),
    ("*", "/origin", "compared by the chain"),
    ("*", "/prev", "compared by the chain"),
    ("*", "/seq", "compared by the chain"),
    (
        "*",
        "/time",
        "the server's own clock; it only may not go back, and lives and expiries are judged by it",
    ),
    (
        "*",
        "/data/_sd",
        "digests of what is private: the rules never read them, but for those in signed documents",
    ),
    (
        "action.approved",
        "/data/role",
        "the role is not part of what is signed: another that the approver holds",
    ),
    (
        "action.cancelled",
        "/data/role",
        "the role is not part of what is signed: another that the proposer holds",
    ),
    (
        "a service's proposal",
        "/data/document/",
        "nobody has signed it yet: approvers sign the document as it stands there",
    ),
    ("action.executing", "/data/expires_at", "any life of at most an hour"),
    ("action.failed", "/data/code", "a word for people"),
    (
        "credential.suspended",
        "/actor/id",
        "anybody who may contain; the chain and the server's word bind who did",
    ),
    ("custody.unexplained", "/data/", "a fact about a device"),
    ("evidence.recorded", "/actor", "any active member or service"),
    ("evidence.recorded", "/data/", "a fact about the world outside; its subject need only exist"),
    ("key.generation_authorized", "/data/expires_at", "any life within the execution's"),
    ("key.generation_failed", "/data/", "what the device said, or did not say, of a key that is refused"),
    ("key.generated", "/data/spki", "the device's answer is first known by this event, with its digest"),
    ("ledger.evidence_key_set", "/data/", "the device's answer is first known by this event"),
    ("ledger.high_water_accepted", "/data/root", "the roots are the seals' business"),
    ("ledger.key_recovered", "/data/custody", "the device's answer is first known by this event"),
    ("ledger.key_recovered", "/data/next_vkey_digest", "the device's answer is first known by this event"),
    (
        "ledger.key_rotated",
        "/data/",
        "the device's answer is first known by this event; the old key seals it",
    ),
    (
        "before the founding",
        "/data/",
        "founders sign the key and each other; standby and custody are the server's word",
    ),
    ("member.suspended", "/actor/id", "anybody who may contain"),
    ("member.suspended", "/data/member", "containment is anybody's who may contain"),
    ("refusal.recorded", "/data/", "a count of what did not happen"),
    ("service.suspended", "/actor/id", "anybody who may contain"),
    ("signature.abandoned", "/data/authorization", "another authorisation that has expired"),
    ("signature.authorized", "/data/digest", "what is asked for is first known by this event"),
    ("signature.authorized", "/data/expires_at", "any life of at most ten minutes"),
    ("signature.created", "/data/authorization", "another authorisation of the same key and digest"),
    ("signature.created", "/data/signature", "verified by the layer `signatures`"),
    ("signature.failed", "/data/", "the device's answer"),
    ("signature.withheld", "/data/authorization", "another authorisation that is barred for the same reason"),
    ("signature.withheld", "/data/signature_sha256", "digest of a signature that nobody keeps"),
    ("slot.suspended", "/actor/id", "anybody who may contain"),
];

/// A value that the rules of its own place accept otherwise: its event's type, its path, and why.
pub type Harmless = (&'static str, &'static str, &'static str);

fn is_listed(more: &[Harmless], type_name: &str, path: &str) -> bool {
    let listed =
        |(kind, prefix, _): &Harmless| (*kind == "*" || *kind == type_name) && path.starts_with(prefix);
    HARMLESS.iter().chain(more).any(listed)
}

/// A history with every type of event that came with version 1.
fn story() -> Ledger {
    let deciding = (0..4).map(|_| DECIDING.to_vec());
    let recovery = [vec![Role::Recovery], vec![Role::Recovery]];
    let mut ledger = Ledger::founded_as("acme", deciding.chain(recovery).collect(), |_| {});
    let key = ledger.slot("s", Algorithm::EcdsaP256Sha256);
    let broken = ledger.slot_being_made("broken", Algorithm::Ed25519);
    ledger.run(Command::KeyNotMade { key: broken, code: "device.error".parse().unwrap() }).unwrap();
    let lost = ledger.slot_being_made("lost", Algorithm::Ed25519);
    ledger.wait(600);
    ledger.run(Command::KeyAbandoned(lost)).unwrap();
    let service = ledger.service(&["s"]);
    let sign = |ledger: &mut Ledger| {
        let mut request = ledger.request("s", 32);
        request.sd = vec![B64(vec![3; 32])];
        ledger.authorize(service, request).unwrap()
    };
    let (created, failed, withheld, abandoned) =
        (sign(&mut ledger), sign(&mut ledger), sign(&mut ledger), sign(&mut ledger));
    ledger.settle(created).unwrap();
    let outcome = SigningOutcome::Failed("device.error".parse().unwrap());
    ledger.run(Command::Settle { authorization: failed, outcome }).unwrap();
    ledger.contain(1, Containment::Slot(slot_name("s"))).unwrap();
    ledger.settle(withheld).unwrap();
    ledger.wait(60);
    ledger.run(Command::Abandon(abandoned)).unwrap();
    ledger.decree(Params::SlotResume(SlotParams { slot: slot_name("s") }));
    people(&mut ledger);
    clearances(&mut ledger, service);
    let signing_policy = ledger.slot_params("s", Algorithm::Ed25519).signing_policy;
    ledger.decree(Params::SlotPolicySet(SlotPolicyParams { signing_policy, slot: slot_name("s") }));
    let slots = [slot_name("s")].into();
    ledger.decree(Params::ServiceGrant(sealbook_ledger::action::ServiceGrantParams {
        service,
        slots,
        token: None,
    }));
    ledger.contain(1, Containment::Service(service)).unwrap();
    ledger.decree(Params::ServiceRestore(ServiceParams { service }));
    ledger.decree(Params::ServiceRemove(ServiceParams { service }));
    let reason = RevocationReason::KeyCompromise;
    let compromised_since = Some(ledger.clock);
    ledger.decree(Params::KeyRevoke(KeyRevokeParams { compromised_since, key, reason }));
    ledger_keys(&mut ledger);
    records(&mut ledger);
    endings(&mut ledger);
    ledger
}

fn people(ledger: &mut Ledger) {
    let person = ledger.enroll(&[Role::Auditor]);
    let (member, credential_id) =
        (ledger.people[person].id, ledger.people[person].credential.credential_id.clone());
    let not_after = Some(ledger.clock.plus_seconds(1000));
    ledger.decree(Params::RoleGrant(RoleGrantParams {
        member,
        not_after,
        not_before: None,
        role: Role::KeyOwner,
    }));
    ledger.decree(Params::RoleRevoke(RoleRevokeParams { member, role: Role::KeyOwner }));
    let credential = Person::new(800).credential;
    ledger.decree(Params::CredentialAdd(CredentialAddParams { credential: credential.clone(), member }));
    ledger.contain(1, Containment::Credential(member, credential_id.clone())).unwrap();
    let restore = |credential_id| Params::MemberRestore(MemberRestoreParams { credential_id, member });
    ledger.decree(restore(Some(credential_id)));
    let credential_id = credential.credential_id;
    ledger.decree(Params::CredentialRemove(sealbook_ledger::action::CredentialRemoveParams {
        credential_id,
        member,
    }));
    ledger.contain(1, Containment::Member(member)).unwrap();
    ledger.decree(restore(None));
    ledger.decree(Params::MemberRemove(MemberParams { member }));
}

/// A list that is approved and signed from, and a member who is recovered.
fn clearances(ledger: &mut Ledger, service: ServiceId) {
    let mut signing_policy = ledger.slot_params("s", Algorithm::EcdsaP256Sha256).signing_policy;
    signing_policy.approval = [Environment::Production].into();
    ledger.decree(Params::SlotPolicySet(SlotPolicyParams { signing_policy, slot: slot_name("s") }));
    let digests = [7, 8, 9].map(|n| HexBytes(vec![n; 32]));
    let tree = clearance::tree(&digests);
    let action = ledger.cleared(
        service,
        Params::SigningBatch(SigningBatchParams {
            count: 3,
            environment: Environment::Production,
            digests: digest_list(&digests),
            names_digest: None,
            root: tree.root_at(3).unwrap(),
            slot: slot_name("s"),
        }),
    );
    let mut request = ledger.request("s", 32);
    request.digest = digests[1].clone();
    request.clearance = Some(ClearanceUse { action, index: 1, proof: tree.inclusion_proof(1, 3).unwrap() });
    let authorization = ledger.authorize(service, request).unwrap();
    ledger.settle(authorization).unwrap();
    let params =
        MemberRecoverParams { credentials: vec![Person::new(801).credential], member: ledger.people[3].id };
    let action = ledger.propose_recovery(4, params).unwrap();
    ledger.approve(5, Role::Recovery, action).unwrap();
    ledger.wait(RECOVERY_WAIT_S);
    ledger.begin(action).unwrap();
}

fn ledger_keys(ledger: &mut Ledger) {
    let backend = || DeviceKeyParams { backend: "softhsm".parse().unwrap() };
    let origin = ledger.state.origin().clone();
    let made = |action, seed| Command::LedgerKeyMade {
        action,
        vkey: vkey(&origin, seed),
        custody: "pkcs11".parse().unwrap(),
        attributes: CONFINED,
        next: NextVkey::Digest(Hash::sha256(vkey(&origin, seed + 1).to_string().as_bytes())),
    };
    let recover = ledger.approved(Params::LedgerKeyRecover(backend()));
    ledger.begin(recover).unwrap();
    ledger.run(made(recover, 2)).unwrap();
    let rotate = ledger.approved(Params::LedgerKeyRotate(backend()));
    ledger.begin(rotate).unwrap();
    ledger.run(made(rotate, 7)).unwrap();
    let action = ledger.approved(Params::LedgerEvidenceKeySet(backend()));
    ledger.begin(action).unwrap();
    let spki = spki(Algorithm::EcdsaP256Sha256, 0);
    ledger.run(Command::EvidenceKeyMade { action, key: key_id(777), spki }).unwrap();
}

fn records(ledger: &mut Ledger) {
    let by = Actor::Member(ledger.people[0].id);
    let evidence = Box::new(EvidenceRecorded {
        digest: Hash::ZERO,
        evidence: uuid(1).into(),
        media_type: "text/plain".parse().unwrap(),
        subject: Subject::Slot(slot_name("s")),
    });
    ledger.run(Command::RecordEvidence { by, evidence, sd: Vec::new() }).unwrap();
    let (minute, rule) = (ledger.clock.minute(), "role.missing".parse().unwrap());
    ledger.run(Command::RecordRefusal(RefusalRecorded { caller: by, count: 2, minute, rule })).unwrap();
    ledger.run(Command::AcceptHighWater { root: Hash::ZERO }).unwrap();
    let (backend, object_sha256) = ("softhsm".parse().unwrap(), Hash::ZERO);
    ledger.run(Command::ReportUnexplained(CustodyUnexplained { backend, object_sha256 })).unwrap();
}

/// Every end that an action can come to, and a policy that voids.
fn endings(ledger: &mut Ledger) {
    let slot = |ledger: &Ledger| Params::SlotCreate(ledger.slot_params("t", Algorithm::Ed25519));
    let mut approval_rp = approval_rp();
    approval_rp.shared = false;
    ledger.decree(Params::ApprovalRpSet(sealbook_ledger::action::ApprovalRpParams { approval_rp }));
    let params = slot(ledger);
    let [rejected, cancelled, expired] = [(); 3].map(|()| ledger.propose(0, params.clone()).unwrap());
    ledger.run(ledger.rejection(1, Role::Approver, rejected)).unwrap();
    ledger.run(ledger.cancellation(0, Role::PlatformAdmin, cancelled)).unwrap();
    ledger.wait(24 * 60 * 60);
    ledger.run(Command::Expire(expired)).unwrap();
    ledger.propose(0, params).unwrap();
    let mut policy = ledger.now().policy().clone();
    ordinary(&mut policy).for_each(|rule| rule.quorum = vec![Clause { count: 1, role: Role::Approver }]);
    ledger.decree(Params::PolicySet(PolicySetParams { policy }));
}

/// Every value that differs from the one at a path in a small way, the whole event each time.
fn mutants(event: &Value) -> Vec<(String, Value)> {
    let mut paths = Vec::new();
    leaves(event, String::new(), &mut paths);
    let mut mutants = Vec::new();
    for path in paths {
        let at = event.pointer(&path).unwrap();
        let others: Vec<Value> = match at {
            Value::Bool(truth) => vec![json!(!truth)],
            Value::Number(number) => vec![json!(number.as_i64().unwrap() + 1), json!(0)],
            Value::String(text) => texts(text),
            Value::Null | Value::Array(_) | Value::Object(_) => vec![json!([]), json!({}), json!(null)],
        };
        for other in others.into_iter().filter(|other| other != at) {
            let mut mutant = event.clone();
            *mutant.pointer_mut(&path).unwrap() = other;
            mutants.push((path.clone(), mutant));
        }
        mutants.extend(without(event, &path).map(|mutant| (path, mutant)));
    }
    mutants
}

/// A text with one character changed at the start, in the middle or at the end, and texts of the same kind.
fn texts(text: &str) -> Vec<Value> {
    let swapped = |at: usize| {
        let mut bytes = text.as_bytes().to_vec();
        if let Some(byte) = bytes.get_mut(at) {
            *byte = if *byte == b'1' { b'2' } else { b'1' };
        }
        String::from_utf8(bytes).ok()
    };
    let mut texts: Vec<String> =
        [0, text.len() / 2, text.len().saturating_sub(3)].into_iter().filter_map(swapped).collect();
    // Long texts are ids, digests and binary; short ones may be words of a closed list.
    if text.len() < 30 {
        let words = [
            "production",
            "approver",
            "auditor",
            "revoked",
            "expired",
            "server",
            "ed25519",
            "rsa4096-pss-sha512",
        ];
        texts.extend(words.map(str::to_owned));
    }
    texts.into_iter().map(Value::String).collect()
}

fn leaves(value: &Value, path: String, out: &mut Vec<String>) {
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, item)| leaves(item, format!("{path}/{n}"), out))
        }
        Value::Object(members) => {
            members
                .iter()
                .for_each(|(name, item)| leaves(item, format!("{path}/{}", name.replace('/', "~1")), out));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => out.push(path.clone()),
    }
    if matches!(value, Value::Array(_) | Value::Object(_)) && !path.is_empty() {
        out.push(path);
    }
}

fn without(event: &Value, path: &str) -> Option<Value> {
    let (parent, name) = path.rsplit_once('/')?;
    let mut mutant = event.clone();
    match mutant.pointer_mut(parent)? {
        Value::Object(members) => drop(members.remove(&name.replace("~1", "/"))),
        Value::Array(items) => drop(items.remove(name.parse().ok()?)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return None,
    }
    Some(mutant)
}

fn accepted(before: &State, bytes: &[u8]) -> bool {
    let Ok(envelope) = Envelope::parse(bytes) else { return false };
    Event::from_envelope(envelope).is_ok_and(|event| before.judge(&event, &Default::default()).is_ok())
}

#[test]
fn a_changed_value_is_refused_at_its_place_or_known_to_be_harmless() {
    let surprises = surprises(&story(), &[]);
    assert!(surprises.is_empty(), "accepted, and not listed as harmless:\n{surprises:#?}");
}

/// Every change of a value of a history that the rules accept at its place, beyond those that are listed.
pub fn surprises(ledger: &Ledger, more: &[Harmless]) -> std::collections::BTreeSet<String> {
    let mut surprises = std::collections::BTreeSet::new();
    for (one, before) in ledger.history.iter().zip(&ledger.before) {
        let event: Value = serde_json::from_slice(&one.bytes).unwrap();
        let name = one.event.payload.type_name();
        for (path, mutant) in mutants(&event) {
            let Ok(bytes) = canonical::value_to_vec(&mutant) else { continue };
            // A founder's enrolment is weighed by the founding, a later one by its action.
            let founder = name == "member.enrolled" && before.founded().is_err();
            let asked = name == "action.proposed" && matches!(one.event.actor, Actor::Service(_));
            let place = match name {
                _ if founder || name == "ledger.opened" => "before the founding",
                _ if asked => "a service's proposal",
                _ => name,
            };
            let listed = is_listed(more, place, &path);
            if accepted(before, &bytes) && !listed && bytes != one.bytes {
                surprises.insert(format!(
                    "{name} {path}: {:?} became {:?}",
                    event.pointer(&path),
                    mutant.pointer(&path)
                ));
            }
        }
    }
    surprises
}

#[test]
fn the_story_holds_every_type_of_event() {
    let ledger = story();
    let seen: std::collections::BTreeSet<&str> =
        ledger.history.iter().map(|one| one.event.payload.type_name()).collect();
    let known = sealbook_ledger::payload::Payload::types_since(1);
    let missing: Vec<&str> = known.filter(|name| !seen.contains(name)).collect();
    assert_eq!(missing, ["ledger.rules_adopted"]);
    assert_eq!(format!("{:?}", ledger.replayed()), format!("{:?}", ledger.state));
}
