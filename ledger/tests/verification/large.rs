//! Ledgers that are read by several threads at once: the verdict is that of one.

use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::verify::{Layer, Place, Verdict};

use crate::ledger::{Ledger, ledger_key, pins};
use crate::tampering::replaced;
use crate::{Noticed, assert_noticed, event, judge, layer_code};

/// Enough for several batches of events, and of signatures, in every thread's hands.
const SIGNATURES: u32 = 1200;

fn large() -> Ledger {
    let mut ledger = Ledger::founded();
    ledger.create_slot("release", Algorithm::EcdsaP256Sha256);
    let service = ledger.enroll_service();
    for n in 0..SIGNATURES {
        ledger.sign(service, 0, &n.to_be_bytes());
    }
    ledger
}

fn type_of(event: &[u8]) -> String {
    let said: serde_json::Value = serde_json::from_slice(event).unwrap();
    said["type"].as_str().unwrap().to_owned()
}

#[test]
fn what_several_threads_read_is_judged_in_the_ledgers_order() {
    let ledger = large();
    let (genuine, pins) = (ledger.parts(), pins(&ledger));
    let size = genuine.events.len();

    let report = judge(&genuine.tar(), &pins);
    assert_eq!(report.verdict(), Verdict::Valid);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["signatures"]["checked"], SIGNATURES);
    assert_eq!(json["events"], size);

    // Wherever the first failure is, it is the one that is named, also where others follow in other threads' hands.
    for first in [size / 7, size / 2, size - 9] {
        let mut broken = genuine.clone();
        for at in [first, first + 3, size - 2] {
            broken.events[at].push(b' ');
        }
        let place = Place::Event { seq: first as u64, type_name: None };
        let report = judge(&broken.tar(), &pins);
        assert_noticed(&report, &Noticed { layer: Layer::Bytes, rule: "bytes.not_canonical", place });
    }
    let mut swapped = genuine.clone();
    swapped.events.swap(size - 5, size - 3);
    swapped.events.swap(size / 3, size / 3 + 2);
    let report = judge(&swapped.tar(), &pins);
    let place = Place::Event { seq: (size / 3) as u64, type_name: Some(type_of(&swapped.events[size / 3])) };
    assert_noticed(&report, &Noticed { layer: Layer::Chain, rule: "chain.seq", place });

    // The same with signatures: the last event, one in the middle, and one before it.
    let created = |at: usize| at - (size - 1 - at) % 2;
    let forged = [created(size / 3), created(size / 2), size - 1];
    let mut parts = genuine.clone();
    for at in forged {
        let said: serde_json::Value = serde_json::from_slice(&parts.events[at]).unwrap();
        let signature = said["data"]["signature"].as_str().unwrap();
        let other = if signature.as_bytes()[20] == b'A' { "B" } else { "A" };
        let altered = format!("{}{other}{}", &signature[..20], &signature[21..]);
        parts.events[at] = replaced(&parts.events[at], signature, &altered);
    }
    parts.rechain(forged[0] + 1, false);
    parts.reseal(&[&ledger_key(1)]);
    let report = judge(&parts.tar(), &pins);
    let place = event(forged[0] as u64, "signature.created");
    assert_noticed(&report, &Noticed { layer: Layer::Signatures, rule: "signature.does_not_hold", place });
    assert_eq!(layer_code(&report, Layer::Rules), "valid");
    // Whatever was under way behind the first that does not hold is not counted.
    let before =
        genuine.events[..forged[0]].iter().filter(|event| type_of(event) == "signature.created").count();
    assert_eq!(serde_json::to_value(&report).unwrap()["signatures"]["checked"], before);
}
