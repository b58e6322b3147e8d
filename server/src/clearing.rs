//! Signatures that people approve first: finds what they approved, and asks them on a service's behalf.
//!
//! The folded state knows roots and used places alone. Which digests an approved list holds is read from its attachment,
//! checked against the root, and kept in [`lists`] for the signatures to come. Only services are spoken for: a member
//! asks with a signature of their own.

mod document;
mod lists;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use sealbook_ledger::action::{ActionDocument, Params, SigningApproveParams, SigningBatchParams};
use sealbook_ledger::attachment::Attachment;
use sealbook_ledger::clearance::{self, MAX_CLEARED};
use sealbook_ledger::command::Command;
use sealbook_ledger::encoding::{Hash, HexBytes};
use sealbook_ledger::event::{Actor, Envelope, Event};
use sealbook_ledger::ids::{ActionId, Correlation, ServiceId, SlotName};
use sealbook_ledger::payload::{ActionProposed, ClearanceUse, Payload};
use sealbook_ledger::policy::{ArtifactField, Environment};
use sealbook_ledger::rule::Rule;
use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;

use crate::ledger::{Disclosure, EngineError, IdempotencyKey, Ledger, Submission};
use crate::store::{LedgerId, Store};
use lists::Lists;

/// Most digests of one service that wait for approval at a time, but for its last list: each is looked through when it
/// asks again.
const MAX_OPEN_DIGESTS: u64 = 20_000;

/// Most undecided questions of one service: people are to read them.
const MAX_OPEN: usize = 100;

/// Most places of one digest that are tried for one request.
const MAX_PLACES: usize = 16;

/// A digest, and what it is to be signed for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// By which slot.
    pub(crate) slot: &'a SlotName,
    /// Where the artifact is meant to go.
    pub(crate) environment: Environment,
    /// The digest.
    pub(crate) digest: &'a HexBytes,
}

/// What a service asks about one artifact.
pub(crate) struct Question<'a> {
    /// The artifact.
    pub(crate) wanted: Wanted<'a>,
    /// What is said about it.
    pub(crate) artifact: &'a [(ArtifactField, String)],
    /// The caller's key, where one was sent.
    pub(crate) idempotency: Option<IdempotencyKey>,
    /// The piece of work.
    pub(crate) correlation: Correlation,
}

/// What came of a question.
pub(crate) enum Answer {
    /// People have it before them.
    Waits(ActionId),
    /// They have approved it meanwhile: look again.
    Approved,
}

/// What a service asks about many artifacts at once.
#[derive(Debug)]
pub struct ListCall {
    /// Who asks.
    pub service: ServiceId,
    /// Which slot is to sign.
    pub slot: SlotName,
    /// Where the artifacts are meant to go.
    pub environment: Environment,
    /// Their names and digests.
    pub artifacts: Vec<(String, HexBytes)>,
    /// Why; made up from the service's name where absent.
    pub reason: Option<String>,
    /// The caller's key, where one was sent.
    pub idempotency: Option<IdempotencyKey>,
    /// The piece of work.
    pub correlation: Correlation,
}

/// Finds clearances and asks for them; shared by all callers.
pub(crate) struct Clearing {
    store: Arc<Store>,
    lists: Lists,
    /// One question at a time in each ledger: what is asked twice at once is asked once.
    turns: Mutex<HashMap<LedgerId, Arc<tokio::sync::Mutex<()>>>>,
}

impl Clearing {
    pub(crate) fn new(store: Arc<Store>) -> Self {
        Self { lists: Lists::new(Arc::clone(&store)), store, turns: Mutex::default() }
    }

    /// The unused places at which people approved a digest, as far as is known at this moment.
    pub(crate) async fn places(
        &self,
        ledger: &Ledger,
        wanted: Wanted<'_>,
    ) -> Result<Vec<ClearanceUse>, EngineError> {
        let state = ledger.state();
        let (founded, at) = (state.founded()?, ledger.now());
        let mut places = Vec::new();
        for (&action, clearance) in founded.clearances() {
            let fits = clearance.slot == *wanted.slot && clearance.environment == wanted.environment;
            if !fits || at >= clearance.expires_at || clearance.is_used_up() {
                continue;
            }
            if clearance.count == 1 {
                // A list of one is its leaf: nothing has to be read.
                if clearance.root == clearance::leaf(wanted.digest) {
                    places.push(ClearanceUse { action, index: 0, proof: Vec::new() });
                }
            } else {
                let list = self.lists.of(ledger.id(), action).await?;
                for &index in list.places(wanted.digest) {
                    if clearance.is_open(index, at) && places.len() < MAX_PLACES {
                        places.push(ClearanceUse { action, index, proof: list.proof(index)? });
                    }
                }
            }
            if places.len() >= MAX_PLACES {
                break;
            }
        }
        Ok(places)
    }

    /// The undecided action by which this very caller asked for every one of these digests.
    pub(crate) async fn asked_before(
        &self,
        ledger: &Ledger,
        caller: Actor,
        slot: &SlotName,
        environment: Environment,
        digests: &[HexBytes],
    ) -> Result<Option<ActionId>, EngineError> {
        let state = ledger.state();
        let (founded, at) = (state.founded()?, ledger.now());
        for (&id, action) in founded.actions() {
            let document = action.document();
            let stands = at < document.expires_at && !founded.is_outdated(action);
            if action.proposal().by != caller || !stands {
                continue;
            }
            let covers = match &document.params {
                Params::SigningApprove(p) if p.slot == *slot && p.environment == environment => {
                    digests.iter().all(|digest| *digest == p.digest)
                }
                Params::SigningBatch(p) if p.slot == *slot && p.environment == environment => {
                    let list = self.lists.of(ledger.id(), id).await?;
                    digests.iter().all(|digest| !list.places(digest).is_empty())
                }
                _ => false,
            };
            if covers {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// Puts one digest before people, in a service's name, unless it is there already.
    pub(crate) async fn ask(
        &self,
        ledger: &Ledger,
        service: ServiceId,
        question: Question<'_>,
    ) -> Result<Answer, EngineError> {
        let turn = self.turn(ledger.id());
        let _one_at_a_time = turn.lock().await;
        let Wanted { slot, environment, digest } = question.wanted;
        let one = std::slice::from_ref(digest);
        if let Some(id) = self.asked_before(ledger, Actor::Service(service), slot, environment, one).await? {
            return Ok(Answer::Waits(id));
        }
        if !self.places(ledger, question.wanted).await?.is_empty() {
            return Ok(Answer::Approved);
        }
        let said: Vec<Disclosure> =
            question.artifact.iter().map(|(field, text)| Disclosure::new(field.name(), text)).collect();
        let told = |field: ArtifactField| {
            said.iter().find(|disclosure| disclosure.name() == field.name()).map(Disclosure::digest)
        };
        let params = Params::SigningApprove(SigningApproveParams {
            artifact_name_digest: told(ArtifactField::Name),
            artifact_ticket_digest: told(ArtifactField::Ticket),
            artifact_version_digest: told(ArtifactField::Version),
            digest: digest.clone(),
            environment,
            slot: slot.clone(),
        });
        let name = question.artifact.iter().find(|(field, _)| *field == ArtifactField::Name);
        let what = name.map_or("a digest", |(_, name)| name.as_str());
        let reason = self.reason(ledger, service, what, environment).await?;
        let key = question.idempotency.map(|key| key.of_step(b"sealbook asks for approval v1\0"));
        let proposal =
            Proposal { params, reason, said, attachment: None, key, correlation: question.correlation };
        self.propose(ledger, service, proposal).await.map(Answer::Waits)
    }

    /// Puts a list of digests before people, in a service's name, unless it is there already.
    pub(crate) async fn ask_for_list(
        &self,
        ledger: &Ledger,
        call: ListCall,
    ) -> Result<ActionId, EngineError> {
        let ListCall { service, slot, environment, artifacts, reason, idempotency, correlation } = call;
        let turn = self.turn(ledger.id());
        let _one_at_a_time = turn.lock().await;
        let (names, digests): (Vec<String>, Vec<HexBytes>) = artifacts.into_iter().unzip();
        check_list(ledger, service, &slot, &digests)?;
        let caller = Actor::Service(service);
        if let Some(id) = self.asked_before(ledger, caller, &slot, environment, &digests).await? {
            return Ok(id);
        }
        let names = Disclosure::new("names", names.join("\n"));
        if !names.fits() {
            return Err(names_too_long());
        }
        let (attachment, bytes) = attached(&digests);
        let params = Params::SigningBatch(SigningBatchParams {
            count: u32::try_from(digests.len()).map_err(|_| Rule::SigningList)?,
            digests: attachment.clone(),
            environment,
            names_digest: Some(names.digest()),
            root: clearance::root(&digests),
            slot,
        });
        let reason = match reason {
            Some(reason) => reason,
            None => {
                self.reason(ledger, service, &format!("{} artifacts", digests.len()), environment).await?
            }
        };
        let attachment = Some((attachment, bytes));
        let proposal =
            Proposal { params, reason, said: vec![names], attachment, key: idempotency, correlation };
        self.propose(ledger, service, proposal).await
    }

    async fn propose(
        &self,
        ledger: &Ledger,
        service: ServiceId,
        proposal: Proposal,
    ) -> Result<ActionId, EngineError> {
        let Proposal { params, reason, said, attachment, key, correlation } = proposal;
        let state = ledger.state();
        let (founded, at) = (state.founded()?, ledger.now());
        check_room(founded, service, at)?;
        let reason = Disclosure::new("reason", reason);
        let document = document::of_service(ledger.origin(), founded, service, params, &reason, at)?;
        let action = document.action;
        let mut submission =
            Submission::new(Command::Propose(Box::new(ActionProposed { document, signed: None })));
        submission.disclosures = said;
        submission.disclosures.push(reason);
        submission.attachments = attachment.into_iter().collect();
        submission.idempotency = key;
        submission.correlation = correlation;
        let appended = ledger.submit(submission).await?;
        if appended.replayed { self.replayed(ledger, appended.first_seq).await } else { Ok(action) }
    }

    /// What the first request with this idempotency key asked for, as long as it is undecided.
    async fn replayed(&self, ledger: &Ledger, seq: u64) -> Result<ActionId, EngineError> {
        let unreadable = || EngineError::Corrupt("a stored event can't be read".into());
        let stored = self.store.page(ledger.id(), seq, 1).await?.into_iter().next().ok_or_else(unreadable)?;
        let envelope = Envelope::parse(&stored.bytes).map_err(|_| unreadable())?;
        let event = Event::from_envelope(envelope).map_err(|_| unreadable())?;
        let Payload::ActionProposed(proposed) = &event.payload else { return Err(unreadable()) };
        let id = proposed.document.action;
        if ledger.state().founded()?.actions().contains_key(&id) {
            Ok(id)
        } else {
            Err(EngineError::Conflict {
                code: "signing.ended",
                sentence: "what was asked for with this Idempotency-Key has been decided; ask again with a new key",
            })
        }
    }

    /// The reason that stands where the service gave none: who asks for what.
    async fn reason(
        &self,
        ledger: &Ledger,
        service: ServiceId,
        what: &str,
        environment: Environment,
    ) -> Result<String, EngineError> {
        let id = service.to_string();
        let name = self.store.names(ledger.id()).await?.into_iter().find(|row| row.id == id);
        let name = name.map_or_else(|| format!("service {id}"), |row| row.name);
        Ok(format!("{name} asks to sign {what} for {}", document::name_of(environment)))
    }

    fn turn(&self, ledger: LedgerId) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(ledger).or_default())
    }
}

/// What is put before people.
struct Proposal {
    params: Params,
    reason: String,
    said: Vec<Disclosure>,
    attachment: Option<(Attachment, Vec<u8>)>,
    key: Option<IdempotencyKey>,
    correlation: Correlation,
}

/// A list of digests as it is attached to its proposal.
pub fn attached(digests: &[HexBytes]) -> (Attachment, Vec<u8>) {
    let bytes: Vec<u8> = digests.iter().flat_map(|digest| digest.0.iter().copied()).collect();
    let attachment =
        Attachment { sha256: Hash::sha256(&bytes), size: bytes.len() as u64, media_type: document::octets() };
    (attachment, bytes)
}

/// The refusal of names that no line of a bundle could hold.
pub fn names_too_long() -> EngineError {
    EngineError::Conflict {
        code: "signing.names",
        sentence: "the names of one list have at most 65,535 bytes together; split it into several",
    }
}

/// Refuses a list with digests that the slot could not sign, before anything of it is worked on.
fn check_list(
    ledger: &Ledger,
    service: ServiceId,
    slot: &SlotName,
    digests: &[HexBytes],
) -> Result<(), EngineError> {
    let state = ledger.state();
    let founded = state.founded()?;
    founded.judge_caller(slot, Actor::Service(service), ledger.now())?;
    if !(1..=MAX_CLEARED as usize).contains(&digests.len()) {
        return Err(Rule::SigningList.into());
    }
    let len = founded.slot(slot)?.algorithm.digest().byte_len();
    if digests.iter().any(|digest| digest.0.len() != len) {
        return Err(Rule::DigestLength.into());
    }
    Ok(())
}

/// Refuses another question of a service that waits for many answers already.
fn check_room(founded: &Founded, service: ServiceId, at: Timestamp) -> Result<(), EngineError> {
    let undecided =
        |document: &ActionDocument| document.kind().concerns_signatures() && at < document.expires_at;
    let own = founded.actions().values().filter(|action| action.proposal().by == Actor::Service(service));
    let waiting: Vec<u64> = own
        .map(|action| action.document())
        .filter(|document| undecided(document))
        .map(|document| match &document.params {
            Params::SigningBatch(p) => u64::from(p.count),
            _ => 1,
        })
        .collect();
    if waiting.len() < MAX_OPEN && waiting.iter().sum::<u64>() < MAX_OPEN_DIGESTS {
        return Ok(());
    }
    Err(EngineError::Conflict {
        code: "signing.waiting",
        sentence: "too much of this service waits for approval: a hundred requests, or twenty thousand digests",
    })
}
