//! The list of affected signatures that an incident's pack brings along: read from the chain again, and held against the
//! digest that its event names.

use sealbook_ledger::event::Event;
use sealbook_ledger::evidence::MAX_AFFECTED;
use sealbook_ledger::ids::{IncidentId, KeyId, Seq};
use sealbook_ledger::payload::{IncidentScoped, Payload};

use super::gathering::Gathering;
use crate::blast_radius::{Scope, lines};
use crate::ledger::EngineError;
use crate::reports::rep::{MAX_SHOWN, Shown};

/// The list, and as much of it as a report shows, with what is disclosed about it.
pub(super) struct AffectedList {
    /// Its lines (docs/spec/blast-radius.md).
    pub(super) jsonl: Vec<u8>,
    pub(super) shown: Vec<Shown>,
}

impl Gathering<'_> {
    /// The list that the last scope of an incident names; none where there is no scope, or the list is too long for a pack.
    ///
    /// # Errors
    /// Corruption where the chain does not make the list that was recorded: nothing is left out to hide that.
    pub(super) async fn affected(
        &self,
        incident: IncidentId,
        events: &[Event],
    ) -> Result<Option<AffectedList>, EngineError> {
        let Some((key, seq, scope)) = scoped(incident, events) else { return Ok(None) };
        if scope.count > MAX_AFFECTED {
            return Ok(None);
        }
        let of = Scope { key, since: scope.since, size: scope.size };
        let found = lines(self.store, self.ledger, of, scope.count, MAX_SHOWN).await?;
        if found.extent.count() != scope.count || found.extent.digest() != scope.list {
            return Err(other(seq));
        }
        let shown = found.first.into_iter();
        let shown = shown.map(|(line, told)| Shown { line, name: told.name, version: told.version });
        Ok(Some(AffectedList { jsonl: found.bytes, shown: shown.collect() }))
    }
}

fn other(seq: Seq) -> EngineError {
    EngineError::Corrupt(format!("the affected signatures are not those that event {seq} names").into())
}

/// The key of an incident, and its last scope.
fn scoped(incident: IncidentId, events: &[Event]) -> Option<(KeyId, Seq, &IncidentScoped)> {
    let key = events.iter().find_map(|event| match &event.payload {
        Payload::IncidentOpened(p) if p.incident == incident => Some(p.key),
        _ => None,
    })?;
    let last = events.iter().rev().find_map(|event| match &event.payload {
        Payload::IncidentScoped(p) if p.incident == incident => Some((event.seq, &**p)),
        _ => None,
    });
    last.map(|(seq, scope)| (key, seq, scope))
}
