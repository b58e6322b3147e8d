//! What happened in an incident: its own events, with what was written beside them, and who took its steps.

use std::collections::BTreeMap;

use sealbook_ledger::encoding::Hash;
use sealbook_ledger::incident::Incident;
use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;

use crate::http::problem::Problem;
use crate::pages::{Visit, wording};
use crate::views::incidents::IncidentView;
use crate::views::{reports, story};

/// Events of its own that a page tells of; the ledger has them all.
const MAX_TOLD: usize = 200;

/// What is told of the past.
pub(super) struct Past {
    /// Who caused the events of its steps, by seq.
    pub(super) who: BTreeMap<u64, String>,
    pub(super) reason: Option<String>,
    /// The newest first.
    pub(super) happened: Vec<Happened>,
    pub(super) statements: Vec<Statement>,
}

/// An event, told.
pub(super) struct Happened {
    pub(super) seq: u64,
    pub(super) time: Timestamp,
    pub(super) who: String,
    pub(super) what: String,
    /// What was written beside it.
    pub(super) said: Vec<String>,
}

/// A statement that was issued.
pub(super) struct Statement {
    pub(super) sha256: Hash,
    pub(super) issued_at: Timestamp,
    pub(super) seq: u64,
}

/// Reads it.
pub(super) async fn of(
    visit: &Visit,
    founded: &Founded,
    incident: &Incident,
    view: &IncidentView,
) -> Result<Past, Problem> {
    let (store, ledger, size) = (visit.store(), visit.ledger(), visit.member.state.size());
    let known = (founded, &visit.names);
    let mut told =
        story::of_correlation(store, ledger, known, size, incident.correlation, MAX_TOLD).await?.told;
    // A drill signs its samples under the same correlation: the ledger tells of each.
    told.retain(|told| !told.kind.starts_with("signature."));
    let taken: Vec<u64> =
        view.steps.iter().filter_map(|step| step.taken).map(|mark| mark.seq.get()).collect();
    let stored = store.events_at(ledger, &taken).await?;
    let steps = story::told(store, ledger, known, stored).await?;
    let who = steps.into_iter().map(|told| (told.seq, told.who)).collect();
    let opened = view.opened.seq.get();
    // Of a long incident the opening is not told any more, and why it was opened still is.
    let seqs: Vec<u64> = told.iter().map(|told| told.seq).chain([opened]).collect();
    let mut said: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for row in store.disclosures_of(ledger, &seqs).await? {
        said.entry(row.seq).or_default().push(wording::lines(&row.value));
    }
    let reason = said.get(&opened).and_then(|said| said.first().cloned());
    let happened = told.into_iter().map(|told| Happened {
        said: said.remove(&told.seq).unwrap_or_default(),
        seq: told.seq,
        time: told.time,
        who: told.who,
        what: told.what,
    });
    Ok(Past {
        who,
        reason,
        happened: happened.collect(),
        statements: statements(visit, founded, view).await?,
    })
}

/// The statements of it, the newest first.
async fn statements(
    visit: &Visit,
    founded: &Founded,
    view: &IncidentView,
) -> Result<Vec<Statement>, Problem> {
    let all = reports::all(visit.store(), visit.ledger(), founded, visit.member.state.size()).await?;
    let about = all.into_iter().filter(|pack| pack.incident == Some(view.incident));
    let statements =
        about.map(|pack| Statement { sha256: pack.sha256, issued_at: pack.issued_at, seq: pack.seq.get() });
    Ok(statements.collect())
}
