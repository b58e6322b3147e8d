//! A ledger told as a story: one readable line an event, for people. Command line and pages tell it in the same words.

mod incidents;
mod names;
mod page;
mod rotations;
mod words;

pub use names::Names;
pub use page::{Asked, Group, StoryPage, Told, of_correlation, of_slot, page, told};
pub use words::{
    clause, environment_name, join, plural, printable, revocation, short, short_end, steers, title,
};

use std::fmt::Display;

use sealbook_ledger::attributes::KeyAttributes;
use sealbook_ledger::event::Event;
use sealbook_ledger::payload::{NextVkey, Payload, Subject, WithheldReason};

/// One line: place, time, who, and what happened in plain words. Call [`Names::learn`] first.
pub fn story_line(event: &Event, names: &Names) -> String {
    // Seconds are enough for people; the order is the seq's.
    let time = event.time.to_string();
    let time = time.get(..19).unwrap_or(&time).replace('T', " ");
    format!("{:>6}  {time}  {}: {}", event.seq, names.actor(event.actor), what_happened(event, names))
}

/// What an event says happened, without its place, time and actor. Call [`Names::learn`] first.
pub fn what_happened(event: &Event, names: &Names) -> String {
    match &event.payload {
        Payload::ActionApproved(p) => format!("approved as {}: {}", p.role, names.action(p.action)),
        Payload::ActionCancelled(p) => format!("took back: {}", names.action(p.action)),
        Payload::ActionExecuted(p) => format!("completed: {}", names.action(p.action)),
        Payload::ActionExecuting(p) => format!("found the quorum and began: {}", names.action(p.action)),
        Payload::ActionExpired(p) => format!("closed, out of time: {}", names.action(p.action)),
        Payload::ActionFailed(p) => format!("could not complete ({}): {}", p.code, names.action(p.action)),
        Payload::ActionProposed(p) => {
            let action = short(&p.document.action.to_string());
            let role = p.signed.as_ref().map(|signed| format!(" as {}", signed.role)).unwrap_or_default();
            format!("proposed{role}: {} (action {action})", clause(&p.document, names))
        }
        Payload::ActionRejected(p) => format!("rejected as {}: {}", p.role, names.action(p.action)),
        Payload::ActionVoided(p) => format!("voided, for the policy changed: {}", names.action(p.action)),
        Payload::ApprovalRpSet(p) => format!(
            "approvals are now made at {} from {}",
            printable(&p.approval_rp.id),
            printable(&join(p.approval_rp.origins.iter()))
        ),
        Payload::CertificateFailed(p) => {
            format!("{} will not come ({})", names.certificate(p.certificate), p.code)
        }
        Payload::CertificateImported(p) => rotations::imported(p, names),
        Payload::CertificateIssued(p) => rotations::issued(p, names),
        Payload::CertificateOrdered(p) => format!("{} is to have a certificate", names.key(p.key)),
        Payload::CertificateRequested(p) => {
            format!("signed the request for {}", names.certificate(p.certificate))
        }
        Payload::CertificateRevoked(p) => {
            format!("{} is revoked ({})", names.certificate(p.certificate), revocation(p.reason))
        }
        Payload::CredentialAdded(p) => format!("{} has another authenticator", names.member(p.member)),
        Payload::CredentialRemoved(p) => {
            format!(
                "authenticator {} of {} is gone",
                short(&p.credential_id.to_string()),
                names.member(p.member)
            )
        }
        Payload::CredentialSuspended(p) => format!(
            "suspended authenticator {} of {}{}",
            short(&p.credential_id.to_string()),
            names.member(p.member),
            lapse(p.lapses_at)
        ),
        Payload::CrlAbandoned(p) => {
            format!("nobody knows whether a CA signed revocation list {}", p.authorization)
        }
        Payload::CrlAuthorized(p) => rotations::list_asked(p, event.seq, names),
        Payload::CrlFailed(p) => {
            format!("a CA did not sign revocation list {} ({})", p.authorization, p.code)
        }
        Payload::CrlIssued(p) => {
            format!("{} signed revocation list {}", names.key(p.key), p.authorization)
        }
        Payload::CustodyUnexplained(p) => {
            format!("ALARM: {} holds an object that no event explains", p.backend)
        }
        Payload::DocumentAbandoned(p) => {
            format!("nobody knows whether the evidence key signed {}", names.signature(p.authorization))
        }
        Payload::DocumentAuthorized(_) => {
            format!("asked the evidence key to sign {}", names.signature(event.seq))
        }
        Payload::DocumentFailed(p) => {
            format!("the evidence key did not sign {} ({})", names.signature(p.authorization), p.code)
        }
        Payload::EvidenceRecorded(p) => {
            format!("recorded evidence {} about {}", short(&p.digest.to_string()), subject(&p.subject, names))
        }
        Payload::HsmAccessReviewed(p) => rotations::reviewed(p),
        Payload::IncidentAcknowledged(p) => format!("takes part in {}", names.incident(p.incident)),
        Payload::IncidentAdvised(p) => {
            format!("told those who rely on the key: {}", names.incident(p.incident))
        }
        Payload::IncidentClosed(p) => incidents::closed(p, names),
        Payload::IncidentEscalated(p) => incidents::escalated(p, names),
        Payload::IncidentNoted(p) => format!("noted something about {}", names.incident(p.incident)),
        Payload::IncidentOpened(p) => incidents::opened(p, names),
        Payload::IncidentReinstated(p) => {
            format!("channel {} offers replacements: {}", p.channel, names.incident(p.incident))
        }
        Payload::IncidentResigned(p) => incidents::resigned(p, names),
        Payload::IncidentScoped(p) => incidents::scoped(p, names),
        Payload::IncidentWithdrawn(p) => {
            format!("channel {} offers what is affected no longer: {}", p.channel, names.incident(p.incident))
        }
        Payload::KeyActivated(p) => {
            format!("slot {} signs with key {} now", p.slot, short_end(&p.key.to_string()))
        }
        Payload::KeyAdopted(p) => rotations::adopted(p),
        Payload::KeyDestroyed(p) => format!("the device has forgotten {}", names.key(p.key)),
        Payload::KeyGenerated(p) => {
            format!("the device made {}, {}", names.key(p.key), confined(p.attributes))
        }
        Payload::KeyGenerationAbandoned(p) => {
            format!("nobody knows whether the device made {}", names.key(p.key))
        }
        Payload::KeyGenerationAuthorized(p) => {
            format!("asked the device for a key for slot {} ({})", p.slot, p.algorithm)
        }
        Payload::KeyGenerationFailed(p) => {
            format!("the device did not make {} ({})", names.key(p.key), p.code)
        }
        Payload::KeyRevoked(p) => {
            format!("{} is revoked for good ({})", names.key(p.key), revocation(p.reason))
        }
        Payload::LedgerEvidenceKeySet(p) => {
            format!("key {} signs documents from now on", short_end(&p.key.to_string()))
        }
        Payload::LedgerFounded(p) => {
            format!("the ledger is founded: {} signed its document", plural(p.assertions.len(), "founder"))
        }
        Payload::LedgerHighWaterAccepted(p) => {
            format!("an operator went on without a high-water file at size {}", p.size)
        }
        Payload::LedgerKeyRecovered(p) => format!("the standby took over as ledger key: {}", p.vkey),
        Payload::LedgerKeyRotated(p) => format!("another ledger key signs from now on: {}", p.vkey),
        Payload::LedgerOpened(p) => {
            let standby = match p.next_vkey_digest {
                NextVkey::None => "no standby",
                NextVkey::Digest(_) => "a standby is promised",
            };
            format!("opened the ledger under {} in {} ({standby})", p.vkey, p.custody)
        }
        Payload::LedgerRulesAdopted(p) => format!("rules version {} governs from now on", p.rules),
        Payload::MemberEnrolled(p) => {
            format!("{} belongs to the ledger: {}", names.member(p.member), join(p.roles.iter()))
        }
        Payload::MemberRecovered(p) => {
            format!("{} was recovered and has other authenticators", names.member(p.member))
        }
        Payload::MemberRemoved(p) => format!("{} belongs to the ledger no longer", names.member(p.member)),
        Payload::MemberRestored(p) => format!("{} is no longer suspended", names.member(p.member)),
        Payload::MemberSuspended(p) => format!("suspended {}{}", names.member(p.member), lapse(p.lapses_at)),
        Payload::PolicySet(_) => "the ledger policy was replaced".to_owned(),
        Payload::RefusalRecorded(p) => {
            format!("refused {} ({}, {})", names.actor(p.caller), p.rule, plural(p.count as usize, "time"))
        }
        Payload::RepIssued(p) => format!("signed and issued {}", names.signature(p.authorization)),
        Payload::RoleGranted(p) => {
            format!("{} is {} now{}", names.member(p.member), p.role, until(p.not_after))
        }
        Payload::RoleRevoked(p) => format!("{} is no longer {}", names.member(p.member), p.role),
        Payload::RotationCanaryRecorded(p) => rotations::proved(p, names),
        Payload::RotationChannelMoved(p) => {
            format!("channel {} relies on the new key now: {}", p.channel, names.action(p.action))
        }
        Payload::RotationCompleted(p) => rotations::completed(p, names),
        Payload::RotationConfirmed(p) => format!("found that signatures of {} work", names.key(p.key)),
        Payload::RotationCutOver(p) => rotations::cut_over(p, event.time, names),
        Payload::RotationFailed(p) => {
            format!("gave up, and the old key stays in charge ({}): {}", p.code, names.action(p.action))
        }
        Payload::RotationStarted(p) => rotations::started(p, names),
        Payload::ServiceEnrolled(p) => {
            format!("{} may use {}", names.service(p.service), join(p.slots.iter()))
        }
        Payload::ServiceGranted(p) => {
            let token = if p.token.is_some() { ", with a new token" } else { "" };
            format!("{} may now use {}{token}", names.service(p.service), join(p.slots.iter()))
        }
        Payload::ServiceRemoved(p) => format!("{} belongs to the ledger no longer", names.service(p.service)),
        Payload::ServiceRestored(p) => format!("{} is no longer suspended", names.service(p.service)),
        Payload::ServiceSuspended(p) => {
            format!("suspended {}{}", names.service(p.service), lapse(p.lapses_at))
        }
        Payload::SignatureAbandoned(p) => {
            format!("nobody knows whether the device signed {}", names.signature(p.authorization))
        }
        Payload::SignatureAuthorized(p) => {
            format!("asked for a signature of {} ({})", names.signature(event.seq), rotations::purpose(p))
        }
        Payload::SignatureCreated(p) => {
            format!("signed and released {} ({})", names.signature(p.authorization), p.algorithm)
        }
        Payload::SignatureFailed(p) => {
            format!("the device did not sign {} ({})", names.signature(p.authorization), p.code)
        }
        Payload::SignatureWithheld(p) => {
            let why = match p.reason {
                WithheldReason::Expired => "its time had run out",
                WithheldReason::Revoked => "a revocation came first",
                WithheldReason::Suspended => "a suspension came first",
            };
            format!("withheld the signature of {}: {why}", names.signature(p.authorization))
        }
        Payload::SigningApproved(p) => format!(
            "slot {} may sign {} for {}, each once",
            p.slot,
            plural(usize::try_from(p.count).unwrap_or(usize::MAX), "approved digest"),
            environment_name(p.environment)
        ),
        Payload::SlotCreated(p) => {
            format!(
                "{}slot {} exists: {} in {}, owned by {}",
                if p.drill { "DRILL: " } else { "" },
                p.slot,
                p.algorithm,
                p.backend,
                names.member(p.owner)
            )
        }
        Payload::SlotPolicySet(p) => format!("slot {} has another signing policy", p.slot),
        Payload::SlotRotationOverdue(p) => rotations::overdue(p, names),
        Payload::SlotRotationSet(p) => format!("slot {} has another rotation policy", p.slot),
        Payload::SlotResumed(p) => format!("slot {} signs again", p.slot),
        Payload::SlotSuspended(p) => format!("suspended slot {}{}", p.slot, lapse(p.lapses_at)),
    }
}

fn confined(attributes: KeyAttributes) -> &'static str {
    if attributes.is_confined() { "never extractable" } else { "NOT confined" }
}

fn lapse(at: Option<impl Display>) -> String {
    at.map(|at| format!("; it lapses at {at}, for nobody could lift it")).unwrap_or_default()
}

fn until(at: Option<impl Display>) -> String {
    at.map(|at| format!(" until {at}")).unwrap_or_default()
}

fn subject(subject: &Subject, names: &Names) -> String {
    match subject {
        Subject::Action(id) => names.action(*id),
        Subject::Certificate(id) => format!("certificate {}", short_end(&id.to_string())),
        Subject::Event(seq) => format!("event {seq}"),
        Subject::Key(id) => names.key(*id),
        Subject::Member(id) => names.member(*id),
        Subject::Service(id) => names.service(*id),
        Subject::Slot(name) => format!("slot {name}"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use sealbook_ledger::canonical;
    use sealbook_ledger::encoding::Hash;
    use sealbook_ledger::event::Envelope;
    use sealbook_ledger::ids::MemberId;
    use sealbook_ledger::policy::SigningPolicy;
    use serde_json::{Value, json};

    use super::*;

    const AT: &str = "2026-11-22T00:00:00.000000Z";
    const ID: &str = "01934f00-0000-7000-8000-0000000000b1";

    fn golden_events() -> Vec<Event> {
        let text = include_str!("../../../ledger/testdata/ledger-v1.json");
        let vectors: Value = serde_json::from_str(text).unwrap();
        let mut events = Vec::new();
        collect(&vectors, &mut events);
        events
    }

    fn collect(value: &Value, events: &mut Vec<Event>) {
        match value {
            Value::String(text) => {
                let event = Envelope::parse(text.as_bytes()).ok().and_then(|e| Event::from_envelope(e).ok());
                events.extend(event);
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, events)),
            Value::Object(members) => members.values().for_each(|item| collect(item, events)),
            _ => {}
        }
    }

    #[test]
    fn every_event_is_one_line_that_names_its_place_and_actor() {
        let mut names = Names::default();
        for event in golden_events() {
            names.learn(&event, &BTreeMap::new());
            let line = story_line(&event, &names);
            assert!(!line.contains('\n') && line.trim_start().starts_with(&event.seq.to_string()), "{line}");
            names.forget(&event);
        }
    }

    /// A slot's parameters, and the `slot.created` that has them.
    fn slot(drill: bool) -> (Value, Event) {
        let mut slot = json!({
            "algorithm": "ecdsa-p256-sha256", "backend": "softhsm", "overlap_days": 7, "owner": ID,
            "rotation_days": 90, "slot": "apt", "signing_policy": SigningPolicy::default(),
        });
        if drill {
            slot["drill"] = json!(true);
        }
        let mut data = slot.clone();
        data["action"] = json!(ID);
        let event = json!({
            "actor": {"id": "server", "kind": "system"}, "correlation": ID, "data": data,
            "origin": "sealbook.test/acme", "prev": Hash::ZERO, "seq": 9, "time": AT, "type": "slot.created", "v": 1,
        });
        let bytes = canonical::value_to_vec(&event).unwrap();
        let envelope = Envelope::parse(&bytes).unwrap();
        (slot, Event::from_envelope(envelope).unwrap())
    }

    #[test]
    fn a_slot_for_drills_is_told_as_such() {
        let names = Names::default();
        for (drill, exists, asked) in [
            (false, "slot apt exists: ", "create slot apt"),
            (true, "DRILL: slot apt exists: ", "create slot apt, for drills alone"),
        ] {
            let (params, created) = slot(drill);
            let told = what_happened(&created, &names);
            assert!(told.starts_with(exists), "{told}");
            let document = json!({
                "action": ID, "expires_at": AT, "head": {"hash": Hash::ZERO, "seq": 1},
                "origin": "sealbook.test/acme", "params": params, "policy": Hash::ZERO, "proposed_at": AT,
                "proposed_by": ID, "quorum": [{"count": 2, "role": "approver"}], "reason_digest": "AQ",
                "type": "slot.create", "v": 1,
            });
            assert_eq!(title(&serde_json::from_value(document).unwrap(), &names), asked);
        }
    }

    #[test]
    fn a_disclosed_name_cannot_steer_the_terminal_that_shows_it() {
        let mut names = Names::default();
        let member: MemberId = "01934f00-0000-7000-8000-0000000000b1".parse().unwrap();
        names.name_member(member, "Ada\u{1b}[2J\u{202e}");
        assert_eq!(names.member(member), "Ada\\u{1b}[2J\\u{202e}");
    }
}
