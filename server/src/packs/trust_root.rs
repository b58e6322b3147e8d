//! Trust roots (docs/spec/trust-root.md): which keys of a ledger are to be believed, signed as packs are, and handed out to
//! anybody. Another one comes at once where a key was made, replaced or revoked, and otherwise long before the last one ends.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sealbook_ledger::command::Document;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::{Correlation, Seq};
use sealbook_ledger::note::Vkey;
use sealbook_ledger::pack::{Envelope, PAYLOAD_TYPE, PackError, pae};
use sealbook_ledger::payload::{Payload, RepIssued, ReportKind};
use sealbook_ledger::public_key::PublicKey;
use sealbook_ledger::receipt::Receipt;
use sealbook_ledger::revocation::REVOKING;
use sealbook_ledger::rule::Rule;
use sealbook_ledger::state::State;
use sealbook_ledger::trust_root::{TrustRoot, TrustRootFile};
use tokio::sync::watch;

use super::gathering::{Gathering, vkey_of};
use super::{Issued, Packs, Unfinished};
use crate::clock;
use crate::ledger::{EngineError, Ledger, TrustRootKept};
use crate::proving;
use crate::store::story::StoryFilter;

/// How old a trust root gets before the next one, in seconds: as old as a revocation list, 3 days.
const RENEW_AFTER_S: u32 = 3 * 24 * 60 * 60;

/// How long a trust root waits for the checkpoint that its receipt leads to: else it is tried again.
const SEAL_WAIT: Duration = Duration::from_secs(5);

/// How soon after a change there is another one, and how soon what failed is tried again.
const TICK: Duration = Duration::from_secs(1);

/// The longest pause between tries.
const MAX_PAUSE: Duration = Duration::from_secs(300);

/// A trust root that lacks its signature.
pub(super) struct UnsignedRoot {
    trust_root: TrustRoot,
    sha256: Hash,
    statement: Vec<u8>,
    receipt: Receipt,
}

impl UnsignedRoot {
    fn new(trust_root: TrustRoot, receipt: Receipt) -> Result<Self, PackError> {
        let sha256 = Hash::sha256(&trust_root.to_bytes()?);
        let statement = Document::TrustRoot.report(&trust_root.origin).statement(sha256)?;
        Ok(Self { trust_root, sha256, statement, receipt })
    }

    pub(super) fn sha256(&self) -> Hash {
        self.sha256
    }

    pub(super) fn pae(&self) -> Vec<u8> {
        pae(PAYLOAD_TYPE, &self.statement)
    }

    pub(super) fn sign(&self, key: &PublicKey, signature: Vec<u8>) -> Result<Vec<u8>, PackError> {
        TrustRootFile {
            trust_root: self.trust_root.clone(),
            sha256: self.sha256,
            envelope: Envelope::new(self.statement.clone(), key, signature)?,
            evidence_key: self.receipt.clone(),
        }
        .to_bytes()
    }
}

/// Keeps a ledger's trust root: a runner of its own, so that no pack holds it up.
pub(crate) struct TrustRoots {
    ledger: Arc<Ledger>,
    packs: Packs,
    /// The size that was looked at last, and what came of it.
    seen: u64,
    pause: Duration,
}

impl TrustRoots {
    pub(crate) fn new(ledger: Arc<Ledger>, packs: Packs) -> Self {
        Self { ledger, packs, seen: 0, pause: TICK }
    }

    /// Runs until `stop` says so.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut pauses = self.ledger.clock().pauses();
        while !*stop.borrow() {
            match self.renew().await {
                Ok(()) => self.pause = TICK,
                Err(error) => {
                    tracing::warn!(origin = %self.ledger.origin(), code = error.code(), error = &error as &dyn std::error::Error, "a trust root has to wait");
                    self.pause = self.pause.saturating_mul(2).min(MAX_PAUSE);
                }
            }
            tokio::select! {
                () = pauses.pause(self.pause) => {}
                _ = stop.changed() => return,
            }
        }
    }

    /// Issues another one where the last one says something else, or is old.
    async fn renew(&mut self) -> Result<(), EngineError> {
        let state = self.ledger.state();
        let kept = self.ledger.trust_root();
        let old =
            |kept: &TrustRootKept| self.ledger.now() >= kept.file.trust_root.at.plus_seconds(RENEW_AFTER_S);
        let changed = state.size() != self.seen;
        if !may_issue(&state) || (!changed && kept.as_deref().is_some_and(|kept| !old(kept))) {
            return Ok(());
        }
        let gathering = Gathering { store: &self.packs.store, ledger: &self.ledger };
        let ledger_keys = gathering.ledger_keys().await?;
        let Some(now) = TrustRoot::of(&state, self.ledger.now(), &ledger_keys) else { return Ok(()) };
        let in_force = state.founded()?.evidence_key().map(|(key, _)| *key);
        let current = |kept: &Arc<TrustRootKept>| {
            !old(kept) && Some(kept.key) == in_force && kept.file.trust_root.agrees_with(&now)
        };
        if !kept.as_ref().is_some_and(current) {
            // Another server may have been first, or this one before it was started again.
            let newest = gathering.newest_trust_root().await?.map(Arc::new);
            let enough = newest.as_ref().is_some_and(current);
            if let Some(newest) = newest {
                self.ledger.keep_trust_root(newest);
            }
            if !enough {
                self.packs.issue_trust_root(&self.ledger, &state, ledger_keys).await?;
                let newest = gathering.newest_trust_root().await?;
                self.ledger.keep_trust_root(Arc::new(newest.ok_or(nothing())?));
            }
        }
        self.seen = state.size();
        Ok(())
    }
}

fn may_issue(state: &State) -> bool {
    state.founded().is_ok_and(|founded| {
        let open = founded.pending_documents().values().any(|open| open.kind == ReportKind::TrustRoot);
        founded.rules() >= REVOKING && founded.evidence_key().is_some() && !open
    })
}

fn nothing() -> EngineError {
    EngineError::Corrupt("a trust root that was issued is not in storage".into())
}

impl Packs {
    async fn issue_trust_root(
        &self,
        ledger: &Ledger,
        state: &State,
        ledger_keys: Vec<(Seq, Vkey)>,
    ) -> Result<Issued, EngineError> {
        let trust_root = TrustRoot::of(state, ledger.now(), &ledger_keys).ok_or(Rule::EvidenceKey)?;
        let gathering = Gathering { store: &self.store, ledger };
        let receipt = gathering.evidence_key_receipt().await?;
        let unsigned = UnsignedRoot::new(trust_root, receipt)
            .map_err(|error| EngineError::fault("a trust root can't be put together", error))?;
        let correlation: Correlation = clock::correlation();
        self.have_signed(ledger, Document::TrustRoot, None, correlation, Unfinished::TrustRoot(unsigned))
            .await
    }
}

impl Gathering<'_> {
    /// Every ledger key that there was, by the event that brought it.
    async fn ledger_keys(&self) -> Result<Vec<(Seq, Vkey)>, EngineError> {
        let kinds = ["ledger.key_recovered", "ledger.key_rotated", "ledger.opened"].map(str::to_owned);
        let mut events = self.story(kinds.to_vec(), Vec::new()).await?;
        events.sort_by_key(|event| event.seq);
        Ok(events.iter().filter_map(|event| Some((event.seq, vkey_of(&event.payload)?))).collect())
    }

    /// The receipt of the event that names the evidence key in force.
    async fn evidence_key_receipt(&self) -> Result<Receipt, EngineError> {
        let events = self.story(vec!["ledger.evidence_key_set".to_owned()], Vec::new()).await?;
        let set = events.iter().map(|event| event.seq).max().ok_or(Rule::EvidenceKey)?;
        proving::receipt(self.store, self.ledger, set.get(), SEAL_WAIT).await
    }

    /// The newest trust root that was issued, and what says so.
    async fn newest_trust_root(&self) -> Result<Option<TrustRootKept>, EngineError> {
        let kinds = ["document.authorized", "rep.issued"].map(str::to_owned).to_vec();
        let mut filter = StoryFilter {
            below: self.ledger.size(),
            kinds,
            beside_signatures: true,
            ..StoryFilter::default()
        };
        // An authorisation stands before what was issued: read backwards, its end is known first.
        let mut issued: BTreeMap<Seq, (Seq, RepIssued)> = BTreeMap::new();
        loop {
            let (events, next) = self.story_page(&filter).await?;
            for event in events {
                match &event.payload {
                    Payload::RepIssued(p) => {
                        issued.insert(p.authorization, (event.seq, (**p).clone()));
                    }
                    Payload::DocumentAuthorized(asked) if asked.kind == ReportKind::TrustRoot => {
                        if let Some((seq, issued)) = issued.get(&event.seq) {
                            return self.kept(*seq, issued).await.map(Some);
                        }
                    }
                    _ => {}
                }
            }
            match next {
                Some(next) => filter.below = next,
                None => return Ok(None),
            }
        }
    }

    async fn kept(&self, seq: Seq, issued: &RepIssued) -> Result<TrustRootKept, EngineError> {
        let (key, sha256) = (issued.key, issued.sha256);
        let row = self.store.attachment(self.ledger.id(), sha256).await?.ok_or_else(nothing)?;
        let file = TrustRootFile::parse(&row.bytes)
            .map_err(|_| EngineError::Corrupt("a stored trust root can't be read".into()))?;
        Ok(TrustRootKept { seq, key, sha256, file, bytes: row.bytes.into() })
    }
}
