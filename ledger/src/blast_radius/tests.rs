use proptest::prelude::*;

use super::*;
use crate::event::Event;
use crate::payload::{
    ClearanceUse, Payload, SignatureAuthorized, SignatureFailed, SignatureWithheld, WithheldReason,
};

const KEY: &str = "01934f00-0000-7000-8000-0000000000c1";
const OTHER: &str = "01934f00-0000-7000-8000-0000000000c2";
const SERVICE: &str = "01934f00-0000-7000-8000-0000000000d1";

fn seq(n: u64) -> Seq {
    Seq::new(n).unwrap()
}

/// Second `n` of a day.
fn second(n: u64) -> Timestamp {
    let midnight: Timestamp = "2026-11-22T00:00:00.000000Z".parse().unwrap();
    midnight.plus_seconds(u32::try_from(n).unwrap())
}

fn signature(n: u64) -> Affected {
    Affected {
        authorization: seq(n),
        caller: Actor::Service(SERVICE.parse().unwrap()),
        digest: HexBytes(vec![u8::try_from(n).unwrap(); 32]),
        ended: None,
        environment: Some(Environment::Production),
        purpose: None,
        redactable: false,
        time: second(n),
    }
}

fn authorized(n: u64, key: &str) -> Fact {
    Fact::Authorized { key: key.parse().unwrap(), signature: signature(n) }
}

fn ended(authorization: u64, outcome: Outcome, n: u64) -> Fact {
    Fact::Ended { authorization: seq(authorization), ended: Ended { outcome, seq: seq(n) } }
}

fn listed(since: Option<Timestamp>, facts: Vec<Fact>) -> Vec<Affected> {
    let mut list = BlastRadius::new(KEY.parse().unwrap(), since);
    let mut listed = Vec::new();
    for fact in facts {
        list.take_in(fact);
        listed.extend(std::iter::from_fn(|| list.next_known()));
    }
    listed.extend(std::iter::from_fn(|| list.next_at_end()));
    listed
}

fn in_short(listed: &[Affected]) -> Vec<(u64, &'static str, Option<u64>)> {
    listed
        .iter()
        .map(|one| (one.authorization.get(), one.outcome().name(), one.ended.map(|ended| ended.seq.get())))
        .collect()
}

#[test]
fn every_authorisation_of_the_key_since_the_moment_is_listed_in_order_with_what_became_of_it() {
    let facts = || {
        vec![
            authorized(1, KEY),
            authorized(2, KEY),
            authorized(3, OTHER),
            ended(2, Outcome::Created, 4),
            ended(3, Outcome::Created, 5),
            authorized(6, KEY),
            ended(1, Outcome::Withheld, 7),
            authorized(8, KEY),
            ended(8, Outcome::Failed, 9),
            authorized(10, KEY),
            ended(6, Outcome::Abandoned, 11),
        ]
    };
    let all = [
        (1, "withheld", Some(7)),
        (2, "created", Some(4)),
        (6, "abandoned", Some(11)),
        (8, "failed", Some(9)),
        (10, "open", None),
    ];
    assert_eq!(in_short(&listed(None, facts())), all);
    assert_eq!(in_short(&listed(Some(second(6)), facts())), all[2..], "the moment itself is included");
    assert_eq!(listed(Some(second(11)), facts()), []);
}

#[test]
fn a_signature_waits_for_those_before_it_and_no_longer() {
    let mut list = BlastRadius::new(KEY.parse().unwrap(), None);
    for fact in [authorized(1, KEY), authorized(2, KEY), ended(2, Outcome::Created, 3)] {
        list.take_in(fact);
    }
    assert_eq!((list.next_known(), list.waiting()), (None, 2));
    assert_eq!(list.undecided().collect::<Vec<_>>(), [seq(1)]);
    // Whoever looked ahead knows that nothing becomes of it.
    list.decide(seq(1), None);
    list.take_in(ended(1, Outcome::Created, 9));
    let first = list.next_known().unwrap();
    assert_eq!((first.authorization, first.outcome()), (seq(1), Outcome::Open));
    assert_eq!(list.next_known().unwrap().authorization, seq(2));
    assert_eq!((list.next_known(), list.waiting()), (None, 0));
}

#[test]
fn what_failed_is_a_line_and_does_not_count_as_signed() {
    let facts = vec![
        authorized(1, KEY),
        ended(1, Outcome::Failed, 2),
        authorized(3, KEY),
        authorized(4, KEY),
        ended(4, Outcome::Created, 5),
    ];
    let (mut extent, mut lines) = (Extent::default(), Vec::new());
    for one in listed(None, facts) {
        lines.extend_from_slice(extent.add(&one).unwrap());
    }
    assert_eq!((extent.count(), extent.signed(), extent.of(Outcome::Failed)), (3, 2, 1));
    assert_eq!((extent.of(Outcome::Open), extent.of(Outcome::Created)), (1, 1));
    assert_eq!(extent.first(), Some((seq(1), second(1))));
    assert_eq!(extent.last(), Some((seq(4), second(4))));
    assert_eq!(extent.digest(), Hash::sha256(&lines));
    assert_eq!(Extent::default().digest(), Hash::sha256(b""));
}

/// The example of docs/spec/blast-radius.md.
#[test]
fn the_lines_of_the_specification_have_its_digest() {
    let purpose = SigningPurpose::CertificateRequest { certificate: OTHER.parse().unwrap() };
    let mut own = Affected { environment: None, purpose: Some(Box::new(purpose)), ..signature(11) };
    own.caller = Actor::System;
    let mut released = signature(7);
    released.ended = Some(Ended { outcome: Outcome::Created, seq: seq(8) });
    let (mut extent, mut text) = (Extent::default(), String::new());
    for one in [released, own] {
        text.push_str(std::str::from_utf8(extent.add(&one).unwrap()).unwrap());
    }
    let specification = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/spec/blast-radius.md");
    // A crate that was taken out of its repository has no specification beside it.
    let Ok(specification) = std::fs::read_to_string(specification) else { return };
    assert!(specification.contains(&text), "{text}");
    assert!(specification.contains(&extent.digest().to_string()), "{}", extent.digest());
}

fn event(n: u64, actor: Actor, payload: Payload) -> Vec<u8> {
    let event = Event {
        origin: "sealbook.example.com/acme".parse().unwrap(),
        seq: seq(n),
        time: second(n),
        actor,
        correlation: "01934f00-0000-7000-8000-000000000000".parse().unwrap(),
        prev: Hash::sha256(b"before"),
        payload,
        sd: Vec::new(),
    };
    event.to_bytes().unwrap()
}

fn whole(bytes: &[u8]) -> Event {
    Event::from_envelope(crate::event::Envelope::parse(bytes).unwrap()).unwrap()
}

#[test]
fn an_event_is_read_as_far_as_a_list_needs_it() {
    let caller = Actor::Member(SERVICE.parse().unwrap());
    let asked = SignatureAuthorized {
        algorithm: crate::algorithm::Algorithm::EcdsaP256Sha256,
        clearance: Some(ClearanceUse { action: KEY.parse().unwrap(), index: 0, proof: Vec::new() }),
        digest: HexBytes(vec![3; 32]),
        environment: Some(Environment::Staging),
        expires_at: second(60),
        key: KEY.parse().unwrap(),
        message: None,
        policy: Hash::ZERO,
        purpose: None,
        signing: None,
        slot: "release".parse().unwrap(),
    };
    let bytes = event(3, caller, Payload::SignatureAuthorized(Box::new(asked)));
    let read = Glance::read(&bytes).unwrap();
    assert_eq!(Fact::of(&whole(&bytes)), read.fact);
    let signature = Affected { caller, environment: Some(Environment::Staging), ..signature(3) };
    let expected = Fact::Authorized { key: KEY.parse().unwrap(), signature };
    assert_eq!((read.seq, read.time, read.prev), (seq(3), second(3), Hash::sha256(b"before")));
    assert_eq!(read.fact, Some(expected));

    let failed = SignatureFailed { authorization: seq(3), code: "custody.refused".parse().unwrap() };
    let bytes = event(4, Actor::System, Payload::SignatureFailed(Box::new(failed)));
    let read = Glance::read(&bytes).unwrap();
    assert_eq!(Fact::of(&whole(&bytes)), read.fact);
    assert_eq!(read.fact, Some(ended(3, Outcome::Failed, 4)));
    let withheld = SignatureWithheld {
        authorization: seq(3),
        reason: WithheldReason::Revoked,
        signature_sha256: Hash::ZERO,
    };
    let read =
        Glance::read(&event(5, Actor::System, Payload::SignatureWithheld(Box::new(withheld)))).unwrap();
    assert_eq!(read.fact, Some(ended(3, Outcome::Withheld, 5)));
    assert!(Glance::read(b"{}").is_err());
}

#[test]
fn the_cells_of_a_table_say_what_the_line_says() {
    assert_eq!(Affected::HEADINGS.len(), signature(1).cells().len());
    let action = OTHER.parse().unwrap();
    let canary = SigningPurpose::Canary { action, original: Some(seq(1)) };
    let own = Affected { environment: None, purpose: Some(Box::new(canary)), ..signature(2) };
    let cells = own.cells();
    assert_eq!((&*cells[0], &*cells[3], &*cells[5]), ("2", SERVICE, ""));
    assert_eq!((&*cells[6], &*cells[7], &*cells[8], &*cells[9]), ("canary", OTHER, "open", ""));
}

fn bytes_of(lines: &[Affected]) -> Vec<u8> {
    let mut bytes = Vec::new();
    lines.iter().for_each(|line| line.write_line(&mut bytes).unwrap());
    bytes
}

#[test]
fn a_list_is_read_in_its_one_form_alone() {
    let done = |n, seq_of| {
        let ended = Some(Ended { outcome: Outcome::Created, seq: seq(seq_of) });
        Affected { ended, ..signature(n) }
    };
    let lines = [done(1, 3), signature(2), done(4, 5)];
    assert_eq!(List::read(&bytes_of(&lines)).unwrap().lines(), lines);
    assert_eq!(List::read(b"").unwrap().lines(), []);
    let text = String::from_utf8(bytes_of(&lines)).unwrap();
    let spelt = |from: &str, to: &str| {
        let other = text.replacen(from, to, 1);
        assert_ne!(other, text, "{from}");
        List::read(other.as_bytes())
    };
    let line = Err(ListError::Line(1));
    assert_eq!(spelt("{", "{ "), line);
    assert_eq!(spelt("\n", "\r\n"), line);
    assert_eq!(spelt("\n", "\n\n"), Err(ListError::Line(2)));
    assert_eq!(spelt(r#""outcome_seq":3,"#, ""), line, "an outcome has its event");
    assert_eq!(
        spelt(r#""outcome_seq":3"#, r#""outcome_seq":1"#),
        line,
        "which comes after the authorisation"
    );
    assert_eq!(spelt(r#""outcome":"created""#, r#""outcome":"open""#), line);
    assert_eq!(spelt(r#""caller""#, r#""artifact":"a","caller""#), line);
    assert_eq!(List::read(text.trim_end().as_bytes()), Err(ListError::Line(3)));
    assert_eq!(List::read(&bytes_of(&[signature(2), signature(1)])), Err(ListError::Order(2)));
    assert_eq!(List::read(&bytes_of(&[signature(2), signature(2)])), Err(ListError::Order(2)));
    let earlier = Affected { time: second(1), ..signature(3) };
    assert_eq!(List::read(&bytes_of(&[signature(2), earlier])), Err(ListError::Order(2)));
}

#[test]
fn a_list_holds_nothing_that_it_does_not_cover() {
    let list = List::read(&bytes_of(&[signature(3), signature(4)])).unwrap();
    let within = |since, size| list.agrees(Covered { key: KEY.parse().unwrap(), since, size }, &[]);
    assert_eq!(within(None, 5), Ok(()));
    assert_eq!(within(Some(second(3)), 5), Ok(()));
    assert_eq!(within(None, 4), Err(ListError::Outside(seq(4))));
    assert_eq!(within(Some(second(4)), 5), Err(ListError::Outside(seq(3))));
}

fn any_signature() -> impl Strategy<Value = Affected> {
    let callers = prop_oneof![
        Just(Actor::System),
        Just(Actor::Member(SERVICE.parse().unwrap())),
        Just(Actor::Service(SERVICE.parse().unwrap())),
    ];
    let environment = prop::option::of(prop_oneof![
        Just(Environment::Development),
        Just(Environment::Production),
        Just(Environment::Staging),
    ]);
    let purpose = prop::option::of(prop_oneof![
        Just(SigningPurpose::Canary { action: OTHER.parse().unwrap(), original: Some(Seq::ZERO) }),
        Just(SigningPurpose::CertificateRequest { certificate: OTHER.parse().unwrap() }),
        Just(SigningPurpose::Certificate {
            certificate: OTHER.parse().unwrap(),
            not_after: Timestamp::MAX,
            not_before: second(0),
            serial: serde_json::from_str("\"0a0b\"").unwrap(),
        }),
    ]);
    let outcomes = prop::sample::select(Outcome::ALL.to_vec());
    let n = 0..canonical::MAX_INTEGER;
    let bytes = prop::collection::vec(any::<u8>(), 0..70);
    (callers, environment, purpose, outcomes, n, bytes).prop_map(
        |(caller, environment, purpose, outcome, n, bytes)| Affected {
            authorization: seq(n),
            caller,
            digest: HexBytes(bytes),
            ended: (outcome != Outcome::Open).then_some(Ended { outcome, seq: seq(n + 1) }),
            environment,
            purpose: purpose.map(Box::new),
            redactable: true,
            time: second(n % 86_400),
        },
    )
}

proptest! {
    #[test]
    fn a_line_is_its_own_canonical_form(signature in any_signature()) {
        let mut line = Vec::new();
        signature.write_line(&mut line).unwrap();
        prop_assert_eq!(line.pop(), Some(b'\n'));
        prop_assert_eq!(canonical::check(&line), Ok(()));
        let value: serde_json::Value = serde_json::from_slice(&line).unwrap();
        prop_assert_eq!(canonical::value_to_vec(&value).unwrap(), line);
    }

    #[test]
    fn a_line_is_read_back_as_it_was_written(signature in any_signature()) {
        let list = List::read(&bytes_of(std::slice::from_ref(&signature))).unwrap();
        prop_assert_eq!(list.lines(), [Affected { redactable: false, ..signature }]);
    }
}
