//! The blast radius of a key, against what its events come to one by one: signatures that were released, kept back, that
//! failed, that nobody knows of and that are under way, before and after a moment.

use std::path::Path;
use std::time::Duration;

use sealbook::blast_radius::{Reading, Scope};
use sealbook::ledger::Submission;
use sealbook_ledger::blast_radius::{Extent, Outcome};
use sealbook_ledger::canonical;
use sealbook_ledger::command::{Command, SignRequest, SigningOutcome};
use sealbook_ledger::encoding::{B64, Hash, HexBytes};
use sealbook_ledger::event::{Actor, Event};
use sealbook_ledger::ids::{KeyId, Seq, ServiceId};
use sealbook_ledger::payload::{Payload, SigningPurpose};
use sealbook_ledger::policy::Environment;
use sealbook_ledger::timestamp::Timestamp;
use serde_json::{Value, json};

use super::rotations::active;
use super::world::{World, holds};
use super::{enrol_service, sign, suspend};

const SLOT: &str = "releases";

/// An authorisation lives a minute, and is given up some seconds later.
const LONG_ENOUGH: Duration = Duration::from_secs(70);

pub async fn a_list_is_what_the_events_come_to(path: &Path) {
    let world = World::begin(path).await;
    world.certified_slot(SLOT).await;
    let service = enrol_service(&world.site, &[SLOT]).await;
    sign(&world.site, service, SLOT, 1).await.unwrap();
    world.clocks.advance(Duration::from_secs(60)).await;
    let since = world.site.ledger.now();

    let open: Vec<Seq> = authorized(&world, service, 4).await;
    settle(&world, open[1], SigningOutcome::Failed("custody.refused".parse().unwrap())).await;
    sign(&world.site, service, SLOT, 2).await.unwrap();
    suspend(&world.site, SLOT).await;
    settle(&world, open[0], SigningOutcome::Signed(B64::from([1u8; 70].as_slice()))).await;
    let key = active(&world.site, &SLOT.parse().unwrap());
    let then = agreed(&world, key, Some(since)).await;
    let outcomes =
        [Outcome::Withheld, Outcome::Failed, Outcome::Created, Outcome::Open].map(|outcome| then.of(outcome));
    assert_eq!(outcomes, [1, 1, 1, 2]);
    assert_eq!((then.count(), then.signed(), then.first().unwrap().0), (5, 4, open[0]));
    let all = agreed(&world, key, None).await;
    assert!(all.count() > then.count() && all.last() == then.last());
    let nothing = agreed(&world, key, Some(since.plus_seconds(3600))).await;
    assert_eq!((nothing.count(), nothing.digest()), (0, Hash::sha256(b"")));

    // Later nobody knows of what was under way; what was told before is told again.
    let size = world.site.ledger.size();
    world.clocks.advance(LONG_ENOUGH).await;
    holds(&world.site, "the end of what is open", |founded| {
        founded.pending_signatures().is_empty().then_some(())
    })
    .await;
    let later = agreed(&world, key, Some(since)).await;
    assert_eq!((later.of(Outcome::Abandoned), later.of(Outcome::Open)), (2, 0));
    assert_ne!(later.digest(), then.digest());
    let scope = Scope::new(&world.site.ledger, key, Some(since), Some(size)).unwrap();
    assert_eq!(extent(&world, scope).await.digest(), then.digest());

    // A CA signs on the server's behalf alone.
    let of_ca = agreed(&world, active(&world.site, &"root".parse().unwrap()), None).await;
    assert!(of_ca.count() >= 3, "a root's request, itself, and another's certificate");
    refused(&world, key).await;
    an_altered_event_is_noticed(&world, key, open[1].get()).await;
    world.end().await;
}

async fn extent(world: &World, scope: Scope) -> Extent {
    world.site.app.blast_radius(world.site.ledger.clone(), scope).await.unwrap()
}

/// The list of now, which is what its events come to, also where its reader looks ahead.
async fn agreed(world: &World, key: KeyId, since: Option<Timestamp>) -> Extent {
    let (app, ledger) = (&world.site.app, &world.site.ledger);
    let scope = Scope::new(ledger, key, since, None).unwrap();
    let extent = extent(world, scope).await;
    let lines = expected(&world.events().await[..usize::try_from(scope.size).unwrap()], key, since);
    assert_eq!(extent.digest(), Hash::sha256(&lines), "{}", String::from_utf8_lossy(&lines));
    for most in [1, 2] {
        let reading = Reading::begin(app.store(), ledger, scope).await.unwrap();
        let (mut reading, mut ahead) = (reading.with_most_waiting(most), Extent::default());
        while let Some(rows) = reading.next().await.unwrap() {
            for row in rows {
                ahead.add(&row).unwrap();
            }
        }
        assert_eq!((ahead.digest(), ahead.count()), (extent.digest(), extent.count()));
    }
    extent
}

/// The lines as the specification makes them, from whole events.
fn expected(events: &[Event], key: KeyId, since: Option<Timestamp>) -> Vec<u8> {
    let mut lines = Vec::new();
    for event in events {
        let Payload::SignatureAuthorized(asked) = &event.payload else { continue };
        if asked.key != key || since.is_some_and(|since| event.time < since) {
            continue;
        }
        let mut line = json!({
            "authorization": event.seq, "caller": { "id": event.actor.id(), "kind": event.actor.kind() },
            "digest": asked.digest, "outcome": "open", "time": event.time,
        });
        let end = events.iter().find_map(|other| Some((other.seq, ends(&other.payload, event.seq)?)));
        if let Some((seq, outcome)) = end {
            (line["outcome"], line["outcome_seq"]) = (json!(outcome), json!(seq));
        }
        let members: [(&str, Option<Value>); 2] = [
            ("environment", asked.environment.map(|environment| json!(environment))),
            ("purpose", asked.purpose.as_ref().map(|purpose: &SigningPurpose| json!(purpose))),
        ];
        for (name, value) in members {
            value.into_iter().for_each(|value| line[name] = value);
        }
        lines.extend(canonical::value_to_vec(&line).unwrap());
        lines.push(b'\n');
    }
    lines
}

fn ends(payload: &Payload, of: Seq) -> Option<&'static str> {
    match payload {
        Payload::SignatureCreated(p) if p.authorization == of => Some("created"),
        Payload::SignatureFailed(p) if p.authorization == of => Some("failed"),
        Payload::SignatureWithheld(p) if p.authorization == of => Some("withheld"),
        Payload::SignatureAbandoned(p) if p.authorization == of => Some("abandoned"),
        _ => None,
    }
}

/// Authorisations for which no device is asked.
async fn authorized(world: &World, service: ServiceId, how_many: u8) -> Vec<Seq> {
    let mut seqs = Vec::new();
    for n in 0..how_many {
        let request = SignRequest {
            slot: SLOT.parse().unwrap(),
            digest: HexBytes(Hash::sha256(&[b'o', n]).0.to_vec()),
            message: None,
            environment: Environment::Staging,
            life_s: 60,
            sd: Vec::new(),
            clearance: None,
            key: None,
        };
        let command = Command::Authorize { caller: Actor::Service(service), request: Box::new(request) };
        let appended = world.site.ledger.submit(Submission::new(command)).await.unwrap();
        seqs.push(Seq::new(appended.first_seq).unwrap());
    }
    seqs
}

async fn settle(world: &World, authorization: Seq, outcome: SigningOutcome) {
    let command = Command::Settle { authorization, outcome };
    world.site.ledger.submit(Submission::new(command)).await.unwrap();
}

/// A key that is nobody's, and more events than there are.
async fn refused(world: &World, key: KeyId) {
    let ledger = &world.site.ledger;
    let code = |scope: Result<Scope, sealbook::ledger::EngineError>| scope.unwrap_err().code().to_owned();
    assert_eq!(code(Scope::new(ledger, KeyId::from(uuid::Uuid::nil()), None, None)), "key.unknown");
    assert_eq!(code(Scope::new(ledger, key, None, Some(0))), "request.query");
    assert_eq!(code(Scope::new(ledger, key, None, Some(ledger.size() + 1))), "request.query");
}

/// An event that was changed in storage makes no list: one in the middle, which the next one's `prev` shows, or the last, of
/// which the server knows the hash.
async fn an_altered_event_is_noticed(world: &World, key: KeyId, seq: u64) {
    let ledger = &world.site.ledger;
    let scope = Scope::new(ledger, key, None, None).unwrap();
    let told = extent(world, scope).await.digest();
    let (one, another) = (r#""v":1}"#, r#""v":7}"#);
    for altered in [seq, scope.size - 1] {
        world.alter(altered, one, another).await;
        let read = world.site.app.blast_radius(ledger.clone(), scope).await;
        assert_eq!(read.unwrap_err().code(), "ledger.corrupt", "event {altered}");
        world.alter(altered, another, one).await;
        assert_eq!(extent(world, scope).await.digest(), told);
    }
}
