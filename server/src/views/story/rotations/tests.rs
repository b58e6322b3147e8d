//! What each event of a rotation, a certificate or a report is told as, word for word.

use std::collections::{BTreeMap, BTreeSet};

use sealbook_ledger::encoding::Hash;
use sealbook_ledger::event::{Actor, Event};
use sealbook_ledger::ids::Seq;
use sealbook_ledger::payload::Payload;
use serde_json::{Value, json};

use super::*;
use crate::views::story::what_happened;

const AT: &str = "2026-11-22T00:00:00.000000Z";
const LATER: &str = "2026-12-06T00:00:00.000000Z";
const ACTION: &str = "01934f00-0000-7000-8000-0000000000a1";
const OLD: &str = "01934f00-0000-7000-8000-0000000000c1";
const NEW: &str = "01934f00-0000-7000-8000-0000000000c2";
const CERTIFICATE: &str = "01934f00-0000-7000-8000-0000000000e1";

fn event(seq: u64, kind: &str, data: &Value) -> Event {
    let name = Payload::TYPE_NAMES.into_iter().find(|name| *name == kind).unwrap();
    let envelope = json!({
        "actor": {"id": "server", "kind": "system"}, "correlation": ACTION, "data": data,
        "origin": "sealbook.test/acme", "prev": Hash::ZERO, "seq": seq, "time": AT, "type": name, "v": 1,
    });
    let bytes = sealbook_ledger::canonical::value_to_vec(&envelope).unwrap();
    let envelope = sealbook_ledger::event::Envelope::parse(&bytes).unwrap();
    let event = Event::from_envelope(envelope).unwrap();
    assert_eq!((event.seq, event.actor), (Seq::new(seq).unwrap(), Actor::System));
    event
}

/// Events in their order, and what each is told as.
fn cases() -> Vec<(&'static str, Value, &'static str)> {
    let confined = json!({"always_sensitive": true, "extractable": false, "local": true,
        "never_extractable": true, "sensitive": true});
    let signature = |purpose: Value| {
        json!({"algorithm": "ecdsa-p256-sha256", "digest": "00".repeat(32), "expires_at": LATER, "key": NEW,
            "policy": Hash::ZERO, "purpose": purpose, "slot": "apt-repo"})
    };
    let report = |kind: &str| json!({"digest": "00".repeat(32), "expires_at": LATER, "key": OLD, "kind": kind, "manifest": Hash::ZERO});
    let mut rotation_report = report("rotation");
    rotation_report["action"] = json!(ACTION);
    let mut period_report = report("period");
    (period_report["from"], period_report["to"]) = (json!(AT), json!(LATER));
    vec![
        (
            "key.adopted",
            json!({"action": ACTION, "attributes": confined, "key": OLD, "label": "older", "slot": "apt-repo",
                "spki": "AQ", "spki_sha256": Hash::ZERO}),
            "slot apt-repo has key 000000c1, which the device held as “older”, never extractable",
        ),
        (
            "slot.rotation_set",
            json!({"action": ACTION, "slot": "apt-repo", "rotation": {"channels": [], "old_key_signs": false,
                "overlap_days": 7, "propose_days": 14, "revoke_superseded": false, "rotation_days": 90, "v": 1}}),
            "slot apt-repo has another rotation policy",
        ),
        (
            "hsm.access_reviewed",
            json!({"action": ACTION, "backend": "softhsm", "holder_count": 2}),
            "2 people and machines can reach softhsm: the review of its access is on record",
        ),
        (
            "slot.rotation_overdue",
            json!({"due_at": AT, "key": OLD, "slot": "apt-repo"}),
            "OVERDUE: key 000000c1 of apt-repo was to be replaced by 2026-11-22 00:00:00 UTC",
        ),
        (
            "rotation.started",
            json!({"action": ACTION, "emergency": false, "old_key": OLD, "policy": "00".repeat(32), "slot": "apt-repo"}),
            "began to replace key 000000c1 of apt-repo",
        ),
        (
            "rotation.started",
            json!({"action": ACTION, "emergency": true, "old_key": OLD, "policy": "00".repeat(32), "slot": "apt-repo"}),
            "began to replace key 000000c1 of apt-repo at once: break-glass",
        ),
        (
            "key.generation_authorized",
            json!({"action": ACTION, "algorithm": "ecdsa-p256-sha256", "expires_at": LATER, "key": NEW,
                "label": format!("sealbook/sealbook.test/acme/{NEW}"), "slot": "apt-repo"}),
            "asked the device for a key for slot apt-repo (ecdsa-p256-sha256)",
        ),
        (
            "certificate.ordered",
            json!({"action": ACTION, "certificate": CERTIFICATE, "key": NEW, "slot": "apt-repo"}),
            "key 000000c2 of apt-repo is to have a certificate",
        ),
        (
            "signature.authorized",
            signature(json!({"certificate": CERTIFICATE, "kind": "certificate_request"})),
            "asked for a signature of digest 00000000… with apt-repo (a request for a certificate)",
        ),
        (
            "certificate.requested",
            json!({"authorization": 9, "certificate": CERTIFICATE, "csr": "AQ"}),
            "signed the request for the certificate of key 000000c2 of apt-repo",
        ),
        (
            "signature.authorized",
            signature(json!({"certificate": CERTIFICATE, "kind": "certificate", "not_after": LATER,
                "not_before": AT, "serial": "4a00000000000000"})),
            "asked for a signature of digest 00000000… with apt-repo (a certificate)",
        ),
        (
            "certificate.issued",
            json!({"authorization": 11, "certificate": CERTIFICATE, "der": "AQ", "fingerprint": Hash::ZERO}),
            "issued the certificate of key 000000c2 of apt-repo, fingerprint 00000000…",
        ),
        (
            "certificate.imported",
            json!({"certificate": CERTIFICATE, "chain": ["AQ"], "fingerprint": Hash::ZERO}),
            "brought the certificate of key 000000c2 of apt-repo from a CA elsewhere, fingerprint 00000000…",
        ),
        (
            "certificate.failed",
            json!({"certificate": CERTIFICATE, "code": "certificate.issuer"}),
            "the certificate of key 000000c2 of apt-repo will not come (certificate.issuer)",
        ),
        (
            "signature.authorized",
            signature(json!({"action": ACTION, "kind": "canary"})),
            "asked for a signature of digest 00000000… with apt-repo (a canary: the new key is tried before it takes over)",
        ),
        (
            "rotation.canary_recorded",
            json!({"action": ACTION, "key": NEW, "signed": 3,
                "results": {"media_type": "application/json", "sha256": Hash::ZERO, "size": 2}}),
            "tried key 000000c2 of apt-repo on 3 digests of what was signed before: every signature verified",
        ),
        (
            "rotation.cut_over",
            json!({"action": ACTION, "new_key": NEW, "old_key": OLD, "overlap_ends_at": LATER}),
            "key 000000c2 of apt-repo took the place of key 000000c1 of apt-repo, which stays beside it until \
             2026-12-06 00:00:00 UTC",
        ),
        (
            "rotation.cut_over",
            json!({"action": ACTION, "new_key": NEW, "old_key": OLD, "overlap_ends_at": AT}),
            "key 000000c2 of apt-repo took the place of key 000000c1 of apt-repo, without an overlap",
        ),
        (
            "rotation.confirmed",
            json!({"action": ACTION, "key": NEW}),
            "found that signatures of key 000000c2 of apt-repo work",
        ),
        (
            "rotation.channel_moved",
            json!({"action": ACTION, "channel": "apt-stable"}),
            "channel apt-stable relies on the new key now: action 01934f00-0000-7000-8000-0000000000a1",
        ),
        (
            "rotation.completed",
            json!({"action": ACTION, "new_key": NEW, "old_key": OLD}),
            "key 000000c1 of apt-repo is retired and kept for verification alone",
        ),
        (
            "rotation.failed",
            json!({"action": ACTION, "code": "canary.failed"}),
            "gave up, and the old key stays in charge (canary.failed): action 01934f00-0000-7000-8000-0000000000a1",
        ),
        (
            "certificate.revoked",
            json!({"action": ACTION, "certificate": CERTIFICATE, "reason": "superseded"}),
            "the certificate of key 000000c2 of apt-repo is revoked (superseded)",
        ),
        (
            "document.authorized",
            rotation_report.clone(),
            "asked the evidence key to sign the evidence pack of: action 01934f00-0000-7000-8000-0000000000a1",
        ),
        (
            "document.failed",
            json!({"authorization": 24, "code": "custody.hung"}),
            "the evidence key did not sign the evidence pack of: action 01934f00-0000-7000-8000-0000000000a1 \
             (custody.hung)",
        ),
        (
            "document.authorized",
            rotation_report,
            "asked the evidence key to sign the evidence pack of: action 01934f00-0000-7000-8000-0000000000a1",
        ),
        (
            "document.abandoned",
            json!({"authorization": 26}),
            "nobody knows whether the evidence key signed the evidence pack of: action \
             01934f00-0000-7000-8000-0000000000a1",
        ),
        (
            "document.authorized",
            period_report,
            "asked the evidence key to sign the evidence pack of 2026-11-22 00:00:00 UTC until 2026-12-06 00:00:00 UTC",
        ),
        (
            "rep.issued",
            json!({"authorization": 28, "digest": "00".repeat(32), "key": NEW, "sha256": Hash::ZERO, "signature": "AQ", "size": 1}),
            "signed and issued the evidence pack of 2026-11-22 00:00:00 UTC until 2026-12-06 00:00:00 UTC",
        ),
    ]
}

#[test]
fn every_event_of_later_rules_is_told_in_its_own_words() {
    let mut names = Names::default();
    let mut seen = BTreeSet::new();
    for (seq, (kind, data, expected)) in (1..).zip(cases()) {
        let event = event(seq, kind, &data);
        names.learn(&event, &BTreeMap::new());
        assert_eq!(what_happened(&event, &names), expected, "{kind}");
        seen.insert(kind);
    }
    let later = |kind: &&&str| {
        let prefixes = ["certificate.", "document.", "hsm.", "rep.", "rotation.", "slot.rotation_"];
        prefixes.iter().any(|prefix| kind.starts_with(prefix)) || **kind == "key.adopted"
    };
    let missing: Vec<&&str> =
        Payload::TYPE_NAMES.iter().filter(later).filter(|kind| !seen.contains(**kind)).collect();
    assert_eq!(missing, [&""; 0]);
}
